"""Two groups of layers in two cells of the canvas, and back to the view the user had."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari import Viewer
    from napari.layers import Layer

    from gr2st_napari._layer_list import LayerList

SPACING_PX = 6
LAYOUT = ("stride", "shape", "spacing")
"""Fields of napari's grid beside `enabled`."""


@dataclass(frozen=True)
class Before:
    """The layers as the user had them."""

    order: list[Layer]
    visible: dict[Layer, bool]


class SideBySide:
    """napari's grid, one row of two cells: both show the same place, each its own layers.

    Into the grid in two steps, `line_up` and `part`, and out of it in two, `join` and `give_back`: each lays the canvas
    out anew, which takes its time.
    """

    def __init__(self, viewer: Viewer, layers: LayerList) -> None:
        self._viewer, self._layers = viewer, layers
        self._before: Before | None = None
        self._grid_before: dict[str, Any] = {}
        self._is_parted = False

    @property
    def is_parted(self) -> bool:
        return self._is_parted

    @property
    def hidden_layers(self) -> int:
        """How many of the user's own layers are hidden meanwhile."""
        return sum(self._before.visible.values()) if self._before is not None and self._is_parted else 0

    def line_up(self, groups: Sequence[list[Layer]]) -> None:
        """Put each group together, and hide all other layers."""
        ours = [layer for group in groups for layer in group]
        foreign = [layer for layer in self._layers.all() if layer not in ours]
        if self._before is None:
            self._before = Before(order=self._layers.all(), visible={layer: layer.visible for layer in foreign})
        set_visible(foreign, is_visible=False)
        self._layers.order(ours)

    def part(self, groups: Sequence[list[Layer]]) -> None:
        """Show each group in a cell of its own."""
        if self._is_parted:
            return
        grid = self._viewer.canvas.grid
        self._grid_before = {name: getattr(grid, name) for name in ("enabled", *LAYOUT)}
        self._is_parted = True
        self.arrange(groups)

    def arrange(self, groups: Sequence[list[Layer]]) -> None:
        """Groups first and of equal size, so that each fills one cell; foreign layers come behind them."""
        if not self._is_parted or not groups[0]:
            return
        self._layers.order([layer for group in groups for layer in group])
        set_grid(self._viewer.canvas.grid, enabled=True, stride=len(groups[0]), shape=(1, 2), spacing=SPACING_PX)

    def join(self) -> None:
        """One map again, in the grid the user had."""
        if self._is_parted:
            self._is_parted = False
            set_grid(self._viewer.canvas.grid, **self._grid_before)

    def give_back(self, second: list[Layer]) -> None:
        """Give order and the user's layers back; `second` is kept, hidden, below everything."""
        if self._before is None or self._is_parted:
            return
        before, self._before = self._before, None
        self._layers.order([*second, *(layer for layer in before.order if layer not in second)])
        present = self._layers.all()
        for layer, was_visible in before.visible.items():
            if layer in present:
                set_visible([layer], is_visible=was_visible)

    @contextmanager
    def same_view(self) -> Iterator[None]:
        """Keep centre and relative zoom while the canvas is cut in two or joined again."""
        camera = self._viewer.scene.camera
        centre, zoom, before = camera.center, camera.zoom, self._fitting_zoom()
        yield
        camera.center, camera.zoom = centre, zoom * self._fitting_zoom() / before

    def _fitting_zoom(self) -> float:
        """The zoom at which all layers fill a map, but for a factor."""
        room = np.ptp(self._layers.extent(), axis=0)
        size = np.asarray(self._viewer.canvas.viewbox_size(self._viewer.layers))
        return float((size / np.maximum(room, 1e-12)).min())


def set_grid(grid: Any, *, enabled: bool, **layout: Any) -> None:
    """Change a grid as a whole: napari lays the canvas out anew for every field that is set."""
    is_changed = any(getattr(grid, name) != layout[name] for name in LAYOUT)
    with ExitStack() as quiet:
        for name in LAYOUT:
            quiet.enter_context(getattr(grid.events, name).blocker())
            setattr(grid, name, layout[name])
    if grid.enabled != enabled:
        grid.enabled = enabled
    elif is_changed and enabled:
        grid.events.stride(value=grid.stride)
