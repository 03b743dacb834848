"""Patches round spots, cut at a stated physical size from the best level of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from gr2st.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gr2st.config import PatchConfig
    from gr2st.types import Bool, Float64, Int64, Slide, UInt8

EXACT = 0.02
"""Resampling by less than this share is left out: the pixels are then taken as they are."""


@dataclass(frozen=True, slots=True)
class _Window:
    """What is read round each spot: a square of `side` pixels of `level`, each `downsample` (x, y) level-0 pixels."""

    level: int
    downsample: tuple[float, float]
    side: float
    level_width: int
    level_height: int


def cut_patches(
    slide: Slide, xy: Float64, config: PatchConfig, um_per_px: float | None, *, batch: int = 64
) -> Iterator[UInt8]:
    """Cut one patch per spot, in spot order, a batch at a time.

    A patch is the square of ``config.size_px * config.um_per_px`` micrometres round the spot centre (rounded to a
    pixel). It is read from the coarsest level that is still as fine as asked for, and area-averaged down or
    interpolated bilinearly up to ``config.size_px``; where the sizes differ by at most 2 % the pixels are taken as they
    are. Parts outside the picture are mirrored at its edge; `count_padded` tells how many spots that concerns.

    Parameters
    ----------
    slide : Slide
    xy : (n, 2) float64
        Spot centres (x, y) in level-0 pixels.
    config : PatchConfig
    um_per_px : float or None
        Micrometres per level-0 pixel of the slide; may be None where ``config.um_per_px`` is None.
    batch : int
        Most patches in one array.

    Returns
    -------
    iterator of (b, size_px, size_px, 3) uint8
        Everything is checked before the first patch is asked for.

    Raises
    ------
    DataError
        Centres outside the picture, or a physical size asked of a slide whose resolution nobody knows.
    """
    centres = _centres(slide, xy)
    window = _window(slide, config, um_per_px)
    return _batches(slide, centres, window, config.size_px, batch)


def count_padded(slide: Slide, xy: Float64, config: PatchConfig, um_per_px: float | None) -> int:
    """Number of spots whose patch reaches over the edge of the picture; arguments and errors as `cut_patches`."""
    window = _window(slide, config, um_per_px)
    low, high = _boxes(_centres(slide, xy), window)
    outside = (np.floor(low) < 0) | (np.ceil(high) > (window.level_width, window.level_height))
    return int(outside.any(axis=1).sum())


def _centres(slide: Slide, xy: Float64) -> Int64:
    """Spot centres as whole pixels, checked to lie in the picture."""
    inside: Bool = np.all((xy >= 0) & (xy < (slide.width, slide.height)), axis=1)
    if not inside.all():
        first = ", ".join(f"{x:.0f}, {y:.0f}" for x, y in xy[~inside][:3])
        raise DataError(
            f"{int((~inside).sum())} of {len(xy)} spot centres lie outside {slide.path.name} "
            f"({slide.width} x {slide.height} px), the first at {first}. "
            "Check that positions and picture belong together."
        )
    return np.rint(xy).astype(np.int64)


def _window(slide: Slide, config: PatchConfig, um_per_px: float | None) -> _Window:
    """Choose the level to read and the side of the window on it."""
    factor = level_0_per_pixel(config, um_per_px, slide.path.name)
    sizes = [(level.shape[1], level.shape[0]) for level in slide.levels]
    scales = [(slide.width / width, slide.height / height) for width, height in sizes]
    fine = [index for index, scale in enumerate(scales) if max(scale) <= factor * (1 + EXACT)]
    level = max(fine, key=lambda index: max(scales[index]), default=0)
    residual = factor / max(scales[level])
    side = config.size_px * (1.0 if abs(residual - 1) <= EXACT else residual)
    return _Window(level, scales[level], side, *sizes[level])


def level_0_per_pixel(config: PatchConfig, um_per_px: float | None, picture: str) -> float:
    """Level-0 pixels per pixel of the patch; DataError, naming the picture, where its resolution is not known."""
    if config.um_per_px is None:
        return 1.0
    if um_per_px is None or not um_per_px > 0:
        raise DataError(
            f"Patches of {config.um_per_px} µm per pixel were asked for, but the resolution of {picture} is "
            "not known. Give its micrometres per pixel in the column um_per_px of study.csv, or cut patches as scanned."
        )
    return config.um_per_px / um_per_px


def _boxes(centres: Int64, window: _Window) -> tuple[Float64, Float64]:
    """Lower and upper (x, y) of every window in pixels of its level; whole numbers where nothing is resampled."""
    middle = centres / np.asarray(window.downsample)
    low = middle - window.side / 2
    if float(window.side).is_integer():
        low = np.floor(low + 0.5)
    return low, low + window.side


def _batches(slide: Slide, centres: Int64, window: _Window, size: int, batch: int) -> Iterator[UInt8]:
    low, high = _boxes(centres, window)
    for start in range(0, len(centres), batch):
        rows = range(start, min(start + batch, len(centres)))
        yield np.stack([_patch(slide, window, low[row], high[row], size) for row in rows])


def _patch(slide: Slide, window: _Window, low: Float64, high: Float64, size: int) -> UInt8:
    """One patch: the whole pixels that touch the window, resampled over its exact extent."""
    first, last = np.floor(low).astype(int), np.ceil(high).astype(int)
    pixels = _read_mirrored(slide, window, (int(first[0]), int(first[1])), (int(last[0]), int(last[1])))
    if window.side == size:
        return pixels
    method = Image.Resampling.BOX if window.side > size else Image.Resampling.BILINEAR
    (left, top), (right, bottom) = low - first, high - first
    resized = Image.fromarray(pixels).resize((size, size), method, box=(left, top, right, bottom))
    return np.asarray(resized, dtype=np.uint8)


def _read_mirrored(slide: Slide, window: _Window, first: tuple[int, int], last: tuple[int, int]) -> UInt8:
    """Pixels from `first` up to `last` (x, y); what lies outside the level is its mirror image."""
    left, top = max(first[0], 0), max(first[1], 0)
    right, bottom = min(last[0], window.level_width), min(last[1], window.level_height)
    pixels = slide.read_region(left, top, right - left, bottom - top, window.level)
    margins = ((top - first[1], last[1] - bottom), (left - first[0], last[0] - right), (0, 0))
    return np.pad(pixels, margins, mode="symmetric") if any(map(any, margins)) else pixels
