"""Keeps the whole graphs of one viewer: built and drawn beside the window, out of sight while mouse or view move."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from gr2st_napari._background import Background
from gr2st_napari._drawn_graph import build_graph
from gr2st_napari._graph_picture import draw_graph
from gr2st_napari._neighbours import EDGE_KINDS, graph_of
from gr2st_napari._opening import placement_of
from gr2st_napari._problems import problem_of
from gr2st_napari._trust_words import graph_sentence, no_graph_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from napari.layers import Layer

    from gr2st_napari._canvas import Canvas
    from gr2st_napari._drawn_graph import DrawnGraph
    from gr2st_napari._export import Window
    from gr2st_napari._graph_picture import GraphPicture
    from gr2st_napari._neighbours import EdgeKind
    from gr2st_napari._pointer import Pointer
    from gr2st_napari._state import State

LINE_SCREEN_PX = 1.0
REST_MS = 600
"""How long mouse and view stand still before graphs come back."""


class GraphKeeper(QObject):
    """Changes `State.why`; everything returns at once."""

    def __init__(self, state: State, canvas: Canvas, pointer: Pointer) -> None:
        super().__init__()
        self._state, self._canvas, self._pointer = state, canvas, pointer
        self._building, self._drawing = Background(), Background()
        self._graphs: dict[EdgeKind, DrawnGraph] = {}
        self._kept: dict[EdgeKind, DrawnGraph] = {}
        """Pictures without a graph, whose layers wait hidden for the next: napari takes its time to let a layer go."""
        self._n_moves = 0
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._come_back)
        pointer.moved.connect(self._on_pointer)
        canvas.view.moved.connect(self._on_view)
        canvas.layers.removed.connect(self._on_removed)
        state.events.expression.connect(self._on_expression)
        state.events.shown.connect(self._on_shown)

    def show(self, kind: EdgeKind, *, is_shown: bool) -> None:
        """Show a whole graph or take it away; two maps side by side become one, over which it can be seen."""
        why = self._state.why
        kinds = tuple(known for known in EDGE_KINDS if (is_shown if known == kind else known in why.graphs))
        self._state.why = replace(why, graphs=kinds)
        if is_shown and self._state.wish.mode == "side by side":
            self._state.wish = replace(self._state.wish, mode="predicted")
        if not is_shown:
            self._take_away([kind])
        self._go_on()

    def close(self) -> None:
        """Stop listening; the layers stay."""
        self._rest.stop()
        self._draw_nothing()
        for thread in (self._building, self._drawing):
            thread.close()
        self._pointer.moved.disconnect(self._on_pointer)
        self._canvas.view.moved.disconnect(self._on_view)
        self._canvas.layers.removed.disconnect(self._on_removed)
        self._state.events.expression.disconnect(self._on_expression)
        self._state.events.shown.disconnect(self._on_shown)

    # -- building --------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Build the next graph that is wanted and is not there."""
        expression, opened, why = self._state.expression, self._state.opened, self._state.why
        known = () if expression is None else [kind for kind in why.graphs if graph_of(expression, kind) is not None]
        words = {kind: no_graph_sentence(expression, kind) for kind in why.graphs if kind not in known}
        missing = [kind for kind in known if kind not in self._graphs]
        kept = {kind: told for kind, told in why.graph_words.items() if kind in self._graphs}
        self._state.why = replace(why, graph_words={**kept, **words})
        if expression is None or opened is None or not missing:
            self._building.forget()
        else:
            px, make = self._canvas.view.width_on_screen(LINE_SCREEN_PX), self._canvas.layers.made
            work = partial(build_graph, expression, missing[0], placement_of(opened), px, make)
            self._building.run(work, partial(self._on_built, missing[0]))
        self._tell()

    def _on_built(self, kind: EdgeKind, future: Future[DrawnGraph]) -> None:
        if self._has_failed(future):
            self.show(kind, is_shown=False)
            return
        self._graphs[kind] = graph = future.result()
        self._canvas.turns.add(partial(self._put, graph))
        why = self._state.why
        self._state.why = replace(why, graph_words={**why.graph_words, kind: graph_sentence(graph.lines)})
        self._go_on()

    def _put(self, graph: DrawnGraph) -> None:
        if graph not in self._graphs.values():
            return
        kept = self._kept.pop(graph.lines.kind, None)
        if kept is not None and graph.takes_after(kept):
            graph.layer = kept.layer
        else:
            self._canvas.layers.remove([] if kept is None else [kept.layer])
            self._canvas.put_under_spots(graph.layer)
        self._come_back()

    def _take_away(self, kinds: Iterable[EdgeKind]) -> None:
        present = self._canvas.layers.all()
        for graph in [self._graphs.pop(kind) for kind in kinds if kind in self._graphs]:
            if graph.look is None:
                self._canvas.layers.remove([graph.layer])
            elif graph.layer in present:
                graph.empty()
                self._kept[graph.lines.kind] = graph

    def _let_go(self) -> None:
        """Keep no layers where nothing is open, or in other units than what comes."""
        opened = self._state.opened
        units = None if opened is None else placement_of(opened).units
        gone = [kind for kind, kept in self._kept.items() if kept.placement.units != units]
        self._canvas.layers.remove([self._kept.pop(kind).layer for kind in gone])

    def _on_expression(self, _expression: object) -> None:
        self._draw_nothing()
        self._take_away(EDGE_KINDS)
        self._let_go()
        self._go_on()

    def _on_removed(self, layer: Layer) -> None:
        self._kept = {kind: kept for kind, kept in self._kept.items() if kept.layer is not layer}
        kind = next((kind for kind, known in self._graphs.items() if known.layer is layer), None)
        if kind is not None:
            del self._graphs[kind]
            self.show(kind, is_shown=False)

    # -- out of sight ----------------------------------------------------------------------------------------------

    def _on_pointer(self) -> None:
        self._make_way(self._graphs.values())

    def _on_view(self) -> None:
        """The user pans or zooms: a picture is one of what the view showed, lines keep their width on the screen."""
        self._draw_nothing()
        self._make_way(self._pictures)
        self._make_thin()

    def _on_shown(self) -> None:
        self._make_way([] if self._has_room else self._pictures)

    def _make_way(self, graphs: Iterable[DrawnGraph]) -> None:
        for graph in graphs:
            if graph.layer.visible:
                graph.layer.visible, graph.is_resting = False, True
        if self._resting:
            self._rest.start()

    def _make_thin(self) -> None:
        width = self._canvas.view.width_on_screen(LINE_SCREEN_PX)
        for graph in self._graphs.values():
            if graph.look is None and graph.layer.visible and graph.layer.edge_width != width:
                graph.layer.edge_width = width

    @property
    def _pictures(self) -> list[DrawnGraph]:
        return [graph for graph in self._graphs.values() if graph.look is not None]

    @property
    def _resting(self) -> list[DrawnGraph]:
        return [graph for graph in self._graphs.values() if graph.is_resting]

    @property
    def _has_room(self) -> bool:
        """Beside a second map graphs would fill a cell of their own."""
        return self._state.shown is not None and len(self._state.shown.panels) == 1

    # -- back in sight ---------------------------------------------------------------------------------------------

    def _come_back(self) -> None:
        window = self._canvas.view.window
        if window is None or not self._has_room:
            return
        for graph in self._resting:
            if graph.shows(window):
                self._canvas.turns.add(partial(self._reveal, graph))
        outdated = [graph for graph in self._resting if not graph.shows(window)]
        if outdated:
            self._draw(outdated, window)

    def _draw(self, graphs: list[DrawnGraph], window: Window) -> None:
        px, number = self._canvas.view.width_on_screen(LINE_SCREEN_PX), self._n_moves
        looks = [graph.look for graph in graphs if graph.look is not None]

        def drawn() -> list[GraphPicture | None]:
            return [draw_graph(look, window, px, lambda: self._n_moves == number) for look in looks]

        self._drawing.run(drawn, partial(self._on_drawn, graphs, window))
        self._tell()

    def _draw_nothing(self) -> None:
        """What is being drawn is of another view by now."""
        self._n_moves += 1
        if self._drawing.is_busy:
            self._drawing.forget()
            self._tell()

    def _on_drawn(self, graphs: list[DrawnGraph], window: Window, future: Future[list[GraphPicture | None]]) -> None:
        if not self._has_failed(future):
            for graph, picture in zip(graphs, future.result(), strict=True):
                self._canvas.turns.add(partial(self._fill, graph, picture, window), partial(self._reveal, graph))
        self._tell()

    def _fill(self, graph: DrawnGraph, picture: GraphPicture | None, window: Window) -> None:
        if picture is not None and graph in self._graphs.values():
            graph.fill(picture, window)

    def _reveal(self, graph: DrawnGraph) -> None:
        # Mouse and view may have moved meanwhile.
        if graph in self._resting and self._has_room and graph.shows(self._canvas.view.window):
            graph.layer.visible, graph.is_resting = True, False
            self._make_thin()

    # -- words -----------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        is_drawing = self._building.is_busy or self._drawing.is_busy
        if self._state.why.is_drawing != is_drawing:
            self._state.why = replace(self._state.why, is_drawing=is_drawing)

    def _has_failed(self, future: Future[Any]) -> bool:
        error = future.exception()
        if error is not None:
            self._state.problem = problem_of(error)
        return error is not None
