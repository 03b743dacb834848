"""What is drawn on: values, places and pixels of the spots that are open; worked out beside the window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gr2st import window_round
from gr2st_napari._background import Background
from gr2st_napari._expression import Expression
from gr2st_napari._opening import placement_of
from gr2st_napari._raster import POINTS_UP_TO, Raster, raster_of
from gr2st_napari._telling import hand_on, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._export import Window
    from gr2st_napari._layers import Placement
    from gr2st_napari._opening import Opened
    from gr2st_napari._state import State
    from gr2st_napari._turns import Turns


ROOM = 0.1
"""Around all spots, as a share of the longer side of the section."""


@dataclass(frozen=True, eq=False)
class Ground:
    """The spots of what is open.

    Attributes
    ----------
    raster : Raster or None
        How they lie in a picture; None where they are few enough to be discs.
    """

    expression: Expression
    placement: Placement
    raster: Raster | None

    @property
    def window(self) -> Window:
        """What of the slide shows all spots, with some room: left, top, right, bottom in level-0 pixels."""
        xy = self.expression.xy
        return window_round(xy, ROOM * np.ptp(xy, axis=0).max() + self.placement.spot_diameter_px)

    @property
    def reach_px(self) -> float:
        """How far from its middle the mouse still meets a spot: the rim of its disc, or the corners of its pixel."""
        radius = self.placement.spot_diameter_px / 2
        return radius if self.raster is None else max(radius, self.raster.reach_px)

    def lies_like(self, other: Ground) -> bool:
        """Whether the spots of both lie in the same places."""
        return self.placement == other.placement and np.array_equal(self.expression.xy, other.expression.xy)


def ground_of(opened: Opened) -> Ground:
    """The ground of what is open, with all that the first look needs."""
    expression, placement = Expression(opened.section, opened.prediction), placement_of(opened)
    expression.warm_up()
    return Ground(expression, placement, raster_of(expression, placement.spot_diameter_px))


def is_large(opened: Opened) -> bool:
    """Whether there are too many spots to be looked through while the window waits."""
    return opened.n_spots > POINTS_UP_TO


class Groundwork:
    """Lays the ground under what was opened; returns at once."""

    def __init__(self, state: State, turns: Turns) -> None:
        self._state, self._turns = state, turns
        self._background = Background()
        self._pieces: tuple[Callable[[], None], ...] = ()

    @property
    def is_busy(self) -> bool:
        return self._background.is_busy or self._turns.has_any(self._pieces)

    def lay(self, opened: Opened, *pieces: Callable[[Ground], None]) -> None:
        """Work the ground out beside the window; then do each of the pieces with it, in a turn of its own."""
        self.stop()
        if is_large(opened):
            tell(self._state, f"Laying out {opened.n_spots:,} spots")

        def take(ground: Ground) -> None:
            self._pieces = tuple(partial(piece, ground) for piece in pieces)
            self._turns.add(*self._pieces)

        self._background.run(lambda: ground_of(opened), lambda future: hand_on(self._state, future, take))

    def stop(self) -> None:
        """Let go of what is being laid."""
        self._background.forget()
        self._turns.forget(self._pieces)

    def close(self) -> None:
        """Lay nothing any more."""
        self.stop()
        self._background.close()
