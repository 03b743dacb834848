"""What the counts of one section say about each of its genes, without a model and without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from gr2st import keys
from gr2st.evaluation.metrics import Vector, neighbours_of, sparse_morans_i, spatial_weights
from gr2st.preprocess.genes import rank_genes, spots_with
from gr2st.preprocess.normalise import sparse_spot_normalise
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gr2st.types import Section, Steps

_COUNTED = 2**20
"""Counts, none of them zero, that are looked at in one step: some 0.1 GB with what their neighbours share."""

STAGE = "Looking for patterns"


def detected_shares(section: Section) -> Vector:
    """Share of the spots, 0 to 1, that count each gene; NaN without spots."""
    if not section.n_spots:
        return np.full(len(section.genes), np.nan)
    return spots_with(section.table) / section.n_spots


def variability_ranks(section: Section) -> Vector:
    """Place of each gene among those that vary most, as `select_genes` would choose them from this section alone.

    From 1, the most variable; NaN for a gene counted in too few spots to be chosen.
    """
    places = {gene: place for place, gene in enumerate(rank_genes([section.table]), start=1)}
    return np.array([places.get(gene, np.nan) for gene in section.genes], dtype=np.float64)


def spatial_patterns(section: Section) -> Steps[Vector]:
    """Moran's I of each gene's spot-normalised counts, over spots at most 1.5 array steps apart.

    A spot's counts are shared out over all genes of the section. The time grows with the counts that are not zero: on
    a large section it is told, and can be left between two blocks of genes.

    Returns
    -------
    (genes,) float64
        NaN for a gene that is the same in all spots.
    """
    yield Progress(STAGE, 0, len(section.genes))
    counts = sparse.csc_array(cast("Any", section.table.X))
    depth = np.asarray(counts.sum(axis=1), np.float64).ravel()
    xy = np.asarray(section.table.obsm[keys.SPATIAL], np.float64)
    weights = spatial_weights(neighbours_of(xy, section.grid_pitch))
    found = [np.empty(0)]
    for start, end in _blocks(counts):
        found.append(sparse_morans_i(sparse_spot_normalise(counts[:, start:end], depth), weights))
        yield Progress(STAGE, end, len(section.genes))
    return np.concatenate(found)


def _blocks(counts: sparse.csc_array) -> Iterator[tuple[int, int]]:
    """First and last column of blocks with about as many counts each."""
    end, n_genes = 0, counts.shape[1]
    while end < n_genes:
        start = end
        most = counts.indptr[start] + _COUNTED
        end = max(start + 1, int(np.searchsorted(counts.indptr, most, side="right")) - 1)
        yield start, end
