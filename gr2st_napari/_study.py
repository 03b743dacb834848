"""A study that is being put together: its rows, and what adding, reading and typing make of them. No Qt, no files."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gr2st import Study, keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from gr2st import Section, SectionEntry
    from gr2st_napari._state import Problem

_MOST_UM_PER_PX = 1000.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is worth knowing of a section once it was read; the section itself is let go."""

    layout: str
    n_spots: int
    n_genes: int
    picture: str
    picture_px: tuple[int, int] | None
    um_per_px: float | None
    um_per_px_source: str
    verdict: str
    verdict_message: str
    labels: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One section of the draft: not read yet, read, or unreadable with the reason."""

    key: int
    entry: SectionEntry
    facts: Facts | None = None
    failure: Problem | None = None

    @property
    def is_read(self) -> bool:
        return self.facts is not None or self.failure is not None

    @property
    def um_per_px(self) -> float | None:
        """The study's word before what the files say."""
        if self.entry.um_per_px is not None:
            return self.entry.um_per_px
        return None if self.facts is None else self.facts.um_per_px


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something dropped that holds no section that can be listed."""

    path: Path
    problem: Problem


@dataclass(frozen=True, slots=True)
class Draft:
    """The study as it stands in the Study dock.

    Attributes
    ----------
    waiting : tuple of Path
        Dropped, not looked into yet.
    home : Path or None
        The ``study.csv`` to offer when saving.
    saved : Path or None
        The ``study.csv`` that says exactly this; None while there is none.
    problem : Problem or None
        Why the study could not be saved.
    """

    rows: tuple[Row, ...] = ()
    waiting: tuple[Path, ...] = ()
    refused: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    home: Path | None = None
    saved: Path | None = None
    problem: Problem | None = None

    @property
    def is_reading(self) -> bool:
        return bool(self.waiting) or any(not row.is_read for row in self.rows)

    @property
    def unread(self) -> Row | None:
        """The row to read next."""
        return next((row for row in self.rows if not row.is_read), None)

    @property
    def shared_names(self) -> frozenset[str]:
        """Names that several sections have."""
        return frozenset(name for name, count in Counter(row.entry.name for row in self.rows).items() if count > 1)

    def study(self, path: Path) -> Study:
        """What is saved."""
        return Study(path.parent.name, path, tuple(row.entry for row in self.rows))


def facts_of(section: Section) -> Facts:
    """The facts of a section."""
    labels: Counter[str] = Counter()
    if keys.LABEL in section.table.obs:
        labels.update(map(str, section.table.obs[keys.LABEL].dropna()))
    slide = section.slide
    return Facts(
        layout=section.layout,
        n_spots=section.n_spots,
        n_genes=len(section.genes),
        picture="" if slide is None else slide.path.name,
        picture_px=None if slide is None else (slide.width, slide.height),
        um_per_px=section.um_per_px,
        um_per_px_source=section.um_per_px_source,
        verdict=section.alignment.verdict,
        verdict_message=section.alignment.message,
        labels=tuple(labels.most_common()),
        notes=section.notes,
    )


def added(draft: Draft, paths: Iterable[Path]) -> Draft:
    """Paths that were dropped, to be looked into; what was refused before is forgotten."""
    return replace(draft, waiting=(*draft.waiting, *paths), refused=(), problem=None)


def listed(draft: Draft, path: Path, study: Study) -> Draft:
    """The sections found behind a path that waited; those the draft has already are left out, with a note."""
    known = {_identity(row.entry) for row in draft.rows}
    new = [entry for entry in study.entries if _identity(entry) not in known]
    twice = [entry.name for entry in study.entries if _identity(entry) in known]
    notes = [*study.notes, *([f"Already in the study, not added again: {', '.join(twice)}."] if twice else [])]
    start = 1 + max((row.key for row in draft.rows), default=0)
    table = study.path if study.path.suffix == ".csv" else None
    is_as_saved = not draft.rows or not new
    return replace(
        draft,
        rows=(*draft.rows, *(Row(key, entry) for key, entry in enumerate(new, start=start))),
        waiting=_without(draft.waiting, path),
        notes=tuple(dict.fromkeys([*draft.notes, *notes])),
        home=draft.home or table or _beside(path),
        saved=(draft.saved if draft.rows else table) if is_as_saved else None,
    )


def refused(draft: Draft, path: Path, problem: Problem) -> Draft:
    """A path that waited and holds nothing that can be listed."""
    return replace(draft, waiting=_without(draft.waiting, path), refused=(*draft.refused, Refusal(path, problem)))


def read(draft: Draft, key: int, facts: Facts) -> Draft:
    """A row that was read."""
    return _changed(draft, {key}, lambda row: replace(row, facts=facts, failure=None))


def failed(draft: Draft, key: int, problem: Problem) -> Draft:
    """A row that could not be read."""
    return _changed(draft, {key}, lambda row: replace(row, facts=None, failure=problem))


def to_read_again(draft: Draft, which: Iterable[int] = ()) -> Draft:
    """Read these rows again (all, where none is named), and look again into what was refused."""
    chosen = set(which) or {row.key for row in draft.rows}
    draft = _changed(draft, chosen, lambda row: replace(row, facts=None, failure=None))
    return replace(draft, waiting=(*draft.waiting, *(refusal.path for refusal in draft.refused)), refused=())


def stopped(draft: Draft) -> Draft:
    """What was not read yet is left out, with a note."""
    left_out = [row.entry.name for row in draft.rows if not row.is_read] + [path.name for path in draft.waiting]
    note = f"Stopped; not read and left out: {', '.join(left_out)}."
    rows = tuple(row for row in draft.rows if row.is_read)
    return replace(draft, rows=rows, waiting=(), notes=(*draft.notes, note), saved=None)


def removed(draft: Draft, which: Iterable[int]) -> Draft:
    """Without these rows; an empty draft forgets everything else too."""
    gone = set(which)
    rows = tuple(row for row in draft.rows if row.key not in gone)
    if not rows:
        return Draft(waiting=draft.waiting)
    return replace(draft, rows=rows, saved=None, problem=None)


def renamed(draft: Draft, key: int, name: str) -> Draft:
    """Another name for a section; a blank one changes nothing."""
    return _typed(draft, {key}, name=name.strip()) if name.strip() else draft


def with_patient(draft: Draft, which: Iterable[int], patient: str) -> Draft:
    """The patient of these rows; blank takes it away."""
    return _typed(draft, set(which), patient=patient.strip() or None)


def with_um_per_px(draft: Draft, which: Iterable[int], text: str) -> Draft:
    """Micrometres per pixel of these rows; blank asks the files, what is no possible number changes nothing."""
    if not text.strip():
        return _typed(draft, set(which), um_per_px=None)
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return draft
    is_possible = math.isfinite(value) and 0 < value < _MOST_UM_PER_PX
    return _typed(draft, set(which), um_per_px=value) if is_possible else draft


def with_picture(draft: Draft, key: int, picture: Path) -> Draft:
    """The picture of a section, which is then read again."""

    def changed(row: Row) -> Row:
        parts = {**row.entry.parts, "image": picture}
        return Row(row.key, replace(row.entry, parts=parts, image_scale=None, without_image=""))

    return replace(_changed(draft, {key}, changed), saved=None, problem=None)


def _typed(draft: Draft, which: set[int], **changes: object) -> Draft:
    after = _changed(draft, which, lambda row: replace(row, entry=replace(row.entry, **changes)))
    return draft if after == draft else replace(after, saved=None, problem=None)


def _changed(draft: Draft, which: set[int], change: Callable[[Row], Row]) -> Draft:
    return replace(draft, rows=tuple(change(row) if row.key in which else row for row in draft.rows))


def _identity(entry: SectionEntry) -> tuple[str, Path]:
    """What makes two entries the same section: their counts."""
    return entry.layout, entry.parts.get("counts", entry.path).resolve()


def _beside(path: Path) -> Path:
    return (path if path.is_dir() else path.parent) / keys.STUDY_FILE


def _without(waiting: tuple[Path, ...], path: Path) -> tuple[Path, ...]:
    at = waiting.index(path) if path in waiting else len(waiting)
    return (*waiting[:at], *waiting[at + 1 :])
