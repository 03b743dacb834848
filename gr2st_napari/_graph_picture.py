"""A graph of very many edges as a picture of what a view shows of it, as fine as the screen. Pure, for a thread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from gr2st_napari._export import Window
    from gr2st_napari._expression import Float32, Float64

FINE = 2
"""Lines are drawn this many times finer, one fine pixel wide, and made smooth when pixels are joined."""
AT_ONCE = 1000
"""Lines between two looks at whether the picture is still wanted; the window has Python to itself meanwhile."""
BREATH_S = 0.001
ROWS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class GraphLook:
    """Lines to draw: ends (m, 2, 2), start and end as x and y; colours (m, 4) RGBA. The last lies on top."""

    ends: Float64
    colours: Float32

    @property
    def bounds(self) -> Window:
        """Left, top, right, bottom of all lines."""
        low, high = self.ends.min(axis=(0, 1)), self.ends.max(axis=(0, 1))
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


@dataclass(frozen=True, eq=False)
class GraphPicture:
    """Pixels (h, w, 4) uint8 RGBA; the corner of the first one and the width of each in level-0 pixels."""

    pixels: npt.NDArray[np.uint8]
    left: float
    top: float
    px: float


def draw_graph(
    look: GraphLook, window: Window, px: float, is_wanted: Callable[[], bool] = lambda: True
) -> GraphPicture | None:
    """The lines inside a window, lines and pixels `px` level-0 pixels wide; None where it is not wanted any more.

    The picture ends where the graph does. A pixel shows the last line on it: many weak ones hide nothing.
    """
    low, high = np.reshape(look.bounds, (2, 2))
    corner, end = np.reshape(window, (2, 2))
    # Whole pixels of the window, so that each falls on one of the screen.
    first = np.floor((np.maximum(corner, low) - corner) / px).astype(int)
    last = np.ceil((np.minimum(end, high) - corner) / px).astype(int)
    if (last < first).any():
        return empty_picture(look, px)
    start, (width, height) = corner + first * px, np.maximum(last - first, 1)
    lines, numbers = clipped(FINE * (look.ends - start) / px, FINE * width, FINE * height)
    fine = _numbered(lines, numbers, (FINE * int(width), FINE * int(height)), is_wanted)
    return None if fine is None else GraphPicture(_smooth(fine, look.colours), float(start[0]), float(start[1]), px)


def empty_picture(look: GraphLook, px: float) -> GraphPicture:
    """One pixel without a line: an image has at least one."""
    return GraphPicture(np.zeros((1, 1, 4), np.uint8), *look.bounds[:2], px)


def clipped(lines: Float64, width: float, height: float) -> tuple[Float64, npt.NDArray[np.int64]]:
    """What of lines (m, 2, 2) lies inside 0...width, 0...height, (n, 2, 2), and their numbers (n,)."""
    start, along = lines[:, 0], lines[:, 1] - lines[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (-start) / along, ((width, height) - start) / along
    # A line along an edge of the window is in it, or is not, for all of its length: 0 / 0 bounds nothing.
    enters = np.fmax(np.fmin(one, other).max(axis=1, initial=0.0, where=~np.isnan(one)), 0.0)
    leaves = np.fmin(np.fmax(one, other).min(axis=1, initial=1.0, where=~np.isnan(other)), 1.0)
    kept = np.flatnonzero(enters <= leaves)
    shares = np.stack([enters[kept], leaves[kept]], axis=1)[..., None]
    return start[kept, None] + shares * along[kept, None], kept


def _numbered(
    lines: Float64, numbers: npt.NDArray[np.int64], size: tuple[int, int], is_wanted: Callable[[], bool]
) -> npt.NDArray[np.int32] | None:
    """For every fine pixel the last line on it, counted from 1; 0 where there is none."""
    picture = Image.new("I", size)
    draw = ImageDraw.Draw(picture)
    corners = np.floor(lines).reshape(-1, 4)
    for at in range(0, len(numbers), AT_ONCE):
        if not is_wanted():
            return None
        inks = (numbers[at : at + AT_ONCE] + 1).tolist()
        for line, ink in zip(corners[at : at + AT_ONCE].tolist(), inks, strict=True):
            draw.line(line, fill=ink)
        time.sleep(BREATH_S)
    return np.asarray(picture)


def _smooth(fine: npt.NDArray[np.int32], colours: Float32) -> npt.NDArray[np.uint8]:
    """Colours (h, w, 4) of pixels that are made of four fine ones each."""
    height, width = (size // FINE for size in fine.shape)
    parts = fine.reshape(height, FINE, width, FINE).swapaxes(1, 2).reshape(height, width, FINE * FINE)
    alpha = np.r_[0, colours[:, 3]].astype(np.float32)
    weighed = np.vstack([np.zeros(3, np.float32), colours[:, :3] * colours[:, 3:]])
    pixels = np.zeros((height, width, 4), np.uint8)
    for at in range(0, height, ROWS_AT_ONCE):
        rows = parts[at : at + ROWS_AT_ONCE]
        drawn = rows.any(axis=2)
        found = rows[drawn]
        shares, total = alpha[found], alpha[found].sum(axis=1)
        # A line covers a pixel whole with two of its fine ones, however many there are of weak lines beside it.
        opacity = np.minimum(shares.max(axis=1), total / FINE)
        rgb = weighed[found].sum(axis=1) / np.maximum(total, np.finfo(np.float32).tiny)[:, None]
        pixels[at : at + ROWS_AT_ONCE][drawn] = np.rint(255 * np.column_stack([rgb, opacity]))
    return pixels
