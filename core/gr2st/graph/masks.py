"""Masks of graphs, made so that no large section needs more memory than its edges.

A mask is a boolean matrix (n, n), row = source, column = target: dense, or sparse (COO) where the section is large and
few pairs are edges. Which of the two is measured, never asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

PAIRS_AT_ONCE = 1 << 22
"""Pairs judged together: a section of up to 2,048 spots in one block, a larger one in blocks of rows (16 MiB each)."""

SPARSE_BELOW = 1 / 64
"""Share of all pairs under which the sparse form is the smaller one: 16 bytes an edge, several times that while it is
put in order; the dense form takes 1 byte a pair."""


@torch.no_grad()
def mask_of(n: int, judge: Callable[[slice], Tensor]) -> Tensor:
    """The mask that a rule gives, dense or sparse.

    Parameters
    ----------
    n : int
        Spots.
    judge : function
        The rule: a slice of sources to their rows of the mask, bool (sources, n).

    Returns
    -------
    (n, n) bool
        Dense up to `PAIRS_AT_ONCE` pairs; beyond, sparse where fewer than `SPARSE_BELOW` of all pairs are edges.
    """
    if n * n <= PAIRS_AT_ONCE:
        return judge(slice(0, n))
    edges: list[Tensor] = []
    for rows in blocks(n):
        found = judge(rows).nonzero()
        found[:, 0] += rows.start
        edges.append(found)
        if sum(map(len, edges)) >= SPARSE_BELOW * n * n:
            return _dense_from(rows.stop, edges, n, judge)
    return sparse_mask(torch.cat(edges).T, n)


def blocks(n: int) -> list[slice]:
    """Slices of rows of at most `PAIRS_AT_ONCE` pairs."""
    step = max(1, PAIRS_AT_ONCE // n)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def sparse_mask(edges: Tensor, n: int) -> Tensor:
    """Sparse mask (n, n) of edges (2, e) that are ordered by source, then target."""
    there = torch.ones(edges.shape[1], dtype=torch.bool, device=edges.device)
    return torch.sparse_coo_tensor(edges, there, (n, n), is_coalesced=True, check_invariants=False)


def transposed(mask: Tensor) -> Tensor:
    """The mask with every edge turned round; sparse stays sparse."""
    if not mask.is_sparse:
        return mask.T
    turned = edges_of(mask).flip(0)
    order = (turned[0] * len(mask) + turned[1]).argsort()
    return sparse_mask(turned[:, order], len(mask))


def edges_of(mask: Tensor) -> Tensor:
    """Edges (2, e) int64 of a mask, source row above target row, ordered by source, then target."""
    if mask.is_sparse:
        return mask.indices()
    return mask.nonzero().T.contiguous()


def _dense_from(start: int, edges: list[Tensor], n: int, judge: Callable[[slice], Tensor]) -> Tensor:
    """The dense mask, of whose rows those before `start` are known by their edges."""
    mask = torch.zeros(n, n, dtype=torch.bool, device=edges[0].device)
    while edges:
        source, target = edges.pop().T
        mask[source, target] = True
    for rows in blocks(n):
        if rows.start >= start:
            mask[rows] = judge(rows)
    return mask
