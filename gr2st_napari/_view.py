"""Where a viewer looks: the window of the slide it shows, the first look at a section, widths on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

if TYPE_CHECKING:
    from napari import Viewer

    from gr2st_napari._export import Window


class View:
    """The camera of a viewer, in level-0 pixels of what is drawn."""

    moved = Signal()
    """The view was moved, zoomed, or has another size."""

    zoomed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.scale: float | None = None
        """From level-0 pixels to the world; None while nothing is drawn."""
        self._events, self._sizes = viewer.scene.camera.events, viewer.canvas.events.size
        self._events.zoom.connect(self._on_zoom)
        for news in (self._events.center, self._sizes):
            news.connect(self._on_centre)

    def close(self) -> None:
        """Stop listening."""
        self._events.zoom.disconnect(self._on_zoom)
        for news in (self._events.center, self._sizes):
            news.disconnect(self._on_centre)

    @property
    def window(self) -> Window | None:
        """What of the slide a map shows: left, top, right, bottom in level-0 pixels; None while nothing is drawn."""
        if self.scale is None:
            return None
        camera, scale = self._viewer.scene.camera, self.scale
        down, across = (float(size) / (2 * camera.zoom * scale) for size in self._map_size())
        y, x = (float(middle) / scale for middle in camera.center[-2:])
        return (x - across, y - down, x + across, y + down)

    def look_at(self, window: Window) -> None:
        """Show a window of the slide whole, as large as it goes."""
        if self.scale is None:
            return
        (left, top, right, bottom), scale = window, self.scale
        height, width = self._map_size()
        camera = self._viewer.scene.camera
        camera.center = ((top + bottom) / 2 * scale, (left + right) / 2 * scale)
        camera.zoom = min(height / (bottom - top), width / (right - left)) / scale

    def show_scale(self) -> None:
        """Put a scale bar on every map."""
        bar = self._viewer.canvas.overlays.scale_bar
        if not (bar.visible and bar.gridded):
            bar.visible, bar.gridded, bar.position = True, True, "bottom_right"

    def width_on_screen(self, px: float) -> float:
        """Level-0 pixels that are `px` wide on the screen."""
        return float(px / (self._viewer.scene.camera.zoom * (self.scale or 1.0)))

    def _map_size(self) -> tuple[float, float]:
        """Height and width on the screen of one map."""
        return self._viewer.canvas.viewbox_size(self._viewer.layers)

    def _on_zoom(self, _event: object = None) -> None:
        self.zoomed.emit()
        self.moved.emit()

    def _on_centre(self, _event: object = None) -> None:
        self.moved.emit()
