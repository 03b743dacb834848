"""Colour channels of a batch of patches: RGB, saturation, optical density and separated stains."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gr2st.preprocess.stain import RUIFROK


@dataclass(frozen=True, eq=False, slots=True)
class Channels:
    """Maps of one batch, averaged over 2 x 2 pixels: float32 (n, channels, 112, 112).

    Attributes
    ----------
    rgb : 3 channels, 0 to 255
    density : 3 channels
        Optical density in red, green, blue.
    stains : 3 channels
        Amounts of haematoxylin, eosin and residual that make up the density.
    saturation : 1 channel, 0 to 1
    """

    rgb: Tensor
    density: Tensor
    stains: Tensor
    saturation: Tensor

    @property
    def haematoxylin(self) -> Tensor:
        return self.stains[:, :1]

    @property
    def eosin(self) -> Tensor:
        return self.stains[:, 1:2]

    @property
    def red_density(self) -> Tensor:
        """Absorption of red light: nearly all of it is haematoxylin, without the noise that separation adds."""
        return self.density[:, :1]

    @property
    def darkness(self) -> Tensor:
        return self.density.mean(1, keepdim=True)


def channels_of(patches: Tensor) -> Channels:
    """Separate a batch of patches (n, 224, 224, 3) uint8."""
    rgb, density = (half.permute(0, 3, 1, 2).contiguous() for half in _halved(patches.to(torch.float32)))
    unmix = torch.linalg.inv(torch.tensor(RUIFROK, dtype=torch.float64)).to(density)
    stains = torch.matmul(unmix.T, density.flatten(2)).view_as(density)
    brightest, darkest = rgb.amax(1, keepdim=True), rgb.amin(1, keepdim=True)
    return Channels(rgb, density, stains, saturation=(brightest - darkest) / brightest.clamp(min=1))


def _halved(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean light and mean optical density, -log10(light), of every 2 x 2 pixels; 0 for white, 2.4 for black.

    Densities are averaged, not taken of averaged light, so that a nucleus keeps its amount of stain; the logarithm of
    the product of four pixels gives their mean at a quarter of the price.
    """
    upper, lower = patches[:, ::2], patches[:, 1::2]
    rows, products = upper + lower, (upper + 1) * (lower + 1)
    rgb = (rows[:, :, ::2] + rows[:, :, 1::2]).mul_(0.25)
    light = (products[:, :, ::2] * products[:, :, 1::2]).log10_()
    return rgb, light.mul_(-0.25).add_(math.log10(256.0))
