"""Adding, removing, ordering layers, noticing what the user removes: the only file that touches viewer.layers."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from napari.layers import Layer
from napari.utils.colormaps import Colormap
from psygnal import Signal

from gr2st_napari._layers import DROPPED
from gr2st_napari._visibility import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from contextlib import AbstractContextManager

    import numpy as np
    import numpy.typing as npt
    from napari import Viewer

    from gr2st_napari._layers import LayerTuple, Placement
    from gr2st_napari._opening import Opened


MAPS = ("colormap", "face_colormap")
_UNITS = Lock()
"""Held while the table of units is read: a layer made meanwhile in another thread finds half a table, and fails."""


class LayerList:
    """The layer list of a viewer, seen by one who owns only some of the layers; what comes in is drawn `late`."""

    removed = Signal(object)
    """A layer that somebody else took away."""

    dropped = Signal()
    """Our reader's layers have come in."""

    disturbed = Signal()
    """Somebody else put a layer in, or moved one."""

    def __init__(self, viewer: Viewer, late: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._layers, self._late = viewer.layers, late
        self._rows = Rows(viewer)
        self._is_ours = False
        self._layers.events.removed.connect(self._on_removed)
        self._layers.events.inserted.connect(self._on_inserted)
        self._layers.events.moved.connect(self._on_moved)

    def close(self) -> None:
        """Stop listening; the layers stay."""
        self._rows.close()
        self._layers.events.removed.disconnect(self._on_removed)
        self._layers.events.inserted.disconnect(self._on_inserted)
        self._layers.events.moved.disconnect(self._on_moved)

    def all(self) -> list[Layer]:
        """Every layer, bottom first."""
        return list(self._layers)

    def extent(self) -> npt.NDArray[np.float64]:
        """World extent (2, 2) of all layers: lowest and highest row, column."""
        found: npt.NDArray[np.float64] = self._layers.extent.world[:, -2:]
        return found

    def add(self, layer: LayerTuple, *, over: Layer | None = None, under: Layer | None = None) -> Any:
        """Add a layer where `put` puts it, and leave the user's selection as it is."""
        return self.put(self.made(layer), over=over, under=under)

    @staticmethod
    def made(layer: LayerTuple) -> Layer:
        """A layer that is not in the viewer yet; may be made in a thread."""
        LayerList.learn_units()
        data, keywords, kind = layer
        maps = {key: Colormap(**value) for key, value in keywords.items() if key in MAPS and isinstance(value, dict)}
        return Layer.create(data, {**keywords, **maps}, kind)

    @staticmethod
    def learn_units() -> None:
        """Have the table of units read, which the first layer of a process needs and takes its time; in a thread.

        Who comes while it is read waits for it.
        """
        with _UNITS:
            _read_units()

    @staticmethod
    def learn_shapes() -> None:
        """Have napari's triangulation loaded, which the first Shapes layer of a process waits for; in a thread."""
        LayerList.learn_units()
        Layer.create(None, {"ndim": 2}, "shapes")

    def put(self, made: Layer, *, over: Layer | None = None, under: Layer | None = None) -> Any:
        """Put a layer in that was made, and leave the user's selection as it is.

        On top of all, or right over or under another one, where that is there.
        """
        with self._changing(), self._keeping_selection(), self._late():
            self._rows.watch(made)
            self._layers.insert(self._place(over, under), made)
        return made

    def remove(self, layers: Collection[Layer]) -> None:
        """Remove layers, those that are still there."""
        with self._changing():
            for layer in layers:
                if layer in self._layers:
                    self._layers.remove(layer)

    def order(self, wanted: Collection[Layer]) -> None:
        """Put these layers first, in this order; the others follow as they stood."""
        present = [layer for layer in wanted if layer in self._layers]
        with self._changing():
            for at, layer in enumerate(present):
                if self._layers[at] is not layer:
                    self._layers.move(self._layers.index(layer), at)

    def lay_over(self, layers: Sequence[Layer], base: Layer) -> None:
        """Put layers right above another one, the first of them lowest."""
        with self._changing():
            for layer in reversed(layers):
                if self._layers.index(layer) != self._layers.index(base) + 1:
                    self._layers.move(self._layers.index(layer), self._layers.index(base) + 1)

    def lift(self, layer: Layer) -> None:
        """Move a layer above all others."""
        with self._changing():
            self._layers.move(self._layers.index(layer), len(self._layers))

    def select(self, layer: Layer) -> None:
        """Make one layer the active one, where it is still there."""
        if layer in self._layers:
            self._layers.selection = {layer}

    def select_first(self, layer: Layer) -> None:
        """Make one layer the active one, where the user has none."""
        if not self._layers.selection:
            self.select(layer)

    def take_dropped(self) -> list[Opened]:
        """Remove the layers our reader made and return what they show."""
        dropped = [layer for layer in self._layers if DROPPED in layer.metadata]
        found = {id(opened): opened for opened in (layer.metadata[DROPPED] for layer in dropped)}
        self.remove(dropped)
        return list(found.values())

    def _place(self, over: Layer | None, under: Layer | None) -> int:
        if over in self._layers:
            return int(self._layers.index(over)) + 1
        return int(self._layers.index(under)) if under in self._layers else len(self._layers)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """What is changed inside is changed by us, not by the user."""
        before, self._is_ours = self._is_ours, True
        try:
            yield
        finally:
            self._is_ours = before

    @contextmanager
    def _keeping_selection(self) -> Iterator[None]:
        """A layer that comes in is not selected: to show its controls and go back to others takes napari 30 ms."""
        selected = set(self._layers.selection)
        self._layers._activate_on_insert = False
        try:
            yield
        finally:
            self._layers._activate_on_insert = True
        if set(self._layers.selection) != selected:  # napari has changed
            self._layers.selection = selected

    def _on_removed(self, event: Any) -> None:
        if not self._is_ours:
            self.removed.emit(event.value)

    def _on_inserted(self, event: Any) -> None:
        if DROPPED in event.value.metadata:
            self.dropped.emit()
        if not self._is_ours:
            self.disturbed.emit()

    def _on_moved(self, _event: Any) -> None:
        if not self._is_ours:
            self.disturbed.emit()


def put_in_place(layer: Layer, placement: Placement) -> None:
    """Let a layer that is kept lie in level-0 pixels of another slide, of the same unit."""
    if tuple(layer.scale) != placement.place["scale"]:
        layer.scale = placement.place["scale"]


@cache
def _read_units() -> None:
    Layer.create(None, {"ndim": 2, "units": ("um", "um")}, "points")
