"""What the groups of handcrafted features share: histograms, quantiles, logs, blurs and dilations of maps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

Named = dict[str, Tensor]
"""Features by name, each (n,)."""

LEVELS = 128


def histogram(maps: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Counts (n, c, LEVELS) of maps (n, c, h, w) from `low` to `high` (c,); what lies beyond goes to the last level."""
    n, c = maps.shape[:2]
    scale = (LEVELS / (high - low)).view(1, c, 1)
    level = ((maps.flatten(2) - low.view(1, c, 1)) * scale).clamp_(0, LEVELS - 1).to(torch.int64)
    block = torch.arange(n * c, device=maps.device).view(n, c, 1) * LEVELS
    return torch.bincount((level + block).flatten(), minlength=n * c * LEVELS).view(n, c, LEVELS)


def quantiles(counts: Tensor, shares: Sequence[float]) -> Tensor:
    """Quantiles (..., shares) of histograms (..., LEVELS), interpolated inside a level, on the scale 0 to 1."""
    cumulative = counts.to(torch.float64).cumsum(-1)
    wanted = cumulative[..., -1:] * torch.tensor(shares, dtype=torch.float64, device=counts.device)
    index = torch.searchsorted(cumulative, wanted).clamp_(max=LEVELS - 1)
    inside = torch.gather(counts, -1, index)
    below = torch.gather(cumulative, -1, index) - inside
    return (index + ((wanted - below) / inside.clamp(min=1)).clamp_(0, 1)) / LEVELS


def mean_of(maps: Tensor) -> Tensor:
    """Mean over the pixels of maps (..., h, w)."""
    return maps.mean((-2, -1))


def log_amount(value: Tensor, floor: float) -> Tensor:
    """log10 of a non-negative amount above a floor: a skewed amount becomes an even one, and zero stays finite."""
    return torch.log10(value.clamp(min=0) + floor)


def blur(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of square maps (n, c, side, side), mirrored at the edge; two matrix products, whatever `sigma`."""
    matrix = _blur_matrix(maps.shape[-1], sigma).to(maps.device)
    return matrix @ maps @ matrix.T


@lru_cache(maxsize=64)
def _blur_matrix(side: int, sigma: float) -> Tensor:
    """(side, side) float32: row i holds the weights of a Gaussian round i, folded back at both ends."""
    radius = max(1, round(3 * sigma))
    offset = torch.arange(-radius, radius + 1)
    weight = torch.exp(-0.5 * (offset.double() / sigma) ** 2)
    source = torch.arange(side)[:, None] + offset[None, :]
    period = 2 * side
    folded = torch.where(
        source.remainder(period) < side, source.remainder(period), period - 1 - source.remainder(period)
    )
    rows = torch.zeros(side, side, dtype=torch.float64)
    rows.scatter_add_(1, folded, (weight / weight.sum()).expand(side, -1).contiguous())
    return rows.to(torch.float32)


def dilate(maps: Tensor, side: int) -> Tensor:
    """Maximum over squares of odd `side` pixels of maps (n, c, h, w), masks or amounts; nothing beyond the edge."""
    return _running_maximum(_running_maximum(maps, side, -1), side, -2)


def erode(mask: Tensor, side: int) -> Tensor:
    """Erosion of a uint8 mask by squares of odd `side` pixels; it does not eat from the edge."""
    return 1 - dilate(1 - mask, side)


def _running_maximum(maps: Tensor, side: int, axis: int) -> Tensor:
    """Maximum over `side` neighbours along an axis: windows double until they are wide enough."""
    half = side // 2
    padding = (half, half) if axis == -1 else (0, 0, half, half)
    lowest = torch.finfo(maps.dtype).min if maps.is_floating_point() else 0
    out, width = F.pad(maps, padding, value=lowest), 1
    while width < side:
        step = min(width, side - width)
        length = out.shape[axis] - step
        out = torch.maximum(out.narrow(axis, 0, length), out.narrow(axis, step, length))
        width += step
    return out
