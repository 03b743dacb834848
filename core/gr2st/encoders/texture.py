"""Texture features: blobs, gradients and their common direction at several sizes, local binary patterns."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from gr2st.encoders.statistics import Named, blur, log_amount, mean_of

if TYPE_CHECKING:
    from torch import Tensor

    from gr2st.encoders.channels import Channels

NAMES = ("haematoxylin", "red_density", "saturation", "eosin")
BLOB_SIGMAS = (1, 2, 4, 8)
EDGE_SIGMAS = (1, 2, 3, 5)
"""In pixels of the half-size maps: 1 pixel is 1.4 um at the usual scale, so 1.4 to 11 um."""

_RING = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))


def texture_features(channels: Channels) -> Named:
    """All texture features of a batch."""
    maps = torch.cat((channels.haematoxylin, channels.red_density, channels.saturation, channels.eosin), dim=1)
    scales = {sigma: blur(maps, sigma) for sigma in sorted({*BLOB_SIGMAS, *EDGE_SIGMAS})}
    patterns = torch.cat((scales[1][:, 1:2], channels.eosin, channels.darkness), dim=1)
    return _blobs(maps, scales) | _edges(scales) | _patterns(patterns)


def _blobs(maps: Tensor, scales: dict[int, Tensor]) -> Named:
    """Differences of Gaussians: energy, how much of it is dark blobs, and how haematoxylin and eosin share them."""
    features: Named = {}
    finer = maps
    for sigma in BLOB_SIGMAS:
        band = finer - scales[sigma]
        finer = scales[sigma]
        energy = mean_of(band.square())
        logs, peaked = log_amount(energy, 1e-4), mean_of(band.clamp(min=0)) / (energy.sqrt() + 1e-3)
        for index, name in enumerate(NAMES):
            features[f"blobs.{name}.sigma{sigma}.energy"] = logs[:, index]
            features[f"blobs.{name}.sigma{sigma}.peaked"] = peaked[:, index]
        together = mean_of(band[:, 0] * band[:, 3])
        features[f"blobs.both_stains.sigma{sigma}"] = together / ((energy[:, 0] * energy[:, 3]).sqrt() + 1e-5)
    return features


def _edges(scales: dict[int, Tensor]) -> Named:
    """Size of the gradient, how evenly it is spread, and whether the patch has a grain."""
    features: Named = {}
    for sigma in EDGE_SIGMAS:
        smooth = scales[sigma][:, :3]
        x = smooth[..., 1:-1, 2:] - smooth[..., 1:-1, :-2]
        y = smooth[..., 2:, 1:-1] - smooth[..., :-2, 1:-1]
        square = x.square().addcmul_(y, y)
        size = square.sqrt()
        mean, second = mean_of(size), mean_of(square)
        some = size[..., 2:-2:3, 2:-2:3].flatten(2)
        middle, high = (some.kthvalue(int(some.shape[-1] * share), dim=-1).values for share in (0.5, 0.9))
        values = {
            "mean": log_amount(mean, 1e-3),
            "even": mean.square() / (second + 1e-6),
            "q50": log_amount(middle, 1e-3),
            "q90": log_amount(high, 1e-3),
        }
        if sigma in (1, 3):
            values["aligned"] = _alignment(x, y, second)
        features |= {
            f"edges.{name}.sigma{sigma}.{how}": value[:, index]
            for index, name in enumerate(NAMES[:3])
            for how, value in values.items()
        }
    return features


def _alignment(x: Tensor, y: Tensor, second: Tensor) -> Tensor:
    """0 for gradients in all directions, 1 for all along one line; the same however the patch is turned."""
    along = mean_of(x.square()) * 2 - second
    across = mean_of(x * y) * 2
    return (along.square() + across.square()).sqrt() / (second + 1e-5)


def _patterns(maps: Tensor) -> Named:
    """Share of every rotation-invariant pattern of the 8 neighbours that are darker, and of all uneven patterns."""
    n, c, h, w = maps.shape
    centre = maps[..., 1:-1, 1:-1] + 0.01
    code = torch.zeros(centre.shape, dtype=torch.uint8, device=maps.device)
    for bit, (row, column) in enumerate(_RING):
        neighbour = maps[..., 1 + row : h - 1 + row, 1 + column : w - 1 + column]
        code |= (neighbour > centre).to(torch.uint8) << bit
    block = torch.arange(n * c, device=maps.device).view(n, c, 1) * 256
    counts = torch.bincount((code.flatten(2) + block).flatten(), minlength=n * c * 256).view(n, c, 256)
    shares = counts.to(torch.float32) @ _pattern_classes().to(maps.device) / code[0, 0].numel()
    names = ("red_density", "eosin", "darkness")
    return {f"pattern.{name}.{kind}": shares[:, i, kind] for i, name in enumerate(names) for kind in range(10)}


@lru_cache(maxsize=1)
def _pattern_classes() -> Tensor:
    """(256, 10) float32: code to its number of darker neighbours, or to 9 where they do not lie side by side."""
    bits = (torch.arange(256)[:, None] >> torch.arange(8)) & 1
    changes = (bits != bits.roll(1, dims=1)).sum(1)
    kind = torch.where(changes <= 2, bits.sum(1), 9)
    return torch.nn.functional.one_hot(kind, 10).to(torch.float32)
