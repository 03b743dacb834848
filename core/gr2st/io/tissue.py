"""Where the tissue is in an H&E picture, judged against the background around it, and whether it is H&E at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from gr2st.types import Bool, Float32, UInt8

_WORK_PX = 1000
"""Longer side at which the mask is computed; finer detail than that is not tissue outline."""
_DARK = 48
_NEUTRAL = 20
"""Painted background and slide borders: no channel above _DARK and none further apart than _NEUTRAL."""
_BACKGROUND_TINT = 0.12
"""Largest tint that clear glass has been seen with, including the pink of washed-out eosin."""
_HALO = 0.10
"""How much more tinted than the section's clear glass a local halo may be and still count as background."""
_LEAST_EXCESS, _MOST_EXCESS = 0.06, 0.12
"""Bounds of the threshold on the tint above the local background."""

_SMOOTH, _PALE = 0.011, 0.25
"""A halo: roughness below that of the smoothest tissue, tint above the background below that of well stained tissue."""
_ROUGH, _FAINT = 0.025, 0.02
"""Fat: roughness of its tint, and its mean tint above the background."""
_FAR = 0.01
"""Weight of the section's clear glass against the glass near by."""


def tissue_mask(rgb: UInt8) -> Bool:
    """Mark the tissue of an H&E picture.

    Both stains absorb green more than blue, while glass, dust, bubbles, ink frames and black borders are neutral. The
    measure is therefore the optical density of green above that of blue (the tint), compared with the tint of the
    background *near* each pixel, so that a halo of eosin or an uneven lamp is not taken for tissue.

    Parameters
    ----------
    rgb : (h, w, 3) uint8
        The picture, best as a thumbnail of 500 to 2000 pixels that shows the whole section.

    Returns
    -------
    (h, w) bool
        True on tissue.
    """
    height, width = rgb.shape[:2]
    step = max(1, -(-max(height, width) // _WORK_PX))
    small = _reduced(rgb, step)
    tint, density, empty = _tint(small), np.log(small.mean(axis=-1) + 4), _painted(small)
    excess = tint - _local_background(tint, density, empty)
    rough = _roughness(density)
    halo = (rough < _SMOOTH) & (excess < _PALE)
    mask = _tidy(((_stained(excess, empty) & ~halo) | _webbed(tint, excess, rough)) & ~empty)
    return np.repeat(np.repeat(mask, step, axis=0), step, axis=1)[:height, :width]


def is_histology(rgb: UInt8) -> bool:
    """Whether the picture (h, w, 3) can be a bright-field H&E picture.

    False for fluorescence on a dark background, all-black, flat, fully transparent (white) and colourless pictures.
    """
    small = _reduced(rgb, max(1, -(-max(rgb.shape[:2]) // 500)))
    seen = small[~_painted(small)]
    if len(seen) < 0.05 * small.shape[0] * small.shape[1]:
        return False
    tint = _tint(small)[~_painted(small)]
    is_bright = float(np.percentile(seen.max(axis=1), 60)) > 90
    has_colour = float((tint > _BACKGROUND_TINT).mean()) > 0.005
    varies = float(seen.std(axis=0).max()) > 2
    return is_bright and has_colour and varies


def _reduced(values: UInt8 | Float32, step: int) -> Float32:
    """Mean over squares of `step` pixels, edges repeated to fill the last: (ceil(h / step), ceil(w / step), ...)."""
    missing = [(0, -size % step) for size in values.shape[:2]] + [(0, 0)] * (values.ndim - 2)
    padded = np.pad(values, missing, mode="edge") if any(more for _, more in missing) else values
    total = np.zeros((padded.shape[0] // step, padded.shape[1] // step, *values.shape[2:]), np.float32)
    for row in range(step):
        for column in range(step):
            total += padded[row::step, column::step]
    total /= step * step
    return total


def _tint(pixels: Float32) -> Float32:
    """Optical density of green above that of blue, (h, w)."""
    return np.asarray(np.log((pixels[..., 2] + 4) / (pixels[..., 1] + 4)), np.float32)


def _painted(pixels: Float32) -> Bool:
    """Black and colourless: painted over, or outside the slide."""
    # Three whole planes: a reduction over an axis of length three is several times slower.
    red, green, blue = (pixels[..., channel] for channel in range(3))
    brightest = np.maximum(np.maximum(red, green), blue)
    spread = brightest - np.minimum(np.minimum(red, green), blue)
    return np.asarray((brightest < _DARK) & (spread < _NEUTRAL))


def _local_background(tint: Float32, density: Float32, empty: Bool) -> Float32:
    """Tint that clear glass has near each pixel (h, w), from smooth places whose tint glass can have."""
    glass = _global_background(tint[~empty])
    coarse = max(1, max(tint.shape) // 125)
    blocks = _reduced(tint, coarse)
    is_smooth = _reduced(_roughness(density), coarse) < 2 * _SMOOTH
    is_full = _reduced(empty.astype(np.float32), coarse) == 0
    weight = (is_smooth & is_full & (np.abs(blocks - glass) < _HALO)).astype(np.float32)
    near = ndimage.gaussian_filter(weight, 3) + _FAR
    field = (ndimage.gaussian_filter(weight * blocks, 3) + _FAR * glass) / near
    grown = np.repeat(np.repeat(field, coarse, axis=0), coarse, axis=1)
    return np.asarray(grown[: tint.shape[0], : tint.shape[1]], np.float32)


def _global_background(tint: Float32) -> float:
    """The commonest tint among those that glass can have; 0 where the picture shows no glass."""
    counts, edges = np.histogram(tint, bins=60, range=(-0.12, _BACKGROUND_TINT))
    if counts.sum() < 0.02 * max(tint.size, 1):
        return 0.0
    smooth = ndimage.gaussian_filter1d(counts.astype(float), 2)
    best = int(smooth.argmax())
    return float((edges[best] + edges[best + 1]) / 2)


def _stained(excess: Float32, empty: Bool) -> Bool:
    smooth = ndimage.gaussian_filter(excess, 1.5)
    return np.asarray(smooth > _threshold(smooth[~empty]))


def _webbed(tint: Float32, excess: Float32, rough: Float32) -> Bool:
    """Fat: clear cells in a faintly stained web, rough in tint and not just in brightness as printed marks are."""
    coloured = _roughness(tint)
    web = (coloured > _ROUGH) & (coloured > rough / 2) & (ndimage.gaussian_filter(excess, 3) > _FAINT)
    # Roughness reaches half its square beyond an edge.
    grown = ndimage.binary_dilation(web, iterations=4)
    return np.asarray(ndimage.binary_erosion(grown, iterations=7, border_value=1))


def _roughness(values: Float32) -> Float32:
    """Standard deviation in squares of nine pixels."""
    mean = ndimage.uniform_filter(values, 9)
    square = ndimage.uniform_filter(values * values, 9)
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)


def _threshold(excess: Float32) -> float:
    """Otsu's threshold, kept within the bounds that pale tissue and noise set."""
    if not excess.size:
        return _MOST_EXCESS
    counts, edges = np.histogram(excess, bins=128, range=(-0.1, 0.5))
    centres, weights = (edges[1:] + edges[:-1]) / 2, counts.astype(float)
    below, total = weights.cumsum(), weights.sum()
    moment = (weights * centres).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (moment[-1] * below / total - moment) ** 2 / (below * (total - below))
    best = float(centres[np.nan_to_num(between, posinf=0.0, neginf=0.0).argmax()])
    return min(max(best, _LEAST_EXCESS), _MOST_EXCESS)


def _tidy(mask: Bool) -> Bool:
    """Close narrow gaps (fat, tears), fill small holes and drop specks."""
    closed = ndimage.binary_closing(np.pad(mask, 4, mode="edge"), iterations=3)[4:-4, 4:-4]
    smallest = max(9, closed.size // 4000)
    filled = ~_without_specks(~closed, smallest * 2)
    return _without_specks(filled, smallest)


def _without_specks(mask: Bool, smallest: int) -> Bool:
    labels, count = ndimage.label(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    keep = sizes >= smallest
    keep[0] = False
    return np.asarray(keep[labels])
