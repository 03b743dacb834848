"""Edges of one spot and marks, over the maps of all cells: layers are made one in a turn, then filled anew."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from gr2st_napari._edges import Edges
from gr2st_napari._marks import Marks

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._cell import Cell
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._turns import Turns

Kind: TypeAlias = Edges | Marks


class OverMaps:
    """Keeps edges and marks alike in every cell, so that all cells have as many layers.

    `cells` are those there are, `is_seen` tells whether one is on the screen; `settled` is called when layers have come
    or were filled.
    """

    def __init__(
        self,
        layers: LayerList,
        turns: Turns,
        cells: Callable[[], list[Cell]],
        is_seen: Callable[[Cell], bool],
        settled: Callable[[], None],
    ) -> None:
        self.edges, self.marks = Edges(layers), Marks(layers)
        self._turns, self._cells, self._is_seen, self._settled = turns, cells, is_seen, settled
        self._making: dict[Kind, Any] = {kind: partial(self._make, kind) for kind in (self.edges, self.marks)}

    def forget(self) -> None:
        """Show neither edges nor marks from the next filling on."""
        self.edges.forget()
        self.marks.forget()

    def bring_all(self) -> None:
        """Bring all cells up to date, one in a turn."""
        for making in self._making.values():
            self._turns.add_once(making)

    def bring(self, kind: Kind) -> None:
        """Fill the layers of edges, or of marks, anew; those that are lacking are made before, one in a turn."""
        if kind.lacking(self._cells()) is not None:
            self._turns.add_once(self._making[kind])
            return
        for cell in self._cells():
            self._fill(kind, cell)
        self._settled()

    def _make(self, kind: Kind) -> None:
        # What is wanted may be something else by now, or nothing, and the second cell gone.
        lacking: Any = kind.lacking(self._cells())
        if lacking is not None:
            kind.make_one(lacking)
            self._turns.add_once(self._making[kind])
            return
        self._settled()
        self._turns.add(*(partial(self._fill_alone, kind, cell) for cell in self._cells()))

    def _fill_alone(self, kind: Kind, cell: Cell) -> None:
        if cell in self._cells():
            self._fill(kind, cell)
            self._settled()

    def _fill(self, kind: Kind, cell: Cell) -> None:
        kind.fill(cell, is_visible=self._is_seen(cell))
