"""Takes hold of the line between two maps with the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st_napari._swipe import span_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari import Viewer

    from gr2st_napari._expression import Float64
    from gr2st_napari._layers import Placement
    from gr2st_napari._state import State

GRIP_PX = 8
"""Screen pixels to each side of the line within which it can be taken hold of."""


class Divider:
    """Changes `State.divider` while the line is dragged; the slide stays where it is meanwhile."""

    def __init__(self, viewer: Viewer, state: State) -> None:
        self._viewer, self._state = viewer, state
        self._low, self._high = 0.0, 1.0
        self._is_held = False
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        state.events.shown.connect(self._on_shown)

    def watch(self, xy: Float64, placement: Placement) -> None:
        """Go over these spots (n, 2), x, y in level-0 pixels."""
        self._low, self._high = (placement.scale * end for end in span_of(xy[:, 0]))

    def close(self) -> None:
        """Stop listening."""
        self._hold(is_held=False)
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._state.events.shown.disconnect(self._on_shown)

    @property
    def _is_on(self) -> bool:
        return self._state.shown is not None and self._state.shown.mode == "swipe"

    def _is_near(self, position: tuple[float, ...]) -> bool:
        line = self._low + self._state.divider * (self._high - self._low)
        return self._is_on and abs(position[-1] - line) * self._viewer.scene.camera.zoom <= GRIP_PX

    def _hold(self, *, is_held: bool) -> None:
        camera = self._viewer.scene.camera
        if is_held != self._is_held and camera.mouse_pan == is_held:
            self._is_held = is_held
            camera.mouse_pan = not is_held
            self._viewer.cursor.style = "pointing" if is_held else "standard"

    def _on_move(self, _viewer: object, event: Any) -> None:
        self._hold(is_held=self._is_near(event.position))

    def _on_press(self, _viewer: object, event: Any) -> Generator[None, None, None]:
        if event.button != 1 or not self._is_near(event.position):
            return
        self._hold(is_held=True)
        yield
        while event.type == "mouse_move":
            share = (event.position[-1] - self._low) / max(self._high - self._low, 1e-9)
            self._state.divider = float(np.clip(share, 0.0, 1.0))
            yield
        self._hold(is_held=self._is_near(event.position))

    def _on_shown(self) -> None:
        if not self._is_on:
            self._hold(is_held=False)
