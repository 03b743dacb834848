"""An evaluation in words: what is asked, what it will cost, the lines of its tables, and the status card. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gr2st import DataError, Gr2stError, UnknownName, time_in_words
from gr2st_napari._advice import Card
from gr2st_napari._evaluation import OWN, REFERENCES, seconds_left
from gr2st_napari._options import ABOUT_MODELS, Option
from gr2st_napari._results_words import PART_WORDS, REFERENCE_WORDS, count, number, title_of, verdict_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st import EvaluationFolder, Finding, FoldRow, Preflight
    from gr2st_napari._advice import Action
    from gr2st_napari._evaluation import Design, Desk
    from gr2st_napari._study_words import Tone

MODEL, HELD_OUT, PCC_SPOT, PCC_GENE, TIME, STATE = range(6)
TRAINING_COLUMNS = ("Model", "Held out", "PCC spot", "PCC gene", "Time", "State")
TRAINING_TIPS = (
    "The model that is trained, and the part that is left out of it",
    "Whose slides it does not see while it learns",
    "Correlation with spot-normalised expression: mean over genes, then over the held-out slides",
    "Correlation with gene-normalised expression: mean over genes, then over the held-out slides",
    "Time to train and to predict",
    "Click a failed one to see why",
)
CARD_WORDS = {
    "open": "Open a study…",
    "open-sample": "Open the sample",
    "open-evaluation": "Open an evaluation…",
    "go-on": "Resume",
    "follow": "Follow it",
    "stop-report": "Stop writing",
    "dismiss": "Dismiss",
}

PROTOCOL_OPTIONS = (
    Option(
        "patient",
        "Patient held out",
        "The model is scored on patients of whom it has seen no slide. The honest choice.",
    ),
    Option(
        "section",
        "Slide held out, as published",
        "Optimistic: other slides of the same patient stay among those it learns from.",
    ),
)
WAY_OPTIONS = (
    Option("here", "Here, one after the other", "On a graphics card, as many together as its memory holds."),
    Option("processes", "Here, in several processes", "Faster on many cores; each process needs memory of its own."),
    Option("cluster", "On a dask cluster", "Its workers must see the same files as this machine."),
)
TONES: Mapping[str, Tone] = {"waiting": "waiting", "done": "sound", "failed": "error"}
MINUTE = 60


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """One training in the table: a text per column, a tip, and everything about it for a failed one."""

    texts: tuple[str, ...]
    tone: Tone
    tip: str = ""
    sentence: str = ""
    details: str = ""


def count_sentence(design: Design) -> str:
    """How much is asked for, as in "2 patients: 2 trainings per model, 8 in all"."""
    if design.study is None:
        return ""
    groups = len(design.held_out)
    what = "patient" if design.protocol == "patient" else "slide"
    try:
        rows = len(design.plan().rows())
    except (DataError, UnknownName) as error:
        return str(error)
    return f"{count(groups, what)}: {count(groups, 'training')} per model, {groups * rows} in all."


def why_not_start(desk: Desk, *, is_training: bool = False) -> str:
    """Why nothing can be evaluated as it stands; empty where it can."""
    design = desk.design
    if design.study is None:
        return "Open a study first."
    if is_training:
        return "A model is being trained: wait until it is, or stop it in the Train dock."
    if desk.request is not None:
        return "Wait until the worker has done what it is doing, or stop it."
    return (
        _why_not_held_out(design)
        or _why_no_genes(design)
        or _why_no_place(design)
        or _why_no_rows(design)
        or next((finding.sentence for finding in _errors(desk.preflight)), "")
    )


def why_no_other(desk: Desk) -> str:
    """Why no other evaluation can be opened now; empty where one can."""
    return "Stop the evaluation that is running, or wait for its end." if desk.is_evaluating else ""


def why_no_report(desk: Desk) -> str:
    """Why no report can be written now; empty where one can."""
    return "A report is being written: wait until it is there, or stop it." if desk.report is not None else ""


def findings_of(preflight: Preflight | None) -> tuple[Finding, ...]:
    """What the check has found, that which hinders the start first."""
    return () if preflight is None else tuple(sorted(preflight.findings, key=lambda found: found.kind != "fault"))


def check_sentence(preflight: Preflight | None) -> str:
    """What the check says of the time."""
    if preflight is None:
        return ""
    trainings = count(preflight.trainings, "training")
    if preflight.seconds is None:
        return f"{trainings}; how long they take shows after the first."
    return f"{trainings}, {time_in_words(preflight.seconds)} in all."


def training_lines(evaluation: EvaluationFolder | None) -> tuple[TrainingLine, ...]:
    """The table of trainings, in the order of the plan."""
    if evaluation is None:
        return ()
    several = len({row.seed for row in evaluation.rows}) > 1
    return tuple(_training_line(row, with_seed=several) for row in evaluation.rows)


def progress_sentence(desk: Desk) -> str:
    """How far the trainings are and how long the rest takes."""
    evaluation = desk.evaluation
    if evaluation is None:
        place = desk.design.place
        return f"Asking the cluster at {place.scheduler.strip()}" if place.way == "cluster" else "Reading sections"
    ended, total = ended_of(evaluation), len(evaluation.rows)
    place = desk.design.place
    left = seconds_left(evaluation.rows, place.processes if desk.is_evaluating and place.way == "processes" else 1)
    outlook = f", {time_in_words(left)} left" if left and ended < total else ""
    failed = sum(row.state == "failed" for row in evaluation.rows)
    how = f"ended, {failed} failed" if failed else "done"
    return f"{ended} of {count(total, 'training')} {how}{outlook}"


def ended_of(evaluation: EvaluationFolder) -> int:
    """Trainings that will not change any more."""
    return sum(row.state != "waiting" for row in evaluation.rows)


def card_of(desk: Desk) -> Card:
    """The one thing the user should know now."""
    if desk.problem is not None:
        return Card(desk.problem.sentence, (*_again(desk), "dismiss"), "error", desk.problem.details)
    if desk.act == "check":
        return Card("Checking sections, weights and memory…", tone="working")
    if desk.report is not None:
        stage = f" ({desk.report_stage[:1].lower()}{desk.report_stage[1:]})" if desk.report_stage else ""
        beside = " The evaluation goes on meanwhile." if desk.is_followed else ""
        return Card(f"Writing a report of what is done{stage}…{beside}", ("stop-report",), "working")
    if desk.is_evaluating:
        return Card(_at_work(desk), tone="working")
    if desk.told:
        return Card(desk.told)
    if desk.evaluation is not None:
        return _about(desk, desk.evaluation)
    if desk.in_background is not None:
        return Card(_elsewhere(desk, desk.in_background), ("follow",), "working")
    return _about_design(desk.design)


def recent_words(evaluation: EvaluationFolder) -> str:
    """One evaluation in a menu."""
    done = sum(row.state == "done" for row in evaluation.rows)
    began = evaluation.began.replace("T", " ")[:16]
    return f"{evaluation.folder.name}: {began}, {done} of {count(len(evaluation.rows), 'training')}, {evaluation.state}"


def _about_design(design: Design) -> Card:
    if design.study is None:
        sentence = (
            "No study is open. Open one to evaluate models on slides they never saw, or look at an evaluation that was "
            "made before."
        )
        return Card(sentence, ("open", "open-sample", "open-evaluation"))
    patients = len({entry.patient for entry in design.entries if entry.patient})
    slides = f"{count(len(design.sections), 'slide')} of {count(patients, 'patient')}"
    return Card(f"{design.study.name}: {slides}. Choose what to compare, check it, and start.")


def _at_work(desk: Desk) -> str:
    told = progress_sentence(desk)
    if desk.is_stopping:
        return f"Stopping: {told}. What is done stays."
    if desk.is_paused:
        return f"Paused: {told}."
    return f"{told}. {desk.told or 'You can go on looking meanwhile.'}"


def _about(desk: Desk, evaluation: EvaluationFolder) -> Card:
    name, told = evaluation.folder.name, progress_sentence(desk)
    failed = [row for row in evaluation.rows if row.state == "failed"]
    if desk.is_elsewhere:
        return Card(_elsewhere(desk, evaluation), tone="working")
    if evaluation.state == "failed":
        return Card(evaluation.message or f"{name} failed.", _again(desk), "error", evaluation.details)
    if failed:
        sentence = f"{count(len(failed), 'training')} of {len(evaluation.rows)} failed: {_reason(failed[0])}"
        return Card(sentence, _again(desk), "warning")
    if desk.can_go_on:
        what = "Stopped" if evaluation.state == "stopped" else "Interrupted"
        return Card(f"{name}: {what.lower()}, {told}. Nothing that is done is lost.", ("go-on",), "warning")
    return Card(f"{name}: {verdict_sentence(desk.results, desk.space)}")


def _elsewhere(desk: Desk, evaluation: EvaluationFolder) -> str:
    how = "rests" if evaluation.state == "paused" else "goes on"
    told = progress_sentence(replace(desk, evaluation=evaluation))
    return f"{evaluation.folder.name} {how} in the background: {told}."


def _again(desk: Desk) -> tuple[Action, ...]:
    return ("go-on",) if desk.can_go_on else ()


def _why_not_held_out(design: Design) -> str:
    if design.protocol == "patient":
        unknown = [entry.name for entry in design.entries if not entry.patient]
        if unknown:
            named = ", ".join(unknown[:4]) + (f" and {len(unknown) - 4} more" if len(unknown) > 4 else "")
            return f"Slides without a patient: {named}. Name their patients in the Study dock, or hold out slides."
    if len(design.held_out) < 2:
        what = "patient" if design.protocol == "patient" else "slide"
        return f"Holding one {what} out needs at least two; there are {len(design.held_out)}."
    return ""


def _why_no_genes(design: Design) -> str:
    return "" if design.genes.listed or design.genes.n_variable else "Choose the genes to predict."


def _why_no_place(design: Design) -> str:
    is_nameless = design.place.way == "cluster" and "://" not in design.place.scheduler
    return "Type the address of the cluster, such as tcp://host:8786." if is_nameless else ""


def _why_no_rows(design: Design) -> str:
    try:
        design.plan().rows()
    except Gr2stError as error:
        return str(error)
    return ""


def _errors(preflight: Preflight | None) -> Sequence[Finding]:
    return [] if preflight is None else [found for found in preflight.findings if found.kind == "fault"]


def _training_line(row: FoldRow, *, with_seed: bool) -> TrainingLine:
    seed = f", seed {row.seed}" if with_seed else ""
    took = "" if row.seconds is None else _took(row.seconds)
    scores = (number(row.pcc_spot), number(row.pcc_gene)) if row.state == "done" else ("", "")
    tip = f"{title_of(row.label)}{seed}; held out: {', '.join(row.test)}"
    sentence = f"{title_of(row.label)}, {row.fold} held out: {_reason(row)}" if row.state == "failed" else ""
    texts = (f"{row.label}{seed}", row.fold, *scores, took, row.state)
    return TrainingLine(texts, TONES[row.state], sentence or tip, sentence, row.details)


def _reason(row: FoldRow) -> str:
    """Why a training failed, without the name of the error's class."""
    kind, _, sentence = row.message.partition(": ")
    return sentence if sentence and kind.isidentifier() else row.message


def _took(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 10 * MINUTE else f"{seconds / MINUTE:.0f} min"


def own_options() -> tuple[Option, ...]:
    """Models to compare: ours and the published ones."""
    return tuple(Option(name, title_of(name), ABOUT_MODELS.get(name, "")) for name in OWN)


def reference_options() -> tuple[Option, ...]:
    """The rows that stand in every table, each with why."""
    return tuple(Option(name, title_of(name), REFERENCE_WORDS.get(name, "")) for name in REFERENCES)


def part_options(parts: Mapping[str, object]) -> tuple[Option, ...]:
    """Parts of GR2ST that can be left out, one at a time."""
    return tuple(Option(name, PART_WORDS.get(name, name).capitalize()) for name in parts)
