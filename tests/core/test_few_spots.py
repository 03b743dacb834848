"""Sections of one or two spots: what a prediction and its scores are still worth, and that the user is told."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, TrainConfig
from gr2st.evaluation import sections as sections_module
from gr2st.evaluation.crossval import evaluate
from gr2st.evaluation.fold import training_sections
from gr2st.evaluation.measured import predict_section
from gr2st.evaluation.plan import Plan
from gr2st.io.prediction import save_prediction
from gr2st.training.checkpoint import TrainedModel, save_model
from gr2st.training.loop import train
from gr2st.types import Fold, Section, Study, finish

if TYPE_CHECKING:
    from tests.core.conftest import Command

GENES = ("ERBB2", "KRT19", "COL1A1", "PLIN1", "GAPDH")


@pytest.fixture(scope="module")
def study() -> Study:
    return gr2st.read_study(gr2st.sample_study_path())


def with_rows(section: Section, rows: list[int]) -> Section:
    return replace(section, table=section.table[rows].copy())


def with_spots(section: Section, n_spots: int) -> Section:
    return with_rows(section, list(range(min(n_spots, section.n_spots))))


@pytest.fixture(scope="module")
def trained_on_a1(study: Study) -> dict[str, TrainedModel]:
    models = {}
    for name in ("gr2st", "ridge"):
        sections, recipe = finish(training_sections([study.entry("A1")], name, GeneChoice(listed=GENES), {}))
        training = TrainConfig(epochs=1 if name == "gr2st" else 0, device="cpu")
        models[name] = finish(train(name, sections, recipe, training=training))
    return models


@pytest.mark.parametrize("n_spots", [1, 2, 3])
def test_a_prediction_of_very_few_spots_says_what_it_is_worth(
    study: Study, trained_on_a1: dict[str, TrainedModel], tmp_path: Path, n_spots: int
) -> None:
    few = with_spots(gr2st.read_section(study.entry("B1")), n_spots)
    prediction = finish(predict_section(trained_on_a1["gr2st"], few))
    said = {
        1: ["1 spot: features are standardised", "1 spot: no gene has a score"],
        2: ["2 spots: features are standardised", "2 spots: every score is 1 or -1"],
        3: [],
    }[n_spots]
    assert len(prediction.notes) == len(said)
    assert all(words in note for words, note in zip(said, prediction.notes, strict=True))
    stored = gr2st.read_prediction(save_prediction(prediction, tmp_path / "few.h5ad"))
    assert stored.notes == prediction.notes
    assert gr2st.with_measured(stored, few).notes == prediction.notes


def test_what_the_notes_on_few_spots_say_is_true(study: Study, trained_on_a1: dict[str, TrainedModel]) -> None:
    section = gr2st.read_section(study.entry("B1"))
    spots = [with_rows(section, [row]) for row in (0, 30, 60)]
    predicted = [finish(predict_section(trained_on_a1["gr2st"], spot)).table for spot in spots]
    for other in predicted[1:]:
        np.testing.assert_array_equal(other.layers[keys.PREDICTED], predicted[0].layers[keys.PREDICTED])
    assert np.isnan(predicted[0].var[keys.PCC_SPOT]).all()
    two = finish(predict_section(trained_on_a1["gr2st"], with_spots(section, 2))).table
    scores = two.var[keys.PCC_SPOT].dropna().to_numpy()
    np.testing.assert_allclose(np.abs(scores), 1, rtol=1e-6)


def test_a_model_that_standardises_over_the_training_spots_has_its_say_about_one_spot(
    study: Study, trained_on_a1: dict[str, TrainedModel]
) -> None:
    section = gr2st.read_section(study.entry("B1"))
    whole = finish(predict_section(trained_on_a1["ridge"], section)).table.layers[keys.PREDICTED]
    one = finish(predict_section(trained_on_a1["ridge"], with_spots(section, 1)))
    np.testing.assert_allclose(one.table.layers[keys.PREDICTED], whole[:1], rtol=1e-4)
    assert [note for note in one.notes if "standardised" in note] == []


def test_an_evaluation_gathers_the_notes_of_its_folds_and_keeps_them(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = sections_module.read_section
    monkeypatch.setattr(
        sections_module, "_read_once", lambda entry, _: with_spots(read(entry), 1 if entry.name == "B1" else 346)
    )
    plan = Plan(
        models=("gr2st", "mean"),
        genes=GeneChoice(listed=GENES),
        sections=("A1", "B1"),
        folds=(Fold("mine", train=("A1",), test=("B1",)),),
        training={"gr2st": TrainConfig(epochs=1, device="cpu")},
    )
    first, second = (finish(evaluate(study, plan, tmp_path)).notes for _ in range(2))
    assert first == second
    assert len(first) == 2
    assert first[0].startswith("gr2st: Section B1 has 1 spot: features are standardised")
    assert first[1].startswith("Section B1 has 1 spot: no gene has a score")


def test_the_command_line_says_the_notes_of_a_prediction(
    trained_on_a1: dict[str, TrainedModel], command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(gr2st.sample_study_path(), folder, ignore=shutil.ignore_patterns("visium", "A*", "*.py"))
    (folder / "study.csv").unlink()
    counts = folder / "ST-cnts" / "B1.tsv.gz"
    header, spot, *_ = gzip.decompress(counts.read_bytes()).splitlines(keepends=True)
    counts.write_bytes(gzip.compress(header + spot))
    save_model(trained_on_a1["gr2st"], tmp_path / "model")
    code, said = command("predict", tmp_path / "model", folder, "--section", "B1", "--out", tmp_path / "B1.h5ad")
    assert code == 0, said
    assert "Note: Section B1 has 1 spot: features are standardised over the spots of a section" in said
    assert "Note: Section B1 has 1 spot: no gene has a score" in said
