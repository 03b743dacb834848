"""Drawn H&E-like pictures with known tissue, for the tests of tissue and alignment."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

GLASS = np.array([240.0, 236.0, 240.0])
PALE = np.array([215.0, 175.0, 215.0])
PURPLE = np.array([150.0, 95.0, 165.0])


def triangle(height, width):
    """A tissue outline (h, w) bool without any symmetry."""
    rows, columns = np.mgrid[:height, :width] / [[[height]], [[width]]]
    return (rows > 0.15) & (columns > 0.2) & (1.4 * rows + columns < 1.35)


def histology(mask, *, tissue=PURPLE, glass=GLASS, seed=0):
    """A picture (h, w, 3) of grainy tissue on nearly even glass."""
    rng = np.random.default_rng(seed)
    grain = ndimage.gaussian_filter(rng.normal(size=mask.shape), 2)
    grain = 1 + 0.12 * grain / grain.std()
    pixels = np.where(mask[..., None], tissue * grain[..., None], glass) + rng.normal(0, 0.7, (*mask.shape, 3))
    return pixels.clip(0, 255).astype(np.uint8)
