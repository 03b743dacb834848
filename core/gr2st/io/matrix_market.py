"""Matrix Market files, read in plain numpy: `scipy.io.mmread` crashes the process on some damaged files."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gr2st.errors import DataError
from gr2st.io.tables import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Float64

_BANNER = "%%MatrixMarket matrix coordinate"
_FIELDS = ("integer", "real")


def read_matrix_market(path: Path, n_genes: int, n_barcodes: int) -> sparse.csr_matrix:
    """Counts of a 10x ``matrix.mtx`` (genes in rows), gzip or not, turned to CSR (n_barcodes, n_genes).

    Parameters
    ----------
    n_genes, n_barcodes : int
        What the lists beside the matrix name; the matrix must be of that size.

    Raises
    ------
    DataError
        Where the file is missing, cut off, damaged, or of another size or kind.
    """
    stream = io.BytesIO(read_bytes(path))
    banner = _line(stream)
    if not banner.startswith(_BANNER):
        raise DataError(f"{path.name} is no readable Matrix Market file: it should begin with {_BANNER!r}.")
    n_entries = _check_size(path, _size_line(stream), (n_genes, n_barcodes))
    if n_entries == 0:
        return sparse.csr_matrix((n_barcodes, n_genes), dtype=np.float64)
    if banner.split()[3:4] not in ([field] for field in _FIELDS) or "general" not in banner:
        raise DataError(f"{path.name} holds no counts: its kind is {banner.removeprefix(_BANNER).strip()!r}.")
    entries = _entries(path, stream, n_entries)
    gene, barcode = entries[:, 0].astype(np.int64) - 1, entries[:, 1].astype(np.int64) - 1
    if gene.min() < 0 or barcode.min() < 0 or gene.max() >= n_genes or barcode.max() >= n_barcodes:
        raise DataError(
            f"{path.name} is damaged: it holds entries outside its {n_genes} genes and {n_barcodes} barcodes."
        )
    return sparse.csr_matrix((entries[:, 2], (barcode, gene)), shape=(n_barcodes, n_genes))


def _line(stream: io.BytesIO) -> str:
    return stream.readline(1 << 16).decode("utf-8", errors="replace").strip()


def _size_line(stream: io.BytesIO) -> str:
    """The first line after the comments."""
    while (line := _line(stream)).startswith("%"):
        pass
    return line


def _check_size(path: Path, line: str, wanted: tuple[int, int]) -> int:
    """Number of entries; DataError where the size line is none, or not that of the lists."""
    sizes = line.split()
    if len(sizes) != 3 or not all(size.isdecimal() for size in sizes):
        raise DataError(f"{path.name} is no readable Matrix Market file: {line[:60]!r} gives no size.")
    if (int(sizes[0]), int(sizes[1])) != wanted:
        raise DataError(
            f"{path.name} does not fit the lists beside it: the matrix is {sizes[0]} genes by {sizes[1]} barcodes, "
            f"the lists name {wanted[0]} and {wanted[1]}."
        )
    return int(sizes[2])


def _entries(path: Path, stream: io.BytesIO, n_entries: int) -> Float64:
    """Rows of gene, barcode and count, counted from 1."""
    try:
        with warnings.catch_warnings():
            # "Input contained no data": the count of entries below tells it.
            warnings.simplefilter("ignore", UserWarning)
            entries = np.loadtxt(stream, dtype=np.float64, comments=None, ndmin=2)
    except ValueError as error:
        raise DataError(f"{path.name} is no readable Matrix Market file: {error}.") from error
    if entries.shape != (n_entries, 3):
        raise DataError(
            f"{path.name} is cut off or damaged: {n_entries} entries are promised, {len(entries)} are there."
        )
    if not np.isfinite(entries[:, :2]).all() or np.abs(entries[:, :2]).max() > 2**31:
        raise DataError(f"{path.name} is damaged: it holds entries without a gene or barcode number.")
    return entries
