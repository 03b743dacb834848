"""S and T: formulas by hand, zeros, float32 from float64, sparse and dense alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse

from gr2st.errors import DataError
from gr2st.preprocess.normalise import gene_normalise, mean_z, spot_normalise

COUNTS = np.array([[1, 3, 0], [0, 0, 0], [5, 0, 0]], dtype=np.float32)


def test_spot_space_divides_each_spot_by_its_own_total() -> None:
    expected = np.log10([[1 + 2500, 1 + 7500, 1], [1, 1, 1], [1 + 10000, 1, 1]])
    np.testing.assert_array_equal(spot_normalise(COUNTS), expected.astype(np.float32))


def test_gene_space_divides_each_gene_by_its_section_total() -> None:
    expected = np.log10([[1 + 1e4 / 6, 1 + 1e4, 1], [1, 1, 1], [1 + 5e4 / 6, 1, 1]])
    np.testing.assert_array_equal(gene_normalise(COUNTS), expected.astype(np.float32))


def test_spots_and_genes_without_counts_stay_zero() -> None:
    assert not spot_normalise(COUNTS)[1].any()
    assert not gene_normalise(COUNTS)[:, 2].any()
    assert not spot_normalise(np.zeros((2, 3))).any()


def test_the_library_size_is_that_of_the_given_genes_only() -> None:
    np.testing.assert_allclose(spot_normalise(COUNTS[:, :1])[:, 0], [np.log10(10001), 0, np.log10(10001)], rtol=1e-6)


def test_library_sizes_can_be_given_beside_some_of_the_genes() -> None:
    found = spot_normalise(COUNTS[:, 1:], COUNTS.sum(axis=1, dtype=np.float64))
    np.testing.assert_array_equal(found, spot_normalise(COUNTS)[:, 1:])


@pytest.mark.parametrize("function", [spot_normalise, gene_normalise])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array])
def test_sparse_counts_give_the_very_same_dense_float32(function, kind) -> None:
    dense = function(COUNTS)
    assert dense.dtype == np.float32
    given_counts = kind(COUNTS)
    np.testing.assert_array_equal(function(given_counts), dense)
    np.testing.assert_array_equal(given_counts.toarray(), COUNTS)


def test_depth_leaves_spot_space_and_stays_in_gene_space() -> None:
    deeper = COUNTS * np.array([[10], [1], [1]], dtype=np.float32)
    np.testing.assert_array_equal(spot_normalise(deeper), spot_normalise(COUNTS))
    assert gene_normalise(deeper)[0, 0] > gene_normalise(COUNTS)[0, 0]


def test_large_totals_keep_the_precision_of_float64() -> None:
    counts = np.full((1, 3), 2**24 + 1, dtype=np.int64)
    np.testing.assert_array_equal(spot_normalise(counts), np.full((1, 3), np.log10(1 + 1e4 / 3), dtype=np.float32))


@settings(max_examples=25, deadline=None)
@given(arrays(np.int64, (4, 3), elements=st.integers(0, 10**6)))
def test_gene_space_is_spot_space_of_the_transposed_table(counts) -> None:
    np.testing.assert_array_equal(gene_normalise(counts), spot_normalise(counts.T).T)
    assert spot_normalise(counts).max() <= np.float32(np.log10(10001))


def test_a_vector_is_refused() -> None:
    with pytest.raises(DataError, match="matrix of spots x genes, found 1 dimension"):
        spot_normalise(np.arange(3))


def test_the_mean_z_score_of_genes_is_their_mean_in_standard_deviations() -> None:
    values = np.array([[1.0, 10.0, 5.0, np.nan], [3.0, 30.0, 5.0, np.nan]], np.float32)
    np.testing.assert_allclose(mean_z(values), [-1, 1])
    np.testing.assert_allclose(
        mean_z(np.array([[1.0, 4], [3, 2], [np.nan, 0]])), [0.5 * (np.sqrt(1.5) - 1), 0.5, -np.sqrt(1.5)]
    )
    assert np.isnan(mean_z(values[:, 2:])).all()
    assert np.isnan(mean_z(values[:, :0])).all()
