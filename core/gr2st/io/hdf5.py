"""HDF5 files, looked at before libhdf5 opens them: what is cut off, blank or foreign is told in our own words."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from gr2st.errors import DataError, Gr2stError
from gr2st.io.tables import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

AGAIN = "Copy or download it again."
_MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAD = 96
"""Bytes of the longest superblock up to its end-of-file address, and the least any HDF5 file holds."""
_HEAP = b"GCOL\x01\0\0\0"
"""How a global heap begins, where HDF5 keeps text of any length; all names in an AnnData file lie in such heaps."""
_HEAP_HEAD = 16
_BLOCK = 1 << 24
_PART = re.compile(r"reading key '([^']*)' .*from (/\S*)")


def is_hdf5(path: Path) -> bool:
    """Whether a file is HDF5 by its first bytes."""
    try:
        return _head(path).startswith(_MAGIC)
    except OSError:
        return False


def why_unusable(path: Path) -> str:
    """Why a file cannot be opened as HDF5, "" where its first bytes and its size are in order."""
    if path.is_dir():
        return f"{path.name} is a folder; an HDF5 file is wanted."
    try:
        head, size = _head(path), path.stat().st_size
    except FileNotFoundError:
        return f"{path.name} was not found in {path.parent}."
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror or error}."
    if not head:
        return f"{path.name} is empty (0 bytes). {AGAIN}"
    if not head.startswith(_MAGIC):
        return f"{path.name} is not an HDF5 file: it is {kind_of(head)}. {AGAIN}"
    wanted = _written_size(head)
    if size < wanted:
        return f"{path.name} is cut off: {size:,} of {wanted:,} bytes are there. {AGAIN}"
    return ""


def refuse_damaged(path: Path) -> None:
    """Refuse what `why_unusable` finds, and a hole in the text of the file; reads all of it once, in blocks.

    libhdf5 would read such a hole for ever, and hold the lock of every other thread meanwhile.
    """
    if reason := why_unusable(path):
        raise DataError(reason)
    at = _blank_heap(path)
    if at is not None:
        raise DataError(
            f"{path.name} is damaged: the text stored at byte {at:,} is blank, as after a broken copy. {AGAIN}"
        )


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Give the file, open for reading.

    Raises
    ------
    DataError
        Where it cannot be opened, or where something read from it inside the block cannot be had.
    """
    import h5py

    if reason := why_unusable(path):
        raise DataError(reason)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except Gr2stError:
        raise
    except BlockingIOError as error:
        raise DataError(f"{path.name} is being written by another program; wait until it is done.") from error
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError) as error:
        raise DataError(f"{path.name} is damaged: what it holds cannot be read. {AGAIN}") from error


def read_anndata(path: Path) -> AnnData:
    """Read an AnnData file.

    Raises
    ------
    DataError
        Where it cannot be read; names the part of the file that is at fault where anndata tells it.
    """
    import anndata

    refuse_damaged(path)
    try:
        with warnings.catch_warnings():
            # Old files and repeated names warn; readers check both in our own words.
            warnings.simplefilter("ignore")
            return anndata.read_h5ad(path)
    except Gr2stError:
        raise
    # A damaged file may raise anything, and anndata's own error for unknown parts is not public.
    except Exception as error:
        raise _not_anndata(path, error) from error


def _not_anndata(path: Path, error: Exception) -> DataError:
    if isinstance(error, BlockingIOError):
        return DataError(f"{path.name} is being written by another program; wait until it is done.")
    if isinstance(error, MemoryError):
        return DataError(f"{path.name} needs more memory than there is: it is damaged, or too large for this machine.")
    found = _PART.search("\n".join(getattr(error, "__notes__", ())))
    part = f"its part {found[2].rstrip('/')}/{found[1]}" if found and found[1].strip("/") else "what it holds"
    return DataError(
        f"{path.name} cannot be read as AnnData: {part} is damaged, or of a kind this version of anndata does not "
        f"know. {AGAIN.rstrip('.')}, or write it again with the anndata installed here."
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _written_size(head: bytes) -> int:
    """Size of the file when it was written, from its superblock; what is there at least where that does not tell."""
    if len(head) < _HEAD:
        return _HEAD
    version = head[8]
    width, first = (head[13], 24 + 4 * version) if version < 2 else (head[9], 12)
    # Addresses of the base, of free space or of the extension, and of the end.
    end = head[first + 2 * width : first + 3 * width]
    return 0 if version > 3 or end == b"\xff" * width else int.from_bytes(end, "little")


def _blank_heap(path: Path) -> int | None:
    """Where a heap of text lies whose walk never ends, None where there is none; reads the file once, in blocks."""
    start = 0
    with path.open("rb") as file:
        while len(block := _bytes_at(file, start, _BLOCK)) >= len(_HEAP):
            for match in re.finditer(re.escape(_HEAP), block):
                at = start + match.start()
                size = int.from_bytes(_bytes_at(file, at, _HEAP_HEAD)[8:], "little")
                if _is_endless(_bytes_at(file, at, min(size, _BLOCK))):
                    return at
            start += len(block) - len(_HEAP) + 1
    return None


def _bytes_at(file: IO[bytes], at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def _is_endless(heap: bytes) -> bool:
    """Whether the walk from object to object stands still: at one without a number (free space) and without a size."""
    if b"\0" * 16 not in heap:
        return False
    at = _HEAP_HEAD
    while at + 16 <= len(heap):
        number, size = int.from_bytes(heap[at : at + 2], "little"), int.from_bytes(heap[at + 8 : at + 16], "little")
        if number == 0 and size == 0:
            return True
        at += 16 + -(-size // 8) * 8 if number else size
    return False
