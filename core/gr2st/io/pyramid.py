"""A cached pyramid for showing big one-level pictures; pixels for computing always come from the original."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from gr2st.errors import DataError
from gr2st.io.slide import open_slide
from gr2st.io.slide_level import block_mean
from gr2st.io.store import atomic_path, cache_dir
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.io.slide_level import SlideBase
    from gr2st.types import LevelArray, Slide, Steps, UInt8

_TILE = 512
_QUALITY = 90
_SMALLEST_PX = 1024
"""The pyramid ends with the first level whose longer side is at most this."""
_ABANDONED_S = 3600.0
_BIG_PIXELS = 16_000_000


def needs_pyramid(slide: Slide) -> bool:
    """Whether a slide has one level only and more than 16 megapixels, so that showing it directly is slow."""
    return len(slide.levels) == 1 and slide.width * slide.height > _BIG_PIXELS


def display_pyramid(path: Path | str) -> Path | None:
    """The finished pyramid of an image in the cache, None where there is none or the image has changed since.

    Open it with `open_slide` and show its levels. Its pixels are JPEG-compressed: good to look at, never to compute on.
    """
    file = _cache_file(Path(path))
    return file if file.is_file() else None


def build_pyramid(path: Path | str) -> Steps[Path]:
    """Write the pyramid of an image into the cache, unless it is there already; meant for a process of its own.

    A JPEG or PNG is decoded whole (276 MB for 92 megapixels); each smaller level is held in memory while it is made.

    Yields
    ------
    Progress
        After each finished level, counted in rows of tiles.

    Returns
    -------
    Path
        A tiled TIFF of 512-pixel JPEG tiles, each level half as large as the one before, in SubIFDs.

    Raises
    ------
    DataError
        Where the image cannot be read.
    StorageError
        Where the cache cannot be written; nothing half-written remains.
    """
    image = Path(path)
    target = _cache_file(image)
    if target.is_file():
        return target
    _sweep(target.parent)
    with open_slide(image) as slide, atomic_path(target) as temporary:
        yield from _write(temporary, slide)
    return target


def _sweep(folder: Path) -> None:
    """Remove what builders that were killed have left: unfinished files nobody has written to for an hour."""
    for part in folder.glob(".*.part*"):
        if time.time() - part.stat().st_mtime > _ABANDONED_S:
            part.unlink(missing_ok=True)


def _write(target: Path, slide: SlideBase) -> Steps[None]:
    sizes = _level_sizes(slide.height, slide.width)
    done, total = 0, sum(-(-height // _TILE) for height, _ in sizes)
    stage = f"Preparing {slide.path.name} for display"
    yield Progress(stage, done, total)
    level: LevelArray = slide.levels[0]
    with tifffile.TiffWriter(target, bigtiff=True) as tiff:
        for number, size in enumerate(sizes):
            half = np.empty((size[0] // 2, size[1] // 2, 3), np.uint8)
            _write_level(tiff, _tiles(level, half), size, first=number == 0, below=len(sizes) - 1)
            level = half
            slide.close()  # the decoded original is not needed any more
            done += -(-size[0] // _TILE)
            yield Progress(stage, done, total)


def _write_level(
    tiff: tifffile.TiffWriter, tiles: Iterator[UInt8], size: tuple[int, int], *, first: bool, below: int
) -> None:
    tiff.write(
        tiles,
        shape=(*size, 3),
        dtype=np.uint8,
        photometric="rgb",
        tile=(_TILE, _TILE),
        compression="jpeg",
        compressionargs={"level": _QUALITY},
        metadata=None,
        subifds=below if first else None,
        subfiletype=0 if first else 1,
    )


def _tiles(level: LevelArray, half: UInt8) -> Iterator[UInt8]:
    """Tiles of a level, row by row; on the way `half` is filled with its means over 2 x 2 pixels."""
    height, width = level.shape[:2]
    for top in range(0, height, _TILE):
        strip = np.asarray(level[top : top + _TILE])
        rows = strip[: (min(top + _TILE, half.shape[0] * 2) - top)]
        half[top // 2 : (top + _TILE) // 2] = block_mean(rows, 2)
        for left in range(0, width, _TILE):
            yield np.ascontiguousarray(strip[:, left : left + _TILE])


def _level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    sizes = [(height, width)]
    while max(sizes[-1]) > _SMALLEST_PX:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes


def _cache_file(image: Path) -> Path:
    """Where the pyramid of an image lies: named after its full path, size and time of change."""
    try:
        found = image.resolve().stat()
    except OSError as error:
        raise DataError(f"There is no image {image}. Check the path, or whether its disk is connected.") from error
    told = f"{image.resolve()}|{found.st_size}|{found.st_mtime_ns}|{_TILE}|{_QUALITY}"
    return cache_dir("pyramids") / f"{image.stem}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.tif"
