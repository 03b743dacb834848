"""Keeps the whole graphs of one viewer: built beside the window, out of sight while the mouse moves over spots."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from gr2st_napari import _layers
from gr2st_napari._attention import PLAIN, WHOLE_WEAK_ALPHA, edge_colours, whole_graph
from gr2st_napari._background import Background
from gr2st_napari._neighbours import EDGE_KINDS, graph_of
from gr2st_napari._opening import placement_of
from gr2st_napari._problems import problem_of
from gr2st_napari._trust_words import graph_sentence, no_graph_sentence

if TYPE_CHECKING:
    from concurrent.futures import Future

    from napari.layers import Layer, Vectors

    from gr2st_napari._attention import GraphLines
    from gr2st_napari._canvas import Canvas
    from gr2st_napari._expression import Expression
    from gr2st_napari._layers import Placement
    from gr2st_napari._neighbours import EdgeKind
    from gr2st_napari._pointer import Pointer
    from gr2st_napari._state import State

LINE_SCREEN_PX = 1.0
REST_MS = 600
"""How long mouse and view stand still before graphs come back."""
HEAVY = 5000
"""Edges from which a graph is also out of sight while the view moves or the gene changes: drawn in software, a hundred
thousand long lines take a second each time."""


class GraphKeeper(QObject):
    """Changes `State.why`; everything returns at once."""

    def __init__(self, state: State, canvas: Canvas, pointer: Pointer) -> None:
        super().__init__()
        self._state, self._canvas, self._pointer = state, canvas, pointer
        self._background = Background()
        self._layers: dict[EdgeKind, Vectors] = {}
        self._resting: list[Vectors] = []
        self._rest = QTimer(self, interval=REST_MS, singleShot=True)
        self._rest.timeout.connect(self._come_back)
        pointer.moved.connect(self._make_way)
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
        self._background.close()
        self._pointer.moved.disconnect(self._make_way)
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
        missing = [kind for kind in known if kind not in self._layers]
        kept = {kind: told for kind, told in why.graph_words.items() if kind in self._layers}
        self._state.why = replace(why, graph_words={**kept, **words}, is_drawing=bool(missing))
        if expression is None or opened is None or not missing:
            self._background.forget()
            return
        kind, placement = missing[0], placement_of(opened)
        width = self._canvas.view.width_on_screen(LINE_SCREEN_PX)
        make = self._canvas.layers.made
        self._background.run(
            lambda: _built(expression, kind, placement, width, make), lambda future: self._on_built(kind, future)
        )

    def _on_built(self, kind: EdgeKind, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            self._state.problem = problem_of(error)
            self.show(kind, is_shown=False)
            return
        lines, layer = future.result()
        self._layers[kind] = self._canvas.put_under_spots(layer)
        why = self._state.why
        self._state.why = replace(why, graph_words={**why.graph_words, kind: graph_sentence(lines)})
        self._go_on()

    def _take_away(self, kinds: list[EdgeKind]) -> None:
        gone = [self._layers.pop(kind) for kind in kinds if kind in self._layers]
        self._resting = [layer for layer in self._resting if layer not in gone]
        self._canvas.layers.remove(gone)

    def _on_expression(self, _expression: object) -> None:
        self._take_away(list(EDGE_KINDS))
        self._go_on()

    def _on_removed(self, layer: Layer) -> None:
        kind = next((kind for kind, known in self._layers.items() if known is layer), None)
        if kind is not None:
            del self._layers[kind]
            self.show(kind, is_shown=False)

    # -- out of sight ----------------------------------------------------------------------------------------------

    def _make_way(self) -> None:
        seen = [layer for layer in self._layers.values() if layer.visible]
        self._resting += seen
        for layer in seen:
            layer.visible = False
        if self._resting:
            self._rest.start()

    def _on_view(self) -> None:
        """The user pans or zooms."""
        if self._is_heavy:
            self._make_way()
        else:
            self._make_thin()

    def _on_shown(self) -> None:
        if self._is_heavy:
            self._make_way()
        elif self._resting:
            self._rest.start()

    @property
    def _is_heavy(self) -> bool:
        return sum(len(layer.data) for layer in self._layers.values()) > HEAVY

    def _come_back(self) -> None:
        shown = self._state.shown
        # Beside a second map they would fill a cell of their own.
        if shown is not None and len(shown.panels) == 1:
            resting, self._resting = self._resting, []
            for layer in resting:
                layer.visible = True
            self._make_thin()

    def _make_thin(self) -> None:
        """Lines keep their width on the screen."""
        width = self._canvas.view.width_on_screen(LINE_SCREEN_PX)
        for layer in self._layers.values():
            if layer.visible and layer.edge_width != width:
                layer.edge_width = width


def _built(
    expression: Expression, kind: EdgeKind, placement: Placement, width: float, make: Any
) -> tuple[GraphLines, Vectors]:
    """The lines of a graph and their layer, not in the viewer yet."""
    lines = whole_graph(expression, kind)
    assert lines is not None, "only graphs that are there are asked for"
    colour: Any = PLAIN[kind]
    if lines.attention is not None:
        colour = edge_colours(kind, lines.attention, lines.top, WHOLE_WEAK_ALPHA)
    name = f"{kind} graph"
    return lines, make(_layers.graph_layer(lines.pairs, colour, expression.xy, placement, name=name, width_px=width))
