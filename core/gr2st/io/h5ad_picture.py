"""Which picture inside an ``.h5ad`` is the tissue: each is checked for its range and for the fit of the spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st.errors import DataError
from gr2st.io.array_slide import ArraySlide
from gr2st.io.geometry import inside_image

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gr2st.io.tables import Report
    from gr2st.types import Float64, UInt8

IMAGES = {"hires": "tissue_hires_scalef", "lowres": "tissue_lowres_scalef"}
MIN_INSIDE = 0.9
_BLANK_SPREAD = 3.0
_ROUNDING = 1e-3
"""How far a float picture may leave 0 to 1."""


@dataclass(frozen=True, eq=False, slots=True)
class InnerPicture:
    """A picture from inside the file and its pixels per full-resolution pixel."""

    slide: ArraySlide
    scale: float


def choose_picture(
    images: Mapping[str, Any], factors: Mapping[str, float], xy: Float64, path: Path, report: Report
) -> InnerPicture | None:
    """The first picture, hires before lowres, with believable values and the spots inside; others are noted.

    Parameters
    ----------
    xy : (n, 2) float64
        Spot centres in full-resolution pixels.
    """
    for name, key in IMAGES.items():
        if name not in images:
            continue
        try:
            pixels = to_rgb8(np.asarray(images[name]))
            scale = _fitting_scale(pixels, factors.get(key), xy)
        except DataError as error:
            report.notes.append(f"The picture {name!r} inside {path.name} was not used: {error}")
            continue
        return InnerPicture(ArraySlide(path, pixels), scale)
    return None


def to_rgb8(values: Any) -> UInt8:
    """A picture (h, w, 3 or 4) of uint8, or of floats from 0 to 1, as RGB uint8; DataError for anything else."""
    if values.ndim != 3 or values.shape[2] not in (3, 4) or values.size == 0:
        raise DataError(f"its shape is {values.shape}, and height, width and 3 or 4 channels are wanted.")
    if values.dtype.kind not in "uif" or not np.isfinite(values).all():
        raise DataError("it holds values that are no number.")
    low, high = float(values.min()), float(values.max())
    top = 1.0 if values.dtype.kind == "f" and high <= 1 + _ROUNDING else 255.0
    if low < -_ROUNDING or high > top * (1 + _ROUNDING):
        raise DataError(f"its values run from {low:.3g} to {high:.3g}, and 0 to 1 or 0 to 255 are wanted.")
    unit = np.clip(values.astype(np.float32) / top, 0, 1)
    if unit.shape[2] == 4:
        unit = unit[..., :3] * unit[..., 3:] + (1 - unit[..., 3:])
    rgb: UInt8 = np.rint(unit * 255).astype(np.uint8)
    if rgb.std(axis=(0, 1)).max() < _BLANK_SPREAD:
        raise DataError("it is one flat colour.")
    return rgb


def _fitting_scale(pixels: UInt8, scale: float | None, xy: Float64) -> float:
    if scale is None:
        raise DataError("its scale factor is missing.")
    inside = float(inside_image(xy * scale, pixels.shape[1], pixels.shape[0]).mean())
    if inside < MIN_INSIDE:
        raise DataError(f"only {inside:.0%} of the spots lie inside it.")
    return scale
