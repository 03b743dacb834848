"""Nuclear features: how many nuclei, how large, how dark, how far apart; and holes such as lumina and fat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from gr2st.encoders.statistics import Named, blur, dilate, erode, log_amount, mean_of

if TYPE_CHECKING:
    from torch import Tensor

    from gr2st.encoders.channels import Channels

H_LIMITS = (0.35, 0.5, 0.7)
RED_LIMITS = (0.4, 0.6, 0.8)
REACHES = (3, 7, 13, 17)
"""Sides in pixels of the half-size maps: the tissue within 1, 3, 6 and 8 pixels of a dark place."""


def nuclear_features(channels: Channels) -> Named:
    """All nuclear features of a batch."""
    smooth = blur(torch.cat((channels.haematoxylin, channels.red_density), dim=1), 1.0)
    mask = _nuclei(smooth[:, :1])
    return (
        _dark_places(smooth) | _inside(channels, mask) | _sizes(mask) | _centres(smooth[:, :1]) | _holes(channels.rgb)
    )


def _dark_places(smooth: Tensor) -> Named:
    """Area and outline of what is darker than fixed limits, and the area within reach of it: how nuclei are spread."""
    h, red = smooth[:, :1], smooth[:, 1:]
    mask = torch.cat([h > limit for limit in H_LIMITS] + [red > limit for limit in RED_LIMITS], dim=1).to(torch.uint8)
    across, down = mask[..., 1:] != mask[..., :-1], mask[..., 1:, :] != mask[..., :-1, :]
    values = {
        "area": _share(mask),
        "outline": log_amount((_share(across) + _share(down)) / 2, 1e-3),
    }
    reached, so_far = mask, 1
    for reach in REACHES:
        # Squares add up: a dilation by `so_far` and then by the rest is the dilation by `reach`.
        reached, so_far = dilate(reached, reach - so_far + 1), reach
        values[f"reach{reach // 2}"] = _share(reached)
    names = [f"dark.h{limit}" for limit in H_LIMITS] + [f"dark.red{limit}" for limit in RED_LIMITS]
    return {f"{name}.{how}": value[:, i] for i, name in enumerate(names) for how, value in values.items()}


def _share(mask: Tensor) -> Tensor:
    """Share (n, c) of pixels set in a mask (n, c, h, w)."""
    return mask.flatten(2).sum(-1).to(torch.float32) / (mask.shape[-1] * mask.shape[-2])


def _nuclei(smooth: Tensor) -> Tensor:
    """Mask (uint8): more haematoxylin than in the surroundings, 20 pixels wide, and than an absolute floor."""
    around = F.interpolate(blur(F.avg_pool2d(smooth, 4), 2.0), scale_factor=4, mode="bilinear", align_corners=False)
    return ((smooth > around + 0.04) & (smooth > 0.2)).to(torch.uint8)


def _inside(channels: Channels, mask: Tensor) -> Named:
    """Area of nuclei, their colour, its spread, and how they stand out."""
    weight = mask.to(torch.float32)
    maps = torch.cat((channels.stains[:, :2], channels.red_density), dim=1)
    area = _share(mask)
    inside = mean_of(maps * weight) / (area + 0.02)
    between = mean_of(maps * (1 - weight)) / (1 - area + 0.02)
    deviation = (channels.haematoxylin - inside[:, :1, None, None]) * weight
    spread = (mean_of(deviation.square()) / (area + 0.02)).sqrt()
    return {
        "nuclei.area": area[:, 0],
        "nuclei.haematoxylin": inside[:, 0],
        "nuclei.eosin": inside[:, 1],
        "nuclei.red_density": inside[:, 2],
        "nuclei.spread": spread[:, 0],
        "nuclei.contrast": inside[:, 0] - between[:, 0],
    }


def _sizes(mask: Tensor) -> Named:
    """Share of the nuclear area that survives an opening by squares of growing side: small nuclei vanish first."""
    area = _share(mask)[:, 0] + 0.02
    return {f"nuclei.wider_than{side}": _share(_opened(mask, side))[:, 0] / area for side in (3, 5, 9)}


def _opened(mask: Tensor, side: int) -> Tensor:
    return dilate(erode(mask, side), side)


def _centres(smooth: Tensor) -> Named:
    """Local maxima of band-passed haematoxylin, for small to large nuclei: log number and mean height."""
    features: Named = {}
    for sigma, side in ((1.5, 5), (2.5, 7), (4.0, 11)):
        band = blur(smooth, sigma) - blur(smooth, sigma * 1.6)
        peak = (band == dilate(band, side)) & (band > 0.01)
        count = peak.flatten(1).sum(-1).to(torch.float32)
        height = (band * peak).flatten(1).sum(-1) / (count + 1)
        features[f"centres.sigma{sigma}.count"] = torch.log10(count + 1)
        features[f"centres.sigma{sigma}.height"] = log_amount(height, 1e-3)
    return features


def _holes(rgb: Tensor) -> Named:
    """Log area of bright places by width: all of them, clefts gone, lumina and fat left, only wide glass left."""
    bright = (rgb.amin(1, keepdim=True) > 200).to(torch.float32)
    full = (F.avg_pool2d(bright, 2) > 0.75).to(torch.uint8)
    features = {"holes.all": log_amount(mean_of(bright)[:, 0], 0.01)}
    for side in (5, 11, 21):
        features[f"holes.wider_than{2 * side}"] = log_amount(_share(_opened(full, side))[:, 0], 0.01)
    return features
