"""A window of a slide for a picture of a given size: read from the level that has just enough pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gr2st.io.pyramid import display_pyramid, needs_pyramid
from gr2st.io.slide import open_slide
from gr2st.io.slide_level import block_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.types import LevelArray, Slide, UInt8

Window: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom in level-0 pixels; the centre of the first pixel is at 0, its corner at -0.5."""

ENOUGH = 1.25
"""A level with four fifths of the pixels wanted will do: the next one has several times as many to read."""
_STRIP_PIXELS = 8_000_000


@dataclass(frozen=True, eq=False, slots=True)
class SlideWindow:
    """Pixels (h, w, 3) RGB and the window of level 0 that they cover."""

    pixels: UInt8
    covers: Window


def read_window(slide: Slide, window: Window, longest_px: int) -> SlideWindow | None:
    """The part of a slide that lies in a window, about `longest_px` pixels on its longer side, never enlarged.

    A big picture of one level is read from its display pyramid where there is one, a JPEG else at a fraction of its
    size; no level is held whole that has many more pixels than are wanted.

    Returns
    -------
    SlideWindow or None
        None where the window lies beside the slide.
    """
    left, top, right, bottom = (edge + 0.5 for edge in window)
    left, right = max(left, 0.0), min(right, float(slide.width))
    top, bottom = max(top, 0.0), min(bottom, float(slide.height))
    if right - left < 1 or bottom - top < 1:
        return None
    factor = max(1.0, max(right - left, bottom - top) / longest_px)
    level = _level_for(_levels_of(slide, factor), factor)
    return _cut(level, (left, top, right, bottom), slide, factor)


def _levels_of(slide: Slide, factor: float) -> Sequence[LevelArray]:
    if len(slide.levels) > 1:
        return slide.levels
    pyramid = display_pyramid(slide.path) if needs_pyramid(slide) else None
    if pyramid is not None:
        return open_slide(pyramid).levels
    return (slide.thumbnail(int(np.ceil(max(slide.width, slide.height) / factor))),)


def _level_for(levels: Sequence[LevelArray], factor: float) -> LevelArray:
    """The smallest level whose pixels are at most `factor` level-0 pixels wide, or a little more."""
    widest = levels[0].shape[1]
    fine_enough = [level for level in levels if widest / level.shape[1] <= ENOUGH * factor]
    return fine_enough[-1] if fine_enough else levels[0]


def _cut(level: LevelArray, window: Window, slide: Slide, factor: float) -> SlideWindow:
    """Read strip after strip, each reduced at once by the whole factor that still leaves pixels enough."""
    height, width = level.shape[:2]
    across, down = slide.width / width, slide.height / height
    left, right = int(window[0] / across), min(width, int(np.ceil(window[2] / across)))
    top, bottom = int(window[1] / down), min(height, int(np.ceil(window[3] / down)))
    shrink = max(1, min(int(factor / max(across, down) + 1e-3), right - left, bottom - top))
    rows = (bottom - top) // shrink * shrink
    step = max(1, _STRIP_PIXELS // ((right - left) * shrink)) * shrink
    strips = [
        block_mean(np.asarray(level[at : min(at + step, top + rows), left:right]), shrink)
        for at in range(top, top + rows, step)
    ]
    pixels = np.concatenate(strips)
    covered = (left, top, left + pixels.shape[1] * shrink, top + pixels.shape[0] * shrink)
    x0, y0, x1, y1 = covered
    return SlideWindow(pixels, (x0 * across - 0.5, y0 * down - 0.5, x1 * across - 0.5, y1 * down - 0.5))
