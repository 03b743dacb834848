"""What work asks to be drawn is drawn after the mouse was heard, what moves under the mouse at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari import Viewer

pytestmark = pytest.mark.window


@pytest.fixture
def told(viewer: Viewer, controller, qtbot) -> list[str]:
    """What happens; "drawn" whenever the canvas is."""
    found: list[str] = []

    def tell(_event: object) -> None:
        found.append("drawn")

    qtbot.wait(200)  # the letters and the empty window
    _canvas(viewer).events.draw.connect(tell)
    yield found
    _canvas(viewer).events.draw.disconnect(tell)


def test_a_piece_of_work_is_drawn_in_another_turn_and_before_the_next_piece(viewer, controller, told, qtbot):
    controller.canvas.turns.add(_canvas(viewer).update, lambda: told.append("next piece"))
    controller.canvas.turns._next()
    QApplication.sendPostedEvents()  # what Qt does at the end of a turn
    assert not told
    qtbot.waitUntil(lambda: "next piece" in told)
    assert told == ["drawn", "next piece"]


def test_a_layer_that_comes_in_is_drawn_in_a_turn_of_its_own(viewer, controller, told, qtbot):
    controller.canvas.layers.add(([[0.0, 0.0]], {}, "points"))
    QApplication.sendPostedEvents()
    assert not told
    qtbot.waitUntil(lambda: "drawn" in told)


def test_a_mouse_that_lets_no_timer_go_off_does_not_keep_the_canvas_from_being_drawn(viewer, controller, told):
    with controller.canvas._drawing.late():
        _canvas(viewer).update()
    QApplication.sendPostedEvents()  # and no timer
    assert not told
    _move_mouse(viewer)
    QApplication.sendPostedEvents()
    assert told == ["drawn"]


def test_a_closed_window_draws_as_ever(viewer, controller, told):
    drawing = controller.canvas._drawing
    drawing.close()
    with drawing.late():
        _canvas(viewer).update()
    QApplication.sendPostedEvents()
    assert told == ["drawn"]


def _canvas(viewer: Viewer):
    return viewer.window._qt_viewer.canvas._scene_canvas


def _move_mouse(viewer: Viewer) -> None:
    native, nothing = _canvas(viewer).native, Qt.NoButton
    place = QPointF(20, 20)
    event = QMouseEvent(QEvent.MouseMove, place, place, nothing, nothing, Qt.NoModifier)
    QApplication.sendEvent(native, event)
