"""Spatial graph: which spots lie near each other on the tissue, as a dense mask (n, n), row = source, column = target.

Distances are compared squared and in float64, so that spots exactly on the radius of a grid fall on the same side on
every machine.
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def radius_graph(position: Tensor, *, radius: float) -> Tensor:
    """Pairs of spots strictly closer than a radius, each spot with itself.

    Parameters
    ----------
    position : (n, 2)
        x, y in units of the array step.
    radius : float
        In the same units.

    Returns
    -------
    (n, n) bool
        Symmetric.
    """
    return _squared_distances(position) < radius**2


@torch.no_grad()
def nearest_graph(position: Tensor, *, k: int) -> Tensor:
    """Edges from every spot to its `k` nearest, itself among them; of equally far spots the earlier rows are taken.

    Parameters
    ----------
    position : (n, 2)
        x, y in any unit.
    k : int

    Returns
    -------
    (n, n) bool
        Source by target; min(k, n) targets per source.
    """
    distance = _squared_distances(position)
    k = min(k, len(position))
    furthest = distance.topk(k, dim=1, largest=False).values.amax(dim=1, keepdim=True)
    closer = distance < furthest
    tied = distance == furthest
    vacant = k - closer.sum(dim=1, keepdim=True)
    return closer | (tied & (tied.cumsum(dim=1, dtype=torch.int32) <= vacant))


def no_graph(n: int, *, device: torch.device) -> Tensor:
    """Every one of `n` spots alone with itself: what is left of a graph that an ablation takes away."""
    return torch.eye(n, dtype=torch.bool, device=device)


def _squared_distances(position: Tensor) -> Tensor:
    x, y = position.double().unbind(dim=1)
    across = (x[:, None] - x[None, :]).square_()
    return across.add_((y[:, None] - y[None, :]).square_())
