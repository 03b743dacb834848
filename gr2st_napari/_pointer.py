"""Which spot the mouse is on, and which was clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from napari import Viewer
    from scipy.spatial import cKDTree

CLICK_SLACK_PX = 5
"""Screen pixels the mouse may move between press and release of a click."""


class Pointer:
    """Turns mouse positions into rows of the spots; shows the words for the spot under the mouse in the status bar."""

    clicked = Signal(object)
    """Row of the clicked spot, None for a click beside all of them."""

    moved = Signal()
    """The mouse has come to another spot, or left one."""

    def __init__(self, viewer: Viewer, describe: Callable[[int], str]) -> None:
        self._viewer = viewer
        self._describe = describe
        self._tree: cKDTree | None = None
        self._reach = 0.0
        self._scale = 1.0
        self.hovered: int | None = None
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.events.status.connect(self._on_status)

    def watch(self, tree: cKDTree, reach_px: float, scale: float) -> None:
        """Follow the spots of this tree, x, y in level-0 pixels, each as far as `reach_px`."""
        self._tree = tree if tree.n else None
        self._reach, self._scale = reach_px, scale
        self.hovered = None

    def rest(self) -> None:
        """Follow nothing."""
        self._tree, self.hovered = None, None

    def close(self) -> None:
        """Stop listening."""
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._viewer.events.status.disconnect(self._on_status)

    def refresh(self, outdated: Iterable[str] = ()) -> None:
        """Say anew what is known of the spot under the mouse, and nothing more of layers by `outdated` names."""
        if self.hovered is not None:
            self._viewer.status = self._describe(self.hovered)
        elif any(name in str(self._viewer.status) for name in outdated):
            self._viewer.status = ""

    def spot_at(self, world: tuple[float, ...]) -> int | None:
        """Row of the spot that covers a world position (..., row, column)."""
        if self._tree is None:
            return None
        row, column = np.asarray(world[-2:]) / self._scale
        distance, at = self._tree.query((column, row), distance_upper_bound=self._reach)
        return int(at) if np.isfinite(distance) else None

    def _on_move(self, _viewer: object, event: Any) -> None:
        spot = self.spot_at(event.position)
        if spot != self.hovered:
            self.hovered = spot
            self.refresh()
            self.moved.emit()

    def _on_status(self, event: Any) -> None:
        # napari works out its own line in a thread and sets it later: ours comes back while the mouse is on a spot.
        if self.hovered is not None:
            words = self._describe(self.hovered)
            if event.value != words:
                self._viewer.status = words

    def _on_press(self, viewer: Viewer, event: Any) -> Generator[None, None, None]:
        active = viewer.layers.selection.active
        if event.button != 1 or (active is not None and str(active.mode) not in ("pan_zoom", "transform")):
            return
        start = np.asarray(event.pos)
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos) - start).max() <= CLICK_SLACK_PX and self._tree is not None:
            self.clicked.emit(self.spot_at(event.position))
