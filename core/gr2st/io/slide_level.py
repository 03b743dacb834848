"""What all slides share: levels that are read when indexed, windows that must lie inside, thumbnails, the digest."""

from __future__ import annotations

import operator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from gr2st.errors import DataError
from gr2st.io.store import file_digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from gr2st.io.slide_pixels import Window
    from gr2st.types import UInt8

_STRIP_PIXELS = 16_000_000


class Level:
    """A picture, (height, width, channels) uint8, that is read or drawn where it is indexed: a level of a slide."""

    ndim = 3
    dtype: np.dtype[Any] = np.dtype(np.uint8)

    def __init__(
        self, height: int, width: int, block: tuple[int, int], read: Callable[[Window], UInt8], channels: int = 3
    ) -> None:
        self.shape = (height, width, channels)
        self.chunks = (min(block[0], height), min(block[1], width), channels)
        self._read = read

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1] * self.shape[2]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any, /) -> npt.NDArray[Any]:
        rows, columns, channels = _three(key)
        (top, bottom), row_key = _span(rows, self.shape[0])
        (left, right), column_key = _span(columns, self.shape[1])
        pixels: npt.NDArray[Any] = self._read((top, bottom, left, right))
        return np.asarray(pixels[row_key, column_key, channels])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        pixels = self[:]
        return pixels if dtype is None else pixels.astype(dtype)

    def __repr__(self) -> str:
        return f"Level{self.shape}"


class SlideBase:
    """A slide over a tuple of levels, largest first; subclasses fill in ``_levels`` and may give better thumbnails."""

    def __init__(self, path: Path, levels: tuple[Level, ...], um_per_px: float | None) -> None:
        self._path, self._levels, self._um_per_px = path, levels, um_per_px

    @property
    def path(self) -> Path:
        return self._path

    @property
    def width(self) -> int:
        return self._levels[0].shape[1]

    @property
    def height(self) -> int:
        return self._levels[0].shape[0]

    @property
    def um_per_px(self) -> float | None:
        return self._um_per_px

    @property
    def levels(self) -> tuple[Level, ...]:
        return self._levels

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> UInt8:
        """Pixels (height, width, 3) of a window of one level, x and y in pixels of that level.

        Raises
        ------
        DataError
            Where there is no such level, the window leaves the image, or the file cannot be decoded.
        """
        if not 0 <= level < len(self._levels):
            raise DataError(f"{self._path.name} has levels 0 to {len(self._levels) - 1}; level {level} was asked for.")
        rows, columns, _ = self._levels[level].shape
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > columns or y + height > rows:
            raise DataError(
                f"The window x {x} to {x + width}, y {y} to {y + height} does not lie inside level {level} of "
                f"{self._path.name}, which is {columns} x {rows} pixels."
            )
        return np.ascontiguousarray(self._levels[level][y : y + height, x : x + width])

    def thumbnail(self, longest_px: int) -> UInt8:
        """The whole image (h, w, 3), its longer side at most `longest_px`; from the smallest level that suffices."""
        height, width = self._thumbnail_size(longest_px)
        enough = [level for level in self._levels if max(level.shape[:2]) >= longest_px] or [self._levels[0]]
        return fit(_shrunk(enough[-1], longest_px), height, width)

    def _thumbnail_size(self, longest_px: int) -> tuple[int, int]:
        """Height and width of the thumbnail: the slide's proportions, never enlarged."""
        if longest_px < 1:
            raise DataError(f"A thumbnail needs at least 1 pixel on its longer side; {longest_px} was asked for.")
        factor = min(1.0, longest_px / max(self.height, self.width))
        return max(1, round(self.height * factor)), max(1, round(self.width * factor))

    def digest(self) -> str:
        """Sixteen hex digits of the file's content; computed once."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return file_digest(self._path)

    def close(self) -> None:
        """Release decoded pixels and the file; reading again afterwards opens it again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        # Open files and decoded pixels do not travel between processes: the other side opens the file itself.
        return type(self), (self._path,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path.name!r}, {self.width} x {self.height}, {len(self._levels)} levels)"


def fit(pixels: UInt8, height: int, width: int) -> UInt8:
    """The picture (h, w, 3) resized by area averaging to `height` and `width`."""
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def block_mean(pixels: UInt8, factor: int) -> UInt8:
    """Mean over squares of `factor` pixels, (h // factor, w // factor, 3); a rest at the lower right is left out."""
    height, width = pixels.shape[0] // factor * factor, pixels.shape[1] // factor * factor
    total = np.zeros((height // factor, width // factor, 3), np.uint32)
    for row in range(factor):
        for column in range(factor):
            total += pixels[row:height:factor, column:width:factor]
    return ((total + factor * factor // 2) // (factor * factor)).astype(np.uint8)


def _shrunk(level: Level, longest_px: int) -> UInt8:
    """The level reduced by a whole factor, strip by strip, to no less than `longest_px`."""
    height, width = level.shape[:2]
    factor = max(1, min(max(height, width) // max(longest_px, 1), height, width))
    if factor == 1:
        return level[:]
    step = max(1, _STRIP_PIXELS // (width * factor)) * factor
    strips = [block_mean(level[top : top + step], factor) for top in range(0, height // factor * factor, step)]
    return np.concatenate(strips)


def _three(key: Any) -> tuple[Any, Any, Any]:
    """A key as exactly three parts: rows, columns, channels."""
    parts = key if isinstance(key, tuple) else (key,)
    if any(part is Ellipsis for part in parts):
        at = next(index for index, part in enumerate(parts) if part is Ellipsis)
        parts = (*parts[:at], *[slice(None)] * (4 - len(parts)), *parts[at + 1 :])
    if len(parts) > 3:
        raise IndexError(f"a slide level has 3 axes; {len(parts)} were indexed")
    full = [*parts, slice(None), slice(None), slice(None)]
    return full[0], full[1], full[2]


def _span(key: Any, size: int) -> tuple[tuple[int, int], Any]:
    """The range to read along one axis, and the key that remains to be applied to what was read."""
    if isinstance(key, slice):
        taken = range(size)[key]
        if not taken:
            return (0, 0), slice(0, 0)
        first, last = min(taken[0], taken[-1]), max(taken[0], taken[-1])
        return (first, last + 1), slice(None, None, taken.step)
    index = range(size)[operator.index(key)]
    return (index, index + 1), 0
