"""What the counts of one section say about each of its genes, without a model and without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import sparse

from gr2st import keys
from gr2st.evaluation.metrics import Vector, morans_i, neighbours_of
from gr2st.preprocess.genes import rank_genes, spots_with
from gr2st.preprocess.normalise import spot_normalise

if TYPE_CHECKING:
    from gr2st.types import Section

_DENSE = 2**22
"""Numbers made dense at a time."""


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


def spatial_patterns(section: Section) -> Vector:
    """Moran's I of each gene's spot-normalised counts, over spots at most 1.5 array steps apart.

    A spot's counts are shared out over all genes of the section. NaN for a gene that is the same in all spots.
    """
    counts = sparse.csc_array(cast("Any", section.table.X))
    depth = np.asarray(counts.sum(axis=1), np.float64).ravel()
    neighbours = neighbours_of(np.asarray(section.table.obsm[keys.SPATIAL], np.float64), section.grid_pitch)
    step = max(1, _DENSE // max(1, section.n_spots))
    blocks = (counts[:, start : start + step] for start in range(0, len(section.genes), step))
    normalised = (spot_normalise(block, depth).astype(np.float64) for block in blocks)
    return np.concatenate([np.empty(0), *(morans_i(block, neighbours) for block in normalised)])
