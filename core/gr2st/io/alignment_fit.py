"""Measure how well spots lie on the tissue of a picture, as given and moved in the ways that files get them wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from gr2st.io.tissue import tissue_mask

if TYPE_CHECKING:
    from gr2st.types import Bool, Float64, Slide, UInt8

_ON_TISSUE = 0.5
"""Share of a spot-sized window that must be tissue."""
_REACH = 1.2
"""A place counts as covered when a spot is within this many spot distances."""
_TISSUE_POINTS = 2000
_SEARCH_SPOTS = 400
_TURNS = np.deg2rad(np.arange(-15, 16, 3))
_SHIFTS = np.linspace(-0.12, 0.12, 7)
_FACTORS = np.geomspace(1 / 64, 64, 241)


class Fit(NamedTuple):
    """Share of the spots on tissue, and share of the tissue that spots cover."""

    on_tissue: float
    covered: float

    @property
    def total(self) -> float:
        return self.on_tissue + self.covered


class Affine(NamedTuple):
    """A move of positions: ``xy @ matrix.T + offset``."""

    matrix: Float64
    offset: Float64

    def apply(self, xy: Float64) -> Float64:
        return np.asarray(xy @ self.matrix.T + self.offset)

    def undo(self, xy: Float64) -> Float64:
        return np.asarray((xy - self.offset) @ np.linalg.inv(self.matrix).T)


IDENTITY = Affine(np.eye(2), np.zeros(2))


@dataclass(frozen=True, eq=False, slots=True)
class TissueMap:
    """The tissue of one picture, ready to be asked how spots lie on it; made by `tissue_map`.

    Attributes
    ----------
    size : (2,) float64
        Width and height of level 0.
    scale : (2,) float64
        Thumbnail pixels per level-0 pixel in x and y.
    share : (h, w) float32
        Share of tissue in a spot-sized window around each thumbnail pixel.
    tissue : (k, 2) float64
        Up to 2000 places on tissue, evenly taken, in level-0 pixels.
    """

    size: Float64
    scale: Float64
    share: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    tissue: Float64

    def inside(self, xy: Float64) -> Bool:
        """Which spots have their centre in the picture, (n,)."""
        return np.asarray(((xy >= 0) & (xy < self.size)).all(axis=1))

    def shares(self, xy: Float64) -> Float64:
        """Share of tissue around each spot (n,), 0 outside the picture."""
        inside = self.inside(xy)
        column, row = np.floor(xy[inside] * self.scale).astype(int).T
        found = np.zeros(len(xy))
        found[inside] = self.share[row.clip(max=self.share.shape[0] - 1), column.clip(max=self.share.shape[1] - 1)]
        return found

    def on_tissue(self, xy: Float64) -> float:
        return float((self.shares(xy) >= _ON_TISSUE).mean())


def tissue_map(slide: Slide, thumbnail: UInt8, spot_diameter_px: float) -> TissueMap:
    """Find the tissue on a thumbnail of the slide and average it over spot-sized windows."""
    size = np.array([slide.width, slide.height], float)
    scale = np.array(thumbnail.shape[1::-1], float) / size
    mask = tissue_mask(thumbnail)
    window = [max(3, round(spot_diameter_px * step)) for step in scale[::-1]]
    share = ndimage.uniform_filter(mask.astype(np.float32), window, mode="constant")
    places = np.argwhere(mask)[:, ::-1]
    taken = places[:: max(1, len(places) // _TISSUE_POINTS)]
    return TissueMap(size, scale, np.asarray(share), (taken + 0.5) / scale)


class Spots:
    """The spots of a section as the file has them, to be tried on a tissue map under different moves."""

    def __init__(self, xy: Float64, tissue: TissueMap) -> None:
        self.xy, self.tissue = xy, tissue
        self._tree = cKDTree(xy)
        self._reach = _REACH * self._spot_distance()

    def fit(self, move: Affine = IDENTITY) -> Fit:
        """How well the spots fit when moved."""
        if not len(self.tissue.tissue):
            return Fit(0.0, 0.0)
        distance, _ = self._tree.query(move.undo(self.tissue.tissue), distance_upper_bound=self._reach)
        return Fit(self.tissue.on_tissue(move.apply(self.xy)), float(np.isfinite(distance).mean()))

    def orientations(self) -> dict[str, Affine]:
        """Moves that undo swapped axes, mirroring and turning, by name."""
        width, height = self.tissue.size
        flip_x, flip_y, swap = np.diag([-1.0, 1.0]), np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])
        return {
            "x and y are swapped": Affine(swap, np.zeros(2)),
            "x counts from the right edge": Affine(flip_x, np.array([width, 0.0])),
            "y counts from the bottom edge": Affine(flip_y, np.array([0.0, height])),
            "x is negative": Affine(flip_x, np.zeros(2)),
            "y is negative": Affine(flip_y, np.zeros(2)),
            "the picture is turned by 180 degrees": Affine(-np.eye(2), self.tissue.size),
            "the picture is turned by 90 degrees": Affine(flip_x @ swap, np.array([width, 0.0])),
            "the picture is turned by 270 degrees": Affine(flip_y @ swap, np.array([0.0, height])),
        }

    def best_factor(self) -> float:
        """The factor on all positions that fits the tissue best, by the sum of both shares."""
        coarse = max(_FACTORS, key=lambda factor: self._scaled_total(float(factor)))
        fine = coarse * np.linspace(0.96, 1.04, 17)
        return float(max(fine, key=lambda factor: self._scaled_total(float(factor))))

    def best_shift(self) -> Affine:
        """The small shift and turn about the middle of the spots that bring most of them onto tissue."""
        few = self.xy[:: max(1, len(self.xy) // _SEARCH_SPOTS)]
        return max(self._shifts(), key=lambda move: float(self.tissue.shares(move.apply(few)).mean()))

    def _scaled_total(self, factor: float) -> float:
        if not self.tissue.inside(self.xy * factor).mean() > 0.5:
            return 0.0
        return self.fit(Affine(factor * np.eye(2), np.zeros(2))).total

    def _shifts(self) -> Iterator[Affine]:
        middle, extent = self.xy.mean(axis=0), np.ptp(self.xy, axis=0).max()
        for turn in _TURNS:
            matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            for x in _SHIFTS:
                for y in _SHIFTS:
                    yield Affine(matrix, middle - matrix @ middle + extent * np.array([x, y]))

    def _spot_distance(self) -> float:
        if len(self.xy) < 2:
            return 1.0
        distance, _ = self._tree.query(self.xy, 2)
        return float(np.median(np.asarray(distance)[:, 1])) or 1.0
