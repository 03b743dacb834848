"""JPEG and PNG pictures: nothing is decoded at opening, all of it once at the first pixel read."""

from __future__ import annotations

import struct
from threading import RLock
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin

from gr2st.errors import DataError
from gr2st.io.slide_level import Level, SlideBase, fit
from gr2st.io.slide_pixels import PixelKind, Window, oriented, rgb8

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import UInt8

_ORIENTATION = 0x0112
_TAIL = 1 << 16
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""What Pillow raises for a file that is not what its first bytes promise."""


class RasterSlide(SlideBase):
    """A JPEG or PNG: one level, decoded at the first read and kept until `close` (276 MB for 92 megapixels)."""

    def __init__(self, path: Path) -> None:
        with _opened(path) as picture:
            _refuse_truncated(path, picture.format or "")
            width, height = picture.size
            self._orientation = _orientation(path, picture)
        if self._orientation >= 5:
            width, height = height, width
        self._decoded = _Decoded(path, self._orientation)
        super().__init__(path, (Level(height, width, (height, width), self._decoded.window),), None)

    def thumbnail(self, longest_px: int) -> UInt8:
        """As `SlideBase.thumbnail`; a JPEG is decoded at a fraction of its size where that suffices."""
        with _opened(self._path) as picture:
            if picture.format == "JPEG":
                size = self._thumbnail_size(longest_px)
                picture.draft(picture.mode, (longest_px, longest_px))
                return fit(oriented(_rgb(self._path, picture), self._orientation), *size)
        return super().thumbnail(longest_px)

    def close(self) -> None:
        """Release the decoded pixels; the next read decodes again."""
        self._decoded.release()


class _Decoded:
    """The upright pixels of a picture, made at first use; shared by the slide and its level."""

    def __init__(self, path: Path, orientation: int) -> None:
        self._path, self._orientation = path, orientation
        self._lock = RLock()
        self._pixels: UInt8 | None = None

    def window(self, window: Window) -> UInt8:
        top, bottom, left, right = window
        with self._lock:
            if self._pixels is None:
                self._pixels = oriented(_decode(self._path), self._orientation)
                self._pixels.flags.writeable = False
            return self._pixels[top:bottom, left:right]

    def release(self) -> None:
        with self._lock:
            self._pixels = None


def _opened(path: Path) -> ImageFile.ImageFile:
    # The format classes directly: Image.open refuses pictures above a size limit that full-size sections exceed,
    # and lifting that limit would change it for the whole process.
    try:
        with path.open("rb") as file:
            is_png = file.read(4) == b"\x89PNG"
        return PngImagePlugin.PngImageFile(path) if is_png else JpegImagePlugin.JpegImageFile(path)
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def _refuse_truncated(path: Path, kind: str) -> None:
    """A JPEG ends with an end-of-image mark, a PNG with an IEND chunk; decoders fill in grey where it is missing."""
    mark = b"IEND" if kind == "PNG" else b"\xff\xd9"
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        found = mark in file.read()
    if not found:
        raise DataError(
            f"{path.name} is cut off: its {size:,} bytes do not reach the end of the picture. "
            "Copy or download it again."
        )


def _orientation(path: Path, picture: ImageFile.ImageFile) -> int:
    try:
        stated = picture.getexif().get(_ORIENTATION, 1)
    except _BROKEN as error:
        raise _unreadable(path, error) from error
    return stated if stated in range(1, 9) else 1


def _decode(path: Path) -> UInt8:
    with _opened(path) as picture:
        if picture.format == "JPEG" and picture.mode in ("RGB", "L"):
            return _fast_jpeg(path)
        return _rgb(path, picture)


def _fast_jpeg(path: Path) -> UInt8:
    """The same pixels as Pillow's, several times faster and without its second copy."""
    try:
        return rgb8(imagecodecs.jpeg8_decode(path.read_bytes()), PixelKind())
    except (OSError, ValueError, imagecodecs.Jpeg8Error) as error:
        raise _unreadable(path, error) from error


def _rgb(path: Path, picture: ImageFile.ImageFile) -> UInt8:
    """Decode whatever mode the file has to (h, w, 3) RGB on white."""
    try:
        if picture.mode in ("RGB", "L"):
            return rgb8(np.asarray(picture), PixelKind())
        if picture.mode.startswith("I"):
            return rgb8(np.asarray(picture).astype(np.uint16), PixelKind())
        if picture.has_transparency_data:
            return _on_white(picture)
        return np.asarray(picture.convert("RGB"))
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def _on_white(picture: Image.Image) -> UInt8:
    with_alpha = picture.convert("RGBA")
    canvas = Image.new("RGB", picture.size, "white")
    canvas.paste(with_alpha, mask=with_alpha)
    return np.asarray(canvas)


def _unreadable(path: Path, error: BaseException) -> DataError:
    return DataError(f"{path.name} cannot be decoded as a picture ({error}). Export or copy it again.")
