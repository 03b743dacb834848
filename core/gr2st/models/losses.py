"""Loss terms of GR2ST: each unweighted, a scalar with gradient."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.graph.masks import PAIRS_AT_ONCE, blocks
from gr2st.models.plain import plain
from gr2st.models.precision import in_full_precision
from gr2st.models.products import linear, product


@in_full_precision
def contrastive(spot: Tensor, image: Tensor, *, temperature: float) -> Tensor:
    """Symmetric cross-entropy that pairs the two embeddings of each spot.

    K = spot image^T / T; half of CE(K, identity) + CE(K^T, identity). Of a large section K is never there as a whole.

    Parameters
    ----------
    spot, image : (n, width)
    temperature : float
    """
    if plain():
        similarity = spot @ image.T / temperature
        return _paired(similarity.log_softmax(dim=1), similarity.log_softmax(dim=0))
    if len(spot) ** 2 <= PAIRS_AT_ONCE:
        paired: Tensor = _PairedCrossEntropy.apply(linear(spot, image) / temperature)  # type: ignore[no-untyped-call]
        return paired
    in_blocks: Tensor = _PairedInBlocks.apply(spot, image, temperature)  # type: ignore[no-untyped-call]
    return in_blocks


def chance(n_spots: int) -> float:
    """What `contrastive` is where all pairs are alike and each spot is found by lot: ln of the spots."""
    return math.log(n_spots)


def _paired(by_row: Tensor, by_column: Tensor) -> Tensor:
    """Half of CE(K, identity) + CE(K^T, identity) from both logarithms of shares (n, n)."""
    return -(by_row.diagonal().mean() + by_column.diagonal().mean()) / 2


class _PairedCrossEntropy(torch.autograd.Function):
    """K (n, n) -> half of CE(K, identity) + CE(K^T, identity); one gradient pass for both halves."""

    @staticmethod
    def forward(ctx: Any, similarity: Tensor) -> Tensor:
        by_row, by_column = similarity.log_softmax(dim=1), similarity.log_softmax(dim=0)
        ctx.save_for_backward(by_row, by_column)
        return _paired(by_row, by_column)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        by_row, by_column = ctx.saved_tensors
        # Shares below e^-60 become denormal numbers further on, which cost a CPU ten times as much as others.
        slope: Tensor = by_row.clamp(min=-60).exp_().add_(by_column.clamp(min=-60).exp_())
        slope.diagonal().sub_(2)
        return slope.mul_(grad / (2 * len(slope)))


class _PairedInBlocks(torch.autograd.Function):
    """The same from spot and image (n, width), some rows of K at a time, computed again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, spot: Tensor, image: Tensor, temperature: float) -> Tensor:
        by_row, by_column = spot.new_empty(len(spot)), spot.new_full((len(spot),), -torch.inf)
        for rows in blocks(len(spot)):
            similarity = product(spot[rows], image.T) / temperature
            by_row[rows] = similarity.logsumexp(dim=1)
            by_column = torch.logaddexp(by_column, similarity.logsumexp(dim=0))
        ctx.save_for_backward(spot, image, by_row, by_column)
        ctx.temperature = temperature
        own = (spot * image).sum(dim=1) / temperature
        return ((by_row - own).mean() + (by_column - own).mean()) / 2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        spot, image, by_row, by_column = ctx.saved_tensors
        scale = grad / (2 * len(spot) * ctx.temperature)
        for_spot, for_image = torch.empty_like(spot), torch.zeros_like(image)
        for rows in blocks(len(spot)):
            similarity = product(spot[rows], image.T) / ctx.temperature
            slope = (similarity - by_row[rows, None]).clamp_(min=-60).exp_()
            slope += similarity.sub_(by_column).clamp_(min=-60).exp_()
            slope.diagonal(rows.start).sub_(2)
            slope *= scale
            for_spot[rows] = product(slope, image)
            for_image += product(slope.T, spot[rows])
        return for_spot, for_image, None


def regression(predicted: Tensor, expression: Tensor) -> Tensor:
    """Mean squared error over all spots and genes (n, genes)."""
    return F.mse_loss(predicted, expression)


def gate(logits: Tensor, cell_type: Tensor) -> Tensor:
    """Cross-entropy of the gate (n, experts) with the cell type (n,) of each spot."""
    return F.cross_entropy(logits, cell_type)


def soft_gate(logits: Tensor, share: Tensor) -> Tensor:
    """Cross-entropy of the gate (n, experts) with the proportions (n, experts) of cell types in each spot.

    Spots without nuclei, rows of zeros, have no say; 0 where no spot has any.
    """
    known = (share.sum(dim=1) > 0).sum()
    total: Tensor = -(share * logits.log_softmax(dim=1)).sum()
    return total / known.clamp(min=1)
