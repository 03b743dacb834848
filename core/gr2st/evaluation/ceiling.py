"""How far a score can go: the correlation a perfect predictor would reach, given the noise of the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gr2st.evaluation.metrics import Vector, gene_pcc

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.types import Float32

SPLITS = 5


def noise_ceiling(counts: Float32, normalise: Callable[[Float32], Float32], *, seed: int = 0) -> Vector:
    """Largest expected correlation of each gene with its measured, noisy values.

    Every count is split in two by a fair coin (binomial thinning), which makes two independent measurements of the same
    tissue at half the depth. Their correlation r gives the reliability of the full measurement, 2 r / (1 + r)
    (Spearman-Brown), and its root bounds what anything that does not see this noise can reach. Averaged over
    `SPLITS` splits.

    Parameters
    ----------
    counts : (spots, genes)
        Whole numbers; NaN columns for genes that were not measured.
    normalise : function
        `spot_normalise` or `gene_normalise`: the space of the scores.
    seed : int

    Returns
    -------
    (genes,) float64
        Between 0 and 1; 0 where the halves do not agree at all, NaN where a half is constant in every split.
    """
    measured = ~np.isnan(counts).any(axis=0)
    ceiling = np.full(counts.shape[1], np.nan)
    random = np.random.default_rng(seed)
    whole = np.rint(counts[:, measured]).astype(np.int64)
    agreement = np.array([_half_agreement(whole, normalise, random) for _ in range(SPLITS)])
    ceiling[measured] = _root_of_reliability(agreement)
    return ceiling


def _half_agreement(counts: np.ndarray, normalise: Callable[[Float32], Float32], random: np.random.Generator) -> Vector:
    half = random.binomial(counts, 0.5)
    return gene_pcc(normalise(half.astype(np.float32)), normalise((counts - half).astype(np.float32)))


def _root_of_reliability(agreement: Vector) -> Vector:
    known = ~np.isnan(agreement).all(axis=0)
    mean = np.full(agreement.shape[1], np.nan)
    mean[known] = np.nanmean(agreement[:, known], axis=0).clip(min=0)
    root: Vector = np.sqrt(2 * mean / (1 + mean))
    return root
