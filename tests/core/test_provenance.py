"""Every file of results says what it was made with."""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from anndata import read_h5ad

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, NeighboursConfig
from gr2st.evaluation.crossval import Evaluation, evaluate
from gr2st.evaluation.fold import training_sections
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.provenance import data_digests, joined
from gr2st.evaluation.results import FoldResult
from gr2st.types import finish

GENES = GeneChoice(listed=("ERBB2", "KRT19", "COL1A1"))
SOFTWARE = ("gr2st-napari", "torch", "numpy", "scipy", "scikit-learn", "anndata")


def evaluated(out: Path, **changes: Any) -> Evaluation:
    plan = Plan(**({"models": ("knn",), "genes": GENES, "sections": ("A1", "B1")} | changes))
    return finish(evaluate(gr2st.read_study(gr2st.sample_study_path()), plan, out))


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluated(tmp_path_factory.mktemp("evaluation"))


def told(evaluation: Evaluation) -> Any:
    return json.loads((evaluation.out / keys.SUMMARY).read_text())["provenance"]


def fold_of(evaluation: Evaluation) -> Any:
    return json.loads((evaluation.out / "folds" / "knn" / "B" / "result.json").read_text())


def test_the_summary_names_software_seeds_settings_and_data(evaluation: Evaluation) -> None:
    provenance = told(evaluation)
    (versions,) = provenance["versions"]
    assert {name: importlib.metadata.version(name) for name in SOFTWARE}.items() <= versions.items()
    assert provenance["seeds"] == {"knn": [0]}
    assert set(provenance["settings"]["knn"]) == {"config", "training", "recipe", "encoder"}
    study = gr2st.read_study(gr2st.sample_study_path())
    for name in ("A1", "B1"):
        section = gr2st.read_section(study.entry(name))
        assert provenance["data"][name] == data_digests(section)
        assert provenance["data"][name]["image"] == section.slide.digest()


def test_a_fold_names_the_sections_it_saw_and_what_it_was_made_with(evaluation: Evaluation) -> None:
    stored = fold_of(evaluation)
    assert (stored["seed"], stored["train"]) == (0, ["A1"])
    assert set(stored["provenance"]["data"]) == {"A1", "B1"}
    assert stored["provenance"]["versions"] == told(evaluation)["versions"][0]
    for kind, digest in stored["provenance"]["settings"].items():
        assert digest in told(evaluation)["settings"]["knn"][kind]


def test_a_prediction_carries_the_same_digests(evaluation: Evaluation) -> None:
    table = read_h5ad(evaluation.out / "folds" / "knn" / "B" / "B1.h5ad")
    carried, fold = table.uns[keys.PROVENANCE], fold_of(evaluation)["provenance"]
    assert carried["seed"] == 0
    assert {str(k): str(v) for k, v in carried["versions"].items()} == fold["versions"]
    for kind in ("config", "training", "recipe"):
        assert carried[kind] == fold["settings"][kind]
    assert carried["image"] == fold["data"]["B1"]["image"]
    assert len(carried["training_data"]) == len(carried["measured"]) == 16


def test_a_model_carries_seed_versions_and_digests_of_data_and_settings(evaluation: Evaluation, tmp_path: Path) -> None:
    study = gr2st.read_study(gr2st.sample_study_path())
    sections, recipe = finish(training_sections([study.entry("A1")], "knn", GENES, {}))
    gr2st.save_model(finish(gr2st.train("knn", sections, recipe)), tmp_path / "model")
    card = json.loads((tmp_path / "model" / keys.MODEL_CARD).read_text())
    assert card["training"]["seed"] == 0
    assert card["versions"] == told(evaluation)["versions"][0]
    assert card["recipe_digest"] == recipe.digest()
    assert set(card["digests"]["A1"]) == {"recipe", "counts", "image", "encoder"}


def test_other_settings_have_another_digest_and_other_seeds_are_told(evaluation: Evaluation, tmp_path: Path) -> None:
    other = evaluated(tmp_path, config={"knn": NeighboursConfig(k=5)})
    assert told(other)["settings"]["knn"]["config"] != told(evaluation)["settings"]["knn"]["config"]
    assert told(other)["data"] == told(evaluation)["data"]


def test_any_changed_count_name_or_place_has_another_digest() -> None:
    section = gr2st.read_section(gr2st.read_study(gr2st.sample_study_path()).entry("A1"))
    before = data_digests(section)
    counted, renamed, moved = (section.table.copy() for _ in range(3))
    counted.X[0, 0] += 1
    renamed.var_names = [f"{name}x" for name in renamed.var_names]
    moved.obsm[keys.SPATIAL] = moved.obsm[keys.SPATIAL] + 1
    for table in (counted, renamed, moved):
        after = data_digests(replace(section, table=table))
        assert after["table"] != before["table"]
        assert after["image"] == before["image"]


def test_folds_of_other_software_are_not_told_as_one() -> None:
    results = [
        FoldResult("knn", 0, fold, "", 3, (), {"versions": {"torch": torch}, "settings": {}, "data": {}})
        for fold, torch in (("A", "2.6"), ("B", "2.7"), ("C", "2.6"))
    ]
    assert joined(results)["versions"] == [{"torch": "2.6"}, {"torch": "2.7"}]
