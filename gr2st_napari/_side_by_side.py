"""Two groups of layers in two cells of the canvas, and back to the view the user had."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from napari import Viewer
    from napari.layers import Layer

    from gr2st_napari._layer_list import LayerList

SPACING_PX = 6


@dataclass(frozen=True)
class Before:
    """The viewer as the user had it."""

    grid: tuple[bool, tuple[int, int], int, float]
    order: list[Layer]
    visible: dict[Layer, bool]


class SideBySide:
    """napari's grid, one row of two cells: both show the same place, each its own layers."""

    def __init__(self, viewer: Viewer, layers: LayerList) -> None:
        self._viewer, self._layers = viewer, layers
        self._before: Before | None = None

    @property
    def is_on(self) -> bool:
        return self._before is not None

    @property
    def hidden_layers(self) -> int:
        """How many of the user's own layers are hidden meanwhile."""
        return 0 if self._before is None else sum(self._before.visible.values())

    def enter(self, groups: Sequence[list[Layer]]) -> None:
        """Show each group in a cell of its own and hide all other layers."""
        ours = [layer for group in groups for layer in group]
        grid = self._viewer.canvas.grid
        foreign = [layer for layer in self._layers.all() if layer not in ours]
        self._before = Before(
            grid=(grid.enabled, grid.shape, grid.stride, grid.spacing),
            order=self._layers.all(),
            visible={layer: layer.visible for layer in foreign},
        )
        set_visible(foreign, is_visible=False)
        self.arrange(groups)

    def arrange(self, groups: Sequence[list[Layer]]) -> None:
        """Groups first and of equal size, so that each fills one cell; foreign layers come behind them."""
        if self._before is None or not groups[0]:
            return
        self._layers.order([layer for group in groups for layer in group])
        grid = self._viewer.canvas.grid
        grid.stride, grid.shape, grid.spacing = len(groups[0]), (1, 2), SPACING_PX
        grid.enabled = True

    def leave(self, second: list[Layer]) -> None:
        """Give grid, order and the user's layers back; `second` is kept, hidden, below everything."""
        if self._before is None:
            return
        before, self._before = self._before, None
        grid = self._viewer.canvas.grid
        grid.enabled, grid.shape, grid.stride, grid.spacing = before.grid
        set_visible(second, is_visible=False)
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
        after = self._fitting_zoom()
        camera.center, camera.zoom = centre, zoom * after / before

    def _fitting_zoom(self) -> float:
        self._viewer.reset_view()
        return float(self._viewer.scene.camera.zoom)


def set_visible(layers: Iterable[Layer], *, is_visible: bool) -> None:
    """Show or hide layers; napari works as hard where nothing changes, so those are left alone."""
    for layer in layers:
        if layer.visible != is_visible:
            layer.visible = is_visible
