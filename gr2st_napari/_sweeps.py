"""Python's sweeps of its memory hold the window for 0.2 s and more where they go over all that was loaded to open it.

napari asks for one whenever a layer goes, Python makes others by itself.
"""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari import Viewer


class Spared:
    """What is in memory is left out of all sweeps, until something of it goes.

    A viewer, or a layer that it shows by then, may hold gigabytes in a ring that only a sweep takes apart: when one
    goes, nothing is left out until a whole sweep has freed it.
    """

    def __init__(self) -> None:
        self._viewers: weakref.WeakSet[Viewer] = weakref.WeakSet()
        self._layers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._going: list[weakref.ref[Any]] = []
        gc.callbacks.append(self._on_sweep)

    def watch(self, viewer: Viewer) -> None:
        """Leave out what is loaded by now, the layers of the viewer among it.

        What is waste by now is left out with it: the sweep that would take it away first would hold the window too.
        """
        self._viewers.add(viewer)
        viewer.layers.events.removing.connect(self._on_removing)
        self.leave_out()

    def leave_out(self) -> None:
        """Leave out what is loaded by now, where nothing is going."""
        self._going = [thing for thing in self._going if thing() is not None]
        if not self._going:
            for viewer in self._viewers:
                self._layers.update(viewer.layers)
            gc.freeze()

    def let_go(self, thing: Any) -> None:
        """It is no longer in use: nothing is left out until it is gone."""
        self._going.append(weakref.ref(thing))
        gc.unfreeze()

    def _on_removing(self, event: Any) -> None:
        layer = event.source[event.index]
        if layer in self._layers:
            self._layers.discard(layer)
            self.let_go(layer)

    def _on_sweep(self, phase: str, info: dict[str, int]) -> None:
        if self._going and phase == "stop" and info["generation"] == 2:
            self.leave_out()


SPARED = Spared()
"""Python has one such list in a process."""
