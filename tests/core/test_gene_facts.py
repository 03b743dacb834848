"""What the counts of a section say about its genes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from gr2st import detected_shares, finish, keys, spatial_patterns, variability_ranks
from gr2st.evaluation.metrics import morans_i, neighbours_of
from gr2st.preprocess.genes import residual_variances, select_genes
from gr2st.preprocess.normalise import spot_normalise


def section_of(counts: Any) -> Any:
    """Spots on a square array of ten columns, one pixel apart."""
    counts = np.asarray(counts, np.float32)
    table = AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=[f"G{at}" for at in range(counts.shape[1])]))
    table.obsm[keys.SPATIAL] = np.column_stack(np.divmod(np.arange(len(counts)), 10)).astype(np.float64)
    return SimpleNamespace(table=table, n_spots=len(counts), genes=tuple(table.var_names), grid_pitch=1.0)


def test_the_share_of_spots_that_count_a_gene() -> None:
    assert detected_shares(section_of([[1, 0, 5], [0, 0, 1], [2, 0, 1], [1, 0, 9]])).tolist() == [0.75, 0.0, 1.0]


def test_residual_variances_are_those_of_scanpy(rng) -> None:
    import scanpy

    counts = rng.poisson(rng.gamma(0.7, 2, 300), (60, 300)).astype(np.float32)
    counts = counts[:, counts.sum(axis=0) > 0]
    theirs = scanpy.experimental.pp.highly_variable_genes(
        AnnData(counts), flavor="pearson_residuals", n_top_genes=1, inplace=False
    )["residual_variances"]
    np.testing.assert_allclose(residual_variances(sparse.csc_array(counts)), theirs, rtol=1e-6)


def test_variability_ranks_are_the_order_in_which_genes_are_chosen(rng) -> None:
    counts = rng.poisson(rng.gamma(2, 2, 30), (50, 30))
    counts[1:, 7] = 0
    ranks = variability_ranks(section_of(counts))
    assert np.isnan(ranks[7])
    assert sorted(ranks[~np.isnan(ranks)]) == list(range(1, 30))
    chosen = select_genes([section_of(counts).table], 3)
    assert [f"G{at}" for at in np.argsort(ranks)[:3]] == list(chosen)


def _told(steps):
    """What steps tell, and then their result."""
    yield (yield from steps)


def test_a_gene_that_is_the_same_everywhere_has_no_pattern() -> None:
    found = finish(spatial_patterns(section_of(np.tile([3, 1, 0], (40, 1)))))
    assert np.isnan(found).all()
    lonely = section_of([[3, 1]])
    assert np.isnan(finish(spatial_patterns(lonely))).all()


def test_spatial_patterns_are_morans_i_of_the_spot_normalised_counts(rng, monkeypatch) -> None:
    monkeypatch.setattr("gr2st.evaluation.gene_facts._COUNTED", 250)
    counts = rng.poisson(3, (100, 20))
    counts[:50, 0], counts[50:, 0], counts[:, 3], counts[:, 4:] = 60, 1, 0, rng.poisson(0.1, (100, 16))
    section = section_of(counts)
    whole = morans_i(spot_normalise(counts).astype(float), neighbours_of(section.table.obsm[keys.SPATIAL], 1.0))
    steps = list(_told(spatial_patterns(section)))
    found, told = steps.pop(), [step.done for step in steps]
    np.testing.assert_allclose(found, whole, atol=1e-6)
    assert len(told) > 3
    assert (told[0], told[-1]) == (0, 20)
    assert told == sorted(set(told))
    assert found[0] > 0.7
    assert np.isnan(found[3])


def test_a_section_without_genes_has_no_facts() -> None:
    section = section_of(np.zeros((4, 0)))
    assert detected_shares(section).size == finish(spatial_patterns(section)).size == 0
