"""Work cut into pieces, one for each turn of the event loop: between two of them the window draws and listens."""

from __future__ import annotations

from collections import deque
from contextlib import nullcontext
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from contextlib import AbstractContextManager


LATE_MS = 5
"""From work to drawing what it asked for. Timers that are due come first; at 0 ms it would come before some of them."""

BREATH_MS = 10
"""From when a piece was to be drawn to the next one: Qt draws 5 ms after it was asked to."""


class Turns(QObject):
    """Does what it is given piece by piece, in order, each inside of `around`."""

    def __init__(self, around: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        super().__init__()
        self._around = around
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self, interval=BREATH_MS, singleShot=True)
        self._timer.timeout.connect(self._next)
        # Where the end of a piece took long in the window, the next one would come before it is drawn.
        self._after = QTimer(self, interval=LATE_MS, singleShot=True)
        self._after.timeout.connect(self._timer.start)

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting)

    def has_any(self, pieces: Collection[Callable[[], None]]) -> bool:
        """Whether one of these waits."""
        return any(piece in self._waiting for piece in pieces)

    def add(self, *pieces: Callable[[], None]) -> None:
        """Do these too, after those that wait."""
        self._waiting.extend(pieces)
        self._go_on()

    def add_next(self, piece: Callable[[], None]) -> None:
        """Do this too, before those that wait."""
        self._waiting.appendleft(piece)
        self._go_on()

    def add_once(self, piece: Callable[[], None]) -> None:
        """Do this too, where it does not wait yet."""
        if piece not in self._waiting:
            self.add(piece)

    def forget(self, pieces: Collection[Callable[[], None]] | None = None) -> None:
        """Do none of those that wait, or none of these."""
        self._waiting = deque() if pieces is None else deque(one for one in self._waiting if one not in pieces)

    def _next(self) -> None:
        if not self._waiting:
            return  # forgotten since the timer went off
        try:
            with self._around():
                self._waiting.popleft()()
        finally:
            self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            self._timer.stop()
            self._after.start()
