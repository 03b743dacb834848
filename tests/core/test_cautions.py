"""What a reader of the scores must know, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from gr2st.config import GeneChoice
from gr2st.evaluation.cautions import cautions
from gr2st.evaluation.plan import Plan

PLAN = Plan(models=("ridge", "knn", "depth-oracle"), genes=GeneChoice(n_variable=20))
PATIENTS = {"A1": "A", "B1": "B", "C1": "C"}
DONE = {"done": 9, "failed": 0, "planned": 9}


def row(score: float, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    difference = {"minus_ridge": {"pcc_spot": {"mean": 0.0, "low": low, "high": high}}} if high is not None else {}
    return {"pcc_spot": score, "pcc_gene": score, "sections": dict.fromkeys(PATIENTS), **difference}


def said(models: dict[str, Any], folds: dict[str, int] = DONE, sisters: str = "", **patients: Any) -> list[str]:
    return cautions({"models": models, "folds": folds}, PLAN, PATIENTS | patients, sisters)


def test_nothing_is_said_where_nothing_is_to_be_said() -> None:
    assert said({"ridge": row(0.2), "knn": row(0.3, 0.05, 0.15), "depth-oracle": row(0.1, -0.2, 0.1)}) == []


@pytest.mark.parametrize(
    ("patients", "sentence"),
    [
        ({"B1": "A", "C1": "A"}, "over sections of 1 patient and say nothing of other patients"),
        ({"C1": "A"}, "over 2 patients: they are little more than the range"),
        ({"C1": None}, "The patient of some sections is not known"),
    ],
)
def test_few_patients_are_told(patients: dict[str, Any], sentence: str) -> None:
    (found,) = said({"ridge": row(0.2)}, **patients)
    assert sentence in found


def test_sisters_in_training_are_told_before_what_follows_from_the_scores() -> None:
    models = {"ridge": row(0.2), "depth-oracle": row(0.3)}
    assert said(models, sisters="Sisters.")[0] == "Sisters."


def test_failed_and_missing_folds_are_told_with_their_number() -> None:
    missing, failed = said({"ridge": row(0.2)}, {"done": 5, "failed": 1, "planned": 9})
    assert missing.startswith("Not complete: 3 of 9 folds are still to be done")
    assert failed.startswith("1 of 9 folds failed")


def test_an_oracle_above_the_best_model_is_told_in_each_space() -> None:
    spot, gene = said({"ridge": row(0.2), "knn": row(0.1), "depth-oracle": row(0.4)})
    assert spot.startswith("depth-oracle (0.400) is above the best model, ridge (0.200), spot-normalised:")
    assert "gene-normalised" in gene


def test_models_without_a_difference_to_ridge_are_named() -> None:
    (sentence,) = said({"ridge": row(0.2), "knn": row(0.21, -0.01, 0.02), "gr2st": row(0.3, 0.05, 0.1)})
    assert "for knn (spot-normalised)" in sentence
    assert "gr2st" not in sentence


def test_an_interval_that_is_not_known_shows_nothing() -> None:
    models = {"ridge": row(0.2), "knn": row(0.21)}
    models["knn"]["minus_ridge"] = {"pcc_spot": {"mean": 0.01, "low": None, "high": None}, "pcc_gene": None}
    assert said(models) == []
