"""Layers of ours that are seen, and those that wait, hidden and out of the list, for the next map, spot or graph."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari import Viewer
    from napari.layers import Layer

_HIDDEN_BY_US: WeakSet[Layer] = WeakSet()
"""What the user has hidden stays in the list, where the eye brings it back."""


def set_visible(layers: Iterable[Layer], *, is_visible: bool) -> None:
    """Show or hide layers; napari works as hard where nothing changes, so those are left alone."""
    for layer in layers:
        (_HIDDEN_BY_US.discard if is_visible else _HIDDEN_BY_US.add)(layer)
        if layer.visible != is_visible:
            layer.visible = is_visible


class Rows(QObject):
    """Takes the rows of layers that wait out of napari's list of layers, and puts them back."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._layers = viewer.layers
        self._ours: WeakSet[Layer] = WeakSet()
        # Without effect where napari has changed.
        self._list = getattr(getattr(viewer.window, "_qt_viewer", None), "layers", None)
        self._soon = QTimer(self, interval=0, singleShot=True)
        self._soon.timeout.connect(self._refresh)
        self._layers.events.inserted.connect(self._ask)
        self._layers.events.moved.connect(self._ask)

    def watch(self, layer: Layer) -> None:
        """A layer of ours that is about to come into the viewer."""
        if not layer.visible:
            _HIDDEN_BY_US.add(layer)
        self._ours.add(layer)
        layer.events.visible.connect(self._ask)

    def close(self) -> None:
        """List all layers, and nothing more."""
        self._soon.stop()
        self._layers.events.inserted.disconnect(self._ask)
        self._layers.events.moved.disconnect(self._ask)
        for layer in self._ours:
            layer.events.visible.disconnect(self._ask)
        self._ours.clear()
        self._refresh()

    def _ask(self, _event: object = None) -> None:
        self._soon.start()

    def _refresh(self) -> None:
        if self._list is None or not isalive(self._list):
            return
        for row, layer in enumerate(reversed(self._layers)):
            waits = layer in self._ours and layer in _HIDDEN_BY_US and not layer.visible
            if self._list.isRowHidden(row) != waits:
                self._list.setRowHidden(row, waits)
