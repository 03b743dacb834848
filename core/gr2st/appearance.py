"""How a section's picture looks: what a slide without spots is compared with before it is predicted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Appearance:
    """Scale and colours of a section.

    Attributes
    ----------
    um_per_px : float or None
        Micrometres per level-0 pixel.
    pitch_um : float or None
        Distance between the centres of neighbouring spots, micrometres.
    density : three float or None
        Mean optical density, -log10(light), of red, green and blue over the tissue; None where there is none.
    """

    um_per_px: float | None = None
    pitch_um: float | None = None
    density: tuple[float, float, float] | None = None
