"""TIFF, SVS and OME-TIFF pictures: read block by block through zarr, with a bounded store of decoded blocks."""

from __future__ import annotations

import struct
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tifffile
import zarr

from gr2st.errors import DataError
from gr2st.io.slide_level import Level, SlideBase
from gr2st.io.slide_pixels import PixelKind, Window, oriented, rgb8, stored_window
from gr2st.io.slide_tiff_kind import levels_of, picture_of, pixel_kind, refuse_truncated
from gr2st.io.slide_tiff_scale import um_per_px_of

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import UInt8

_BROKEN = (tifffile.TiffFileError, OSError, ValueError, KeyError, IndexError, TypeError, struct.error, RuntimeError)
"""What tifffile, zarr and the codecs raise for damaged files (codec errors derive from RuntimeError)."""
_KEPT_BYTES = 128 << 20
_STRIP_ROWS = 256


class TiffSlide(SlideBase):
    """A tiled or striped TIFF with its pyramid levels, if any; at most 128 MB of decoded blocks are kept."""

    def __init__(self, path: Path) -> None:
        self._source = _Source(path)
        um_per_px = um_per_px_of(self._source.tiff, self._source.picture)
        super().__init__(path, self._source.levels(), um_per_px)

    def close(self) -> None:
        """Release decoded blocks and the file; the next read opens it again."""
        self._source.close()


@dataclass(frozen=True, eq=False, slots=True)
class _Stored:
    """One level as it lies in the file: upright size, size of the blocks it is read in, meaning of its samples."""

    shape: tuple[int, int]
    block: tuple[int, int]
    planar: bool
    orientation: int
    kind: PixelKind


class _Source:
    """The open file, shared by the slide and its levels, closed when the last of them goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        self._blocks: OrderedDict[tuple[int, int, int], UInt8] = OrderedDict()
        self._arrays: dict[int, Any] = {}
        self._open()
        try:
            self.picture = picture_of(path, self.tiff)
            self._series = levels_of(self.picture, self.tiff)
            refuse_truncated(path, self._series)
            self._stored = [_stored(path, level) for level in self._series]
        except _BROKEN as error:
            self.close()
            raise _unreadable(path, error) from error

    def levels(self) -> tuple[Level, ...]:
        """The levels as arrays, largest first."""
        made = []
        for index, stored in enumerate(self._stored):
            block = stored.block[::-1] if stored.orientation >= 5 else stored.block
            made.append(Level(*stored.shape, block, _Reader(self, index)))
        return tuple(made)

    def window(self, index: int, window: Window) -> UInt8:
        """Pixels of a window of the upright level `index`."""
        stored = self._stored[index]
        inside = stored_window(window, stored.shape, stored.orientation)
        try:
            with self._lock:
                return oriented(self._assembled(index, inside), stored.orientation)
        except _BROKEN as error:
            raise _unreadable(self._path, error) from error

    def close(self) -> None:
        with self._lock:
            self._blocks.clear()
            self._arrays.clear()
            self._close()

    def _open(self) -> None:
        try:
            self.tiff = tifffile.TiffFile(self._path)
        except _BROKEN as error:
            raise _unreadable(self._path, error) from error
        self._close = weakref.finalize(self, self.tiff.close)

    def _assembled(self, index: int, window: Window) -> UInt8:
        """Copy a window of the level as stored together from its blocks."""
        top, bottom, left, right = window
        high, wide = self._stored[index].block
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        for row in range(top // high, -(-bottom // high)):
            for column in range(left // wide, -(-right // wide)):
                block = self._block(index, row, column)
                y, x = row * high, column * wide
                part = block[max(top - y, 0) : bottom - y, max(left - x, 0) : right - x]
                at_y, at_x = max(y - top, 0), max(x - left, 0)
                out[at_y : at_y + part.shape[0], at_x : at_x + part.shape[1]] = part
        return out

    def _block(self, index: int, row: int, column: int) -> UInt8:
        key = (index, row, column)
        if key in self._blocks:
            self._blocks.move_to_end(key)
            return self._blocks[key]
        high, wide = self._stored[index].block
        rows, columns = slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide)
        array = self._array(index)
        if self._stored[index].planar:
            raw: npt.NDArray[Any] = np.moveaxis(np.asarray(array[:, rows, columns]), 0, -1)
        else:
            raw = np.asarray(array[rows, columns])
        self._blocks[key] = rgb8(raw, self._stored[index].kind)
        self._forget_oldest()
        return self._blocks[key]

    def _forget_oldest(self) -> None:
        while len(self._blocks) > 1 and sum(block.nbytes for block in self._blocks.values()) > _KEPT_BYTES:
            self._blocks.popitem(last=False)

    def _array(self, index: int) -> Any:
        if self.tiff.filehandle.closed:
            self._open()
            self.picture = picture_of(self._path, self.tiff)
            self._series = levels_of(self.picture, self.tiff)
        if index not in self._arrays:
            # Tiles that a scanner left out are background, which is white in a picture and not black.
            store = self._series[index].aszarr(level=0, fillvalue=255)
            self._arrays[index] = zarr.open(store, mode="r")
        return self._arrays[index]


class _Reader:
    """Reads windows of one level; holds the source alive as long as the level lives."""

    def __init__(self, source: _Source, index: int) -> None:
        self._source, self._index = source, index

    def __call__(self, window: Window) -> UInt8:
        return self._source.window(self._index, window)


def _stored(path: Path, level: Any) -> _Stored:
    page = level.keyframe
    planar = bool(level.axes.startswith("S"))
    height, width = level.shape[1:] if planar else level.shape[:2]
    chunk = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip or height, width)
    # Strips of a few rows are read many at a time; each call into zarr costs more than such a strip.
    high = min(-(-max(chunk[0], _STRIP_ROWS) // chunk[0]) * chunk[0], max(height, 1))
    tag = page.tags.get("Orientation")
    orientation = int(tag.value) if tag is not None and tag.value in range(1, 9) else 1
    shape = (width, height) if orientation >= 5 else (height, width)
    return _Stored(shape, (high, min(chunk[1], width)), planar, orientation, pixel_kind(path, page))


def _unreadable(path: Path, error: BaseException) -> DataError:
    if isinstance(error, DataError):
        return error
    return DataError(f"{path.name} cannot be decoded as a picture ({error}). Export or copy it again.")
