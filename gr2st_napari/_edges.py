"""Edges of one spot in every cell of the canvas; their layers are made once, then filled anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gr2st_napari import _layers
from gr2st_napari._attention import PLAIN, edge_colours, top_of
from gr2st_napari._layer_list import put_in_place
from gr2st_napari._neighbours import EDGE_KINDS
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._cell import Cell
    from gr2st_napari._expression import Float64
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._layers import LayerTuple, Placement
    from gr2st_napari._neighbours import EdgeKind, Neighbours


class Edges:
    """Draws lines from a spot to its neighbours."""

    def __init__(self, layers: LayerList) -> None:
        self._layers = layers
        self._wanted: Sequence[LayerTuple] = ()
        self._placement: Placement | None = None

    def want(self, wanted: Sequence[LayerTuple], placement: Placement) -> None:
        """What `fill` will show."""
        self._wanted, self._placement = wanted, placement

    def forget(self) -> None:
        """Show none."""
        self._wanted = ()

    def lacking(self, cells: Sequence[Cell]) -> Cell | None:
        """The first cell that has too few layers for what is wanted; the first one is never behind the second."""
        return next((cell for cell in cells if len(cell.edges) < len(self._wanted)), None)

    def make_one(self, cell: Cell) -> None:
        """One more layer for a cell, hidden until it is filled: a layer takes a turn of the window."""
        data, keywords, kind = self._wanted[len(cell.edges)]
        name = keywords["name"].removesuffix(cell.suffix) + cell.suffix
        made = self._layers.add((data, {**keywords, "name": name, "visible": False}, kind), over=cell.layers[-1])
        cell.edges = (*cell.edges, made)

    def fill(self, cell: Cell, *, is_visible: bool) -> None:
        """Put new lines into the layers that are there; without any the layers are only hidden."""
        if not self._wanted or self._placement is None:
            set_visible(cell.edges, is_visible=False)
            return
        spare = cell.edges[len(self._wanted) :]
        cell.edges = cell.edges[: len(self._wanted)]
        self._layers.remove(spare)
        # The user may have deleted one while others were made.
        for layer, (data, keywords, _) in zip(cell.edges, self._wanted, strict=False):
            is_seen = is_visible and keywords["visible"]
            set_visible([layer], is_visible=is_seen)
            # A hidden layer takes new lines without counting them, and has too few colours or too many for them.
            if is_seen:
                layer.data, layer.edge_color = data, keywords["edge_color"]
                put_in_place(layer, self._placement)

    def drop(self, cells: Sequence[Cell]) -> None:
        """Take the edges away for good."""
        self._wanted = ()
        for cell in cells:
            self._layers.remove(cell.edges)
            cell.edges = ()


def edges_of(
    neighbours: Neighbours, xy: Float64, placement: Placement, kinds: tuple[EdgeKind, ...]
) -> list[LayerTuple]:
    """A layer for each kind of edge that a spot has; `kinds` are visible."""
    found: list[LayerTuple] = []
    for kind in EDGE_KINDS:
        drawn = neighbours.drawn(kind)
        if drawn is None:
            continue
        rows, attention = drawn
        colour = PLAIN[kind] if attention is None else edge_colours(kind, attention, top_of(attention))
        name, centre = f"{kind} neighbours", xy[neighbours.spot]
        found.append(_layers.edges_layer(xy[rows], centre, placement, name=name, colour=colour, visible=kind in kinds))
    return found
