"""State -> the status card: one sentence about what is missing or happening, and what to do next. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gr2st import keys

if TYPE_CHECKING:
    from gr2st import Prediction, Section
    from gr2st_napari._opening import Opened
    from gr2st_napari._state import State

Action: TypeAlias = Literal[
    "open", "open-sample", "open-evaluation", "predict", "go-on", "follow", "stop-report", "dismiss"
]
ACTION_WORDS: dict[str, str] = {
    "open": "Open a section…",
    "open-sample": "Open the sample",
    "predict": "Predict with a model…",
    "dismiss": "Dismiss",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What the status card shows; `details` stay behind a button."""

    sentence: str
    actions: tuple[Action, ...] = ()
    tone: Literal["calm", "working", "warning", "error"] = "calm"
    details: str = ""


def advise(state: State) -> Card:
    """The one thing the user should know now."""
    if state.problem is not None:
        return Card(state.problem.sentence, ("dismiss",), "error", state.problem.details)
    if state.job.is_running and (state.opened is None or state.job.request is None):
        return Card(f"{state.job.label}…", tone="working")
    if state.opened is None:
        return Card(
            "Nothing is open. Open a section (a folder or an .h5ad file), or the sample to look around.",
            ("open", "open-sample"),
        )
    if state.job.is_running:
        return Card(f"{state.job.label}… You can go on looking meanwhile.", tone="working")
    return _about(state.opened)


def _about(opened: Opened) -> Card:
    if opened.is_slide_alone:
        return Card(f"{opened.name} has no spots. Predict it with a model in the dock Slide (Plugins > GR2ST > Slide).")
    if opened.section is None and opened.slide is not None and opened.prediction is not None:
        notes = opened.prediction.notes
        said = notes[0] if notes else "Nothing was measured on this slide."
        details = "\n".join((*opened.notes, *notes))
        return Card(f"{_predicted(opened.prediction)} {said}", (), "warning" if notes else "calm", details)
    if opened.section is None:
        assert opened.prediction is not None, "something opened is a section, a prediction or both"
        return Card(
            f"{_predicted(opened.prediction)} Open its section to see the slide and the measured values.", ("open",)
        )
    warning = _warning(opened.section, opened.prediction)
    predicted = () if opened.prediction is None else opened.prediction.notes
    details = "\n".join((*opened.notes, *opened.section.notes, *predicted))
    actions: tuple[Action, ...] = () if opened.prediction is not None else ("predict",)
    if opened.section.slide is None:
        actions = ()
    sentence = warning or _described(opened.section, opened.prediction)
    return Card(sentence, actions, "warning" if warning else "calm", details)


def _warning(section: Section, prediction: Prediction | None) -> str:
    if section.alignment.verdict not in ("good", "unknown"):
        return str(section.alignment.message)
    if section.slide is None:
        return f"{section.name} has no picture: spots are shown without the slide, and nothing can be predicted."
    if prediction is not None and section.name in _provenance(prediction, "trained_on"):
        return (
            f"{prediction.model} was trained on {section.name} itself: this prediction says nothing about new slides."
        )
    return ""


def _described(section: Section, prediction: Prediction | None) -> str:
    if prediction is not None:
        return _predicted(prediction)
    measured = f"{len(section.genes):,} genes measured" if section.genes else "no counts"
    return f"{section.name}: {section.n_spots:,} spots, {measured}. Predict from the slide to compare."


def _predicted(prediction: Prediction) -> str:
    trained_on = _provenance(prediction, "trained_on")
    shown = ", ".join(trained_on[:4]) + (f" and {len(trained_on) - 4} more" if len(trained_on) > 4 else "")
    origin = f", trained on {shown}" if trained_on else ""
    return f"{prediction.section}: {len(prediction.genes):,} genes predicted by {prediction.model}{origin}."


def _provenance(prediction: Prediction, key: str) -> list[str]:
    known: Any = prediction.table.uns.get(keys.PROVENANCE, {}).get(key, ())
    return [str(name) for name in known]
