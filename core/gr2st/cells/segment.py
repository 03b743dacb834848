"""Nuclei of one tile by classical means: the haematoxylin of the tile, a threshold, touching nuclei parted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from gr2st.preprocess.stain import haematoxylin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.types import Bool, Float32, Float64, Int64, UInt8

UM_PER_PX = 0.5
"""Resolution of the tiles: coarser pictures are interpolated, finer ones averaged."""
SMALLEST_UM2 = 8.0
"""Smaller dark spots are debris."""
LARGEST_WHOLE_UM2 = 60.0
"""Up to this area a connected dark place is one nucleus, whatever its outline: a spindle has several widest points."""
_BLUR_UM = 0.6
_SURROUNDINGS_UM = 10.0
_PARTED_UM = 4.5
_SEED_BLUR_UM = 1.0
_RADIUS_UM = 4.0
_GLASS = 0.1
_PALEST = 0.2
_BINS = np.linspace(0, 2.5, 251)


@dataclass(frozen=True, eq=False, slots=True)
class Shapes:
    """What is measured of nuclei.

    Attributes
    ----------
    xy : (n, 2) float64
        Centroids (x, y): pixels of the tile, or of level 0 once the tiles are joined.
    area : (n,) float64
        Square micrometres.
    slimness : (n,) float64
        Short over long axis of the ellipse with the same moments: 1 is round, small is a spindle.
    darkness : (n,) float64
        Mean amount of haematoxylin.
    """

    xy: Float64
    area: Float64
    slimness: Float64
    darkness: Float64

    def __len__(self) -> int:
        return len(self.area)

    def taken(self, chosen: Bool) -> Shapes:
        """Only the chosen nuclei."""
        return Shapes(self.xy[chosen], self.area[chosen], self.slimness[chosen], self.darkness[chosen])


def joined(parts: Sequence[Shapes]) -> Shapes:
    """All nuclei of several tiles, in their order."""
    empty = Shapes(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0))
    return Shapes(
        *(
            np.concatenate([getattr(part, name) for part in (empty, *parts)])
            for name in ("xy", "area", "slimness", "darkness")
        )
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Amounts of haematoxylin of a section: what is darker than `nucleus` may be one, darker than `core` surely is."""

    nucleus: float
    core: float


def histogram_of(tile: UInt8) -> Int64:
    """How often each amount of haematoxylin occurs in a tile (h, w, 3), glass left out."""
    smooth = _smooth(haematoxylin(tile))
    return np.histogram(smooth[smooth > _GLASS], _BINS)[0]


def limits_of(histogram: Int64) -> Limits:
    """Otsu's threshold between pale and dark of a section, not below what any stained nucleus has; mean of the dark."""
    middle = (_BINS[1:] + _BINS[:-1]) / 2
    below = np.cumsum(histogram)
    total, weighted = below[-1], np.cumsum(histogram * middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (weighted[-1] * below - weighted * total) ** 2 / (below * (total - below))
    cut = int(np.nanargmax(np.where(np.isfinite(between), between, -1)))
    dark = histogram[cut + 1 :]
    core = (dark * middle[cut + 1 :]).sum() / max(int(dark.sum()), 1)
    return Limits(max(_PALEST, float(_BINS[cut + 1])), float(core))


def nuclei_of_tile(tile: UInt8, limits: Limits) -> Shapes:
    """Measure the nuclei of a tile (h, w, 3) RGB at `UM_PER_PX`.

    A nucleus is darker than the threshold of its section and than its surroundings, unless it is as dark as nuclei are
    on average. Touching nuclei are parted between their darkest places.
    """
    amount = haematoxylin(tile)
    smooth = _smooth(amount)
    around = ndimage.uniform_filter(smooth, round(2 * _SURROUNDINGS_UM / UM_PER_PX))
    mask = (smooth > limits.nucleus) & ((smooth > around) | (smooth > limits.core))
    mask = ndimage.binary_fill_holes(ndimage.binary_opening(mask))
    shapes = _measured(_parted(mask, amount), amount)
    return shapes.taken(shapes.area >= SMALLEST_UM2)


def _smooth(amount: Float32) -> Float32:
    return ndimage.gaussian_filter(amount, _BLUR_UM / UM_PER_PX)


def _parted(mask: Bool, amount: Float32) -> Int64:
    """Label (h, w) of every nucleus, 0 between them; a clump goes to the nearest of its darkest and deepest places."""
    whole, count = ndimage.label(mask)
    area = np.bincount(whole.ravel(), minlength=count + 1) * UM_PER_PX**2
    is_clump = area > LARGEST_WHOLE_UM2
    is_clump[0] = False
    clumps = is_clump[whole]
    if not clumps.any():
        return whole.astype(np.int64)
    depth = ndimage.distance_transform_edt(clumps) * UM_PER_PX
    height = ndimage.gaussian_filter(depth / _RADIUS_UM + amount, _SEED_BLUR_UM / UM_PER_PX)
    peak = clumps & (height == ndimage.maximum_filter(height, round(_PARTED_UM / UM_PER_PX) + 1))
    seeds, _ = ndimage.label(peak, np.ones((3, 3)))
    nearest = ndimage.distance_transform_edt(seeds == 0, return_distances=False, return_indices=True)
    return np.where(clumps, seeds[tuple(nearest)] + count, whole).astype(np.int64)


def _measured(labels: Int64, amount: Float32) -> Shapes:
    """Moments of every label above 0."""
    rows, columns = np.nonzero(labels)
    _, which = np.unique(labels[rows, columns], return_inverse=True)
    count = np.bincount(which)
    x, y = (np.bincount(which, weights=part) / count for part in (columns, rows))
    dx, dy = columns - x[which], rows - y[which]
    # A twelfth is the moment of a single pixel: small nuclei are no lines.
    xx, yy, xy = (np.bincount(which, weights=part) / count for part in (dx * dx, dy * dy, dx * dy))
    mean, spread = (xx + yy) / 2 + 1 / 12, np.hypot((xx - yy) / 2, xy)
    area = count.astype(np.float64) * UM_PER_PX**2
    slimness: Float64 = np.sqrt((mean - spread) / (mean + spread))
    darkness: Float64 = np.bincount(which, weights=amount[rows, columns]) / count
    return Shapes(np.column_stack([x, y]), area, slimness, darkness)
