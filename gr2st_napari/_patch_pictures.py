"""Pictures of spots, cut from the slides of a study. Reads files: for a thread; no viewer, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from gr2st import DataError, PatchConfig, cut_patches, display_pyramid, needs_pyramid, open_slide, read_section
from gr2st_napari._opening import grid_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st import Section, Slide, Study
    from gr2st_napari._opening import Opened

Pixels: TypeAlias = npt.NDArray[np.uint8]
SpotPlace: TypeAlias = tuple[str, tuple[float, float]]
"""Section, and x, y of the spot in level-0 pixels of its picture."""

SIDE_PX = 160
SIDE_UM = 200.0
"""Side of what is shown round a spot: the spot and its neighbourhood, alike for every slide whose scale is known."""


@dataclass(frozen=True, eq=False)
class Source:
    """The picture of a section and its scale."""

    slide: Slide
    um_per_px: float | None


def source_of(section: Section) -> Source:
    """The picture of a section that has been read; DataError where it has none."""
    if section.slide is None:
        raise DataError(f"{section.name} has no picture.")
    return Source(section.slide, section.um_per_px)


def source_on_table(opened: Opened) -> Source | None:
    """The picture of what is open: of its section, or the slide that its spots were laid on; None without either."""
    if opened.section is not None:
        return source_of(opened.section)
    grid = grid_of(opened.prediction)
    return None if opened.slide is None or grid is None else Source(opened.slide, float(grid["um_per_px"]))


def find_source(study: Study | None, name: str) -> Source:
    """The picture of a section of a study.

    Raises
    ------
    DataError
        No study is open, or it does not have the section, or the section has no picture; what to do is said.
    Gr2stError
        The section cannot be read.
    """
    if study is None:
        raise DataError(f"Open the study that has {name} to see its picture.")
    if name not in study.names:
        raise DataError(f"{name} is not in the open study {study.name}: no picture.")
    return source_of(read_section(study.entry(name)))


def cut(source: Source, places: Sequence[tuple[float, float]]) -> list[Pixels]:
    """A picture (SIDE_PX, SIDE_PX, 3) round each place; read from tiles where the slide or its pyramid has them."""
    cached = display_pyramid(source.slide.path) if needs_pyramid(source.slide) else None
    if cached is None:
        return _cut(source.slide, places, source.um_per_px)
    with open_slide(cached) as pyramid:
        return _cut(pyramid, places, source.um_per_px)


def _cut(slide: Slide, places: Sequence[tuple[float, float]], um_per_px: float | None) -> list[Pixels]:
    config = PatchConfig(size_px=SIDE_PX, um_per_px=None if um_per_px is None else SIDE_UM / SIDE_PX)
    batches = cut_patches(slide, np.asarray(places, dtype=np.float64), config, um_per_px)
    return [patch for batch in batches for patch in batch]


def side_words(um_per_px: float | None) -> str:
    """How much a picture shows, in words."""
    return f"{SIDE_PX} px" if um_per_px is None else f"{SIDE_UM:.0f} µm"
