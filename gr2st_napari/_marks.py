"""Marks over the spots of every cell of the canvas: crosses, rings. Each is made once, then changed in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from gr2st_napari import _layers
from gr2st_napari._layer_list import put_in_place
from gr2st_napari._side_by_side import set_visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.layers import Layer, Points

    from gr2st_napari._cell import Cell
    from gr2st_napari._expression import Float64
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._layers import Placement

Mark: TypeAlias = Literal["outside", "lit"]
MARKS: tuple[Mark, ...] = get_args(Mark)


@dataclass(frozen=True)
class Wanted:
    """Spots (n, 2), x and y, to be marked."""

    xy: Float64
    placement: Placement


class Marks:
    """Keeps the marks of every cell alike; a mark without a spot has no layer, or a hidden one."""

    def __init__(self, layers: LayerList) -> None:
        self._layers = layers
        self._wanted: dict[Mark, Wanted] = {}

    def want(self, mark: Mark, xy: Float64, placement: Placement) -> None:
        """Mark these spots, and no others."""
        self._wanted[mark] = Wanted(xy, placement)

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
        wanted = self._wanted[mark]
        data, keywords, kind = _layers.marks_layer(mark, wanted.xy, wanted.placement, suffix=cell.suffix)
        cell.marks[mark] = self._layers.add((data, {**keywords, "visible": False}, kind))
        cell.marks[mark].editable = False

    def fill(self, cell: Cell, *, is_visible: bool) -> None:
        """Bring the layers of a cell up to date, those that are there."""
        for mark, wanted in self._wanted.items():
            if mark in cell.marks:
                _fill(cell.marks[mark], mark, wanted, is_visible=is_visible)

    def drop(self, cells: Sequence[Cell], mark: Mark) -> None:
        """Take a mark away from every cell, for good."""
        self._wanted.pop(mark, None)
        self._layers.remove([layer for cell in cells if (layer := cell.marks.pop(mark, None)) is not None])


def _fill(layer: Points, mark: Mark, wanted: Wanted, *, is_visible: bool) -> None:
    data = _layers.rows_columns(wanted.xy)
    if not np.array_equal(layer.data, data):
        layer.selected_data = set()
        layer.data = data
        # Size and place of another section's spots.
        layer.size = layer.current_size = _layers.MARK_LOOK[mark].size * wanted.placement.spot_diameter_px
        put_in_place(layer, wanted.placement)
    set_visible([layer], is_visible=is_visible and bool(len(data)))


def mark_of(cell: dict[Mark, Points], layer: Layer) -> Mark | None:
    """Which mark a layer is."""
    return next((mark for mark, known in cell.items() if known is layer), None)
