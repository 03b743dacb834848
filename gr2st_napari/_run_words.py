"""Runs in words: the lines of their table, their names side by side, and what may be done with them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gr2st import MODELS
from gr2st_napari._runs import AT_WORK, last_value
from gr2st_napari._series import SCORE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st import Run
    from gr2st_napari._runs import RunsSeen
    from gr2st_napari._study_words import Tone
    from gr2st_napari._training import Training

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
    "Correlation on slides held out of the training, the mean over genes, as last seen",
    "Epochs trained so far, those of trials included",
    "Model that learns",
    "When it was begun",
    "Study it learns from",
)


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
        f"On {plan.held_out}" if plan.held_out and run.state == "finished" else RUN_TIPS[2],
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


def _when(at: float, now: float) -> str:
    """A time as people say it."""
    then, today = datetime.fromtimestamp(at), datetime.fromtimestamp(now)
    if then.date() == today.date():
        return f"today {then:%H:%M}"
    return f"{then:%d %b %H:%M}" if then.year == today.year else f"{then:%d %b %Y}"
