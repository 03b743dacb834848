"""Scale and colours of a section, measured once per picture."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from gr2st.appearance import Appearance
from gr2st.errors import StorageError
from gr2st.io.store import cache_dir, write_json
from gr2st.io.tissue import tissue_mask

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Section, Slide, UInt8

OVERVIEW_PX = 1000
"""Longer side of the thumbnail in which tissue is looked for: as fine as `tissue_mask` works."""
_FORMAT = 1
"""Raised when colours are measured differently: those kept are then measured again."""

Density = tuple[float, float, float]


def appearance_of(section: Section) -> Appearance:
    """Scale and colours of a section; what it does not tell is None."""
    scale = section.um_per_px
    return Appearance(
        um_per_px=scale,
        pitch_um=None if scale is None else section.grid_pitch * scale,
        density=None if section.slide is None else tissue_density(section.slide),
    )


def tissue_density(slide: Slide) -> Density | None:
    """Mean optical density of red, green and blue over the tissue of a slide; None where no tissue is found.

    It is kept in the user's cache by the content of the picture: a study is evaluated in many folds.
    """
    file = cache_dir("colours") / f"{slide.digest()}-{_FORMAT}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(file.read_text(encoding="utf-8"))["density"]
        return None if kept is None else (float(kept[0]), float(kept[1]), float(kept[2]))
    density = _measured(slide.thumbnail(OVERVIEW_PX))
    _keep(file, density)
    return density


def _measured(rgb: UInt8) -> Density | None:
    mask = tissue_mask(rgb)
    if not mask.any():
        return None
    red, green, blue = (-np.log10((rgb[mask].astype(np.float64) + 1) / 256)).mean(axis=0)
    return float(red), float(green), float(blue)


def _keep(file: Path, density: Density | None) -> None:
    # Without it the colours are measured again the next time.
    with suppress(StorageError):
        write_json(file, {"density": density})
