"""Open a histology image: what the file's first bytes say decides how, and an unreadable file is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gr2st.errors import DataError
from gr2st.io.slide_raster import RasterSlide
from gr2st.io.slide_tiff import TiffSlide

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.io.slide_level import SlideBase

__all__ = ["open_slide"]

_READERS: tuple[tuple[bytes, Callable[[Path], SlideBase]], ...] = (
    (b"\xff\xd8\xff", RasterSlide),
    (b"\x89PNG\r\n\x1a\n", RasterSlide),
    (b"II*\x00", TiffSlide),
    (b"MM\x00*", TiffSlide),
    (b"II+\x00", TiffSlide),
    (b"MM\x00+", TiffSlide),
)
_KNOWN_FOREIGN = (
    (0, b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
    (8, b"WEBP", "a WebP picture"),
    (128, b"DICM", "a DICOM file"),
)
_READABLE = "JPEG, PNG, TIFF, SVS and OME-TIFF can be read"


def open_slide(path: Path | str) -> SlideBase:
    """Open an image for reading by level and region; nothing is decoded yet.

    Parameters
    ----------
    path : Path or str
        A JPEG, PNG, TIFF (striped or tiled, with or without pyramid), Aperio SVS or OME-TIFF. The content counts, not
        the name.

    Returns
    -------
    Slide
        Hold on to it while its levels are in use; `close` (or a ``with`` block) releases decoded pixels and the file.

    Raises
    ------
    DataError
        Where the file is missing, empty, cut off, no image, of an unknown compression, or no RGB or grey picture of 8
        or 16 bits. Damage inside the compressed data shows at the first read.

    Examples
    --------
    >>> slide = open_slide("C4.jpg")  # doctest: +SKIP
    >>> slide.read_region(4000, 4000, 224, 224).shape  # doctest: +SKIP
    (224, 224, 3)
    """
    file = Path(path)
    start = _first_bytes(file)
    for magic, reader in _READERS:
        if start.startswith(magic):
            return reader(file)
    raise DataError(
        f"{file.name} is no image that can be read: it is {_described(start)}. {_READABLE}; export it as one."
    )


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"{path} is a folder; an image file was wanted.")
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError as error:
        raise DataError(f"There is no image {path}. Check the path, or whether its disk is connected.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if not start:
        raise DataError(f"{path.name} is empty (0 bytes). Copy or download it again.")
    return start


def _described(start: bytes) -> str:
    for offset, magic, words in _KNOWN_FOREIGN:
        if start[offset:].startswith(magic):
            return words
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in start):
        return "a text file"
    return f"of an unknown kind (it starts with {start[:4].hex(' ')})"
