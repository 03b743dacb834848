"""How error grows with each measure of trust, on slides that were held out: values to draw. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st_napari._state import Measure


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean error in tenths of the spots, by one measure, lowest first; `correlation` is of ranks, None if unknown."""

    measure: tuple[float, ...]
    error: tuple[float, ...]
    correlation: float | None


@dataclass(frozen=True, eq=False)
class Calibration:
    """What an evaluation says of the measures of one model."""

    label: str
    curves: Mapping[Measure, Curve]
