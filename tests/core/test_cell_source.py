"""Cell types on their way: recipe, prepared section, model, prediction, command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from gr2st import keys, preparation
from gr2st.cells.source import spot_cells_of
from gr2st.config import GeneChoice, PatchConfig, Recipe
from gr2st.errors import DataError
from gr2st.evaluation.fold import FoldJob, training_sections
from gr2st.evaluation.rows import rows_of
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.prediction import predict
from gr2st.preparation import prepare
from gr2st.registry import MODELS
from gr2st.training.loop import train
from gr2st.types import CELL_CLASSES, Fold, Prepared, Section, SpotCells, Steps, finish
from tests.builders import her2st_folder
from tests.toys import GENES, toy_recipe, toy_section

PATCH = PatchConfig(size_px=16, um_per_px=None)
RECIPE = Recipe(genes=("GENE1", "GENE2"), patch=PATCH)
TYPED = RECIPE.model_copy(update={"cell_types": "files"})


@pytest.fixture
def section(tmp_path: Path) -> Section:
    """A section whose first spot is neoplastic by its table, all others inflammatory."""
    her2st_folder(tmp_path, names=("A1",))
    read = read_section(read_study(tmp_path).entry("A1"))
    rows = [f"{spot}\t{'neopla' if number == 0 else 'inflam'}" for number, spot in enumerate(read.spot_names)]
    (tmp_path / "types.tsv").write_text("\n".join(["spot\ttype", *rows]) + "\n")
    return replace(read, cells=tmp_path / "types.tsv")


def prepared(section: Section, recipe: Recipe) -> Prepared:
    return finish(prepare(section, recipe, needs=frozenset({"cell_type"})))


def test_a_recipe_without_cell_types_keeps_the_digest_it_always_had() -> None:
    assert Recipe(genes=("A", "B")).digest() == "08de07bf75b67654"
    assert Recipe(genes=("A", "B"), cell_types="estimate").digest() != Recipe(genes=("A", "B")).digest()


def test_a_source_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError):
        Recipe(genes=("A",), cell_types="telepathy")


def test_without_cell_types_nothing_is_filled(section: Section) -> None:
    result = prepared(section, RECIPE)
    assert result.cell_type is None
    assert result.cell_share is None
    assert "cells" not in result.digests


def test_cell_types_of_files_travel_with_the_section_and_survive_its_blinding(section: Section) -> None:
    result = prepared(section, TYPED)
    assert result.cell_type.tolist() == [2] + [3] * (section.n_spots - 1)
    assert result.cell_type.dtype == np.int64
    assert len(result.digests["cells"]) == 16
    np.testing.assert_array_equal(result.blind().cell_type, result.cell_type)


def test_other_cell_types_give_another_digest(section: Section) -> None:
    before = prepared(section, TYPED).digests["cells"]
    section.cells.write_text(section.cells.read_text().replace("neopla", "connec"))
    assert prepared(section, TYPED).digests["cells"] != before


def test_cell_types_are_read_only_where_they_are_asked_for(section: Section) -> None:
    broken = replace(section, cells=Path("nowhere"))
    assert finish(prepare(broken, TYPED, needs=frozenset({"grid"}))).cell_type is None
    with pytest.raises(DataError, match="nowhere does not exist"):
        prepared(broken, TYPED)


def test_files_asked_of_a_section_that_names_none_are_an_error(section: Section) -> None:
    with pytest.raises(DataError, match="Section A1 has no cell types, but the recipe takes them from files"):
        prepared(replace(section, cells=None), TYPED)


def test_changed_files_of_cell_types_make_a_fold_run_again(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "5x8.tsv").write_text("x\ty\tclass\tname\tcolor\n")
    (tmp_path / "study.csv").write_text("section,path,cells\nA1,ST-cnts/A1.tsv.gz,cells\n")

    def digest() -> str:
        entries = read_study(tmp_path).entries
        (row,) = rows_of(["ridge"], {}, {})
        return FoldJob(Fold("A1", (), ("A1",)), row, entries, GeneChoice(n_variable=2), tmp_path).digest()

    before = digest()
    (tmp_path / "cells" / "5x8.tsv").write_text("x\ty\tclass\tname\tcolor\n1\t1\t\tneopla\t0\n")
    assert digest() != before


def test_cell_types_are_made_only_for_models_that_learn_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def spied(section: Section, source: str, patch: PatchConfig) -> Steps[SpotCells | None]:
        asked.append(section.name)
        return (yield from spot_cells_of(section, source, patch))

    monkeypatch.setattr(preparation, "spot_cells_of", spied)
    entries = read_study(her2st_folder(tmp_path, names=("A1", "A2"))).entries
    fields = {"patch": {"size_px": 224, "um_per_px": None}, "cell_types": "none"}
    for model in MODELS:
        asked.clear()
        finish(training_sections(entries, model, GeneChoice(listed=("GENE1", "GENE2")), fields))
        assert asked == (["A1", "A2"] if model.startswith("gr2st") else []), model


# ------------------------------------------------------------------------------------------------------------ models


def typed_toy(name: str, seed: int) -> Prepared:
    toy = toy_section(name, seed=seed)
    kinds = np.random.default_rng(seed).integers(0, len(CELL_CLASSES), len(toy.spots))
    recipe = toy_recipe().model_copy(update={"cell_types": "files"})
    return replace(toy, cell_type=kinds, digests={"recipe": recipe.digest()})


def trained(sections: list[Prepared], **config: object):
    spec = MODELS["gr2st-v2"]
    small = spec.config.model_copy(update={"projection": 16, "heads": 2, "retrieval_k": 10, **config})
    recipe = Recipe(genes=GENES, cell_types="files")
    steps = train(
        "gr2st-v2",
        sections,
        recipe,
        config=small,
        training=spec.training.model_copy(update={"epochs": 40, "device": "cpu", "threads": 1, "learning_rate": 3e-3}),
    )
    losses = []
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value, losses
        if step.stage == "Training":
            losses.append(step.values)


def test_the_gate_of_v2_learns_the_cell_types() -> None:
    sections = [typed_toy("A1", 1)]
    # The type follows the picture, so that the gate, which sees only the picture, can learn it.
    kinds = (sections[0].features[:, 0] > 0).astype(np.int64) + 2
    typed = [replace(sections[0], cell_type=kinds)]
    _, taught = trained(typed, mse_weight=1.0)
    _, untaught = trained(typed, mse_weight=1.0, gate_weight=0.0)
    assert taught[-1]["gate"] < 0.6 * taught[0]["gate"]
    assert untaught[-1]["gate"] > untaught[0]["gate"]


def test_a_model_with_cell_types_predicts_without_them_and_says_so_of_its_graphs() -> None:
    model, _ = trained([typed_toy("A1", 1)])
    held_out = replace(typed_toy("B1", 3), cell_type=None)
    table = finish(predict(model, held_out)).table
    assert table.uns[keys.PROVENANCE]["cell_types"] == "files"
    assert table.uns[keys.PROVENANCE]["graphs"].endswith("without the cell types of training")
    typed = finish(predict(model, typed_toy("B1", 3))).table
    np.testing.assert_array_equal(table.layers[keys.PREDICTED], typed.layers[keys.PREDICTED])
    assert "cell types" not in typed.uns[keys.PROVENANCE]["graphs"]
