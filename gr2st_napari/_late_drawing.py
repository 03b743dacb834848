"""The canvas is drawn in a turn of its own, after the work that asked for it: in between the mouse is heard."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, QTimer

from gr2st_napari._turns import LATE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer

UNDER_THE_MOUSE = (QEvent.MouseMove, QEvent.MouseButtonPress, QEvent.MouseButtonRelease, QEvent.Wheel)


class LateDrawing(QObject):
    """Stands between vispy's canvas and Qt, which would draw at the end of a turn, before it looks at the mouse.

    What is asked for inside `late` waits until the event loop has turned, and so does what a drawing asks for that is
    going on. All else is drawn as ever: Qt puts timers off while a mouse moves that keeps it busy, and what moves under
    the mouse must not wait for that.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._is_late = self._is_asked = False
        self._timer = QTimer(self, interval=LATE_MS, singleShot=True)
        canvas = getattr(getattr(viewer.window, "_qt_viewer", None), "canvas", None)
        self._widget = getattr(canvas, "native", None)
        draw = getattr(self._widget, "_vispy_update", None)
        if self._widget is not None and draw is not None:  # without effect where napari or vispy has changed
            self._draw, self._widget._vispy_update = draw, self._ask
            self._timer.timeout.connect(draw)
            self._widget.installEventFilter(self)

    @contextmanager
    def late(self) -> Iterator[None]:
        """What is asked to be drawn inside is drawn in another turn."""
        before, self._is_late = self._is_late, True
        if self._timer.isActive():  # it would go off right after the work, not a turn later
            self._timer.stop()
            self._is_asked = True
        try:
            yield
        finally:
            self._is_late = before
            if self._is_asked and not before:
                self._is_asked = False
                self._timer.start()

    def close(self) -> None:
        """Stand aside."""
        self._timer.stop()
        getattr(self._widget, "__dict__", {}).pop("_vispy_update", None)

    def eventFilter(self, _widget: QObject, event: QEvent) -> bool:
        if event.type() in UNDER_THE_MOUSE and self._timer.isActive():
            self._timer.stop()
            self._draw()
        return False

    def _ask(self) -> None:
        if self._is_late:
            self._is_asked = True
        elif self._widget is not None and self._widget.testAttribute(Qt.WA_WState_InPaintEvent):
            self._timer.start()
        else:
            self._draw()
