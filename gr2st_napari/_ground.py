"""What is drawn on: values, places and pixels of the spots that are open; worked out beside the window if many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr2st_napari._background import Background
from gr2st_napari._expression import Expression
from gr2st_napari._opening import placement_of
from gr2st_napari._raster import POINTS_UP_TO, Raster, raster_of
from gr2st_napari._telling import hand_on, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._layers import Placement
    from gr2st_napari._opening import Opened
    from gr2st_napari._state import State


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


def ground_of(opened: Opened) -> Ground:
    """The ground of what is open; for many spots with all that the first look needs."""
    expression, placement = Expression(opened.section, opened.prediction), placement_of(opened)
    if is_large(opened):
        expression.warm_up()
    return Ground(expression, placement, raster_of(expression, placement.spot_diameter_px))


def is_large(opened: Opened) -> bool:
    """Whether there are too many spots to be looked through while the window waits."""
    return opened.n_spots > POINTS_UP_TO


class Groundwork:
    """Lays the ground under what was opened; returns at once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()

    @property
    def is_busy(self) -> bool:
        return self._background.is_busy

    def lay(self, opened: Opened, then: Callable[[Ground], None]) -> None:
        """Hand the ground to `then`: now for few spots, later for many."""
        self._background.forget()
        if not is_large(opened):
            then(ground_of(opened))
            return
        tell(self._state, f"Laying out {opened.n_spots:,} spots")
        self._background.run(lambda: ground_of(opened), lambda future: hand_on(self._state, future, then))

    def stop(self) -> None:
        """Let go of what is being laid."""
        self._background.forget()

    def close(self) -> None:
        """Lay nothing any more."""
        self._background.close()
