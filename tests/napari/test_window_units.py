"""The table of units, which the first layer of a process has read: nobody finds half of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest

from gr2st_napari import _layer_list
from gr2st_napari._layer_list import LayerList


@pytest.fixture(autouse=True)
def unread():
    """As in a process that has made no layer yet."""
    _layer_list._read_units.cache_clear()
    yield
    _layer_list._read_units.cache_clear()


def test_a_layer_asked_for_while_the_table_is_read_is_made_after_it(monkeypatch):
    create, begun, goes_on, order = _layer_list.Layer.create, Event(), Event(), []

    def recorded(data, keywords, kind):
        if data is None:
            begun.set()
            assert goes_on.wait(20)
        order.append("table" if data is None else "layer")
        return create(data, keywords, kind)

    monkeypatch.setattr(_layer_list.Layer, "create", recorded)
    with ThreadPoolExecutor(2) as threads:
        table = threads.submit(LayerList.learn_units)
        assert begun.wait(20)
        made = threads.submit(LayerList.made, (np.zeros((2, 2)), {"name": "slide"}, "image"))
        assert _layer_list._UNITS.locked()
        assert not order
        goes_on.set()
        table.result()
        assert made.result().name == "slide"
    assert order == ["table", "layer"]


def test_the_first_layer_of_a_process_has_the_table_read_once(monkeypatch):
    create, made = _layer_list.Layer.create, []
    monkeypatch.setattr(_layer_list.Layer, "create", lambda *layer: (made.append(layer[2]), create(*layer))[1])
    for _ in range(2):
        LayerList.made((np.zeros((2, 2)), {}, "image"))
    assert made == ["points", "image", "image"]
