"""A training in words: the status card, what hinders a start, what was found before it, how it goes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr2st_napari._advice import Card
from gr2st_napari._options import Option
from gr2st_napari._runs import last_value
from gr2st_napari._series import SCORE
from gr2st_napari._state import Job
from gr2st_napari._training import has_looks, is_last_stage, seconds_left

if TYPE_CHECKING:
    from gr2st import Preflight
    from gr2st_napari._runs import RunsSeen
    from gr2st_napari._study_words import Tone
    from gr2st_napari._training import TrainDraft, Training

CARD_WORDS = {
    "open": "Choose study…",
    "open-sample": "Use the sample",
    "predict": "Predict the open slide",
    "dismiss": "Dismiss",
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


def why_no_sketch(draft: TrainDraft) -> str:
    """Why nothing can be drawn on a slide while the others train; "" where it can."""
    if not draft.training.epochs:
        return "This model is solved at once: there is nothing to see growing."
    return "" if has_looks(draft) else "Choose a slide to watch first."


def sketch_words(draft: TrainDraft) -> str:
    """On which slides the map is drawn."""
    if why_no_sketch(draft):
        return ""
    where = draft.held_out or "each slide that a trial holds out"
    return f"Some twenty times, the gene in view is drawn on {where}, where that slide is open."


def sketched_words(training: Training, note: str, slide: str) -> str:
    """Where the map is, while a training draws one; `note` is what its keeper says, `slide` the one that is open."""
    if training.plan is None or not training.plan.sketch:
        return ""
    watched = training.plan.held_out
    if note or not training.is_busy:
        return note
    if watched and watched != slide:
        return f"Open {watched} in the Genes dock to see there how a gene is learned."
    return "The map comes with the first look at a slide that is held out."


def elsewhere_words(followed: Training, sketched: str) -> str:
    """The same of a training that another process is at."""
    assert followed.folder is not None, "what another process is at has a folder"
    return f"{followed.folder.name}, in the background: {sketched}" if sketched else ""


def findings_of(training: Training) -> tuple[tuple[Tone, str], ...]:
    """What was found before the start, the gravest first."""
    if training.preflight is None:
        return ()
    order = {"error": 0, "warning": 1, "sound": 2}
    found = [(_FINDING_TONES.get(one.kind, "sound"), str(one.sentence)) for one in training.preflight.findings]
    return tuple(sorted(found, key=lambda one: order[one[0]]))


def score_title(training: Training) -> str:
    """What the lower plot shows, with its last value."""
    value = last_value(training.epochs, SCORE)
    title = "Correlation on slides held out"
    return title if value is None else f"{title}: {value:.3f}{_on(training)}"


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
    return "" if value is None else f" Correlation {value:.3f}{_on(training) or ' on a slide held out'}."


def _on(training: Training) -> str:
    """The slide that the last score is of, "" while inner folds hold out others."""
    if training.plan is None or not training.plan.held_out or not is_last_stage(training):
        return ""
    return f" on {training.plan.held_out}"


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


def _named(name: str, patient: str) -> str:
    return f"{name} · patient {patient}" if patient else name


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
