"""Colour features: how much of which colour and stain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from gr2st.encoders.statistics import Named, histogram, log_amount, mean_of, quantiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from gr2st.encoders.channels import Channels

RANGES = {
    "saturation": (0.0, 1.0),
    "haematoxylin": (-0.2, 1.4),
    "eosin": (-0.4, 1.2),
    "residual": (-0.5, 0.5),
}
"""Channels with quantiles, and the range their histogram covers."""

SHARES = {"q05": 0.05, "q50": 0.5, "q95": 0.95}


def colour_features(channels: Channels) -> Named:
    """Mean and spread of every channel, quantiles of the stains, hue, and how the stains go together."""
    plain = torch.cat((channels.rgb / 255, channels.darkness), dim=1)
    stained = torch.cat((channels.saturation, channels.stains), dim=1)
    features = _moments(("red", "green", "blue", "darkness"), plain) | _moments(tuple(RANGES), stained)
    return features | _quantiles(stained) | _hue(channels.rgb) | _stain_pairs(channels)


def _moments(names: Sequence[str], maps: Tensor) -> Named:
    spread, mean = torch.std_mean(maps.flatten(2), dim=-1, correction=0)
    values = {"mean": mean, "spread": spread}
    return {f"{name}.{how}": value[:, i] for i, name in enumerate(names) for how, value in values.items()}


def _quantiles(maps: Tensor) -> Named:
    low, high = torch.tensor(list(RANGES.values()), device=maps.device).unbind(1)
    positions = quantiles(histogram(maps, low, high), tuple(SHARES.values()))
    return {f"{name}.{share}": positions[:, i, j] for i, name in enumerate(RANGES) for j, share in enumerate(SHARES)}


def _hue(rgb: Tensor) -> Named:
    """Hue as a direction in the plane of colours, weighted by saturation: no jump at red."""
    red, green, blue = mean_of(rgb / 255).unbind(1)
    return {"hue.red_to_cyan": red - (green + blue) / 2, "hue.green_to_blue": (green - blue) * 0.75**0.5}


def _stain_pairs(channels: Channels) -> Named:
    """Correlation of haematoxylin and eosin over the pixels, and the log ratio of their amounts."""
    pair = channels.stains[:, :2].flatten(2)
    h_mean, e_mean = pair.mean(-1).unbind(1)
    h, e = (pair - pair.mean(-1, keepdim=True)).unbind(1)
    scale = (h.square().mean(-1) * e.square().mean(-1)).sqrt()
    return {
        "stains.correlation": (h * e).mean(-1) / (scale + 1e-4),
        "stains.log_ratio": log_amount(h_mean, 0.02) - log_amount(e_mean, 0.02),
    }
