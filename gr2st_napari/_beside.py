"""The second map beside the first one: it comes and goes in turns of the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from psygnal import Signal

from gr2st_napari._cell import twin
from gr2st_napari._side_by_side import SideBySide
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from napari import Viewer
    from napari.layers import Layer

    from gr2st_napari._cell import Cell
    from gr2st_napari._ground import Ground
    from gr2st_napari._heatmaps import Heatmap
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._panels import Panel
    from gr2st_napari._turns import Turns

ShowPanel: TypeAlias = "Callable[[Cell, Panel, Ground], Heatmap]"


class Beside:
    """Two maps in two cells of the canvas.

    A layer that comes to be seen has its programs built, and so has one whose cell becomes another: all at once that
    holds the window for a third of a second where graphics are computed by the processor. So layers are made, the
    canvas is cut and what stands in the second cell is revealed one after the other. A piece that has nothing to do any
    more does nothing.
    """

    parted = Signal()
    """Two maps have come to stand side by side."""

    def __init__(self, viewer: Viewer, layers: LayerList, turns: Turns, show_panel: ShowPanel) -> None:
        self._pair = SideBySide(viewer, layers)
        self._layers, self._turns, self._show_panel = layers, turns, show_panel
        self._cells: tuple[Cell, Cell] | None = None
        self._wanted: tuple[Panel, Ground] | None = None

    @property
    def is_parted(self) -> bool:
        return self._pair.is_parted

    @property
    def hidden_layers(self) -> int:
        """How many of the user's own layers are hidden meanwhile."""
        return 0 if self._wanted is None else self._pair.hidden_layers

    def show(self, first: Cell, second: Cell, panel: Panel, ground: Ground) -> None:
        """Show this panel in the second cell, beside the first."""
        is_new = self._wanted is None
        self._cells, self._wanted = (first, second), (panel, ground)
        if self._pair.is_parted:
            self._show_panel(second, panel, ground)
        else:
            self._take_turns(self._make_slide, self._make_map, self._line_up, self._part)
        if is_new or not self._pair.is_parted:
            self._take_turns(self._reveal_slide, self._reveal_map, self._tell)

    def leave(self) -> None:
        """Give the first map the whole canvas, and the user's layers back."""
        self._forget()
        self._take_turns(self._hide_over, self._hide_second, self._join, self._give_back)

    def leave_at_once(self) -> None:
        """Leave without taking turns: the second cell is going, or will show something else."""
        self._forget()
        self._hide_second()
        self._join()
        self._give_back()

    def arrange(self, groups: Sequence[list[Layer]]) -> None:
        """Let each group fill its cell again."""
        self._pair.arrange(groups)

    def _take_turns(self, *pieces: Callable[[], None]) -> None:
        for piece in pieces:
            self._turns.add_once(piece)

    def _make_slide(self) -> None:
        if self._wanted is None or self._cells is None:
            return
        first, second = self._cells
        if second.slide is None and first.slide is not None:
            data, keywords, kind = twin(first.slide)
            second.slide = self._layers.add((data, {**keywords, "visible": False}, kind))

    def _make_map(self) -> None:
        if self._wanted is not None and self._cells is not None:
            self._show_panel(self._cells[1], *self._wanted).set_visible(is_visible=self._pair.is_parted)

    def _line_up(self) -> None:
        if self._wanted is not None and self._cells is not None:
            self._pair.line_up([cell.layers for cell in self._cells])

    def _part(self) -> None:
        if self._wanted is not None and self._cells is not None:
            with self._pair.same_view():
                self._pair.part([cell.layers for cell in self._cells])

    def _reveal_slide(self) -> None:
        if self._pair.is_parted and self._cells is not None and self._cells[1].slide is not None:
            set_visible([self._cells[1].slide], is_visible=True)

    def _reveal_map(self) -> None:
        if self._pair.is_parted and self._cells is not None and self._cells[1].spots is not None:
            self._cells[1].spots.set_visible(is_visible=True)

    def _tell(self) -> None:
        if self._wanted is not None and self._pair.is_parted:
            self.parted.emit()

    def _forget(self) -> None:
        # Its name at once: the first map may take it over, and napari numbers layers of one name.
        if self._wanted is not None and self._cells is not None:
            self._cells[1].wait()
        self._wanted = None

    def _hide_over(self) -> None:
        if self._wanted is None and self._pair.is_parted and self._cells is not None:
            set_visible(self._cells[1].over_map, is_visible=False)

    def _hide_second(self) -> None:
        if self._wanted is None and self._pair.is_parted and self._cells is not None:
            set_visible(self._cells[1].layers, is_visible=False)

    def _join(self) -> None:
        if self._wanted is None and self._pair.is_parted:
            with self._pair.same_view():
                self._pair.join()

    def _give_back(self) -> None:
        if self._wanted is None and self._cells is not None:
            self._pair.give_back(self._cells[1].layers)
