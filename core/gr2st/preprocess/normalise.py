"""The two expression spaces: S (each spot divided by its total) and T (each gene divided by its section total)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gr2st.errors import DataError

if TYPE_CHECKING:
    from gr2st.types import Float32

Counts: TypeAlias = npt.NDArray[Any] | sparse.csr_array | sparse.csr_matrix | sparse.csc_array | sparse.csc_matrix

SCALE = 1e4


def spot_normalise(counts: Counts, depth: npt.NDArray[np.float64] | None = None) -> Float32:
    """S: log10(1 + 1e4 * share of the gene in the counts of its spot).

    Parameters
    ----------
    counts : (spots, genes) array or sparse matrix
        Counts of the genes of interest only: the library size of a spot is taken over these columns.
    depth : (spots,) array, optional
        The library sizes, where `counts` holds only some of the genes of interest.

    Returns
    -------
    (spots, genes) float32, dense, computed in float64
        The row of a spot without counts is zero.

    Raises
    ------
    DataError
        `counts` is not a two-dimensional matrix.
    """
    return _dense(_log_share(counts, depth, axis=1))


def sparse_spot_normalise(counts: Counts, depth: npt.NDArray[np.float64]) -> sparse.csr_array:
    """S as `spot_normalise` takes and gives it, without the zeros (float64): what is not counted stays zero."""
    return _log_share(counts, depth, axis=1)


def gene_normalise(counts: Counts) -> Float32:
    """T: log10(1 + 1e4 * share of the spot in the counts of its gene over the section).

    The sequencing depth of a spot stays in T, and every gene is scaled inside its own section: hand over the spots of
    exactly one section.

    Parameters
    ----------
    counts : (spots, genes) array or sparse matrix
        Counts of one section.

    Returns
    -------
    (spots, genes) float32, dense, computed in float64
        The column of a gene without counts is zero.

    Raises
    ------
    DataError
        `counts` is not a two-dimensional matrix.
    """
    return _dense(_log_share(counts, axis=0))


def mean_z(values: Float32) -> Float32:
    """Mean over genes of how far each spot lies from the mean of its gene, in standard deviations over the spots.

    Parameters
    ----------
    values : (spots, genes)
        One section in one expression space; NaN where nothing is known.

    Returns
    -------
    (spots,) float32
        A gene that is the same in all spots says nothing and is left out; NaN for a spot without any value.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0).astype(np.float64)
    size = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, filled - filled.sum(axis=0) / size, 0)
    spread = np.sqrt((centred**2).sum(axis=0) / size)
    told = known & (spread > 1e-6)
    summed = np.divide(centred, spread, out=np.zeros_like(centred), where=told).sum(axis=1)
    count = told.sum(axis=1)
    means = np.divide(summed, count, out=np.full(len(values), np.nan), where=count > 0)
    return np.asarray(means, dtype=np.float32)


def _dense(values: sparse.csr_array) -> Float32:
    return np.asarray(values.toarray(), dtype=np.float32)


def _log_share(counts: Counts, totals: npt.NDArray[np.float64] | None = None, *, axis: int) -> sparse.csr_array:
    """log10(1 + SCALE * counts / total along `axis`), zero where the total is zero."""
    if counts.ndim != 2:
        raise DataError(f"Counts must be a matrix of spots x genes, found {counts.ndim} dimension(s).")
    matrix: Any = sparse.csr_array(cast("Any", counts), dtype=np.float64, copy=True)
    matrix.sum_duplicates()
    if totals is None:
        totals = np.asarray(matrix.sum(axis=axis), dtype=np.float64)
    scale = np.divide(SCALE, totals, out=np.zeros_like(totals), where=totals > 0)
    weights = np.repeat(scale, np.diff(matrix.indptr)) if axis == 1 else scale[matrix.indices]
    matrix.data = np.log10(1 + matrix.data * weights)
    return matrix  # type: ignore[no-any-return]
