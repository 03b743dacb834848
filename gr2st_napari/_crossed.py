"""Spots that are crossed out, as a picture that is drawn where it is looked at, as fine as the screen. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from gr2st import Level

if TYPE_CHECKING:
    import numpy.typing as npt

    from gr2st_napari._expression import Float64, Int64
    from gr2st_napari._raster import Bool

    Pixels = npt.NDArray[np.uint8]
    Window = tuple[int, int, int, int]

STEP = math.sqrt(2)
"""From one level to the next coarser one: lines are at most so much thinner on the screen than they were drawn."""
FINEST = 128
"""Pixels from spot to spot in the finest level; nearer the picture grows coarse."""
SMALLEST = 128
"""Pixels of a level that needs no coarser one."""
ROOM = 1 / 16
"""Around all spots, as a share of the longer side: some pixels of the coarsest level."""
BLOCK = (256, 256)
ROOM_FOR_CROSSES = 16
"""Pixels from spot to spot from which on each spot has its cross; below, whole areas are hatched."""
SMALLEST_CROSS = 8
LINE, RIM = 2, 1
"""Thickness of white lines and of their black rims, in pixels."""
HATCH_EVERY = 16
CROSS = 0.6
"""In spot diameters."""
WIDEST_APART = 2.2
"""Spot diameters from spot to spot, at most: those further apart are no neighbours."""
BLACK, WHITE = 1, 2
INKS = np.array([[0, 0, 0, 0], [0, 0, 0, 255], [255, 255, 255, 255]], np.uint8)
"""RGBA of nothing, `BLACK` and `WHITE`."""
ASKED = 1000
"""Spots that are asked for their neighbour, of however many."""


@dataclass(frozen=True, eq=False)
class Crossed:
    """Spots (n, 2), x and y in level-0 pixels, to be crossed out.

    Where there is room each has a cross. Where crosses would run into each other, neighbours are one area with an
    outline round it and hatching in it: all that is marked can be told from what is not, and the map below be read.
    """

    xy: Float64
    diameter_px: float

    @cached_property
    def pitch_px(self) -> float:
        """From spot to spot."""
        if len(self.xy) < 2:
            return self.diameter_px
        tree = cKDTree(self.xy, balanced_tree=False, compact_nodes=False)
        nearest = np.asarray(tree.query(self.xy[:: 1 + len(self.xy) // ASKED], k=2)[0])[:, 1]
        return float(np.clip(np.median(nearest), self.diameter_px, WIDEST_APART * self.diameter_px))

    @cached_property
    def _low_high(self) -> Float64:
        """(2, 2): least and greatest x and y."""
        return np.stack([self.xy.min(axis=0), self.xy.max(axis=0)]) if len(self.xy) else np.zeros((2, 2))

    @cached_property
    def _room_px(self) -> float:
        """Around the spots, for outlines in the coarsest level."""
        return max(self.pitch_px, ROOM * float(np.ptp(self._low_high, axis=0).max()))

    @property
    def corner(self) -> Float64:
        """Left and top of the picture, in level-0 pixels."""
        corner: Float64 = self._low_high[0] - self._room_px
        return corner

    @property
    def size(self) -> Float64:
        """Width and height of the picture, in level-0 pixels."""
        size: Float64 = np.ptp(self._low_high, axis=0) + 2 * self._room_px
        return size

    @cached_property
    def levels(self) -> list[Level]:
        """The picture, RGBA, finest first; nothing is drawn before it is indexed."""
        width, height = self.size * FINEST / self.pitch_px
        n_levels = 1 + max(1, math.ceil(math.log(max(width, height) / SMALLEST, STEP)))
        return [self._level(height / STEP**at, width / STEP**at) for at in range(n_levels)]

    @property
    def px(self) -> Float64:
        """Width and height of a pixel of the finest level, in level-0 pixels."""
        height, width, _ = self.levels[0].shape
        px: Float64 = self.size / (width, height)
        return px

    def _level(self, height: float, width: float) -> Level:
        shape = (math.ceil(height), math.ceil(width))
        return Level(*shape, BLOCK, partial(self._draw, shape), channels=4)

    def _draw(self, shape: tuple[int, int], window: Window) -> Pixels:
        """Pixels of a window (top, bottom, left, right) of a level of this shape (rows, columns)."""
        px = self.size[0] / shape[1]
        pitch = self.pitch_px / px
        rim = math.ceil(pitch) + HATCH_EVERY
        top, bottom, left, right = window[0] - rim, window[1] + rim, window[2] - rim, window[3] + rim
        room = (bottom - top, right - left)
        places = self._places(shape, (top, bottom, left, right))
        if pitch >= ROOM_FOR_CROSSES:
            inks = crosses(places, room, max(CROSS * self.diameter_px / px, SMALLEST_CROSS))
        else:
            inks = hatched(places, room, pitch, top + left)
        # One number for the four bytes of a pixel: five times as fast.
        drawn = INKS.view(np.uint32).ravel()[inks[rim:-rim, rim:-rim]]
        return drawn.view(np.uint8).reshape(*drawn.shape, 4)

    def _places(self, shape: tuple[int, int], window: Window) -> Int64:
        """Row and column (n, 2), from the corner of a window on, of the spots in it."""
        top, bottom, left, right = window
        pixels = np.divide(shape[::-1], self.size)
        rows = self.corner[1] + np.array([top, bottom]) / pixels[1]
        begin, end = np.searchsorted(self._by_y[:, 1], rows)
        x, y = (((self._by_y[begin:end] - self.corner) * pixels).astype(np.int64) - (left, top)).T
        inside = (x >= 0) & (x < right - left) & (y >= 0) & (y < bottom - top)
        return np.column_stack([y[inside], x[inside]])

    @cached_property
    def _by_y(self) -> Float64:
        """The spots from top to bottom: few are looked at for a window."""
        return self.xy[np.argsort(self.xy[:, 1])]


def crosses(places: Int64, shape: tuple[int, int], size: float) -> Pixels:
    """Inks (rows, columns) with a cross at each of the places (n, 2), row and column."""
    half = round(size / 2)
    down, across = np.abs(np.indices((2 * half + 1, 2 * half + 1)) - half)
    thick = max(LINE, size / 8)
    off = np.abs(down - across) / math.sqrt(2)
    inks = np.zeros(shape, np.uint8)
    for ink, reach in ((BLACK, thick / 2 + RIM), (WHITE, thick / 2)):
        stamp = np.argwhere(off <= reach) - half
        rows, columns = (places[:, None] + stamp).reshape(-1, 2).T
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        inks[rows[inside], columns[inside]] = ink
    return inks


def hatched(places: Int64, shape: tuple[int, int], pitch: float, phase: int) -> Pixels:
    """Inks (rows, columns) with an outline round the areas of places (n, 2) that are `pitch` apart.

    `phase` is row plus column of the first pixel in the whole picture: so hatching goes on from window to window.
    """
    spots = np.zeros(shape, bool)
    spots[places[:, 0], places[:, 1]] = True
    area = grown(spots, max(LINE, math.ceil(pitch / 2)))
    inner = ~grown(~area, LINE)
    inks = grown(area, RIM).astype(np.uint8)
    inks[area] = WHITE
    inks[inner] = _stripes(shape, phase)[inner]
    return inks


def grown(marked: Bool, by: int) -> Bool:
    """All that is at most so many rows and columns from what is marked."""
    marked = marked.copy()
    for axis in (0, 1):
        along = np.moveaxis(marked, axis, 0)
        for way in (along, along[::-1]):
            reached = 0
            while reached < by:
                # What has grown already helps to grow on.
                step = min(by - reached, reached + 1)
                way[step:] |= way[:-step].copy()
                reached += step
    return marked


def _stripes(shape: tuple[int, int], phase: int) -> Pixels:
    """Inks of diagonal stripes, `HATCH_EVERY` pixels from one to the next."""
    rows, columns = shape
    across = np.zeros(HATCH_EVERY, np.uint8)
    across[: LINE + 2 * RIM], across[RIM : RIM + LINE] = BLACK, WHITE
    line = across[(np.arange(columns + HATCH_EVERY) + phase) % HATCH_EVERY]
    block = np.stack([line[row : row + columns] for row in range(HATCH_EVERY)])
    return np.tile(block, (rows // HATCH_EVERY + 1, 1))[:rows]
