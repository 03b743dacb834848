"""Functional graph: which spots resemble each other in expression space, as a mask (`gr2st.graph.masks`).

A mask holds the spot itself where the rule says so. The cut is hard: no gradient passes through a graph, so the masks
are made without one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.graph.masks import mask_of

GROUP = 8
"""Columns of a wide row of scores that are looked at as one at first."""


@torch.no_grad()
def threshold_graph(
    head: Tensor,
    tail: Tensor,
    cell_type: Tensor,
    *,
    temperature: float,
    type_share: float,
    threshold: float,
    spread: float | None = None,
) -> Tensor:
    """Edges whose score (1 - share) * sigmoid(head_i . tail_j / T) + share * [same type] exceeds a threshold.

    Parameters
    ----------
    head, tail : (n, width)
        Two projections of the spots; the score is not symmetric.
    cell_type : (n,) int64
    temperature, type_share, threshold : float
    spread : float, optional
        With it each source has a threshold of its own, mean + spread * standard deviation of its scores, where that
        is above `threshold`.

    Returns
    -------
    (n, n) bool
        Source by target; every spot is joined to itself.
    """

    def judge(rows: slice) -> Tensor:
        same = cell_type[rows, None] == cell_type[None, :]
        score = pair_scores(head[rows] @ tail.T, same, temperature=temperature, type_share=type_share)
        mask = score > (threshold if spread is None else _own_threshold(score, spread, threshold))
        mask.diagonal(rows.start).fill_(True)
        return mask

    return mask_of(len(head), judge)


def pair_scores(likeness: Tensor, same_type: Tensor, *, temperature: float, type_share: float) -> Tensor:
    """(1 - share) * sigmoid(likeness / T) + share * [same type], elementwise, with gradient.

    Parameters
    ----------
    likeness : float tensor
        head_i . tail_j of some pairs.
    same_type : bool tensor of the same shape
    temperature, type_share : float
    """
    score = torch.sigmoid(likeness / temperature) * (1 - type_share)
    return score.add_(same_type, alpha=type_share) if type_share else score


@torch.no_grad()
def top_k_graph(
    head: Tensor,
    tail: Tensor,
    cell_type: Tensor,
    *,
    temperature: float,
    type_share: float,
    k: int,
    product: Callable[[Tensor, Tensor], Tensor] = torch.matmul,
) -> Tensor:
    """Edges from every spot to the `k` spots of highest score head_i . tail_j / T + share * [same type].

    The published code takes the softmax of each row first; that leaves the order as it is except where the softmax
    underflows to equal zeros, so the raw score is ranked here. `product` multiplies two matrices.

    Returns
    -------
    (n, n) bool
        Source by target; min(k, n) targets per source, the spot itself only if it ranks.
    """

    def judge(rows: slice) -> Tensor:
        score = product(head[rows], tail.T).div_(temperature)
        score.add_(_same_type(cell_type, rows, score.dtype), alpha=type_share)
        best = _best_columns(score, min(k, len(head)))
        return torch.zeros_like(score, dtype=torch.bool).scatter(1, best, True)

    return mask_of(len(head), judge)


def _best_columns(score: Tensor, k: int) -> Tensor:
    """Columns of the `k` highest scores of each row: (rows, k).

    Of a wide row, they are first looked for among the best of every few columns: the k highest are in the k groups
    with the highest best. That halves the time for 700 spots.
    """
    groups = -(-score.shape[1] // GROUP)
    if groups < 2 * k:
        return score.topk(k, dim=1, sorted=False).indices
    padded = F.pad(score, (0, groups * GROUP - score.shape[1]), value=-torch.inf)
    best = padded.view(len(score), GROUP, groups).amax(dim=1).topk(k, dim=1, sorted=False).indices
    columns = (best[:, None] + torch.arange(0, padded.shape[1], groups, device=score.device)[:, None]).flatten(1)
    return columns.gather(1, padded.gather(1, columns).topk(k, dim=1, sorted=False).indices)


def _own_threshold(score: Tensor, spread: float, least: float) -> Tensor:
    """Mean + spread * standard deviation of each row, at least `least`: (rows, 1)."""
    return (score.mean(dim=1, keepdim=True) + spread * score.std(dim=1, keepdim=True, correction=0)).clamp(min=least)


def _same_type(cell_type: Tensor, rows: slice, dtype: torch.dtype) -> Tensor:
    return (cell_type[rows, None] == cell_type[None, :]).to(dtype)
