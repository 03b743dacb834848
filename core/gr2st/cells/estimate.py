"""Cell types estimated from the picture alone, for sections without results of HoVer-Net; no substitute for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.cells.aggregate import counts_in_windows, spot_cells
from gr2st.cells.cache import NucleiKey, read_cached, write_cached
from gr2st.cells.rules import estimated_kinds
from gr2st.cells.segment import UM_PER_PX, Shapes, histogram_of, joined, limits_of, nuclei_of_tile
from gr2st.config import PatchConfig
from gr2st.errors import DataError, StorageError
from gr2st.preprocess.patches import cut_patches, level_0_per_pixel
from gr2st.types import Float64, Nuclei, Progress

if TYPE_CHECKING:
    from gr2st.types import Int64, Section, Slide, SpotCells, Steps, UInt8

SOURCE = "estimate"
COARSEST_UM_PER_PX = 2.0
"""Above this a nucleus is under four pixels wide, and nothing can be said of its outline."""
NOTE = "The cell types are an estimate from the picture, not a classification by a trained network; see docs/cells.md."
_CORE_PX = 512
_MARGIN_PX = 32
_SAMPLED = 24


def estimated_cells(section: Section, patch: PatchConfig) -> Steps[SpotCells]:
    """Estimate the cell types of a section: find nuclei, class them by rules, count them in each spot's window.

    Parameters
    ----------
    section : Section
    patch : PatchConfig
        Its window, in level-0 pixels, is what belongs to a spot.

    Returns
    -------
    SpotCells
        With a note that says it is an estimate.

    Raises
    ------
    DataError
        No picture, no known resolution, or a picture too coarse to show nuclei.
    """
    slide, um_per_px = _readable(section)
    xy = np.asarray(section.table.obsm[keys.SPATIAL], np.float64)
    side = patch.size_px * level_0_per_pixel(patch, um_per_px, section.name)
    nuclei = yield from nuclei_at(slide, xy, side=side, um_per_px=um_per_px, section=section.name)
    slide.close()
    return spot_cells(counts_in_windows(nuclei, xy, side), SOURCE, (NOTE,))


def _readable(section: Section) -> tuple[Slide, float]:
    name, um_per_px = section.name, section.um_per_px
    instead = "Name cell types in the column cells of study.csv, or choose cell types 'none'."
    if section.slide is None:
        raise DataError(f"Section {name} has no image to estimate cell types from. {instead}")
    if um_per_px is None:
        raise DataError(
            f"Cell types of section {name} cannot be estimated: the sizes of nuclei need its resolution. Give the "
            f"micrometres per pixel in the column um_per_px of study.csv. {instead}"
        )
    if um_per_px > COARSEST_UM_PER_PX:
        raise DataError(
            f"Section {name} has {um_per_px:.3g} µm per pixel; to estimate cell types, {COARSEST_UM_PER_PX:g} or less "
            f"is needed to see the outlines of nuclei. {instead}"
        )
    return section.slide, um_per_px


def nuclei_at(slide: Slide, xy: Float64, *, side: float, um_per_px: float, section: str) -> Steps[Nuclei]:
    """Nuclei in and round the windows of the spots, with their estimated classes, in level-0 pixels; cached.

    Parameters
    ----------
    slide : Slide
    xy : (n, 2) float64
        Spot centres (x, y) in level-0 pixels.
    side : float
        Side of the windows in level-0 pixels.
    um_per_px : float
        Of level 0.
    section : str
        Name for the progress.
    """
    stage, key = f"Estimating cell types of {section}", NucleiKey.of(slide, xy, side, um_per_px)
    cached = read_cached(key)
    if cached is not None:
        yield Progress(stage, 1, 1, note="from the cache")
        return cached
    core = _CORE_PX * UM_PER_PX / um_per_px
    tiles = tiles_under(xy, side, core, slide)
    histogram = sum(histogram_of(tile) for tile in _cut(slide, tiles[:: len(tiles) // _SAMPLED + 1], core, um_per_px))
    limits = limits_of(np.asarray(histogram))
    parts = []
    for done, tile in enumerate(_cut(slide, tiles, core, um_per_px)):
        yield Progress(stage, done, len(tiles))
        parts.append(_in_core(nuclei_of_tile(tile, limits), tiles[done], core, um_per_px, slide))
    shapes = joined(parts)
    nuclei = Nuclei(shapes.xy, estimated_kinds(shapes, um_per_px))
    yield Progress(stage, len(tiles), len(tiles), note=_kept(key, nuclei))
    return nuclei


def _kept(key: NucleiKey, nuclei: Nuclei) -> str:
    try:
        write_cached(key, nuclei)
    except StorageError as error:
        return f"not kept for the next time: {error}"
    return ""


def tiles_under(xy: Float64, side: float, core: float, slide: Slide) -> Int64:
    """Column and row (n, 2) of the tiles, `core` level-0 pixels wide, that the windows of the spots touch."""
    last = np.ceil(np.array([slide.width, slide.height]) / core).astype(np.int64) - 1
    low = np.clip(np.floor((xy - side / 2) / core).astype(np.int64), 0, last)
    high = np.clip(np.floor((xy + side / 2) / core).astype(np.int64), 0, last)
    touched = {
        (row, column)
        for (left, top), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True)
        for row in range(top, bottom + 1)
        for column in range(left, right + 1)
    }
    return np.array([(column, row) for row, column in sorted(touched)], np.int64).reshape(-1, 2)


def _centres(tiles: Int64, core: float, slide: Slide) -> Float64:
    """Whole pixels in the middle of the tiles; the last tile of a row may lean over the edge of the picture."""
    inside = np.array([slide.width, slide.height]) - 1
    centres: Float64 = np.minimum(np.rint((tiles + 0.5) * core), inside)
    return centres


def _cut(slide: Slide, tiles: Int64, core: float, um_per_px: float) -> Iterator[UInt8]:
    config = PatchConfig(size_px=_CORE_PX + 2 * _MARGIN_PX, um_per_px=UM_PER_PX)
    for batch in cut_patches(slide, _centres(tiles, core, slide), config, um_per_px, batch=1):
        yield from batch


def _in_core(shapes: Shapes, tile: Int64, core: float, um_per_px: float, slide: Slide) -> Shapes:
    """Nuclei of one tile in level-0 pixels; those in the margin belong to the next tile, or to no picture at all."""
    scale = UM_PER_PX / um_per_px
    middle = _CORE_PX / 2 + _MARGIN_PX
    xy = _centres(tile, core, slide) + (shapes.xy + 0.5 - middle) * scale
    inside = (xy >= tile * core) & (xy < np.minimum((tile + 1) * core, (slide.width, slide.height)))
    return Shapes(xy, shapes.area, shapes.slimness, shapes.darkness).taken(inside.all(axis=1))
