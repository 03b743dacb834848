"""A slide without spots in words: the status card, what was found ahead, what keeps it from being predicted. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gr2st_napari._advice import Card
from gr2st_napari._state import Job

if TYPE_CHECKING:
    from gr2st_napari._state import State

CARD_WORDS = {"dismiss": "Dismiss"}


def card_of(state: State) -> Card:
    """The one thing the user should know now."""
    sheet, opened = state.slide, state.opened
    if sheet.problem is not None:
        return Card(sheet.problem.sentence, ("dismiss",), "error", sheet.problem.details)
    if sheet.phase == "stopping":
        return Card("Stopping: the present step ends first. What was looked at is kept.", tone="working")
    if sheet.phase == "predicting":
        return Card(
            "Predicting. You can go on looking meanwhile, and stop it: it goes on where it was.", tone="working"
        )
    if opened is None or opened.slide is None:
        return Card("Open a slide without spots: a model predicts its genes on a grid laid over the tissue.")
    if sheet.is_finished:
        return _finished(state)
    missing = why_not(state)
    if missing:
        return Card(f"{opened.name} has no spots. {missing}")
    return _found(state)


def why_not(state: State) -> str:
    """What is missing before a slide can be predicted, as an instruction; empty where nothing is."""
    sheet, opened = state.slide, state.opened
    if opened is None or opened.slide is None:
        return "Open a slide first."
    if sheet.model is None:
        return "Choose a trained model."
    if sheet.um_per_px is None and opened.slide.um_per_px is None:
        return "State how many micrometres a pixel is: the file does not tell (about 0.25 for 40x, 0.5 for 20x)."
    return ""


def can_start(state: State) -> bool:
    """Whether nothing stands in the way."""
    found = state.slide.preflight
    return not why_not(state) and not state.slide.is_busy and (found is None or found.can_start)


def scale_words(state: State) -> str:
    """What the file tells of its scale, for an empty field."""
    slide = None if state.opened is None else state.opened.slide
    if slide is None:
        return "as the file tells"
    return "unknown" if slide.um_per_px is None else f"{slide.um_per_px:.4g} (file)"


def expected(state: State) -> str:
    """Spots and time as found ahead, in one line."""
    sheet = state.slide
    if sheet.phase == "checking":
        return "Counting spots and timing a few patches…"
    if state.opened is None or state.opened.slide is None or sheet.preflight is None or not sheet.preflight.can_start:
        return ""
    findings = sheet.preflight.findings
    return " ".join(one.sentence for one in findings if one.kind == "good" and one.subject in ("slide", "time"))


def job_of(state: State) -> Job:
    """What the foot shows."""
    sheet = state.slide
    if not sheet.is_busy:
        return Job()
    return Job(sheet.stage or "Predicting", sheet.done, sheet.total, is_stopping=sheet.phase == "stopping")


def _found(state: State) -> Card:
    sheet = state.slide
    assert state.opened is not None
    if sheet.preflight is None:
        return Card(f"{state.opened.name}: start, or wait for the number of spots and the time.")
    findings = sheet.preflight.findings
    details = "\n".join(finding.sentence for finding in findings)
    for kind, tone in (("fault", "error"), ("warning", "warning")):
        found = [finding.sentence for finding in findings if finding.kind == kind]
        if found:
            more = f" (and {len(found) - 1} more, see Details)" if len(found) > 1 else ""
            return Card(f"{found[0]}{more}", tone=tone, details=details)  # type: ignore[arg-type]
    return Card(
        f"{state.opened.name} can be predicted: scale and colours are like those of the training sections.",
        details=details,
    )


def _finished(state: State) -> Card:
    """What was warned of ahead holds for the prediction, too."""
    assert state.opened is not None
    found = () if state.slide.preflight is None else state.slide.preflight.findings
    warned = [finding.sentence for finding in found if finding.kind == "warning"]
    words = " ".join([f"{state.opened.name} is predicted. Choose genes in the Genes dock.", *warned[:1]])
    return Card(words, tone="warning" if warned else "calm", details=_notes(state))


def _notes(state: State) -> str:
    opened = state.opened
    return "" if opened is None or opened.prediction is None else "\n".join(opened.prediction.notes)
