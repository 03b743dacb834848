"""Intervals, paired differences, noise ceiling, further scores: against values worked out by hand or by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import spearmanr

from gr2st.evaluation.ceiling import noise_ceiling
from gr2st.evaluation.metrics import gene_mae, gene_rmse, gene_spearman, morans_i
from gr2st.evaluation.scores import mean_over_highest
from gr2st.evaluation.statistics import estimate, paired_difference
from gr2st.preprocess.normalise import spot_normalise

PATIENTS = {"A1": "A", "A2": "A", "B1": "B", "C1": "C"}


def test_patients_are_drawn_whole() -> None:
    # Sections of A agree: drawing sections one by one would give a narrower interval than drawing patients.
    scores = {"A1": 0.1, "A2": 0.1, "B1": 0.4, "C1": 0.4}
    by_patient = estimate(scores, PATIENTS)
    by_section = estimate(scores, dict.fromkeys(PATIENTS, None))
    assert by_patient is not None
    assert by_section is not None
    assert (by_patient.unit, by_patient.n_units) == ("patients", 3)
    assert (by_section.unit, by_section.n_units) == ("sections", 4)
    assert by_patient.mean == by_section.mean == pytest.approx(0.25)
    assert by_patient.low == pytest.approx(0.1)
    assert by_patient.high == pytest.approx(0.4)


def test_one_patient_draws_sections_and_one_section_has_no_interval() -> None:
    sisters = estimate({"A1": 0.1, "A2": 0.3}, PATIENTS)
    assert sisters is not None
    assert (sisters.unit, sisters.low, sisters.high) == ("sections", pytest.approx(0.1), pytest.approx(0.3))
    alone = estimate({"A1": 0.1, "A2": None}, PATIENTS)
    assert alone is not None
    assert (alone.low, alone.high, alone.n_units) == (None, None, 1)
    assert estimate({"A1": None}, PATIENTS) is None


def test_the_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    patients = {f"s{at}": f"p{at}" for at in range(20)}
    hits = 0
    for _ in range(200):
        found = estimate(
            {name: float(value) for name, value in zip(patients, random.normal(size=20), strict=True)}, patients
        )
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low < 0 < found.high
    assert 0.87 < hits / 200 < 0.99


def test_a_paired_difference_takes_the_sections_both_have() -> None:
    found = paired_difference({"A1": 0.3, "B1": 0.5, "C1": None}, {"A1": 0.2, "B1": 0.2, "C1": 0.9}, PATIENTS)
    assert found is not None
    assert found.mean == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.3))


def test_the_ceiling_is_what_the_noiseless_truth_itself_scores() -> None:
    random = np.random.default_rng(1)
    spots = 3000
    rates = np.exp(random.normal(size=(spots, 3)) * [0.2, 0.6, 1.2]) * [1.0, 2.0, 4.0]
    other = np.full((spots, 1), 2000.0)
    counts = random.poisson(np.hstack([rates, other])).astype(np.float32)
    truth, measured = spot_normalise(np.hstack([rates, other])), spot_normalise(counts)
    reached = [np.corrcoef(truth[:, gene], measured[:, gene])[0, 1] for gene in range(3)]
    np.testing.assert_allclose(noise_ceiling(counts, spot_normalise)[:3], reached, atol=0.06)


def test_genes_without_a_pattern_have_a_ceiling_near_zero_and_unmeasured_ones_none() -> None:
    counts = np.random.default_rng(0).poisson(2.0, (20_000, 3)).astype(np.float32)
    counts[:, 2] = np.nan
    ceiling = noise_ceiling(counts, lambda part: part)
    assert (ceiling[:2] < 0.25).all()
    assert np.isnan(ceiling[2])


def test_rank_correlation_and_errors_agree_with_scipy_and_with_hand() -> None:
    random = np.random.default_rng(0)
    predicted, measured = random.normal(size=(30, 4)), random.integers(0, 4, (30, 4)).astype(float)
    expected = [spearmanr(predicted[:, gene], measured[:, gene]).statistic for gene in range(4)]
    np.testing.assert_allclose(gene_spearman(predicted, measured), expected)
    measured[3, 1] = np.nan
    assert np.isnan(gene_spearman(predicted, measured)[1])
    assert gene_rmse(np.array([[0.0], [0.0]]), np.array([[3.0], [4.0]]))[0] == pytest.approx(np.sqrt(12.5))
    assert gene_mae(np.array([[0.0], [0.0]]), np.array([[3.0], [-4.0]]))[0] == pytest.approx(3.5)


def test_moran_s_i_is_one_for_two_separate_blocks_and_minus_one_for_a_chequerboard() -> None:
    ring = np.roll(np.eye(8), 1, axis=1)
    ring = csr_array(ring + ring.T + np.eye(8))
    chequers = np.tile([[1.0], [-1.0]], (4, 1))
    pairs = csr_array(np.kron(np.eye(4), np.ones((2, 2))))
    blocks = np.repeat([[1.0], [5.0], [2.0], [9.0]], 2, axis=0)
    assert morans_i(chequers, ring)[0] == pytest.approx(-1)
    assert morans_i(blocks, pairs)[0] == pytest.approx(1)
    assert np.isnan(morans_i(np.ones((8, 1)), ring)[0])


def test_the_mean_over_the_highest_genes_leaves_undefined_scores_out() -> None:
    scores, means = np.array([0.1, np.nan, 0.5, 0.9]), np.array([1.0, 4.0, 3.0, 2.0])
    assert mean_over_highest(scores, means, count=3) == pytest.approx(0.7)
    assert mean_over_highest(scores[1:2], means[1:2]) is None
