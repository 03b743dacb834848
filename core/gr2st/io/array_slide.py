"""A slide whose pixels are already in memory: the picture inside an .h5ad."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import LevelArray, UInt8


@dataclass(frozen=True, eq=False, slots=True)
class ArraySlide:
    """A `gr2st.types.Slide` of one level.

    Attributes
    ----------
    path : Path
        The file that holds the picture.
    pixels : (height, width, 3) uint8
    """

    path: Path
    pixels: UInt8

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def um_per_px(self) -> float | None:
        return None

    @property
    def levels(self) -> tuple[LevelArray, ...]:
        return (self.pixels,)

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> UInt8:
        """Pixels (height, width, 3) of a window inside the picture; DataError where it leaves it."""
        is_inside = 0 <= x <= x + width <= self.width and 0 <= y <= y + height <= self.height
        if level != 0 or not is_inside or width < 1 or height < 1:
            raise DataError(
                f"The window of {width} x {height} px at ({x}, {y}) of level {level} is not inside the picture of "
                f"{self.path.name}, which has one level of {self.width} x {self.height} px."
            )
        return self.pixels[y : y + height, x : x + width].copy()

    def thumbnail(self, longest_px: int) -> UInt8:
        """The whole picture, its longer side at most `longest_px`."""
        from PIL import Image

        factor = min(1.0, longest_px / max(self.width, self.height))
        size = (max(1, round(self.width * factor)), max(1, round(self.height * factor)))
        if size == (self.width, self.height):
            return self.pixels.copy()
        return np.asarray(Image.fromarray(self.pixels).resize(size, Image.Resampling.BOX))

    def digest(self) -> str:
        """Sixteen hex digits of the pixels and their shape."""
        content = hashlib.sha256(repr(self.pixels.shape).encode())
        content.update(np.ascontiguousarray(self.pixels).tobytes())
        return content.hexdigest()[:16]

    def close(self) -> None:
        """Nothing to let go of: the pixels are the picture."""
