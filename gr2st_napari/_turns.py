"""Work cut into pieces, one for each turn of the event loop: between two of them the window draws and listens."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Callable


BREATH_MS = 10
"""From the end of a piece to the next one: Qt draws 5 ms after it was asked to."""


class Turns(QObject):
    """Does what it is given piece by piece, in order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[Callable[[], None]] = deque()
        self._timer = QTimer(self, interval=BREATH_MS, singleShot=True)
        self._timer.timeout.connect(self._next)

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting)

    def add(self, *pieces: Callable[[], None]) -> None:
        """Do these too, after those that wait."""
        self._waiting.extend(pieces)
        if self._waiting:
            self._timer.start()

    def add_once(self, piece: Callable[[], None]) -> None:
        """Do this too, where it does not wait yet."""
        if piece not in self._waiting:
            self.add(piece)

    def forget(self) -> None:
        """Do none of those that wait."""
        self._waiting.clear()
        self._timer.stop()

    def _next(self) -> None:
        if not self._waiting:
            return  # forgotten since the timer went off
        try:
            self._waiting.popleft()()
        finally:
            if self._waiting:
                self._timer.start()
