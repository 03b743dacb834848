"""Scores against an independent reference, and where nothing can be said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from gr2st.evaluation.metrics import gene_pcc, mean_of_known, mean_score, median_of_known, median_score


def test_each_gene_gets_its_pearson_correlation(rng: np.random.Generator) -> None:
    predicted, measured = rng.normal(size=(2, 30, 4))
    expected = [pearsonr(predicted[:, gene], measured[:, gene]).statistic for gene in range(4)]
    np.testing.assert_allclose(gene_pcc(predicted, measured), expected, rtol=1e-12)


def test_scale_and_shift_of_a_gene_change_nothing(rng: np.random.Generator) -> None:
    predicted, measured = rng.normal(size=(2, 30, 4))
    np.testing.assert_allclose(gene_pcc(7 * predicted - 3, measured), gene_pcc(predicted, measured), rtol=1e-10)


@pytest.mark.parametrize("constant", [0.1, 0.0, 1e6])
def test_a_constant_gene_has_no_score_on_either_side(rng: np.random.Generator, constant: float) -> None:
    varied = rng.normal(size=(20, 1)).astype(np.float32)
    flat = np.full((20, 1), constant, np.float32)
    assert np.isnan(gene_pcc(flat, varied)).all()
    assert np.isnan(gene_pcc(varied, flat)).all()


def test_a_gene_with_a_missing_value_has_no_score(rng: np.random.Generator) -> None:
    predicted, measured = rng.normal(size=(2, 20, 2))
    measured[3, 0] = np.nan
    scores = gene_pcc(predicted, measured)
    assert np.isnan(scores[0])
    assert np.isfinite(scores[1])


def test_the_mean_leaves_out_genes_without_a_score() -> None:
    assert mean_score(np.array([0.2, np.nan, 0.4])) == pytest.approx(0.3)


def test_the_mean_of_nothing_is_nothing_and_not_zero() -> None:
    assert mean_score(np.array([np.nan, np.nan])) is None
    assert mean_of_known([None, None]) is None
    assert mean_of_known([None, 0.5]) == 0.5


def test_the_median_leaves_out_what_has_no_score_and_is_nothing_without_any() -> None:
    assert median_score(np.array([0.1, np.nan, 0.3, 0.9])) == pytest.approx(0.3)
    assert median_of_known([0.1, None, 0.3]) == pytest.approx(0.2)
    assert median_of_known([None]) is None
