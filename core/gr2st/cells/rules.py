"""Which class a nucleus seems to be of, from its size, outline, stain and neighbours: an estimate by stated rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from gr2st.types import CELL_CLASSES

if TYPE_CHECKING:
    from gr2st.cells.segment import Shapes
    from gr2st.types import Bool, Float64, Int64

SPINDLE = 0.5
"""Short over long axis below which a nucleus is a spindle, as those of fibroblasts and vessel walls are."""
LARGE_UM2 = 40.0
"""Area of a circle 7 um wide: nuclei of lymphocytes are smaller, those of epithelial tumours larger."""
REACH_UM = 20.0
"""How far a neighbour may be, centre to centre."""
CROWD = 4
"""Small round dark nuclei within reach that make one of their kind part of an infiltrate."""

_NOLABE, _NEOPLA, _INFLAM, _CONNEC = (CELL_CLASSES.index(name) for name in ("nolabe", "neopla", "inflam", "connec"))


def estimated_kinds(shapes: Shapes, um_per_px: float) -> Int64:
    """Classes (n,) of the nuclei of one section, centroids in level-0 pixels.

    A spindle is connective; what is large and no spindle is neoplastic (necessarily so: neoplastic and other epithelium
    do not differ in these measures); a small, round nucleus at least as dark as the section's median is inflammatory
    where four others like it are near; all others stay "nolabe". "necros" and "no-neo" are never given.

    Parameters
    ----------
    shapes : Shapes
    um_per_px : float
        Of level 0.
    """
    kinds = np.full(len(shapes), _NOLABE, np.int64)
    if not len(shapes):
        return kinds
    spindle, large = shapes.slimness < SPINDLE, shapes.area >= LARGE_UM2
    small_dark = ~spindle & ~large & (shapes.darkness >= np.median(shapes.darkness))
    kinds[small_dark & (_company(shapes.xy * um_per_px, small_dark) >= CROWD)] = _INFLAM
    kinds[~spindle & large] = _NEOPLA
    kinds[spindle] = _CONNEC
    return kinds


def _company(um: Float64, of_kind: Bool) -> Int64:
    """How many others of a kind lie within reach of each nucleus (n, 2); 0 for those that are not of it."""
    company = np.zeros(len(um), np.int64)
    if of_kind.any():
        tree = cKDTree(um[of_kind])
        company[of_kind] = tree.query_ball_point(um[of_kind], REACH_UM, return_length=True) - 1
    return company
