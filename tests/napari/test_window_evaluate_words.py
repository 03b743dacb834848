"""An evaluation as values and in words: what is asked, what stands in the way, what was found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gr2st import ABLATIONS, EvaluationFolder, FoldRow, GeneChoice, Preflight, SectionEntry, Study
from gr2st_napari import _evaluation
from gr2st_napari._evaluate_words import (
    HELD_OUT,
    MODEL,
    PCC_SPOT,
    STATE,
    TIME,
    card_of,
    count_sentence,
    part_options,
    progress_sentence,
    training_lines,
    why_no_other,
    why_not_start,
)
from gr2st_napari._evaluation import REFERENCES, Desk, Place, predictions_of, seconds_left
from gr2st_napari._results import (
    Dot,
    GeneScores,
    Results,
    _gene_scores,
    boxes,
    dots,
    model_scores,
    patient_dots,
    ranking_of,
)
from gr2st_napari._results_words import PART_WORDS, model_lines, title_of, warnings_of
from gr2st_napari._state import Problem

HERE = Path("/data")


def _study(*patients: str | None) -> Study:
    entries = tuple(
        SectionEntry(f"S{at}", patient, HERE / f"S{at}.h5ad", "h5ad") for at, patient in enumerate(patients)
    )
    return Study("data", HERE, entries)


def _asked(*patients: str | None, **changes) -> Desk:
    return _evaluation.designed(_evaluation.with_study(Desk(), _study(*patients)), **changes)


def _row(label: str, fold: str, state: str = "done", **more) -> FoldRow:
    return FoldRow(label=label, seed=0, fold=fold, test=(f"{fold}1",), state=state, **more)


def _folder(*rows: FoldRow, state: str = "finished", **more) -> EvaluationFolder:
    return EvaluationFolder(HERE / "made", HERE, {}, state, rows=rows, **more)


def _estimate(mean: float, low: float, high: float) -> dict:
    return {"mean": mean, "low": low, "high": high, "unit": "patients", "n": 2}


def _summary(**means: float) -> dict:
    def row(mean: float) -> dict:
        scores = {"pcc_spot": mean, "pcc_gene": mean + 0.1}
        return {
            **scores,
            "interval": {key: _estimate(value, value - 0.05, value + 0.05) for key, value in scores.items()},
            "minus_ridge": {key: _estimate(0.02, -0.01, 0.05) for key in scores},
            "sections": {"A1": scores, "B1": scores},
        }

    return {"protocol": "patient", "models": {label.replace("_", "-"): row(mean) for label, mean in means.items()}}


def _results(**means: float) -> Results:
    return Results(HERE / "made", _summary(**means), {"A1": "A", "B1": "B"})


def _genes(**scores: float) -> GeneScores:
    values = np.array(list(scores.values()))
    both = {"spot": values, "gene": values}
    return GeneScores(tuple(scores), both, both, both)


def test_a_held_out_patient_takes_all_of_their_slides_out():
    desk = _asked("A", "A", "B")
    assert desk.design.held_out == {"A": ["S0", "S1"], "B": ["S2"]}
    assert count_sentence(desk.design) == "2 patients: 2 trainings per model, 10 in all."
    by_slide = _evaluation.designed(desk, protocol="section").design
    assert count_sentence(by_slide) == "3 slides: 3 trainings per model, 15 in all."


def test_ablations_and_seeds_are_counted_where_they_are_trained():
    design = _asked("A", "B", models=("gr2st",), ablations=("no-kernel",), seeds=3).design
    assert count_sentence(design) == f"2 patients: 2 trainings per model, {2 * (2 * 3 + len(REFERENCES))} in all."


def test_the_reference_rows_are_always_in_the_plan():
    plan = _asked("A", "B", models=("gr2st-v2",), device="cpu").design.plan()
    assert plan.models == ("gr2st-v2", "ridge", "knn", "mean", "depth-oracle")
    assert {training.device for training in plan.training.values()} == {"cpu"}


@pytest.mark.parametrize(
    ("desk", "reason"),
    [
        (Desk(), "Open a study first."),
        (_asked("A", None), "Slides without a patient: S1."),
        (_asked("A", "A"), "Holding one patient out needs at least two; there are 1."),
        (_asked("A", "B", place=Place("cluster", scheduler="host")), "Type the address of the cluster"),
        (_asked("A", "B", models=(), ablations=("no-kernel",)), "No model here has what these ablations leave out"),
        (_asked("A", "B", genes=GeneChoice()), "Choose the genes to predict."),
        (_asked("A", "B"), ""),
        (_asked(None, None, protocol="section"), ""),
    ],
)
def test_what_stands_in_the_way_of_starting_is_told(desk, reason):
    told = why_not_start(desk)
    assert told.startswith(reason)
    assert bool(told) == bool(reason)


def test_nothing_is_started_beside_a_training_and_nothing_opened_beside_an_evaluation():
    assert why_not_start(_asked("A", "B"), is_training=True).startswith("A model is being trained")
    assert why_no_other(Desk(act="evaluate", request=1)).startswith("Stop the evaluation that is running")
    assert why_no_other(Desk(act="check", request=1)) == ""


def test_a_changed_design_is_not_checked_any_more_an_unchanged_one_is():
    checked = replace(_asked("A", "B"), preflight=Preflight((), 3.0, 8))
    assert _evaluation.designed(checked, seeds=1).preflight is not None
    assert _evaluation.designed(checked, seeds=2).preflight is None


def test_another_study_is_taken_with_every_slide_that_has_a_picture():
    entries = (*_study("A").entries, SectionEntry("bare", "B", HERE, "h5ad", without_image="no picture"))
    assert _evaluation.with_study(Desk(), Study("data", HERE, entries)).design.sections == ("S0",)


def test_registered_settings_are_not_written_down():
    desk = _asked("A", "B")
    fewer = desk.design.training_of("gr2st").model_copy(update={"epochs": 3})
    changed = _evaluation.with_training(desk, "gr2st", fewer)
    assert changed.design.plan().training["gr2st"].epochs == 3
    assert _evaluation.with_training(changed, "gr2st", desk.design.training_of("gr2st")).design.training == {}


def test_the_rest_takes_what_the_same_models_took():
    rows = (
        _row("gr2st", "A", seconds=100.0),
        _row("ridge", "A", seconds=2.0),
        _row("gr2st", "B", "waiting"),
        _row("ridge", "B", "waiting"),
        _row("knn", "B", "waiting"),
    )
    assert seconds_left(rows) == 100 + 2 + 51
    assert seconds_left(rows, at_once=3) == 51
    assert seconds_left(rows[2:]) is None
    assert progress_sentence(Desk(evaluation=_folder(*rows))) == "2 of 5 trainings done, about 3 minutes left"
    lost = _folder(_row("ridge", "A", "failed"), _row("ridge", "B", "failed"))
    assert progress_sentence(Desk(evaluation=lost)) == "2 of 2 trainings ended, 2 failed"


def test_a_line_per_training_and_the_reason_of_a_failed_one():
    done = _row("gr2st.no-kernel", "A", pcc_spot=0.1234, pcc_gene=None, seconds=12.2)
    failed = _row("mean", "B", "failed", message="DataError: a gene is missing", details="Traceback")
    first, second = training_lines(_folder(done, failed))
    assert (first.texts[MODEL], first.texts[HELD_OUT], first.texts[STATE]) == ("gr2st.no-kernel", "A", "done")
    assert (first.texts[PCC_SPOT], first.texts[PCC_SPOT + 1], first.texts[TIME]) == ("0.123", "-", "12 s")
    assert (first.tone, second.tone) == ("sound", "error")
    assert (second.sentence, second.details) == ("Training mean, B held out: a gene is missing", "Traceback")


def test_every_part_that_can_be_left_out_has_words():
    assert set(PART_WORDS) == set(ABLATIONS)
    assert {option.name for option in part_options(ABLATIONS)} == set(ABLATIONS)
    assert title_of("gr2st.no-kernel") == "GR2ST, this project's preset, without kernel branch"


def test_the_best_model_is_never_an_oracle():
    scores = {score.label: score for score in model_scores(_results(ridge=0.3, mean=0.1, depth_oracle=0.9), "spot")}
    assert scores["ridge"].is_best
    assert scores["depth-oracle"].is_oracle
    assert not scores["depth-oracle"].is_best


def test_the_table_of_models_follows_the_space():
    results = _results(gr2st=0.3)
    assert model_lines(results, "spot")[0].texts == ("gr2st", "0.300\n[0.25, 0.35]", "+0.020\n[-0.010, +0.050]")
    assert model_lines(results, "gene")[0].texts[1] == "0.400\n[0.35, 0.45]"
    assert [(dot.section, dot.patient, dot.value) for dot in dots(results, "spot")] == [
        ("A1", "A", 0.3),
        ("B1", "B", 0.3),
    ]


def test_a_box_has_the_quartiles_and_leaves_outliers_out():
    results = replace(_results(gr2st=0.3), genes={"gr2st": _genes(a=0.0, b=0.1, c=0.2, d=0.3, e=0.4, f=3.0)})
    [box] = boxes(results, "spot")
    assert (box.first, box.median, box.third) == pytest.approx((0.125, 0.25, 0.375))
    assert (box.low, box.high, box.n_genes) == (0.0, 0.4, 6)


def test_genes_are_ranked_by_the_means_of_the_evaluation_on_its_own_slides_alone():
    columns = {"pcc_spot": [0.5, 0.1], "pcc_gene": [0.6, 0.2], "low": [0.4, 0.0], "high": [0.6, 0.2]}
    frame = pd.DataFrame({**columns, "low_gene": [0.5, 0.1], "high_gene": [0.7, 0.3]}, index=["ERBB2", "ACTB"])
    results = replace(_results(ridge=0.3), genes={"ridge": _gene_scores(frame)})
    ranking = ranking_of(_folder(_row("ridge", "A"), _row("ridge", "B")), results, "ridge")
    np.testing.assert_array_equal(ranking.of("A1", ("ACTB", "FASN", "ERBB2"), "spot"), [0.1, np.nan, 0.5])
    assert ranking.of("elsewhere", ("ERBB2",), "spot") is None
    assert ranking.of("A1", ("FASN",), "gene") is None


def test_predictions_are_those_of_the_model_and_its_first_seed_the_chosen_slide_before_the_others():
    again = replace(_row("mean", "B", predictions={"B1": HERE / "again.h5ad"}), seed=1)
    rows = (
        _row("ridge", "A", predictions={"A1": HERE / "ridge.h5ad"}),
        _row("mean", "A", predictions={"A1": HERE / "a.h5ad"}),
        _row("mean", "B", predictions={"B1": HERE / "b.h5ad"}),
        again,
    )
    found = predictions_of(_folder(*rows), "mean", "B1")
    assert list(found.items()) == [("B1", HERE / "b.h5ad"), ("A1", HERE / "a.h5ad")]


def test_warnings_are_those_of_the_summary():
    results = _results(ridge=0.3)
    assert warnings_of(replace(results, summary={**results.summary, "warnings": ["one", "two"]})) == ("one", "two")
    assert warnings_of(replace(results, summary={**results.summary, "warning": "optimistic"})) == ("optimistic",)


def test_the_card_says_the_one_thing_to_know():
    waiting = _folder(_row("ridge", "A"), _row("ridge", "B", "waiting"), state="running")
    assert card_of(Desk()).actions == ("open", "open-sample", "open-evaluation")
    assert card_of(Desk(act="evaluate", request=1, evaluation=waiting)).sentence.startswith("1 of 2 trainings done")
    elsewhere = card_of(Desk(evaluation=waiting))
    assert elsewhere.sentence == f"{waiting.folder.name} goes on in the background: 1 of 2 trainings done."
    resting = replace(waiting, state="paused")
    assert " rests in the background: " in card_of(Desk(evaluation=resting)).sentence
    assert card_of(Desk(recent=(waiting,))) == replace(elsewhere, actions=("follow",))
    assert card_of(Desk(evaluation=_folder(_row("ridge", "A")), recent=(waiting,))).actions == ()
    paused = Desk(act="evaluate", request=1, evaluation=waiting, is_paused=True)
    assert card_of(paused).sentence.startswith("Paused: 1 of 2 trainings done")
    assert card_of(replace(paused, problem=Problem("It broke."))).sentence == "It broke."
    finished = Desk(evaluation=_folder(_row("gr2st", "A")), results=_results(gr2st=0.3, ridge=0.28))
    assert card_of(finished).sentence == "made: GR2ST, this project's preset is best, PCC 0.300, +0.020 to ridge."


def test_a_patient_is_the_mean_of_the_slides_that_are_known_to_be_theirs():
    slides = [
        Dot("ridge", "A1", "A", 0.2),
        Dot("ridge", "A2", "A", 0.4),
        Dot("ridge", "B1", "B", 0.1),
        Dot("knn", "X", "", 0.9),
    ]
    first, second = patient_dots(slides)
    assert (first.label, first.patient, first.n_slides, first.section) == ("ridge", "A", 2, "")
    assert first.value == pytest.approx(0.3)
    assert (second.patient, second.value) == ("B", 0.1)
