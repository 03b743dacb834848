"""`spot_cells_of`: the cell types of a section from the source its recipe names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gr2st.cells.estimate import estimated_cells
from gr2st.cells.files import cells_from_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.config import CellSource, PatchConfig
    from gr2st.types import Section, SpotCells, Steps


def spot_cells_of(section: Section, source: CellSource, patch: PatchConfig) -> Steps[SpotCells | None]:
    """Cell types of a section.

    Parameters
    ----------
    section : Section
    source : "none", "files" or "estimate"
    patch : PatchConfig
        Its window is what counts as the surroundings of a spot.

    Returns
    -------
    SpotCells or None
        None for the source "none".

    Raises
    ------
    DataError
        The source cannot be had for this section; the message says what to do.
    """
    return (yield from SOURCES[source](section, patch))


def _none(section: Section, patch: PatchConfig) -> Steps[None]:
    yield from ()


SOURCES: dict[str, Callable[[Section, PatchConfig], Steps[SpotCells | None]]] = {
    "none": _none,
    "files": cells_from_files,
    "estimate": estimated_cells,
}
