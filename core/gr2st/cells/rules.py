"""Which class a nucleus seems to be of, from its size, outline, stain and neighbours: an estimate by stated rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from gr2st.types import CELL_CLASSES

if TYPE_CHECKING:
    from gr2st.cells.segment import Shapes
    from gr2st.types import Float64, Int64

SPINDLE = 0.5
"""Short over long axis below which a nucleus is a spindle, as those of fibroblasts and vessel walls are."""
LARGE_UM2 = 40.0
"""Area of a circle 7 um wide: nuclei of lymphocytes are smaller, those of epithelial tumours larger."""
REACH_UM = 20.0
"""How far a neighbour may be, centre to centre."""
INFILTRATE = 6
"""Neighbours from which on a small dark nucleus is taken for part of an infiltrate."""
NEST = 3
"""Neighbours from which on a large nucleus is taken for part of a nest; a lone one is not told."""

_NOLABE, _NEOPLA, _INFLAM, _CONNEC = (CELL_CLASSES.index(name) for name in ("nolabe", "neopla", "inflam", "connec"))


def estimated_kinds(shapes: Shapes, um_per_px: float) -> Int64:
    """Classes (n,) of the nuclei of one section, centroids in level-0 pixels.

    A spindle is connective. A large nucleus with neighbours is neoplastic: other epithelium looks the same in these
    measures and is called so too. A small one that is at least as dark as the median of its section and stands in a
    crowd is inflammatory. All others stay "nolabe"; "necros" and "no-neo" are never given.

    Parameters
    ----------
    shapes : Shapes
    um_per_px : float
        Of level 0.
    """
    kinds = np.full(len(shapes), _NOLABE, np.int64)
    if not len(shapes):
        return kinds
    company = neighbours(shapes.xy * um_per_px)
    large = shapes.area >= LARGE_UM2
    dark = shapes.darkness >= np.median(shapes.darkness)
    kinds[large & (company >= NEST)] = _NEOPLA
    kinds[~large & dark & (company >= INFILTRATE)] = _INFLAM
    kinds[shapes.slimness < SPINDLE] = _CONNEC
    return kinds


def neighbours(um: Float64) -> Int64:
    """Number of other nuclei within reach of each (n, 2), in micrometres."""
    tree = cKDTree(um)
    return np.asarray(tree.query_ball_point(um, REACH_UM, return_length=True), np.int64) - 1
