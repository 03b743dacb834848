"""A training in words: the status card, what hinders a start, how it goes, what was found before it, its runs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

from gr2st import MODELS
from gr2st_napari._advice import Card
from gr2st_napari._options import Option
from gr2st_napari._series import SCORE
from gr2st_napari._state import Job
from gr2st_napari._training import AT_WORK, last_value, seconds_left

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st import Preflight, Run
    from gr2st_napari._training import RunsSeen, TrainDraft, Training

Tone: TypeAlias = Literal["sound", "waiting", "warning", "error"]

CARD_WORDS = {
    "open": "Choose study…",
    "open-sample": "Use the sample",
    "predict": "Predict the open slide",
    "dismiss": "Dismiss",
}
STATE_WORDS = {
    "running": "training",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "interrupted": "interrupted",
}
_STATE_TIPS = {
    "running": "A process is training it now.",
    "paused": "A process holds it, at rest.",
    "finished": "Its model can predict.",
    "stopped": "It was stopped; Resume goes on where it was.",
    "failed": "It ended with an error; Resume tries again where it was.",
    "interrupted": "Its process is gone; Resume goes on where it was.",
}
_TONES: dict[str, Tone] = {
    "running": "waiting",
    "paused": "waiting",
    "finished": "sound",
    "stopped": "warning",
    "failed": "error",
    "interrupted": "warning",
}
_FINDING_TONES: dict[str, Tone] = {"fault": "error", "warning": "warning"}
NO_WATCH = Option("", "None: all sections train", "Choose a section to see how well it is predicted.")
_WATCHED = "It is left out; its correlation is shown while the others train."
MINUTE, HOUR, DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Ends:
    """What may be pressed: why not, "" where it may; and what the button that rests or goes on is called."""

    check: str
    start: str
    pause: str
    stop: str
    pause_words: str = "Pause"
    stop_words: str = "Stop"
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as the table shows it."""

    folder: Path
    tone: Tone
    texts: tuple[str, ...]
    tips: tuple[str, ...]


RUN_COLUMNS = ("Run", "State", "r", "Epochs", "Model", "When", "Study")
RUN_TIPS = (
    "Name of the run: of its folder",
    "How it stands",
    "Correlation on the slide watched, over its genes, as last seen",
    "Epochs trained so far, those on inner folds included",
    "Model that learns",
    "When it was begun",
    "Study it learns from",
)


def card_of(draft: TrainDraft, training: Training, runs: RunsSeen, slide: str = "") -> Card:
    """The one thing the user should know now; `slide` is the open one, which a model could predict."""
    problem = training.problem or runs.problem
    if problem is not None:
        return Card(problem.sentence, ("dismiss",), "error", problem.details)
    if training.is_busy:
        return Card(_busy(training), tone="working", details=_found_in_full(training.preflight))
    if training.outcome == "finished" and training.folder is not None:
        return _trained(training, slide)
    if draft.study is None:
        return Card(
            "No study to learn from yet. Open one in the viewer, put one together in the Study dock, or choose one.",
            ("open", "open-sample"),
        )
    if training.outcome == "stopped" and training.folder is not None:
        return Card(f"Stopped: {training.folder.name}. What it learned is kept; Resume goes on where it was.")
    reason = why_not_start(draft)
    if reason:
        return Card(reason, tone="warning")
    if training.preflight is not None:
        return _checked(training)
    return Card(f"Ready: {_asked(draft)}. Check looks at files, memory and time; Start does so too, then trains.")


def why_not_start(draft: TrainDraft) -> str:
    """Why nothing can be started; "" where it can."""
    if draft.study is None:
        return "Choose a study first."
    if not draft.study.usable:
        return f"No section of {draft.study.name} has a picture: there is nothing to learn from."
    if not draft.sections:
        return "Tick at least one section to train on."
    return f"Mend this under More: {draft.fault}" if draft.fault else ""


def ends_of(draft: TrainDraft, training: Training) -> Ends:
    """What may be pressed now."""
    phase = training.phase
    if phase == "idle":
        return _ends_of_idle(why_not_start(draft), can_go_on=training.outcome in ("stopped", "failed"))
    busy = "A training is going on: stop it first." if phase != "checking" else "Wait for the check."
    if phase == "checking":
        return Ends(busy, busy, "It is only being checked.", "")
    waits = {"pausing": "Pausing…", "resuming": "Resuming…"}
    if phase == "stopping":
        return Ends(busy, busy, "It is being stopped.", "It is being stopped.", stop_words="Stopping…")
    if phase == "paused":
        return Ends(busy, busy, "", "", "Resume", goes_on=True)
    if phase in waits:
        return Ends(busy, busy, "It ends its present step first.", "", waits[phase])
    return Ends(busy, busy, "", "")


def _ends_of_idle(why_not: str, *, can_go_on: bool) -> Ends:
    nothing = "Nothing is being trained."
    if can_go_on:
        return Ends(why_not, why_not, "", nothing, "Resume", goes_on=True)
    return Ends(why_not, why_not, nothing, nothing)


def job_of(training: Training) -> Job:
    """The line at the foot: stage, how far, how long."""
    if not training.is_busy:
        return Job()
    words = {"paused": "Paused", "stopping": "Stopping", "pausing": "Pausing", "resuming": "Resuming"}
    stage = training.stage or "Starting"
    label = f"{words[training.phase]}: {stage}" if training.phase in words else stage
    left = seconds_left(training)
    note = _left(left) if training.phase == "running" and left is not None else ""
    if training.epochs and training.stage == training.epochs[-1].stage:
        label = f"{words[training.phase]}: epoch" if training.phase in words else "Epoch"
        return Job(label, len(training.epochs), max(training.n_epochs, len(training.epochs)), note, training.request)
    return Job(label, training.done, training.total, note, training.request)


def watch_options(draft: TrainDraft) -> tuple[Option, ...]:
    """Sections that can be watched, none first."""
    study = draft.study
    sections = () if study is None else tuple(section for section in study.sections if not section.why_not)
    return (NO_WATCH, *(Option(one.name, _named(one.name, one.patient), _WATCHED) for one in sections))


def findings_of(training: Training) -> tuple[tuple[Tone, str], ...]:
    """What was found before the start, the gravest first."""
    if training.preflight is None:
        return ()
    order = {"error": 0, "warning": 1, "sound": 2}
    found = [(_FINDING_TONES.get(one.kind, "sound"), str(one.sentence)) for one in training.preflight.findings]
    return tuple(sorted(found, key=lambda one: order[one[0]]))


def score_title(training: Training) -> str:
    """What the lower plot shows, with its last value."""
    watched = "" if training.plan is None else training.plan.held_out
    value = last_value(training.epochs, SCORE)
    return f"Correlation on {watched or 'the slide watched'}" + ("" if value is None else f": {value:.3f}")


def run_line(run: Run, runs: RunsSeen, now: float) -> RunLine:
    """One row of the table of runs."""
    epochs = runs.curves.get(run.folder, ())
    score, plan = last_value(epochs, SCORE), run.plan
    state = "stopping…" if run.folder in runs.asked_to_stop else STATE_WORDS[run.state]
    began = datetime.fromisoformat(run.asked.began)
    texts = (
        run.folder.name,
        state,
        "" if score is None else f"{score:.3f}",
        str(len(epochs)) if plan.training.epochs else "none",
        plan.model,
        _when(began.timestamp(), now),
        plan.study.parent.name if plan.study.suffix else plan.study.name,
    )
    tips = (
        str(run.folder),
        run.message or _STATE_TIPS[run.state],
        f"On {plan.held_out}" if plan.held_out else "No slide was watched",
        RUN_TIPS[3] if plan.training.epochs else "Solved in closed form: there are no epochs",
        MODELS[plan.model].title,
        f"{began.astimezone():%d %B %Y, %H:%M}",
        str(plan.study),
    )
    return RunLine(run.folder, _TONES[run.state], texts, tips)


def short_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names of runs without the words they all begin and end with; one alone keeps its name."""
    words = [name.split("-") for name in names]
    if len(set(names)) < 2:
        return tuple(names)
    first = _shared(words)
    last = _shared([own[first:][::-1] for own in words])
    return tuple("-".join(own[first : len(own) - last]) or name for own, name in zip(words, names, strict=True))


def _shared(words: Sequence[Sequence[str]]) -> int:
    """With how many equal words all begin."""
    together = zip(*words, strict=False)
    return next((at for at, those in enumerate(together) if len(set(those)) > 1), min(map(len, words)))


def setting_words(name: str) -> str:
    """A dotted name of a plan for people."""
    last = name.rpartition(".")[2].replace("_", " ").replace("um ", "µm ")
    return last[0].upper() + last[1:]


def why_not_resume(runs: RunsSeen, training: Training) -> str:
    """Why the selected run cannot go on; "" where it can."""
    [run] = runs.selected if len(runs.selected) == 1 else [None]
    if run is None:
        return "Select one run first."
    if not run.can_go_on:
        return "It has finished." if run.state == "finished" else "It is being trained."
    return "Another training is going on here: stop it first." if training.is_busy else ""


def why_not_stop(runs: RunsSeen) -> str:
    """Why the selected run cannot be stopped; "" where it can."""
    [run] = runs.selected if len(runs.selected) == 1 else [None]
    if run is None:
        return "Select one run first."
    if run.folder in runs.asked_to_stop:
        return "It was asked to stop, and will before its next step."
    return "" if run.state in AT_WORK else "It is not being trained."


def why_not_delete(runs: RunsSeen) -> str:
    """Why the selected runs cannot be deleted; "" where they can."""
    if not runs.selected:
        return "Select a run first."
    return "One of them is being trained: stop it first." if any(run.state in AT_WORK for run in runs.selected) else ""


def why_not_predict(folder_state: str, section: str, *, has_study: bool) -> str:
    """Why a run's model cannot predict the open slide; "" where it can."""
    if folder_state != "finished":
        return "Select one run that has finished."
    if not section:
        return "Open a slide first, in the Genes dock."
    return "" if has_study else f"{section} was handed over without its folder: open it in the Genes dock."


def _checked(training: Training) -> Card:
    assert training.preflight is not None
    details = _found_in_full(training.preflight)
    if not training.preflight.can_start:
        return Card(findings_of(training)[0][1], tone="error", details=details)
    times = " ".join(str(one.sentence) for one in training.preflight.findings if one.subject == "time")
    return Card(f"Checked: nothing stands in the way. {times}".rstrip(), details=details)


def _trained(training: Training, slide: str) -> Card:
    assert training.folder is not None
    sentence = f"Trained: {training.folder.name}.{_score(training)}"
    if slide:
        return Card(f"{sentence} It can predict {slide}, which is open.", ("predict",))
    return Card(f"{sentence} Open a slide in the Genes dock to predict it.")


def _busy(training: Training) -> str:
    done = len(training.epochs)
    how_far = f" {done:,} of {training.n_epochs:,} epochs" if training.n_epochs and done else ""
    if training.phase == "checking":
        return "Checking files, genes, memory and time…"
    if training.phase == "paused":
        return f"Paused after{how_far or ' its present step'}. Resume goes on."
    if training.phase == "stopping":
        return "Stopping: the present step ends first. What was learned is kept."
    left = seconds_left(training)
    score = _score(training)
    far = f"Training:{how_far}" if how_far else f"{training.stage or 'Training'}…"
    return f"{far}{f', {_left(left)}' if left is not None else ''}.{score}" if how_far else far


def _score(training: Training) -> str:
    value = last_value(training.epochs, SCORE)
    if value is None or training.plan is None:
        return ""
    return f" Correlation {value:.3f} on {training.plan.held_out or 'the slide watched'}."


def _asked(draft: TrainDraft) -> str:
    assert draft.study is not None
    listed = [section for section in draft.study.sections if section.name in draft.sections]
    patients = {section.patient for section in listed} - {""}
    of = f" of {_count(len(patients), 'patient')}" if patients else ""
    number = len(draft.genes.listed) or draft.genes.n_variable
    return f"{draft.model} learns {_count(number, 'gene')} from {_count(len(listed), 'section')}{of}"


def _found_in_full(preflight: Preflight | None) -> str:
    return "" if preflight is None else "\n".join(str(finding.sentence) for finding in preflight.findings)


def _left(seconds: float) -> str:
    """Time left, no more precise than it is known."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < MINUTE:
        return f"about {round(seconds, -1):.0f} s left"
    if seconds < HOUR:
        return f"about {seconds / MINUTE:.0f} min left"
    return f"about {seconds / HOUR:.1f} h left"


def _when(at: float, now: float) -> str:
    """A time as people say it."""
    then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now)
    if then.date() == today.date():
        return f"today {then:%H:%M}"
    return f"{then:%d %b %H:%M}" if then.year == today.year else f"{then:%d %b %Y}"


def _named(name: str, patient: str) -> str:
    return f"{name} · patient {patient}" if patient else name


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
