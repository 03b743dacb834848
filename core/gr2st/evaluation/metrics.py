"""Scores: pure functions of arrays. NaN where nothing can be said, never zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from gr2st.correlation import Matrix, Vector, gene_pcc, mean_score

__all__ = [
    "Matrix",
    "Vector",
    "gene_mae",
    "gene_pcc",
    "gene_rmse",
    "gene_spearman",
    "mean_of_known",
    "mean_score",
    "median_of_known",
    "median_score",
    "morans_i",
    "neighbours_of",
    "sparse_morans_i",
    "spatial_weights",
]

ROUNDING = 1e-12
"""Share of a sum of squares that may be left by rounding."""


def gene_spearman(predicted: Matrix, measured: Matrix) -> Vector:
    """Rank correlation of each gene over the spots, ties at their mean rank; NaN as in `gene_pcc`."""
    from scipy.stats import rankdata  # A fifth of the time in which the first dock opens.

    unknown = np.isnan(predicted).any(axis=0) | np.isnan(measured).any(axis=0)
    scores = gene_pcc(rankdata(predicted, axis=0), rankdata(measured, axis=0))
    return np.where(unknown, np.nan, scores)


def gene_rmse(predicted: Matrix, measured: Matrix) -> Vector:
    """Root of the mean squared error of each gene; tells something only where both are in the same space."""
    error: Vector = np.sqrt(((np.asarray(predicted, np.float64) - measured) ** 2).mean(axis=0))
    return error


def gene_mae(predicted: Matrix, measured: Matrix) -> Vector:
    """Mean absolute error of each gene; tells something only where both are in the same space."""
    error: Vector = np.abs(np.asarray(predicted, np.float64) - measured).mean(axis=0)
    return error


def morans_i(values: Matrix, neighbours: sparse.csr_array) -> Vector:
    """Moran's I of each column: how alike neighbouring spots are; 0 without pattern, near 1 where it is smooth.

    Parameters
    ----------
    values : (spots, genes)
    neighbours : (spots, spots)
        Weight 1 for each pair of neighbours; the diagonal is ignored. Rows are normalised.

    Returns
    -------
    (genes,) float64
        NaN for constant columns, and everywhere if no spot has a neighbour.
    """
    weights = spatial_weights(neighbours)
    centred = np.asarray(values, np.float64) - values.mean(axis=0)
    shared = (centred * (weights @ centred)).sum(axis=0) * len(values)
    spread = (centred**2).sum(axis=0) * _connected(weights)
    scores: Vector = np.divide(shared, spread, out=np.full(spread.shape, np.nan), where=spread > 0)
    return scores


def sparse_morans_i(values: sparse.csr_array, weights: sparse.csr_array) -> Vector:
    """As `morans_i`, of values most of which are zero: the mean is taken off in the sums, so that no zero is stored.

    ``weights`` are those of `spatial_weights`, made once for many blocks of genes.
    """
    n_spots, n_connected = values.shape[0], _connected(weights)
    if not n_connected:
        return np.full(values.shape[1], np.nan)
    mean = values.sum(axis=0) / n_spots
    own = values.multiply(weights @ values).sum(axis=0)
    across = (weights.sum(axis=0) + weights.sum(axis=1)) @ values
    shared = (own - mean * across + mean**2 * n_connected) * n_spots
    squares = values.multiply(values).sum(axis=0)
    spread = squares - n_spots * mean**2
    # What is left by rounding of a gene that is the same everywhere is no spread.
    is_known = spread > ROUNDING * squares
    scores: Vector = np.divide(shared, spread * n_connected, out=np.full(spread.shape, np.nan), where=is_known)
    return scores


def spatial_weights(neighbours: sparse.csr_array) -> sparse.csr_array:
    """Weights (spots, spots) of `morans_i`: the neighbours of a spot have equal ones that sum to 1."""
    links = neighbours.astype(bool).astype(np.float64)
    links.setdiag(0)
    links.eliminate_zeros()
    degree = np.asarray(links.sum(axis=1)).ravel()
    shares = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
    return sparse.csr_array(sparse.diags_array(shares) @ links)


def _connected(weights: sparse.csr_array) -> int:
    """How many spots have a neighbour."""
    return int(np.count_nonzero(np.diff(weights.indptr)))


def neighbours_of(xy: Matrix, pitch: float) -> sparse.csr_array:
    """Pairs (spots, spots) of spots at most 1.5 array steps apart: 8 round a spot of a square array, 6 of a Visium one.

    ``xy`` (spots, 2) and ``pitch``, the array step, are in pixels.
    """
    one, other = cKDTree(xy).query_pairs(1.5 * pitch, output_type="ndarray").T
    pairs = np.concatenate([one, other]), np.concatenate([other, one])
    return sparse.csr_array((np.ones(len(pairs[0])), pairs), shape=(len(xy), len(xy)))


def median_score(scores: Vector) -> float | None:
    """Median of the scores that exist; None where there is none."""
    known = scores[~np.isnan(scores)]
    return float(np.median(known)) if len(known) else None


def mean_of_known(scores: Sequence[float | None]) -> float | None:
    """Mean over sections of the section means that exist; None where there is none."""
    return mean_score(_with_gaps(scores))


def median_of_known(scores: Sequence[float | None]) -> float | None:
    """Median over sections of the section means that exist; None where there is none."""
    return median_score(_with_gaps(scores))


def _with_gaps(scores: Sequence[float | None]) -> Vector:
    return np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
