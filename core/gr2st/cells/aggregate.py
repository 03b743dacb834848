"""From nuclei to spots: which nuclei belong to a spot, and what its cell type is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from gr2st.types import CELL_CLASSES, SpotCells

if TYPE_CHECKING:
    from gr2st.types import Float32, Float64, Int64, Nuclei


def counts_in_windows(nuclei: Nuclei, xy: Float64, side: float) -> Int64:
    """Nuclei of each class whose centroid lies in the square window of each spot.

    Parameters
    ----------
    nuclei : Nuclei
        In level-0 pixels.
    xy : (n, 2) float64
        Spot centres (x, y) in level-0 pixels; the window stands round the nearest whole pixel, as the patch does.
    side : float
        Side of the window in level-0 pixels. The lower edges belong to it, the upper ones do not.

    Returns
    -------
    (n, 6) int64
        Columns in the order of `CELL_CLASSES`. A nucleus in the windows of several spots counts in each.
    """
    counts = np.zeros((len(xy), len(CELL_CLASSES)), dtype=np.int64)
    if not len(nuclei):
        return counts
    tree = cKDTree(nuclei.xy)
    centres = np.rint(xy)
    for row, (centre, near) in enumerate(zip(centres, tree.query_ball_point(centres, side / 2, p=np.inf), strict=True)):
        inside = np.asarray(near, dtype=np.int64)
        inside = inside[(nuclei.xy[inside] < centre + side / 2).all(axis=1)]
        counts[row] = counts_of_kinds(nuclei.kind[inside])
    return counts


def counts_of_kinds(kind: Int64) -> Int64:
    """Number of nuclei of each class (6,), in the order of `CELL_CLASSES`."""
    return np.bincount(kind, minlength=len(CELL_CLASSES)).astype(np.int64)


def majority(counts: Int64) -> Int64:
    """Most frequent class (n,) of counts (n, 6); ties and empty spots go to the first in the published order."""
    first: Int64 = counts.argmax(axis=1).astype(np.int64)
    return first


def shares(counts: Int64) -> Float32:
    """Proportions (n, 6) of counts (n, 6); a row of zeros where a spot has no nucleus."""
    total = counts.sum(axis=1, keepdims=True)
    proportions: Float32 = (counts / np.maximum(total, 1)).astype(np.float32)
    return proportions


def spot_cells(counts: Int64, source: str, notes: tuple[str, ...] = ()) -> SpotCells:
    """Types and proportions of spots with these counts (n, 6)."""
    return SpotCells(majority(counts), shares(counts), source, notes)
