"""Values -> colours, the same in the window, in figures and in reports: maps, their transparency, their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from gr2st.types import Float32, Float64

Limits: TypeAlias = tuple[float, float]

COLOUR_MAPS = {
    "viridis": "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725",
    "magma": "000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf",
    "inferno": "000004 1b0c41 4a0c6b 781c6d a52c60 cf4446 ed6925 fb9b06 f7d13d fcffa4",
    "cividis": "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
}
"""Perceptual maps to choose from, as control points at equal distances."""
DIFFERENCE_MAP = "053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f"
LOW_ALPHA, FULL_ALPHA_FROM = 0.12, 0.35
NOT_MEASURED = (0.82, 0.82, 0.82, 0.85)
CLIP = 1.0
"""Percent of the values beyond automatic limits, at each end."""


def map_colours(name: str) -> Float64:
    """Control points (n, 4) RGBA of one of `COLOUR_MAPS`, its low end transparent; of the map of differences else."""
    colours = _rgba(COLOUR_MAPS.get(name, DIFFERENCE_MAP))
    if name in COLOUR_MAPS:
        at = np.linspace(0, 1, len(colours))
        colours[:, 3] = np.interp(at, [0, FULL_ALPHA_FROM], [LOW_ALPHA, 1.0])
    return colours


def paint(values: Float32 | Float64, limits: Limits, name: str) -> Float64:
    """Colours (n, 4) RGBA of values (n,): beyond the limits those of the ends, grey where there is no value."""
    colours, (low, high) = map_colours(name), limits
    shares = np.clip((np.asarray(values, np.float64) - low) / (high - low), 0, 1)
    at = np.linspace(0, 1, len(colours))
    painted = np.column_stack([np.interp(shares, at, colours[:, channel]) for channel in range(4)])
    painted[np.isnan(shares)] = NOT_MEASURED
    return painted


def automatic_limits(values: Float32, clip: float = CLIP) -> Limits:
    """Percentiles `clip` and 100 - `clip` of the finite values; a range of one where they are all equal or absent."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (0.0, 1.0)
    low, high = map(float, np.percentile(finite, [clip, 100 - clip]))
    if high - low <= 1e-6 * max(1.0, abs(high)):
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high - low > 1e-6 * max(1.0, abs(high)) else (low, low + 1.0)


def joined_limits(one: Limits, other: Limits) -> Limits:
    """The limits that hold both."""
    return (min(one[0], other[0]), max(one[1], other[1]))


def _rgba(text: str) -> Float64:
    """(n, 4) RGBA of hexadecimal colours."""
    rgb = [[int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)] for colour in text.split()]
    return np.column_stack([rgb, np.ones(len(rgb))])
