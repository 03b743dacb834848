"""Marks over the spots of every cell of the canvas: crosses, rings. Each is made once, then changed in place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from gr2st_napari import _layers
from gr2st_napari._crossed import Crossed
from gr2st_napari._layer_list import put_in_place
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari.layers import Image, Layer, Points

    from gr2st_napari._cell import Cell
    from gr2st_napari._expression import Float64
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._layers import LayerTuple, Placement

Mark: TypeAlias = Literal["outside", "lit"]
MARKS: tuple[Mark, ...] = get_args(Mark)


@dataclass(frozen=True, eq=False)
class Wanted:
    """Spots (n, 2), x and y, to be marked."""

    xy: Float64
    placement: Placement

    @cached_property
    def crossed(self) -> Crossed:
        """The picture of them crossed out; cells that show the same spots share it."""
        return Crossed(self.xy, self.placement.spot_diameter_px)

    def is_like(self, other: Wanted) -> bool:
        """Whether the same spots lie in the same places."""
        return self.placement == other.placement and np.array_equal(self.xy, other.xy)


@dataclass(frozen=True)
class Look:
    """How a mark is drawn: the name of its layer, a new layer under a name, other spots in a layer that is there."""

    name: str
    layer: Callable[[Wanted, str], LayerTuple]
    fill: Callable[[Any, Wanted], None]


def _crosses(wanted: Wanted, name: str) -> LayerTuple:
    return _layers.crossed_layer(wanted.crossed, wanted.placement, name=name)


def _fill_crosses(layer: Image, wanted: Wanted) -> None:
    if layer.data[0] is not wanted.crossed.levels[0]:
        layer.data = wanted.crossed.levels
        for name, value in _layers.crossed_place(wanted.crossed, wanted.placement).items():
            setattr(layer, name, value)


def _rings(wanted: Wanted, name: str) -> LayerTuple:
    return _layers.rings_layer(wanted.xy, wanted.placement, name=name)


def _fill_rings(layer: Points, wanted: Wanted) -> None:
    data = _layers.rows_columns(wanted.xy)
    if not np.array_equal(layer.data, data):
        layer.selected_data = set()
        layer.data = data
        # Size and place of another section's spots.
        layer.size = layer.current_size = _layers.LIT_SIZE * wanted.placement.spot_diameter_px
        put_in_place(layer, wanted.placement)


LOOKS: dict[Mark, Look] = {
    "outside": Look("unlike the training slides", _crosses, _fill_crosses),
    "lit": Look("lit up", _rings, _fill_rings),
}


class Marks:
    """Keeps the marks of every cell alike; a mark without a spot has no layer, or a hidden one."""

    def __init__(self, layers: LayerList) -> None:
        self._layers = layers
        self._wanted: dict[Mark, Wanted] = {}

    def want(self, mark: Mark, xy: Float64, placement: Placement) -> None:
        """Mark these spots, and no others."""
        wanted, before = Wanted(xy, placement), self._wanted.get(mark)
        self._wanted[mark] = before if before is not None and before.is_like(wanted) else wanted

    def forget(self) -> None:
        """Mark nothing."""
        self._wanted.clear()

    def lacking(self, cells: Sequence[Cell]) -> tuple[Cell, Mark] | None:
        """The first cell that has no layer for a mark, and the mark."""
        for mark, wanted in self._wanted.items():
            if len(wanted.xy) or any(mark in cell.marks for cell in cells):
                for cell in cells:
                    if mark not in cell.marks:
                        return cell, mark
        return None

    def make_one(self, lacking: tuple[Cell, Mark]) -> None:
        """A layer for a mark, hidden until it is filled: a layer takes a turn of the window."""
        cell, mark = lacking
        data, keywords, kind = LOOKS[mark].layer(self._wanted[mark], f"{LOOKS[mark].name}{cell.suffix}")
        cell.marks[mark] = self._layers.add((data, {**keywords, "visible": False}, kind))
        cell.marks[mark].editable = False

    def fill(self, cell: Cell, *, is_visible: bool) -> None:
        """Bring the layers of a cell up to date, those that are there."""
        for mark, wanted in self._wanted.items():
            if mark in cell.marks:
                LOOKS[mark].fill(cell.marks[mark], wanted)
                set_visible([cell.marks[mark]], is_visible=is_visible and bool(len(wanted.xy)))

    def drop(self, cells: Sequence[Cell], mark: Mark) -> None:
        """Take a mark away from every cell, for good."""
        self._wanted.pop(mark, None)
        self._layers.remove([layer for cell in cells if (layer := cell.marks.pop(mark, None)) is not None])


def mark_of(cell: dict[Mark, Layer], layer: Layer) -> Mark | None:
    """Which mark a layer is."""
    return next((mark for mark, known in cell.items() if known is layer), None)
