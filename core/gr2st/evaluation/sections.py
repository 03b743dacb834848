"""The sections of an evaluation, read once for all its models, and refused together before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from gr2st.errors import Gr2stError, SectionInvalid
from gr2st.io.section import read_section
from gr2st.io.tables import plural
from gr2st.preparation import why_without_picture
from gr2st.preprocess.genes import rank_genes
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.types import Section, SectionEntry, Steps


def refuse_unreadable(entries: Sequence[SectionEntry]) -> Steps[None]:
    """Read every section once.

    Raises
    ------
    SectionInvalid
        Names every section that cannot be read, or has no picture that can be used, with all that is wrong with it.
    """
    faults = []
    for done, entry in enumerate(entries):
        yield Progress("Reading sections", done, len(entries), entry.name)
        if fault := _fault(entry):
            faults.append(fault)
    if faults:
        others = "" if len(faults) == len(entries) else ", or name only the others with --sections"
        raise SectionInvalid(
            f"{len(faults)} of {plural(len(entries), 'section')} cannot be used, so nothing was trained. Mend what "
            f"follows{others}.\n" + "\n".join(faults)
        )
    yield Progress("Reading sections", len(entries), len(entries))


def section_of(entry: SectionEntry) -> Section:
    """The section of an entry; read again only where one of its files has changed."""
    return _read_once(entry, stamp_of(entry))


def stamp_of(entry: SectionEntry) -> tuple[str, ...]:
    """Name, size and time of every file of a section.

    A part may be a folder: that of pictures and scale factors, or cell types with one file per spot.
    """
    inside = [file for part in entry.parts.values() if part.is_dir() for file in part.rglob("*")]
    paths = sorted({entry.path, *entry.parts.values(), *inside})
    return tuple(
        f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}" for path in paths if path.exists() for stat in [path.stat()]
    )


def ranked_genes(entries: Sequence[SectionEntry]) -> tuple[str, ...]:
    """Genes of these sections, most variable first; ranked once for all models of a fold."""
    return _rank_once(tuple(entries), tuple(map(stamp_of, entries)))


def notes_of(entries: Sequence[SectionEntry]) -> list[str]:
    """What reading the sections noticed and the user should know, one line each, with the section's name."""
    return [f"{entry.name}: {note}" for entry in entries for note in section_of(entry).notes]


def _fault(entry: SectionEntry) -> str:
    """Why a section cannot be used, "" where it can."""
    try:
        section = section_of(entry)
    except Gr2stError as error:
        return str(error)
    return "" if section.slide is not None else why_without_picture(section)


@lru_cache(maxsize=40)
def _read_once(entry: SectionEntry, stamp: tuple[str, ...]) -> Section:
    """One reading serves all folds and models, until a file of the section changes (then `stamp` does).

    HER2ST has 36 sections; a cache that holds fewer than a study would read each of them anew in every fold.
    """
    return read_section(entry)


@lru_cache(maxsize=4)
def _rank_once(entries: tuple[SectionEntry, ...], stamps: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return rank_genes([section_of(entry).table for entry in entries])
