"""Programmes: the leading principal components of the training expression, along which genes vary together."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Programmes(nn.Module):
    """Projection of expression onto the leading components of what was learned from.

    Counts of one gene in one spot are mostly noise; what follows no programme is cut away. Sizes are fixed, so that a
    stored projection loads into a fresh one; rows beyond what the training spots span are zero.

    Parameters
    ----------
    rank, n_genes : int
    """

    components: Tensor
    mean: Tensor

    def __init__(self, rank: int, n_genes: int) -> None:
        super().__init__()
        self.register_buffer("components", torch.zeros(min(rank, n_genes), n_genes))
        self.register_buffer("mean", torch.zeros(n_genes))

    @torch.no_grad()
    def learn(self, expression: Tensor) -> Tensor:
        """Take mean and components from (n, genes); gives the scores (n, rank) of the spots, in float64."""
        values = expression.double()
        mean = values.mean(dim=0)
        components = leading_components(values - mean, len(self.components))
        self.mean.copy_(mean)
        self.components.zero_()
        self.components[: len(components)] = components
        return (values - mean) @ self.components.double().T

    def restored(self, scores: Tensor) -> Tensor:
        """Expression (n, genes) from scores (n, rank)."""
        return (scores @ self.components.to(scores.dtype) + self.mean).to(self.mean.dtype)

    def projected(self, expression: Tensor) -> Tensor:
        """Expression (n, genes) without what follows no programme."""
        return self.restored((expression - self.mean) @ self.components.T)


def leading_components(centred: Tensor, rank: int) -> Tensor:
    """Leading principal axes (at most `rank`, genes) of (n, genes), from the smaller of its two Gram matrices."""
    n, genes = centred.shape
    if genes <= n:
        _, vectors = torch.linalg.eigh(centred.T @ centred)
        leading: Tensor = vectors.T.flip(0)[:rank]
        return leading
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    kept = values.flip(0)[:rank] > 1e-9 * values[-1].clamp(min=1e-300)
    axes: Tensor = vectors.flip(1)[:, :rank][:, kept].T @ centred
    return torch.nn.functional.normalize(axes, dim=1)
