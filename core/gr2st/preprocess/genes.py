"""Which genes are predicted: those that vary most in the training sections; and the counts of genes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from scipy import sparse

from gr2st.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from gr2st.types import Bool, Float32, Float64

THETA = 100.0
"""Overdispersion that Pearson residuals allow counts, as scanpy has it."""
_BLOCK = 256
"""Genes made dense at a time."""

MINIMUM_SHARE = 0.1
"""A gene is a candidate where at least this share of all training spots counts it; rarer ones correlate with noise."""


def select_genes(tables: Sequence[AnnData], n: int) -> tuple[str, ...]:
    """Choose the `n` most variable genes of the training sections, most variable first.

    Candidates stand in every table and are counted in at least a tenth of all spots. Each section ranks them by the
    variance of their Pearson residuals (as scanpy does), which, unlike the dispersion of log counts, is not led by
    rare genes; ranks are averaged, ties go by name.

    Parameters
    ----------
    tables : sequence of AnnData
        Counts of the training sections only (spots x genes); left unchanged.
    n : int
        Number of genes.

    Raises
    ------
    DataError
        No table, a table without counts, or fewer than `n` candidates.
    """
    if not tables or any(table.n_obs == 0 or table.n_vars == 0 for table in tables):
        raise DataError("Choosing genes needs at least one training section, each with counts; found an empty one.")
    candidates = _candidates(tables)
    if not 1 <= n <= len(candidates):
        raise DataError(
            f"{n} genes were asked for, but {len(candidates)} stand in all {len(tables)} training sections and are "
            f"counted in at least {MINIMUM_SHARE:.0%} of their spots. Ask for 1 to {len(candidates)}, or give a list."
        )
    return _by_variability(tables, candidates)[:n]


def rank_genes(tables: Sequence[AnnData]) -> tuple[str, ...]:
    """All genes that `select_genes` chooses from, most variable first; none where no gene is common enough."""
    return _by_variability(tables, _candidates(tables))


def _candidates(tables: Sequence[AnnData]) -> tuple[str, ...]:
    """Genes of every table that enough of all spots count, sorted by name."""
    shared = set.intersection(*(set(map(str, table.var_names)) for table in tables))
    genes = tuple(sorted(shared))
    detected = sum(spots_with(table)[table.var_names.get_indexer(pd.Index(genes))] for table in tables)
    enough: Bool = np.asarray(detected) >= MINIMUM_SHARE * sum(table.n_obs for table in tables)
    return tuple(gene for gene, keep in zip(genes, enough, strict=True) if keep)


def _by_variability(tables: Sequence[AnnData], genes: tuple[str, ...]) -> tuple[str, ...]:
    ranks = np.mean([_variability_ranks(table, genes) for table in tables], axis=0)
    # Names break ties, so that the order of the columns in a file has no say.
    return tuple(genes[i] for i in np.lexsort((np.asarray(genes), ranks)))


def _variability_ranks(table: AnnData, genes: Sequence[str]) -> Float64:
    """Rank of each gene in one section (0 the most variable); genes that are not counted in it share the last rank."""
    counts = sparse.csc_array(counts_of(table, genes))
    # A spot or gene without counts has no expected counts, so no residual.
    counted_spots, counted_genes = counts.sum(axis=1) > 0, counts.sum(axis=0) > 0
    if not counted_genes.any():
        return np.ones(len(genes))
    variance = pd.Series(-np.inf, index=list(genes))
    variance[counted_genes] = residual_variances(counts[counted_spots][:, counted_genes])
    return np.asarray(variance.rank(ascending=False), dtype=np.float64)


def residual_variances(counts: sparse.csc_array) -> Float64:
    """Variance of each gene's Pearson residuals: how much more it varies than counts of its mean would by chance.

    Residuals are those of a negative binomial with `THETA`, clipped at the root of the number of spots
    (Lause et al. 2021).

    Parameters
    ----------
    counts : (spots, genes)
        Every spot and every gene has a count.

    Returns
    -------
    (genes,) float64
    """
    per_spot, per_gene = np.asarray(counts.sum(axis=1), np.float64), np.asarray(counts.sum(axis=0), np.float64)
    shares, limit = per_spot[:, None] / per_spot.sum(), np.sqrt(len(per_spot))
    found = np.empty(len(per_gene))
    for start in range(0, len(per_gene), _BLOCK):
        block = slice(start, start + _BLOCK)
        expected = shares * per_gene[block]
        residuals = (counts[:, block].toarray() - expected) / np.sqrt(expected + expected**2 / THETA)
        found[block] = residuals.clip(-limit, limit).var(axis=0)
    return found


def spots_with(table: AnnData) -> Float64:
    """In how many spots each gene of a table is counted."""
    return np.asarray((sparse.csc_array(cast("Any", table.X)) > 0).sum(axis=0), dtype=np.float64)


def counts_of(table: AnnData, genes: Sequence[str]) -> Float32:
    """Counts of some genes, in their order.

    Parameters
    ----------
    table : AnnData
        Counts (spots x genes), names of genes unique.
    genes : sequence of str

    Returns
    -------
    (spots, genes) float32, dense

    Raises
    ------
    DataError
        Genes that the table does not have, with the nearest names it does have.
    """
    positions = table.var_names.get_indexer(pd.Index(genes))
    missing = [gene for gene, position in zip(genes, positions, strict=True) if position < 0]
    if missing:
        raise DataError(_missing_message(missing, len(genes), [str(name) for name in table.var_names]))
    chosen = table.X[:, positions]
    dense = cast("Any", chosen).toarray() if sparse.issparse(chosen) else chosen
    return np.ascontiguousarray(dense, dtype=np.float32)


def _missing_message(missing: Sequence[str], asked: int, known: Sequence[str]) -> str:
    """Name genes that are not there; the nearest known one is offered for the first few."""
    shown = []
    for gene in missing[:5]:
        near = difflib.get_close_matches(gene, known, n=1)
        shown.append(f"{gene} (nearest: {near[0]})" if near else gene)
    shown += missing[5:20]
    more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
    return f"{len(missing)} of {asked} genes are not in the counts ({len(known)} genes): {', '.join(shown)}{more}."
