"""A slide without spots becomes a section: a grid of a chosen pitch is laid over its tissue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from gr2st import keys
from gr2st.errors import DataError
from gr2st.io.tables import plural
from gr2st.io.tissue import tissue_mask
from gr2st.preprocess.appearance import OVERVIEW_PX
from gr2st.regions import spots_inside
from gr2st.types import Alignment, Section

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from gr2st.plans import GridShape
    from gr2st.regions import Region
    from gr2st.types import Bool, Float64, Int64, Slide

LAYOUT = "virtual"
PITCH_UM = 100.0
PITCHES_UM = (5.0, 2000.0)
"""Smallest and largest pitch that is laid."""
TILE = 32
"""Cells along the side of a tile; a section lists its spots tile by tile, so that neighbours are read together."""
STATED = "stated by the user"
_SPOT_UM = 100.0
_ON_TISSUE = 0.5
_AGREEMENT = 0.1


def virtual_section(
    slide: Slide,
    pitch_um: float = PITCH_UM,
    *,
    um_per_px: float | None = None,
    shape: GridShape = "square",
    regions: Sequence[Region] = (),
    everywhere: bool = False,
) -> Section:
    """Lay spots over the tissue of a slide.

    The grid begins at the upper left corner of the slide, whatever the region: two runs with one pitch share their
    spots. A spot is there where at least half of the square of 100 um round its centre (of the pitch, where that is
    smaller) is tissue; holes stay empty. Tissue is found on an overview of 1000 pixels.

    Parameters
    ----------
    slide : Slide
    pitch_um : float
        Distance between the centres of neighbouring spots, micrometres.
    um_per_px : float, optional
        Micrometres per level-0 pixel, where the file does not tell or tells wrong.
    shape : "square" or "hexagonal"
        Rows and columns; or every second row shifted by half a pitch, as on Visium.
    regions : sequence of Region
        Spots are laid in these alone; in the whole slide where there are none.
    everywhere : bool
        Also where no tissue is found, as in fat or pale stains.

    Returns
    -------
    Section
        Layout "virtual", without counts. Spots are named by column and row of the grid (``"12x7"``) and lie tile by
        tile, 32 x 32 cells of the grid each.

    Raises
    ------
    DataError
        Nobody knows the micrometres per pixel, the pitch is out of bounds, or no spot lies on tissue.
    """
    scale, source, note = _scale(slide, um_per_px)
    if not PITCHES_UM[0] <= pitch_um <= PITCHES_UM[1]:
        raise DataError(f"A pitch of {PITCHES_UM[0]:g} to {PITCHES_UM[1]:g} µm is wanted, found {pitch_um:g}.")
    pitch = pitch_um / scale
    cells, xy = _lattice(slide, pitch, shape)
    kept = _inside(regions, xy)
    if not everywhere:
        kept[kept] = _on_tissue(slide, xy[kept], min(pitch_um, _SPOT_UM) / scale)
    if not kept.any():
        raise DataError(_why_nothing(slide, pitch_um, regions, everywhere=everywhere))
    notes = () if note is None else (note,)
    return _section(slide, _table(cells[kept], xy[kept]), pitch, scale, source, notes)


def slide_name(path: Path) -> str:
    """What a slide without spots is called: its file without endings."""
    return path.name.split(".")[0]


def _section(slide: Slide, table: AnnData, pitch: float, scale: float, source: str, notes: tuple[str, ...]) -> Section:
    return Section(
        name=slide_name(slide.path),
        patient=None,
        table=table,
        slide=slide,
        um_per_px=scale,
        um_per_px_source=source,
        spot_diameter_um=None,
        grid_pitch=pitch,
        layout=LAYOUT,
        alignment=Alignment("good", 1.0, 1.0, "The spots were laid on the tissue."),
        notes=notes,
    )


def _scale(slide: Slide, stated: float | None) -> tuple[float, str, str | None]:
    """Micrometres per pixel, whose word it is, and what is to be said about it."""
    found = slide.um_per_px
    if stated is None and found is not None:
        return found, "image metadata", None
    if stated is None:
        raise DataError(
            f"{slide.path.name} does not tell how many micrometres a pixel is, and spots are laid and cut in "
            "micrometres. State it (--um-per-px; about 0.25 for a 40x scan, 0.5 for 20x)."
        )
    if not 0 < stated < math.inf:
        raise DataError(f"Micrometres per pixel above 0 are wanted, found {stated}.")
    if found is not None and abs(found / stated - 1) > _AGREEMENT:
        note = f"The scale {STATED}, {stated:g} µm per pixel, is used, though {slide.path.name} says {found:.3g}."
    else:
        note = f"The scale of {slide.path.name}, {stated:g} µm per pixel, was {STATED}."
    return stated, STATED, note


def _lattice(slide: Slide, pitch: float, shape: GridShape) -> tuple[Int64, Float64]:
    """Column and row (n, 2) and centre (n, 2) in level-0 pixels of all spots of the slide, tile by tile."""
    hexagonal = shape == "hexagonal"
    height = pitch * (math.sqrt(3) / 2 if hexagonal else 1)
    rows, columns = math.ceil(slide.height / height), math.ceil(slide.width / pitch)
    row, column = (part.ravel() for part in np.indices((rows, columns)))
    half = row % 2 if hexagonal else np.zeros_like(row)
    xy = np.column_stack([(column + 0.5 + half / 2) * pitch, (row + 0.5) * height])
    cells = np.column_stack([2 * column + half if hexagonal else column, row]).astype(np.int64)
    tile = cells // TILE
    order = np.lexsort((cells[:, 0], row, tile[:, 0], tile[:, 1]))
    order = order[(xy[order] < (slide.width, slide.height)).all(axis=1)]
    return cells[order], xy[order]


def _inside(regions: Sequence[Region], xy: Float64) -> Bool:
    """Which spots lie in any of the regions; all where there are none."""
    if not regions:
        return np.ones(len(xy), bool)
    found = np.zeros(len(xy), bool)
    for region in regions:
        corners = np.concatenate([ring for polygon in region.polygons for ring in polygon])
        near = ((xy >= corners.min(axis=0)) & (xy <= corners.max(axis=0))).all(axis=1)
        found[near] |= spots_inside(region, xy[near])
    return found


def _on_tissue(slide: Slide, xy: Float64, side: float) -> Bool:
    """Which spots have tissue in at least half of the square of `side` level-0 pixels round them."""
    overview = slide.thumbnail(OVERVIEW_PX)
    factor = overview.shape[1] / slide.width
    mask = tissue_mask(overview).astype(np.float32)
    share = ndimage.uniform_filter(mask, max(1, round(side * factor)), mode="nearest")
    column, row = (xy * factor).astype(np.int64).T
    return np.asarray(share[row.clip(max=len(share) - 1), column.clip(max=share.shape[1] - 1)] >= _ON_TISSUE)


def _table(cells: Int64, xy: Float64) -> AnnData:
    import pandas as pd
    from anndata import AnnData
    from scipy.sparse import csr_matrix

    names = pd.Index([f"{column}x{row}" for column, row in cells.tolist()], name="spot")
    obs = pd.DataFrame({keys.ARRAY_COL: cells[:, 0], keys.ARRAY_ROW: cells[:, 1]}, index=names)
    empty = csr_matrix(np.zeros((len(cells), 0), np.float32))
    return AnnData(empty, obs=obs, obsm={keys.SPATIAL: xy})


def _why_nothing(slide: Slide, pitch_um: float, regions: Sequence[Region], *, everywhere: bool) -> str:
    where = (
        f"in the {plural(len(regions), 'region')} given for {slide.path.name}" if regions else f"on {slide.path.name}"
    )
    if everywhere:
        return f"No spot of a grid of {pitch_um:g} µm lies {where}. Check that region and slide belong together."
    return (
        f"No tissue was found {where}. Check region and scale; where the tissue is only pale, draw a region round it "
        'and lay spots everywhere in it (--everywhere; in the Slide dock "Also where no tissue is found").'
    )
