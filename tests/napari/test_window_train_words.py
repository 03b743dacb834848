"""A training as a draft, in words and as curves, without a window."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gr2st import MODELS, DataError, Epoch, GeneChoice, PatchConfig, TrainPlan, read_study, sample_study_path
from gr2st_napari import _training
from gr2st_napari._run_words import run_line, short_names
from gr2st_napari._runs import RunsSeen, differences, with_found
from gr2st_napari._series import compared, curves_of, parts_of
from gr2st_napari._state import Problem
from gr2st_napari._train_words import (
    card_of,
    ends_of,
    job_of,
    score_title,
    sketched_words,
    watch_options,
    why_no_sketch,
    why_not_start,
)
from gr2st_napari._training import TrainDraft, Training

SAMPLE = _training.summary_of(read_study(sample_study_path()), {"A1": 141})
DRAFT = _training.with_study(TrainDraft(), SAMPLE, is_own=False)
PLAN = _training.plan_of(DRAFT)
IDLE, NO_RUNS = Training(), RunsSeen()


def _epochs(*stages: tuple[str, int], **values: float) -> tuple[Epoch, ...]:
    told = values or {"loss": 50.0, "contrastive": 5.0}
    return tuple(Epoch(stage, at, told) for stage, count in stages for at in range(1, count + 1))


def _running(n_epochs: int = 100, **changes) -> Training:
    training = _training.begun(Path("runs/one"), PLAN, (), n_epochs)
    return replace(training, request=1, **changes)


@dataclass(frozen=True)
class PaperRun:
    """A run as far as the table looks at it."""

    folder: Path = Path("runs/20261121-101112-gr2st-her2st")
    state: str = "finished"
    plan: TrainPlan = PLAN
    message: str = ""
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @property
    def asked(self) -> PaperRun:
        return self

    @property
    def can_go_on(self) -> bool:
        return self.state in ("stopped", "interrupted", "failed")


# -- the draft ---------------------------------------------------------------------------------------------------------


def test_a_new_study_begins_with_all_sections_that_have_a_picture():
    assert DRAFT.sections == SAMPLE.usable == ("A1", "A2", "B1", "B2")
    assert [section.n_spots for section in SAMPLE.sections] == [141, None, None, None]


def test_the_same_study_read_again_keeps_what_was_chosen():
    chosen = _training.with_sections(DRAFT, ["A1"])
    assert _training.with_study(chosen, SAMPLE, is_own=False).sections == ("A1",)


def test_a_watched_section_does_not_train_and_comes_back_when_another_is_watched():
    watched = _training.with_held_out(DRAFT, "B1")
    assert (watched.sections, watched.held_out) == (("A1", "A2", "B2"), "B1")
    other = _training.with_held_out(watched, "A2")
    assert (other.sections, other.held_out) == (("A1", "B1", "B2"), "A2")
    assert _training.with_sections(other, ["A1", "A2"]).held_out == ""


def test_a_map_is_drawn_only_where_something_is_looked_at_on_the_way():
    drawn = _training.with_sketch(_training.with_model(DRAFT, "gr2st-v2"), True)
    assert why_no_sketch(drawn) == "Choose a slide to watch first."
    assert not _training.plan_of(drawn).sketch
    assert _training.plan_of(_training.with_held_out(drawn, "A1")).sketch
    assert _training.plan_of(_training.with_model(drawn, "gr2st")).sketch, "its trials hold slides out"
    solved = _training.with_held_out(_training.with_model(drawn, "ridge"), "A1")
    assert why_no_sketch(solved).startswith("This model is solved at once")


def test_where_the_map_is_drawn_is_told_while_the_model_learns():
    plan = _training.plan_of(_training.with_sketch(_training.with_held_out(DRAFT, "A1"), True))
    running = replace(_running(), plan=plan)
    assert sketched_words(running, "", "B1") == "Open A1 in the Genes dock to see there how a gene is learned."
    assert sketched_words(running, "", "A1").startswith("The map comes with the first look")
    assert sketched_words(running, "ERBB2 lies on A1.", "A1") == "ERBB2 lies on A1."
    assert sketched_words(_running(), "", "B1") == ""


def test_what_is_not_touched_is_as_the_library_and_the_command_line_take_it():
    asked = {"study": SAMPLE.path, "model": "gr2st", "genes": {"n_variable": 100}, "sections": SAMPLE.usable}
    assert TrainPlan.of(**asked) == PLAN


def test_another_model_brings_its_own_settings_and_keeps_device_and_seed():
    draft = _training.with_device(DRAFT, "cpu")
    draft = _training.with_training(draft, draft.training.model_copy(update={"seed": 7, "epochs": 3}))
    ridge = _training.with_model(draft, "ridge")
    assert (ridge.training.epochs, ridge.training.seed, ridge.training.device) == (0, 7, "cpu")
    assert ridge.config == MODELS["ridge"].config
    assert _training.plan_of(ridge).model == "ridge"


def test_another_encoder_brings_the_patches_it_was_made_for():
    draft = _training.with_encoder(DRAFT, "uni")
    assert draft.recipe.patch == PatchConfig(size_px=224, um_per_px=0.5)
    assert _training.plan_of(draft).recipe["encoder"] == "uni"


def test_a_run_gives_its_settings_back():
    asked = _training.with_number(_training.with_held_out(_training.with_model(DRAFT, "gr2st-v1"), "B2"), 30)
    again = _training.draft_of(PaperRun(plan=_training.plan_of(asked)), TrainDraft(), SAMPLE)
    assert replace(again, is_own_study=False) == asked


def test_the_folder_of_a_run_has_a_name_that_every_system_takes():
    named = _training.default_name(DRAFT, datetime(2026, 11, 21, 9, 5, 7))
    assert named == f"20261121-090507-gr2st-{SAMPLE.name}"
    assert _training.with_name(DRAFT, ' ../my: "run" ').name == "-my- -run-"


def test_inner_folds_count_epochs_as_far_as_there_are_patients():
    assert _training.n_units(DRAFT) == 2
    assert _training.n_units(_training.with_sections(DRAFT, ["A1", "A2"])) == 2
    assert _training.n_units(_training.with_sections(DRAFT, ["A1"])) == 0
    assert _training.epochs_planned(PLAN, 2) == 150
    assert _training.epochs_planned(PLAN, 0) == 50


# -- how it goes -------------------------------------------------------------------------------------------------------


def test_an_epoch_that_is_trained_again_takes_the_place_of_the_first_time():
    epochs = _epochs(("inner", 2), ("Training", 3))
    again = _training.with_epoch(epochs, Epoch("Training", 2, {"loss": 1.0}))
    assert [(one.stage, one.epoch) for one in again] == [("inner", 1), ("inner", 2), ("Training", 1), ("Training", 2)]
    assert again[-1].values == {"loss": 1.0}


def test_the_time_left_follows_the_pace_and_forgives_a_pause():
    training = _running(n_epochs=100)
    assert _training.seconds_left(training) is None
    for at, now in enumerate([0.0, 2.0, 4.0, 900.0, 902.0], start=1):
        event = {"stage": "Training", "done": at, "total": 100, "values": {"loss": 1.0}}
        training = _training.heard(training, event, now)
    assert _training.seconds_left(training) == 2.0 * 95
    assert job_of(training).note == "about 3 min left"
    assert (job_of(training).label, job_of(training).done, job_of(training).total) == ("Epoch", 5, 100)


def test_before_the_first_epoch_the_foot_tells_the_stage():
    training = _training.heard(_running(), {"stage": "Encoding patches of A1", "done": 32, "total": 141}, 0.0)
    assert (job_of(training).label, job_of(training).done) == ("Encoding patches of A1", 32)
    assert job_of(IDLE).is_running is False


# -- words -------------------------------------------------------------------------------------------------------------


def test_the_card_asks_for_a_study_then_says_what_would_be_trained():
    assert card_of(TrainDraft(), IDLE, NO_RUNS).actions == ("open", "open-sample")
    ready = card_of(DRAFT, IDLE, NO_RUNS).sentence
    assert ready.startswith("Ready: gr2st learns 100 genes from 4 sections of 2 patients.")
    listed = _training.with_genes(_training.with_sections(DRAFT, ["A1"]), ("ERBB2",), "panel.txt")
    assert card_of(listed, IDLE, NO_RUNS).sentence.startswith("Ready: gr2st learns 1 gene from 1 section of 1 patient.")


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (TrainDraft(), "Choose a study first."),
        (_training.with_sections(DRAFT, []), "Tick at least one section to train on."),
        (
            _training.with_fault(DRAFT, "Epochs: a whole number is wanted."),
            "Mend this under More: Epochs: a whole number is wanted.",
        ),
    ],
)
def test_a_start_that_cannot_be_says_why(draft, reason):
    assert why_not_start(draft) == reason
    ends = ends_of(draft, IDLE)
    assert ends.start == ends.check == reason
    assert ends.stop == "Nothing is being trained."


def test_what_may_be_pressed_follows_the_training():
    may = {
        phase: ends_of(DRAFT, _running(phase=phase))
        for phase in ("checking", "running", "pausing", "paused", "stopping")
    }
    assert {phase: not ends.pause for phase, ends in may.items()} == {
        "checking": False,
        "running": True,
        "pausing": False,
        "paused": True,
        "stopping": False,
    }
    assert {phase: not ends.stop for phase, ends in may.items()} == {
        "checking": True,
        "running": True,
        "pausing": True,
        "paused": True,
        "stopping": False,
    }
    assert not any(not ends.start for ends in may.values())
    assert (may["paused"].pause_words, may["pausing"].pause_words, may["stopping"].stop_words) == (
        "Resume",
        "Pausing…",
        "Stopping…",
    )
    stopped = ends_of(DRAFT, replace(_running(phase="idle"), outcome="stopped"))
    assert (stopped.pause, stopped.pause_words, stopped.goes_on) == ("", "Resume", True)


def test_a_running_training_tells_epochs_time_and_the_score_of_the_slide_watched():
    epochs = _epochs(("Training", 12), loss=3.0, pcc=0.3123)
    plan = PLAN.model_copy(update={"held_out": "B1"})
    training = _running(n_epochs=150, epochs=epochs, stage="Training", marks=(0.0, 1.0, 2.0), plan=plan)
    in_fold = card_of(DRAFT, training, NO_RUNS).sentence
    assert in_fold == "Training: 12 of 150 epochs, about 2 min left. Correlation 0.312 on a slide held out."
    epochs = (*_epochs(("inner 1", 50), ("inner 2", 50)), *epochs)
    at_last = card_of(DRAFT, replace(training, epochs=epochs), NO_RUNS).sentence
    assert at_last == "Training: 112 of 150 epochs, about 40 s left. Correlation 0.312 on B1."
    assert score_title(replace(training, epochs=epochs)) == "Correlation on slides held out: 0.312 on B1"


def test_an_error_is_a_sentence_with_details():
    failed = _training.ended(_running(), "failed", Problem("Not enough memory: 700 spots fit.", "Traceback"))
    card = card_of(DRAFT, failed, NO_RUNS)
    assert (card.sentence, card.details, card.tone) == ("Not enough memory: 700 spots fit.", "Traceback", "error")


def test_sections_to_watch_are_named_with_their_patient_and_none_is_first():
    assert [option.title for option in watch_options(DRAFT)][:2] == ["None: all sections train", "A1 · patient A"]


def test_a_run_is_one_line_in_words():
    run = PaperRun(plan=PLAN.model_copy(update={"held_out": "B1"}), state="interrupted")
    seen = RunsSeen((run,), curves={run.folder: _epochs(("Training", 3), loss=1.0, pcc=0.25)})
    line = run_line(run, seen, time.time())
    assert line.texts[:5] == (run.folder.name, "interrupted", "0.250", "3", "gr2st")
    assert line.texts[5].startswith("today ")
    assert line.tips[1] == "Its process is gone; Resume goes on where it was."
    old = replace(run, began=(datetime.now(UTC) - timedelta(days=800)).isoformat())
    assert str(datetime.now().year - 2)[:3] in run_line(old, seen, time.time()).texts[5]


def test_names_of_runs_lose_what_they_share():
    assert short_names(["20261121-1701-gr2st-her2", "20261121-1802-ridge-her2"]) == ("1701-gr2st", "1802-ridge")
    assert short_names(["a-b", "a-b-c"]) == ("a-b", "c")
    assert short_names(["one-run"]) == ("one-run",)


def test_only_settings_that_differ_are_compared():
    other = PLAN.model_copy(update={"training": PLAN.training.model_copy(update={"learning_rate": 3e-4})})
    runs = (PaperRun(), PaperRun(plan=other))
    assert differences(runs) == (("training.learning_rate", ("0.0001", "0.0003")),)
    assert differences((PaperRun(), PaperRun())) == ()


def test_a_run_that_is_gone_is_not_chosen_any_more():
    here, gone = PaperRun(), Path("runs/gone")
    seen = with_found(RunsSeen(chosen=(here.folder, gone), asked_to_stop=frozenset({gone})), (here,), (), {})
    assert seen.chosen == (here.folder,)
    assert seen.asked_to_stop == frozenset()


# -- curves ------------------------------------------------------------------------------------------------------------


def test_parts_of_the_loss_are_shares_of_their_first_epoch_and_chance_one_of_the_contrast():
    epochs = (
        Epoch("Training", 1, {"loss": 50.0, "contrastive": 4.0, "gate": 0.0, "chance": 5.0}),
        Epoch("Training", 2, {"loss": 25.0, "contrastive": 3.0, "gate": 0.0, "chance": 5.0}),
    )
    lines = {line.label: line for line in curves_of(epochs).losses}
    assert {label: (line.y, line.last) for label, line in lines.items()} == {
        "total": ((1.0, 0.5), 25.0),
        "contrastive": ((1.0, 0.75), 3.0),
        "chance": ((1.25, 1.25), 5.0),
    }
    assert lines["chance"].is_dashed
    assert lines["chance"].colour == lines["contrastive"].colour
    assert curves_of(epochs).scores == ()


def test_stages_follow_each_other_with_a_gap():
    curves = curves_of(_epochs(("inner fold 1", 2), ("Training", 1), loss=2.0, pcc=0.5))
    assert curves.stages == ((0.5, "inner fold 1"), (2.5, "Training"))
    [loss], [score] = curves.losses, curves.scores
    assert loss.x == score.x == (1.0, 2.0, 2.5, 3.0)
    assert math.isnan(loss.y[2])
    assert (score.y[0], score.y[3]) == (0.5, 0.5)


def test_a_score_that_comes_now_and_then_is_one_line():
    told = [{"loss": 1.0, "pcc": 0.1}, {"loss": 1.0}, {"loss": 1.0, "pcc": 0.3}]
    [score] = curves_of([Epoch("Training", at, values) for at, values in enumerate(told, start=1)]).scores
    assert (score.x, score.y) == ((1.0, 3.0), (0.1, 0.3))


def test_runs_are_compared_in_their_last_stage_with_a_colour_each():
    first = _epochs(("inner", 2), ("Training", 2), loss=4.0, mse=1.0)
    second = _epochs(("Training", 3), loss=3.0, pcc=0.4)
    drawn = compared([("first", first), ("second", second)], "loss")
    assert [(line.label, line.colour, line.x) for line in drawn.losses] == [
        ("first", 0, (1.0, 2.0)),
        ("second", 1, (1.0, 2.0, 3.0)),
    ]
    assert [line.label for line in drawn.scores] == ["second"]
    assert parts_of([first, second]) == ("loss", "mse")


def test_a_plan_that_cannot_be_is_refused_in_words():
    draft = replace(
        DRAFT, genes=GeneChoice(n_variable=10), recipe=DRAFT.recipe.model_copy(update={"stain": "nonsense"})
    )
    with pytest.raises(DataError, match="This plan of a training cannot be used"):
        _training.plan_of(draft)
