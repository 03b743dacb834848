"""Layers that wait are not listed; what the user hides stays where the eye brings it back."""

from __future__ import annotations

import pytest
from window_builders import settle, take

from gr2st_napari._opening import opened_of


@pytest.fixture
def filled(controller, section, prediction):
    """A controller that shows a section and its prediction."""
    take(controller, opened_of(section, prediction))
    return controller


def listed(viewer) -> list[str]:
    view = viewer.window._qt_viewer.layers
    names = [layer.name for layer in reversed(viewer.layers)]
    return [name for row, name in enumerate(names) if not view.isRowHidden(row)]


def hidden(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if not layer.visible]


def test_the_second_map_is_listed_while_it_is_seen(viewer, filled, qtbot) -> None:
    settle(filled)
    qtbot.waitUntil(lambda: len(listed(viewer)) == len(viewer.layers) == 4, timeout=10_000)
    filled.wish(mode="measured")
    settle(filled)
    qtbot.waitUntil(lambda: len(listed(viewer)) == 2, timeout=10_000)
    assert len(hidden(viewer)) == 2
    filled.wish(mode="side by side")
    settle(filled)
    qtbot.waitUntil(lambda: len(listed(viewer)) == 4, timeout=10_000)


def test_what_the_user_hides_stays_in_the_list(viewer, filled, qtbot) -> None:
    filled.wish(mode="measured")
    settle(filled)
    qtbot.waitUntil(lambda: len(listed(viewer)) == 2, timeout=10_000)
    viewer.layers["slide"].visible = False
    viewer.add_points([[1, 1]], name="own", visible=False)
    filled.wish(gene=filled.state.expression.genes[1])
    settle(filled)
    qtbot.waitUntil(lambda: {"slide", "own"} <= set(listed(viewer)), timeout=10_000)
    assert len(listed(viewer)) == 3


def test_a_list_that_is_put_in_another_order_still_leaves_them_out(viewer, filled, qtbot) -> None:
    filled.wish(mode="measured")
    settle(filled)
    qtbot.waitUntil(lambda: len(listed(viewer)) == 2, timeout=10_000)
    viewer.layers.move(0, len(viewer.layers))
    viewer.layers.move(2, 0)
    qtbot.waitUntil(lambda: not set(listed(viewer)) & set(hidden(viewer)), timeout=10_000)


def test_a_closed_window_of_ours_lists_all(viewer, filled, qtbot) -> None:
    filled.wish(mode="measured")
    settle(filled)
    qtbot.waitUntil(lambda: len(listed(viewer)) == 2, timeout=10_000)
    filled.close()
    assert len(listed(viewer)) == len(viewer.layers)
