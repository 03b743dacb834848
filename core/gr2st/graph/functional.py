"""Functional graph: which spots resemble each other in expression space, as a mask (`gr2st.graph.masks`).

A mask holds the spot itself where the rule says so. The cut is hard: no gradient passes through a graph, so the masks
are made without one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gr2st.graph.masks import mask_of


@torch.no_grad()
def threshold_graph(
    head: Tensor, tail: Tensor, cell_type: Tensor, *, temperature: float, type_share: float, threshold: float
) -> Tensor:
    """Edges whose score (1 - share) * sigmoid(head_i . tail_j / T) + share * [same type] exceeds a threshold.

    Parameters
    ----------
    head, tail : (n, width)
        Two projections of the spots; the score is not symmetric.
    cell_type : (n,) int64
    temperature, type_share, threshold : float

    Returns
    -------
    (n, n) bool
        Source by target; every spot is joined to itself.
    """

    def judge(rows: slice) -> Tensor:
        score = (head[rows] @ tail.T).div_(temperature).sigmoid_().mul_(1 - type_share)
        score.add_(_same_type(cell_type, rows, score.dtype), alpha=type_share)
        mask = score > threshold
        mask.diagonal(rows.start).fill_(True)
        return mask

    return mask_of(len(head), judge)


@torch.no_grad()
def top_k_graph(
    head: Tensor, tail: Tensor, cell_type: Tensor, *, temperature: float, type_share: float, k: int
) -> Tensor:
    """Edges from every spot to the `k` spots of highest score head_i . tail_j / T + share * [same type].

    The published code takes the softmax of each row first; that leaves the order as it is except where the softmax
    underflows to equal zeros, so the raw score is ranked here.

    Returns
    -------
    (n, n) bool
        Source by target; min(k, n) targets per source, the spot itself only if it ranks.
    """

    def judge(rows: slice) -> Tensor:
        score = (head[rows] @ tail.T).div_(temperature)
        score.add_(_same_type(cell_type, rows, score.dtype), alpha=type_share)
        best = score.topk(min(k, len(head)), dim=1, sorted=False).indices
        return torch.zeros_like(score, dtype=torch.bool).scatter_(1, best, value=True)

    return mask_of(len(head), judge)


def _same_type(cell_type: Tensor, rows: slice, dtype: torch.dtype) -> Tensor:
    return (cell_type[rows, None] == cell_type[None, :]).to(dtype)
