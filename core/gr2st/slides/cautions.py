"""What should be said before a slide is believed: its scale and its colours beside those of the training sections."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gr2st.io.tissue import is_histology
from gr2st.preprocess.appearance import OVERVIEW_PX, tissue_density

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st.appearance import Appearance
    from gr2st.config import PatchConfig
    from gr2st.types import Section

FAR_SCALE = 1.5
"""Factor between the detail a model learned from and the detail it is shown, from which on it is told."""
FAR_COLOURS = 0.1
"""Distance of mean optical densities (red, green, blue) from which on it is told; docs/slides.md says why."""
_NEAR_COLOURS = 0.06
_STRONGER = 0.04


def training_pitch_um(appearances: Mapping[str, Appearance]) -> float | None:
    """Distance of the spots that a model learned from, micrometres: the median over its sections, None if unknown."""
    known = [seen.pitch_um for seen in appearances.values() if seen.pitch_um is not None]
    return float(np.median(known)) if known else None


def cautions(section: Section, patch: PatchConfig, appearances: Mapping[str, Appearance]) -> tuple[str, ...]:
    """Sentences about a slide that a model with these patches and training sections is to predict; often none."""
    if not appearances:
        unknown = (
            "The model does not tell how its training sections looked: whether scale and colours of "
            f"{section.name} fit cannot be checked, and surroundings are counted in steps of the grid. Train it again."
        )
        return tuple(filter(None, (_on_kind(section), unknown)))
    found = (
        _on_kind(section),
        _on_pitch(section, appearances),
        _on_scale(section, patch, appearances),
        _on_colours(section, appearances),
    )
    return tuple(filter(None, found))


def _on_kind(section: Section) -> str:
    if section.slide is None or is_histology(section.slide.thumbnail(OVERVIEW_PX)):
        return ""
    return f"{section.name} does not look like a bright-field H&E slide: do not trust what is predicted."


def _on_pitch(section: Section, appearances: Mapping[str, Appearance]) -> str:
    if training_pitch_um(appearances) is not None:
        return ""
    return (
        "The model does not tell how far apart its training spots lay: surroundings are counted in steps of the grid "
        f"laid on {section.name}."
    )


def _on_scale(section: Section, patch: PatchConfig, appearances: Mapping[str, Appearance]) -> str:
    """Detail is that of the patch, or of the picture where that is coarser."""
    learned = [_detail(seen.um_per_px, patch) for seen in appearances.values()]
    known = [detail for detail in learned if detail is not None]
    here = _detail(section.um_per_px, patch)
    if not known or here is None:
        return ""
    nearest = min(known, key=lambda detail: abs(math.log(here / detail)))
    if 1 / FAR_SCALE <= here / nearest <= FAR_SCALE:
        return ""
    how = "coarser" if here > nearest else "finer"
    return (
        f"{section.name} shows {here:.3g} µm per pixel, {how} than what the model learned from ({nearest:.3g}): it "
        "sees another amount of detail. Use a scan of about the same scale, and check the scale that is stated."
    )


def _detail(um_per_px: float | None, patch: PatchConfig) -> float | None:
    """Micrometres per pixel of what an encoder is really shown."""
    if um_per_px is None or patch.um_per_px is None:
        return um_per_px or patch.um_per_px
    return max(um_per_px, patch.um_per_px)


def _on_colours(section: Section, appearances: Mapping[str, Appearance]) -> str:
    known = {name: seen.density for name, seen in appearances.items() if seen.density is not None}
    here = None if section.slide is None else tissue_density(section.slide)
    if here is None or not known:
        return ""
    apart = {name: np.subtract(here, density) for name, density in known.items()}
    nearest = min(apart, key=lambda name: float(np.linalg.norm(apart[name])))
    distance = float(np.linalg.norm(apart[nearest]))
    if distance < FAR_COLOURS:
        return ""
    return (
        f"The tissue of {section.name} is coloured unlike that of all training sections: {_look(apart[nearest])} than "
        f"{nearest}, the nearest of them (optical density {distance:.2f} apart; under {_NEAR_COLOURS:g} between "
        "sections of one laboratory). What is predicted may be wrong all over the slide."
    )


def _look(difference: np.ndarray) -> str:
    """A difference of optical densities in words, for "... than"."""
    strength = float(difference.mean())
    hue = float(difference[0] - difference[1])
    tint = "bluer" if hue > 0 else "pinker"
    if abs(strength) < _STRONGER:
        return tint
    return f"{'darker' if strength > 0 else 'paler'} and {tint}"
