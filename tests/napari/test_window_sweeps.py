"""What is left out of Python's sweeps of its memory, and what never stays because of that."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from window_builders import open_dock

from gr2st_napari import _controller
from gr2st_napari._sweeps import Spared


@pytest.fixture
def spared() -> Iterator[Spared]:
    """One of its own, which leaves nothing behind."""
    made = Spared()
    yield made
    gc.callbacks.remove(made._on_sweep)
    gc.unfreeze()


def test_what_was_loaded_before_a_dock_is_left_out(viewer, spared) -> None:
    viewer.add_image(np.zeros((4, 4)))
    gc.unfreeze()
    spared.watch(viewer)
    assert gc.get_freeze_count() > 100_000


def test_a_layer_that_was_there_before_is_freed_when_it_goes_and_the_rest_is_left_out_again(
    viewer, spared, qtbot
) -> None:
    gone = weakref.ref(viewer.add_image(np.zeros((400, 400))))
    viewer.add_image(np.zeros((4, 4)))
    spared.watch(viewer)
    viewer.layers.remove(viewer.layers[0])
    assert gc.get_freeze_count() == 0
    # Its controls go with the next events.
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gone() is None)
    assert gc.get_freeze_count() > 100_000


def test_a_layer_that_came_before_the_rest_was_left_out_again_is_freed_too(viewer, spared, qtbot) -> None:
    viewer.add_image(np.zeros((4, 4)), name="first")
    spared.watch(viewer)
    gone = weakref.ref(viewer.add_image(np.zeros((400, 400)), name="later"))
    viewer.layers.remove("first")
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gc.get_freeze_count() > 100_000)
    viewer.layers.remove("later")
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gone() is None)


def test_a_layer_of_later_changes_nothing_when_it_goes(viewer, spared) -> None:
    spared.watch(viewer)
    viewer.add_image(np.zeros((4, 4)))
    viewer.layers.remove(viewer.layers[0])
    assert gc.get_freeze_count() > 100_000


def test_what_is_kept_elsewhere_keeps_everything_in_the_sweeps(viewer, spared) -> None:
    layer = viewer.add_image(np.zeros((4, 4)))
    spared.watch(viewer)
    viewer.layers.remove(layer)
    gc.collect()
    assert gc.get_freeze_count() == 0


def test_waste_of_before_goes_with_the_next_layer_of_before(viewer, spared, qtbot) -> None:
    viewer.add_image(np.zeros((4, 4)))
    waste = _Ring()
    gone = weakref.ref(waste)
    del waste
    spared.watch(viewer)
    viewer.layers.remove(viewer.layers[0])
    qtbot.waitUntil(lambda: gc.collect() >= 0 and gone() is None)


def test_what_a_closed_window_held_is_freed(viewer, spared) -> None:
    spared.watch(viewer)
    held = _Ring()
    gone = weakref.ref(held)
    gc.freeze()
    spared.let_go(held)
    del held
    gc.collect()
    assert gone() is None
    assert gc.get_freeze_count() > 100_000


def test_the_first_dock_begins_it_and_the_end_of_the_window_ends_it(viewer, monkeypatch) -> None:
    told: list[tuple[str, object]] = []
    monkeypatch.setattr(_controller, "SPARED", _Recorder(told))
    open_dock(viewer, "Genes")
    assert told == [("watch", viewer)]
    _controller.controller_of(viewer).close()
    assert told[1:] == [("let_go", viewer)]


class _Ring:
    """What only a sweep frees."""

    def __init__(self) -> None:
        self.itself = self


class _Recorder:
    def __init__(self, told: list[tuple[str, object]]) -> None:
        self._told = told

    def __getattr__(self, name: str):
        return lambda thing: self._told.append((name, thing))
