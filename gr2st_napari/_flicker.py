"""Lets two maps take turns in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._panels import Display
    from gr2st_napari._state import State


class Flicker:
    """Calls `turn` again and again while the state shows "flicker", and rests in every other view."""

    def __init__(self, state: State, turn: Callable[[], None]) -> None:
        self._state = state
        self._timer = QTimer()
        self._timer.timeout.connect(turn)
        state.events.shown.connect(self._on_shown)

    @property
    def is_on(self) -> bool:
        return self._timer.isActive()

    def close(self) -> None:
        """Rest for good."""
        self._timer.stop()
        self._state.events.shown.disconnect(self._on_shown)

    def _on_shown(self, shown: Display | None) -> None:
        if shown is None or shown.mode != "flicker":
            self._timer.stop()
            return
        interval = round(1000 * self._state.wish.flicker_s)
        if not self._timer.isActive() or self._timer.interval() != interval:
            self._timer.start(interval)
