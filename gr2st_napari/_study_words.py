"""A draft in words: the lines of its table, what is wrong with its fix, what may be done, and the status card. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from gr2st_napari._advice import Card

if TYPE_CHECKING:
    from gr2st_napari._state import Problem
    from gr2st_napari._study import Draft, Row

Tone: TypeAlias = Literal["sound", "waiting", "warning", "error"]

SECTION, PATIENT, STATE, SPOTS, GENES, PICTURE, UM_PER_PX, FIT, LABELS, LAYOUT = range(10)
COLUMNS = ("Section", "Patient", "State", "Spots", "Genes", "Picture", "µm/px", "Fit", "Labels", "Layout")
TIPS = (
    "Name of the section: double-click to change it",
    "Patient the section is of: double-click to type; with several rows selected, all of them get it",
    "Whether the section can be used",
    "Spots with counts and a position",
    "Genes in the counts",
    "Picture of the section, and its size in pixels",
    "Micrometres per pixel of the picture: double-click to correct it; hover to see where it is from",
    "How well the spots fit the tissue in the picture",
    "Spots that a pathologist has labelled",
    "How the files lie",
)
EDITABLE = (SECTION, PATIENT, UM_PER_PX)
NUMBERS = (SPOTS, GENES, UM_PER_PX)
CARD_WORDS = {"open": "Add…", "open-sample": "Add the sample", "dismiss": "Dismiss"}

_NAME_TAKEN = "name taken"
_SHARED = (_NAME_TAKEN, "no patient", "no picture", "no µm/px", "no counts")
"""What many sections of a study may lack alike."""
_FITTING = ("good", "unknown")
_VERDICT_WORDS = {
    "good": "good",
    "pale": "unsure",
    "swapped": "x, y swapped",
    "mirrored": "mirrored",
    "rotated": "turned",
    "scale": "wrong scale",
    "misregistered": "shifted",
    "outside": "outside",
    "not-histology": "no H&E",
    "unknown": "not known",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table: a text and a tip per column."""

    key: int
    tone: Tone
    texts: tuple[str, ...]
    tips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong and what to do about it; `key` is the row it is about, -1 for none."""

    sentence: str
    fix: str
    key: int = -1
    is_blocking: bool = False
    word: str = ""


def lines(draft: Draft) -> tuple[Line, ...]:
    """The table."""
    return tuple(_line(row, _about(row, draft)) for row in draft.rows)


def findings(draft: Draft) -> tuple[Finding, ...]:
    """Everything that is wrong: what must be mended comes first, what sections share is told once."""
    shared: dict[tuple[str, str], list[tuple[Row, Finding]]] = {}
    for row in draft.rows:
        for finding in _about(row, draft):
            told = finding.word if finding.word in _SHARED else finding.sentence
            shared.setdefault((told, finding.fix), []).append((row, finding))
    found = [_joined(alike) for alike in shared.values()]
    found += [
        Finding(
            f"{refusal.path.name} was not added. {refusal.problem.sentence}",
            "Mend it and press Read again, or add another folder or file.",
        )
        for refusal in draft.refused
    ]
    return tuple(sorted(found, key=lambda one: not one.is_blocking))


def why_not_save(draft: Draft) -> str:
    """Why the study cannot be saved; empty where it can."""
    if draft.is_reading:
        return "Wait until all sections are read."
    if not draft.rows:
        return "Add at least one section first."
    blocking = [finding for finding in findings(draft) if finding.is_blocking]
    if not blocking:
        return ""
    more = f" And {_count(len(blocking) - 1, 'more problem')} below." if len(blocking) > 1 else ""
    return f"{blocking[0].sentence} {blocking[0].fix}{more}"


def why_not_open(draft: Draft) -> str:
    """Why the study cannot be opened in the viewer; empty where it can."""
    return why_not_save(draft) or ("" if draft.saved is not None else "Save the study first.")


def card_of(draft: Draft) -> Card:
    """The one thing the user should know now."""
    details = "\n".join((*draft.notes, *(f"{row.entry.name}: {note}" for row in draft.rows for note in _notes(row))))
    if draft.problem is not None:
        return Card(draft.problem.sentence, ("dismiss",), "error", draft.problem.details)
    if draft.is_reading:
        return Card(_progress(draft), tone="working")
    if not draft.rows:
        refusal = f"{draft.refused[-1].path.name} holds nothing that can be added. " if draft.refused else ""
        sentence = f"{refusal}No section yet. Drop folders and files here, or add them; each may hold several sections."
        return Card(sentence, ("open", "open-sample"), "warning" if refusal else "calm", details)
    blocking = [finding for finding in findings(draft) if finding.is_blocking]
    if blocking:
        what = "1 problem is" if len(blocking) == 1 else f"{len(blocking)} problems are"
        return Card(f"{_size(draft)}. {what} to be mended before it can be saved.", tone="warning", details=details)
    return Card(f"{_size(draft)}. {_outlook(draft)}", tone="calm", details=details)


def _joined(alike: list[tuple[Row, Finding]]) -> Finding:
    first = alike[0][1]
    if len(alike) == 1 or first.word not in _SHARED:
        return first
    names = list(dict.fromkeys(row.entry.name for row, _ in alike))
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    if first.word == _NAME_TAKEN:
        return replace(first, sentence=f"Several sections are called {shown}.")
    return replace(first, sentence=f"{len(names)} sections have {first.word}: {shown}.")


def _label_tip(row: Row) -> str:
    labels = () if row.facts is None else row.facts.labels
    return "\n".join(f"{name}: {_count(count, 'spot')}" for name, count in labels) or "No labels"


def _about(row: Row, draft: Draft) -> list[Finding]:
    name, found = row.entry.name, []
    if row.failure is not None:
        remedy = "Mend the files and press Read again, or remove the section."
        found.append(Finding(f"{name} cannot be read. {_whole(row.failure)}", remedy, row.key, True, "unreadable"))
    if name in draft.shared_names:
        found.append(
            Finding(
                f"Several sections are called {name}.",
                "Give each its own name in the column Section, or remove one.",
                row.key,
                is_blocking=True,
                word=_NAME_TAKEN,
            )
        )
    if not row.entry.patient:
        fix = "Type it in the column Patient; with several rows selected, all of them get it."
        found.append(Finding(f"{name} has no patient.", fix, row.key, is_blocking=True, word="no patient"))
    return found + _of_facts(row)


def _of_facts(row: Row) -> list[Finding]:
    """What does not hinder saving."""
    name, facts, found = row.entry.name, row.facts, []
    if facts is None:
        return []
    if not facts.picture:
        fix = "Choose one with the button Picture…; until then it can be shown, but not trained on or predicted."
        return [Finding(f"{name} has no picture.", fix, row.key, word="no picture")]
    if facts.verdict not in _FITTING:
        fix = "Choose another with the button Picture…, mend the positions and press Read again, or remove the section."
        found.append(Finding(f"{name}: {facts.verdict_message}", fix, row.key, word="misfit"))
    if row.um_per_px is None:
        fix = "Type it in the column µm/px: the microscope's settings or the scale bar tell it."
        found.append(Finding(f"{name} does not say how many micrometres a pixel is.", fix, row.key, word="no µm/px"))
    if not facts.n_genes:
        fix = "It can be predicted, not trained on. To train on it, add its count table and remove this row."
        found.append(Finding(f"{name} has no counts.", fix, row.key, word="no counts"))
    return found


def _line(row: Row, found: list[Finding]) -> Line:
    facts = row.facts
    tone: Tone = "sound"
    if not row.is_read:
        tone = "waiting"
    elif found:
        tone = "error" if any(finding.is_blocking for finding in found) else "warning"
    state = _state_word(row, found)
    state_tip = "\n".join([f"{finding.sentence} {finding.fix}" for finding in found] + _notes(row)) or state
    fixed = (row.entry.name, row.entry.patient or "", state)
    tips = (str(row.entry.path), TIPS[PATIENT], state_tip)
    if facts is None:
        return Line(row.key, tone, (*fixed, *[""] * (LAYOUT - STATE - 1), row.entry.layout), (*tips, *TIPS[SPOTS:]))
    size = "" if facts.picture_px is None else f"{facts.picture}, {facts.picture_px[0]:,} x {facts.picture_px[1]:,} px"
    labelled = sum(count for _, count in facts.labels)
    texts = (
        f"{facts.n_spots:,}",
        f"{facts.n_genes:,}" if facts.n_genes else "none",
        facts.picture or "none",
        "not known" if row.um_per_px is None else f"{row.um_per_px:.4g}",
        _VERDICT_WORDS.get(facts.verdict, facts.verdict),
        f"{labelled:,} spots" if labelled else "none",
        facts.layout,
    )
    more = (TIPS[SPOTS], TIPS[GENES], size or TIPS[PICTURE], _source(row), facts.verdict_message, _label_tip(row))
    return Line(row.key, tone, (*fixed, *texts), (*tips, *more, TIPS[LAYOUT]))


def _state_word(row: Row, found: list[Finding]) -> str:
    """The first thing that is wrong, and how many more there are."""
    if not row.is_read:
        return "reading…"
    if not found:
        return "sound"
    return found[0].word + (f" +{len(found) - 1}" if len(found) > 1 else "")


def _source(row: Row) -> str:
    if row.um_per_px is None:
        return "Not known: double-click to type it"
    typed = row.entry.um_per_px is not None
    source = "the study" if typed or row.facts is None else row.facts.um_per_px_source
    return f"{row.um_per_px:.6g} µm per pixel, from {source}"


def _notes(row: Row) -> list[str]:
    return [] if row.facts is None else list(row.facts.notes)


def _whole(problem: Problem) -> str:
    """All that is wrong, not only the first: the details without their traceback."""
    message = problem.details.split("\n\n", 1)[0]
    listed = [line.strip(" -") for line in message.splitlines()[1:]]
    return " ".join(listed) if listed and listed[0] in problem.sentence else problem.sentence


def _progress(draft: Draft) -> str:
    if draft.waiting:
        return f"Looking into {draft.waiting[0].name}…"
    done = sum(row.is_read for row in draft.rows)
    unread = draft.unread
    return f"Reading {'' if unread is None else unread.entry.name}: {done} of {len(draft.rows)} sections done…"


def _size(draft: Draft) -> str:
    patients = {row.entry.patient for row in draft.rows} - {None}
    return f"{_count(len(draft.rows), 'section')} of {_count(len(patients), 'patient')}"


def _outlook(draft: Draft) -> str:
    doubtful = len({finding.key for finding in findings(draft) if finding.key >= 0})
    doubts = f" {_count(doubtful, 'section')} with something to look at, below." if doubtful else ""
    if draft.saved is not None:
        return f"Saved as {draft.saved.name}.{doubts}"
    alone = len({row.entry.patient for row in draft.rows}) == 1
    patients = " An evaluation by patient needs a second patient." if alone else ""
    return f"Ready to be saved.{doubts}{patients}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
