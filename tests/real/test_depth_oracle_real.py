"""The depth oracle on three real sections gives the correlations measured for them, in both expression spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from gr2st.config import ConstantConfig
from gr2st.models.base import Batch
from gr2st.models.reference import DepthOracle

MEASURED = {"C2": (0.241, 0.349), "C3": (0.225, 0.349), "C4": (0.223, 0.378)}
"""Mean over genes of Pearson r against spot-normalised and against gene-normalised expression."""


def counts_of(folder: Path, section: str) -> np.ndarray:
    genes = (folder / "benchmark_refs" / "her2st_785_genes.txt").read_text().split()
    table = pd.read_csv(folder / "her2st" / "data" / "ST-cnts" / f"{section}.tsv.gz", sep="\t", index_col=0)
    return table[genes].to_numpy(dtype=np.float64)


def normalised(counts: np.ndarray, axis: int) -> np.ndarray:
    total = counts.sum(axis=axis, keepdims=True)
    return np.log10(1 + 1e4 * np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))


def mean_correlation(predicted: np.ndarray, truth: np.ndarray) -> float:
    a, b = predicted - predicted.mean(axis=0), truth - truth.mean(axis=0)
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    varies = scale > 0
    return float(((a * b).sum(axis=0)[varies] / scale[varies]).mean())


@pytest.mark.real
@pytest.mark.parametrize("section", MEASURED)
def test_the_depth_oracle_reaches_the_measured_correlations(real_data: Path, section: str):
    counts = counts_of(real_data, section)
    model = DepthOracle(ConstantConfig(), n_genes=counts.shape[1], n_features=1, grid_size=1)
    depth = torch.from_numpy(counts.sum(axis=1))
    predicted = model.predict(Batch(section, depth=depth)).expression.numpy()
    found = tuple(round(mean_correlation(predicted, normalised(counts, axis)), 3) for axis in (1, 0))
    assert found == pytest.approx(MEASURED[section], abs=0.0005)
