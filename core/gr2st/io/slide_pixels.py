"""From what a picture file stores (grey, alpha, YCbCr, 16 bit, palette, turned) to upright uint8 RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    from gr2st.types import UInt8

Window = tuple[int, int, int, int]
"""Rows and columns of a window: (top, bottom, left, right), ends excluded."""


@dataclass(frozen=True, eq=False, slots=True)
class PixelKind:
    """How the stored samples of a picture mean colours.

    Attributes
    ----------
    alpha : str
        "none"; "straight" where colours are stored as they are; "premultiplied" where they are scaled by alpha.
    ycbcr : bool
        Three samples are luma and chroma (full range, BT.601), not RGB.
    inverted : bool
        Grey where 0 is white.
    palette : (n, 3) uint8 or None
        Colours that one sample points into.
    """

    alpha: Literal["none", "straight", "premultiplied"] = "none"
    ycbcr: bool = False
    inverted: bool = False
    palette: UInt8 | None = None


def rgb8(stored: npt.NDArray[Any], kind: PixelKind) -> UInt8:
    """Stored samples (h, w) or (h, w, samples), uint8 or uint16, as (h, w, 3) uint8 RGB on white."""
    if kind.palette is not None:
        palette: UInt8 = kind.palette
        return np.take(palette, stored.reshape(stored.shape[:2]), axis=0)
    pixels = _eight_bit(stored[..., None] if stored.ndim == 2 else stored)
    if kind.inverted:
        pixels = 255 - pixels
    if kind.alpha != "none":
        pixels = _on_white(pixels[..., :-1], pixels[..., -1:], kind.alpha)
    if kind.ycbcr:
        return _from_ycbcr(pixels)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)


def oriented(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """The array (h, w, ...) turned upright by its EXIF or TIFF orientation 1 to 8; a view."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows, columns = _flips(orientation)
    return pixels[:: -1 if rows else 1, :: -1 if columns else 1]


def stored_window(window: Window, shape: tuple[int, int], orientation: int) -> Window:
    """Where a window of the upright picture of `shape` (height, width) lies in the picture as stored."""
    top, bottom, left, right = window
    rows, columns = _flips(orientation)
    if rows:
        top, bottom = shape[0] - bottom, shape[0] - top
    if columns:
        left, right = shape[1] - right, shape[1] - left
    return (left, right, top, bottom) if orientation >= 5 else (top, bottom, left, right)


def _flips(orientation: int) -> tuple[bool, bool]:
    """Whether rows and columns are reversed, after the transposition that orientations 5 to 8 begin with."""
    return orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)


def _eight_bit(stored: npt.NDArray[Any]) -> UInt8:
    if stored.dtype == np.uint8:
        return stored.astype(np.uint8, copy=False)
    # 65535 is 255 * 257: rounding to the nearest of 256 levels, without leaving 32 bits.
    return ((stored.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(colour: UInt8, alpha: UInt8, mode: str) -> UInt8:
    opacity = alpha.astype(np.uint32)
    weighted = colour * (opacity if mode == "straight" else np.uint32(255))
    total = (weighted + 255 * (255 - opacity) + 127) // 255
    return total.clip(max=255).astype(np.uint8)


def _from_ycbcr(pixels: UInt8) -> UInt8:
    height, width = pixels.shape[:2]
    picture = Image.frombuffer("YCbCr", (width, height), pixels.tobytes(), "raw", "YCbCr", 0, 1)
    return np.asarray(picture.convert("RGB"))
