"""Reinhard colour normalisation in CIE L*a*b* towards a fixed, built-in look of H&E."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gr2st.types import Bool, Float32, UInt8

_NUCLEI = np.array([38.0, 22.0, -32.0])
_MATRIX = np.array([66.0, 30.0, -17.0])
_NUCLEAR_SHARE = 0.3
_OWN_SPREAD = np.array([8.0, 7.0, 4.0])

TARGET_MEAN = _NUCLEAR_SHARE * _NUCLEI + (1 - _NUCLEAR_SHARE) * _MATRIX
TARGET_SPREAD = np.sqrt(_OWN_SPREAD**2 + _NUCLEAR_SHARE * (1 - _NUCLEAR_SHARE) * (_NUCLEI - _MATRIX) ** 2)
"""Mean and standard deviation of L*, a*, b* over tissue: (57.6, 27.6, -21.5) and (15.1, 7.9, 8.0).

They describe no real slide but a generic H&E tissue: three tenths violet nuclei, seven tenths pink matrix (L*a*b*
colours above), each of the two with a spread of its own; mean and spread are those of the mixture.
"""

RUIFROK = ((0.650, 0.704, 0.286), (0.072, 0.990, 0.105), (0.268, 0.570, 0.776))
"""Optical density per channel (red, green, blue) of haematoxylin, eosin and a residual stain, unit length each."""

LEAST_TISSUE = 0.02
"""A patch with a smaller share of tissue has no colour statistics to speak of and is left as it is."""

_AT_ONCE = 8
_GLASS_LIGHTNESS = 88.0
_LARGEST_STRETCH = 2.0

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(axis=1)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_DENSITY = -np.log10((np.arange(256) + 1) / 256).astype(np.float32)
_CUBE = (6 / 29) ** 3
_SLOPE = (29 / 6) ** 2 / 3
_LIGHT = np.arange(256) / 255
_LINEAR = np.where(_LIGHT <= 0.04045, _LIGHT / 12.92, ((_LIGHT + 0.055) / 1.055) ** 2.4).astype(np.float32)
_STEPS = 4096
_ENCODED = np.linspace(0, 1, _STEPS + 1)
_ENCODED = np.rint(
    255 * np.where(_ENCODED <= 0.0031308, 12.92 * _ENCODED, 1.055 * _ENCODED ** (1 / 2.4) - 0.055)
).astype(np.uint8)


def reinhard(patches: UInt8) -> UInt8:
    """Give the tissue of every patch the mean and spread of colour of a fixed look.

    Each patch is normalised by the statistics of its own tissue (darker than glass), so the result does not depend on
    its batch. Colours are stretched or squeezed at most twofold; glass goes along with the tissue but is not measured.

    Parameters
    ----------
    patches : (n, h, w, 3) uint8
        RGB.

    Returns
    -------
    (n, h, w, 3) uint8
        A patch with less than 2 % of tissue is returned as it is.
    """
    parts = [_normalise(patches[start : start + _AT_ONCE]) for start in range(0, len(patches), _AT_ONCE)]
    return np.concatenate(parts) if parts else patches.copy()


def _normalise(patches: UInt8) -> UInt8:
    """`reinhard` of a few patches at once."""
    lab = to_lab(patches)
    tissue = lab[..., 0] < _GLASS_LIGHTNESS
    mean, spread, enough = tissue_statistics(lab, tissue)
    stretch = np.clip(TARGET_SPREAD / np.maximum(spread, 1e-3), 1 / _LARGEST_STRETCH, _LARGEST_STRETCH)
    scale, shift = stretch.astype(np.float32), (TARGET_MEAN - mean * stretch).astype(np.float32)
    lab *= scale[:, None, None, :]
    lab += shift[:, None, None, :]
    return np.where(enough[:, None, None, None], to_rgb(lab), patches)


def tissue_statistics(lab: Float32, tissue: Bool) -> tuple[Float32, Float32, Bool]:
    """Mean and spread (n, 3) of L*a*b* pixels (n, h, w, 3) over tissue (n, h, w), and which patches have enough."""
    count = tissue.sum(axis=(1, 2))
    weight = tissue[..., None]
    divisor = np.maximum(count, 1)[:, None]
    mean = np.where(weight, lab, 0).sum(axis=(1, 2), dtype=np.float64) / divisor
    centred = np.where(weight, lab - mean[:, None, None, :].astype(np.float32), 0)
    spread = np.sqrt(np.square(centred, out=centred).sum(axis=(1, 2), dtype=np.float64) / divisor)
    enough = count >= LEAST_TISSUE * tissue[0].size
    return mean.astype(np.float32), spread.astype(np.float32), enough


def haematoxylin(rgb: UInt8) -> Float32:
    """Amount of haematoxylin (h, w) in RGB pixels (h, w, 3): its share of the optical density, -log10(light).

    Source: colour deconvolution of Ruifrok and Johnston (2001), with their vectors of haematoxylin and eosin.
    """
    unmix = np.linalg.inv(np.array(RUIFROK))[:, 0].astype(np.float32)
    return _DENSITY[rgb] @ unmix


def to_lab(rgb: UInt8) -> Float32:
    """CIE L*a*b* (D65) of sRGB pixels (..., 3)."""
    ratio = _LINEAR[rgb] @ (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
    root = np.where(ratio > _CUBE, np.cbrt(ratio), _SLOPE * ratio + 4 / 29).astype(np.float32)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def to_rgb(lab: Float32) -> UInt8:
    """Nearest sRGB pixels (..., 3) of L*a*b* ones; colours outside sRGB are cut off channel by channel."""
    y = (lab[..., 0] + 16) / 116
    root = np.stack((y + lab[..., 1] / 500, y, y - lab[..., 2] / 200), axis=-1)
    ratio = np.where(root > 6 / 29, root**3, (root - 4 / 29) / _SLOPE)
    linear = ratio @ (_FROM_XYZ * _WHITE).T.astype(np.float32)
    rgb: UInt8 = _ENCODED[np.rint(np.clip(linear, 0, 1) * _STEPS).astype(np.int16)]
    return rgb
