"""Keeps what the Spot dock shows: the case of the clicked spot, its edges and pictures, and what is lit up."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st_napari._calibration import CalibrationKeeper
from gr2st_napari._graph_keeper import GraphKeeper
from gr2st_napari._neighbours import EDGE_KINDS, neighbours_of
from gr2st_napari._picture_keeper import PictureKeeper
from gr2st_napari._spot import SCATTER, case_of, lit
from gr2st_napari._trust import outside_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._canvas import Canvas
    from gr2st_napari._marks import Mark
    from gr2st_napari._neighbours import EdgeKind
    from gr2st_napari._opener import Opener
    from gr2st_napari._opening import Opened
    from gr2st_napari._pointer import Pointer
    from gr2st_napari._spot import Why
    from gr2st_napari._state import State


class SpotKeeper:
    """Changes `State.why` and, for what is clicked elsewhere than on the tissue, `State.spot`."""

    def __init__(self, state: State, canvas: Canvas, pointer: Pointer, opener: Opener) -> None:
        self._state, self._canvas, self._opener = state, canvas, opener
        self._left: tuple[Opened, int | None] | None = None
        self.graphs = GraphKeeper(state, canvas, pointer)
        self._pictures, self._calibration = PictureKeeper(state), CalibrationKeeper(state)
        self._listeners = (
            (state.events.spot, self._on_spot),
            (state.events.shown, self._on_shown),
            (state.events.expression, self._on_expression),
            (state.events.sheet, self._on_sheet),
            (state.events.opened, self._on_opened),
        )
        for signal, listener in self._listeners:
            signal.connect(listener)

    def close(self) -> None:
        """Stop listening; the layers stay."""
        for signal, listener in self._listeners:
            signal.disconnect(listener)
        self.graphs.close()
        self._pictures.close()
        self._calibration.close()

    # -- what the dock asks for ------------------------------------------------------------------------------------

    def pick(self, spot: int | None) -> None:
        """Take a spot as the clicked one."""
        self._state.spot = spot

    def show_edges(self, kind: EdgeKind, *, is_shown: bool) -> None:
        """Show edges of one kind at the clicked spot, or not."""
        edges = tuple(known for known in EDGE_KINDS if (is_shown if known == kind else known in self._why.edges))
        self._put(edges=edges)
        self._draw_edges()

    def list_references(self, count: int) -> None:
        """List so many reference spots."""
        self._put(n_references=count)
        self._pictures.look()

    def look_at(self, place: int) -> None:
        """Look at one of the reference spots in the list."""
        self._put(chosen=place)

    def mark_outside(self, *, is_marked: bool) -> None:
        """Mark the spots that are unlike the training slides, or not."""
        self._put(marks_outside=is_marked)
        self._mark()

    def light(self, rows: Sequence[int]) -> None:
        """Light up the spots that were chosen in the scatter."""
        self._light(lit(self._why, np.asarray(rows, dtype=np.int64), SCATTER))

    def light_region(self, name: str) -> None:
        """Light up the spots of a region; none where it has no name."""
        sheet = self._state.sheet
        rows = sheet.marks(name) if name in sheet.choices else np.empty(0, np.int64)
        self._light(lit(self._why, rows, name))

    def go_there(self) -> None:
        """Open the section of the reference spot that is looked at, and click that spot."""
        reference, opened = self._why.reference, self._state.opened
        if reference is None or opened is None or opened.study is None:
            return
        if self._left is None:
            self._left = (opened, self._state.spot)
        self._opener.choose_section(reference.section, lambda: self._pick_by_name(reference.spot))

    def go_back(self) -> None:
        """Show again what was left to look at a reference spot."""
        if self._left is not None:
            opened, spot = self._left
            self._opener.take(opened, lambda: self.pick(spot))

    def forget_mark(self, mark: Mark) -> None:
        """The user deleted the layer of a mark."""
        self._canvas.drop_mark(mark)
        if mark == "outside":
            self._put(marks_outside=False)
        else:
            self._put(lit=(), lit_by="")

    # -- news ------------------------------------------------------------------------------------------------------

    @property
    def _why(self) -> Why:
        return self._state.why

    def _put(self, **changes: Any) -> None:
        self._state.why = replace(self._why, **changes)

    def _on_spot(self, _spot: int | None) -> None:
        self._draw_edges()
        self._put(chosen=0)
        self._on_shown()

    def _on_shown(self) -> None:
        """Another gene, another scale or another spot."""
        expression, shown, spot = self._state.expression, self._state.shown, self._state.spot
        if expression is None or shown is None or spot is None or spot >= len(expression.spots):
            self._put(case=None)
        else:
            self._put(case=case_of(expression, shown, self._state.wish, spot))
        self._pictures.look()

    def _on_expression(self, _expression: object) -> None:
        self._put(lit=(), lit_by="")
        self._draw_edges()
        self._mark()

    def _on_sheet(self) -> None:
        if self._why.lit_by not in ("", SCATTER):
            self.light_region(self._why.lit_by if self._why.lit_by in self._state.sheet.choices else "")

    def _on_opened(self, opened: Opened | None) -> None:
        """The way back ends where it led to, and where the user has opened another prediction."""
        if self._left is not None and (opened is None or opened.prediction is not None):
            self._left = None
        self._put(way_back="" if self._left is None else self._left[0].name)

    def _pick_by_name(self, name: str) -> None:
        expression = self._state.expression
        if expression is not None:
            self.pick(expression.position(name))

    # -- on the canvas ---------------------------------------------------------------------------------------------

    def _draw_edges(self) -> None:
        expression, spot = self._state.expression, self._state.spot
        if expression is not None:
            found = None if spot is None else neighbours_of(expression, spot)
            self._canvas.show_edges(found, expression.xy, self._why.edges)

    def _light(self, why: Why) -> None:
        self._state.why = why
        expression = self._state.expression
        if expression is not None:
            self._canvas.show_marks("lit", expression.xy[list(why.lit)])

    def _mark(self) -> None:
        """Crosses over the spots that are unlike the training slides; nothing is lit up."""
        expression = self._state.expression
        if expression is None:
            return
        outside = outside_of(expression)
        is_marked = outside is not None and self._why.marks_outside
        self._canvas.show_marks("outside", expression.xy[outside if is_marked else []])
        self._canvas.show_marks("lit", expression.xy[list(self._why.lit)])
