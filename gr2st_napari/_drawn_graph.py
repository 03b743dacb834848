"""A whole graph on the canvas: few edges as lines, very many as a picture of what the view shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gr2st_napari import _layers
from gr2st_napari._attention import graph_colours, whole_graph
from gr2st_napari._graph_picture import GraphLook, empty_picture
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._attention import GraphLines
    from gr2st_napari._export import Window
    from gr2st_napari._expression import Expression
    from gr2st_napari._graph_picture import GraphPicture
    from gr2st_napari._layers import LayerTuple, Placement
    from gr2st_napari._neighbours import EdgeKind

HEAVY = 5000
"""Edges from which a graph is a picture: drawn in software, a hundred thousand long lines take a second each time."""


@dataclass(eq=False)
class DrawnGraph:
    """A graph and its layer, which is hidden at first.

    Attributes
    ----------
    look : GraphLook or None
        What a picture is drawn from; None where the layer is one of lines.
    window : Window or None
        What of the slide the picture shows.
    is_resting : bool
        Out of sight for a while; a layer that is hidden otherwise was hidden by the user.
    """

    lines: GraphLines
    placement: Placement
    layer: Any
    look: GraphLook | None
    window: Window | None = None
    is_resting: bool = True

    def shows(self, window: Window | None) -> bool:
        """Whether nothing is to be drawn before this window of the slide can be shown."""
        return self.look is None or self.window == window

    def fill(self, picture: GraphPicture, window: Window) -> None:
        """Put another picture into the layer."""
        self.layer.data, self.window = picture.pixels, window
        for name, value in _layers.graph_picture_place(picture, self.placement).items():
            setattr(self.layer, name, value)

    def empty(self) -> None:
        """Hide a picture and forget what it shows, until another graph takes its layer."""
        assert self.look is not None, "lines are not emptied"
        set_visible([self.layer], is_visible=False)
        self.layer.data, self.window = empty_picture(self.look, 1.0).pixels, None

    def takes_after(self, other: DrawnGraph) -> bool:
        """Whether both are pictures, and one layer does for both."""
        are_pictures = self.look is not None and other.look is not None
        return are_pictures and self.placement.units == other.placement.units


def build_graph(
    expression: Expression, kind: EdgeKind, placement: Placement, px: float, make: Callable[[LayerTuple], Any]
) -> DrawnGraph:
    """Work a graph out and make its layer; lines are `px` level-0 pixels wide."""
    lines = whole_graph(expression, kind)
    assert lines is not None, "only graphs that are there are asked for"
    name, xy, is_heavy = f"{kind} graph", expression.xy, len(lines.pairs) > HEAVY
    colours = graph_colours(lines, adds_up=not is_heavy)
    look = GraphLook(xy[lines.pairs], colours) if is_heavy else None
    if look is None:
        layer = _layers.graph_layer(lines.pairs, colours, xy, placement, name=name, width_px=px)
    else:
        layer = _layers.graph_picture_layer(empty_picture(look, px), placement, name=name)
    data, keywords, layer_kind = layer
    return DrawnGraph(lines, placement, make((data, {**keywords, "visible": False}, layer_kind)), look)
