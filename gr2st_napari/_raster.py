"""Many spots as one picture: which pixel shows which spot. Pure: no viewer, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

    from gr2st_napari._expression import Expression, Float32, Float64, Int64

Lookup: TypeAlias = npt.NDArray[np.int32]
Bool: TypeAlias = npt.NDArray[np.bool_]

POINTS_UP_TO = 20_000
"""Spots drawn as discs; more are drawn as one picture, which takes the same time however many they are."""
PIXELS_PER_SPOT = 4
"""Pixels across one spot where spots do not stand in rows and columns."""
MOST_PIXELS = 4_000_000
WIDEST_OUT_OF_PLACE = 0.25
"""In steps of the array: spots further from their place in it do not count as standing in rows and columns."""


@dataclass(frozen=True, eq=False)
class Raster:
    """Which pixel shows which spot.

    Attributes
    ----------
    lookup : (rows, columns) int32
        Row of the spot in each pixel; the number of spots where there is none.
    affine : (3, 3)
        Takes (row, column, 1) of a pixel to (y, x, 1) in level-0 pixels.
    """

    lookup: Lookup
    affine: Float64

    @property
    def reach_px(self) -> float:
        """From the middle of a pixel to its furthest corner, in level-0 pixels."""
        down, across = self.affine[:2, :2].T / 2
        return float(max(np.linalg.norm(down + across), np.linalg.norm(down - across)))

    def picture(self, values: Float32, shown: Bool | None = None) -> Float32:
        """Values (n,) as pixels; NaN where no spot is, where it has no value, or where it is not `shown`."""
        if shown is not None:
            values = np.where(shown, values, np.float32(np.nan))
        return np.append(values, np.float32(np.nan))[self.lookup]

    def gaps(self, values: Float32, shown: Bool | None = None) -> npt.NDArray[np.uint8]:
        """1 in the pixels of spots that have no value and are `shown`, else 0."""
        missing = np.isnan(values) if shown is None else np.isnan(values) & shown
        return np.append(missing, False)[self.lookup].astype(np.uint8)


def raster_of(expression: Expression, diameter_px: float) -> Raster | None:
    """One pixel per spot where they stand in rows and columns, else a picture of discs; None for few spots."""
    if len(expression.xy) <= POINTS_UP_TO:
        return None
    return raster_of_array(expression) or raster_of_discs(expression.tree, diameter_px)


def raster_of_array(expression: Expression) -> Raster | None:
    """One pixel per spot, turned and sheared as the array is; None where its places do not tell the positions."""
    if expression.array is None:
        return None
    cells = expression.array - expression.array.min(axis=0)
    shape = cells.max(axis=0) + 1
    if shape.min() < 2 or shape.prod() > MOST_PIXELS:
        return None
    lookup = _places(cells, shape)
    affine, out_of_place = _fit(cells, expression.xy)
    if out_of_place > WIDEST_OUT_OF_PLACE or not _fill(lookup, len(cells)):
        return None
    return Raster(lookup, affine)


def raster_of_discs(tree: cKDTree, diameter_px: float) -> Raster:
    """Round spots wherever they lie; a pixel shows the nearest spot that reaches it."""
    radius = diameter_px / 2
    low, high = tree.mins - radius, tree.maxes + radius
    pixel = max(diameter_px / PIXELS_PER_SPOT, float(np.sqrt(np.prod(high - low) / MOST_PIXELS)))
    columns, rows = np.ceil((high - low) / pixel).astype(int) + 1
    x = low[0] + pixel * np.arange(columns)
    lookup = np.empty((rows, columns), np.int32)
    for row in range(rows):
        places = np.column_stack([x, np.full(columns, low[1] + pixel * row)])
        lookup[row] = tree.query(places, distance_upper_bound=max(radius, pixel / 2))[1]
    return Raster(lookup, np.array([[pixel, 0, low[1]], [0, pixel, low[0]], [0, 0, 1.0]]))


def _places(cells: Int64, shape: Int64) -> Lookup:
    lookup = np.full(shape, len(cells), np.int32)
    lookup[cells[:, 0], cells[:, 1]] = np.arange(len(cells), dtype=np.int32)
    return lookup


def _fit(cells: Int64, xy: Float64) -> tuple[Float64, float]:
    """The affine from array places to positions, and how far the worst spot lies from its place, in steps."""
    centre = cells.mean(axis=0)
    design = np.column_stack([cells - centre, np.ones(len(cells))])
    yx = xy[:, ::-1]
    found = np.linalg.solve(design.T @ design, design.T @ yx)
    step = np.linalg.norm(found[:2], axis=1).min()
    worst = np.abs(design @ found - yx).max()
    affine = np.eye(3)
    affine[:2, :2] = found[:2].T
    affine[:2, 2] = found[2] - centre @ found[:2]
    return affine, float(worst / step) if step > 0 else np.inf


def _fill(lookup: Lookup, n_spots: int) -> bool:
    """Whether each spot has a pixel of its own, and most stand beside another: every second one makes no picture."""
    filled = lookup < n_spots
    beside = np.count_nonzero(filled[:, 1:] & filled[:, :-1])
    return bool(np.count_nonzero(filled) == n_spots and 2 * beside > n_spots)
