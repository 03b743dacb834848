"""The score of this house, for trainings and evaluations alike: Pearson r of each gene over the spots of a section."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[np.floating[Any]]
Vector: TypeAlias = npt.NDArray[np.float64]


def gene_pcc(predicted: Matrix, measured: Matrix) -> Vector:
    """Pearson correlation of each gene over the spots of a section.

    Parameters
    ----------
    predicted, measured : (spots, genes)

    Returns
    -------
    (genes,) float64
        NaN where either side is constant over the spots or has a missing value.
    """
    p = np.asarray(predicted, np.float64)
    m = np.asarray(measured, np.float64)
    varies = (np.ptp(p, axis=0) > 0) & (np.ptp(m, axis=0) > 0)
    p = p - p.mean(axis=0)
    m = m - m.mean(axis=0)
    norm = np.linalg.norm(p, axis=0) * np.linalg.norm(m, axis=0)
    scores: Vector = np.divide((p * m).sum(axis=0), norm, out=np.full(norm.shape, np.nan), where=varies & (norm > 0))
    return scores


def mean_score(scores: Vector) -> float | None:
    """Mean of the scores that exist; None where there is none (JSON has no NaN)."""
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else None
