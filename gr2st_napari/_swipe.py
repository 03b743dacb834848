"""Two maps over each other and a line between them: one left of it, the other right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gr2st_napari import _layers
from gr2st_napari._heatmaps import Part
from gr2st_napari._layer_list import put_in_place
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from napari.layers import Layer, Vectors

    from gr2st_napari._expression import Float64
    from gr2st_napari._ground import Ground
    from gr2st_napari._heatmaps import Heatmap
    from gr2st_napari._layer_list import LayerList

OVERHANG = 0.04
"""How far the line can be moved, and stands out, beyond the spots, as a share of their width and height."""
WIDTH = 2.0
"""Of the line, in widths of an edge."""


class Swipe:
    """Shows one map to the left of the line and the other to the right of it."""

    def __init__(self, layers: LayerList) -> None:
        self._layers = layers
        self._maps: tuple[Heatmap, Heatmap] | None = None
        self._ground: Ground | None = None
        self._line: Vectors | None = None

    @property
    def is_on(self) -> bool:
        return self._maps is not None

    def make_line(self, ground: Ground) -> None:
        """Have the line ready, hidden until it parts two maps: a layer takes a turn of the window."""
        if self._line is None:
            xy = ground.expression.xy
            data, keywords, kind = _layers.divider_layer(line_at(span_of(xy[:, 0])[0], xy), ground.placement)
            self._line = self._layers.add((data, {**keywords, "visible": False}, kind))

    def enter(self, left: Heatmap, right: Heatmap, ground: Ground, divider: float) -> None:
        """Lay `right` over `left` with a line between them; where they lie so already, only look at the line again."""
        is_new = self._maps != (left, right)
        self._maps, self._ground = (left, right), ground
        if is_new:
            self._layers.lay_over(right.layers, left.main)
            right.stand("right")
        self.divide(divider)
        if is_new:
            right.set_visible(is_visible=True)

    def divide(self, divider: float) -> None:
        """Move the line: 0 to the left of all spots, 1 to the right."""
        if self._maps is None or self._ground is None:
            return
        xy = self._ground.expression.xy
        low, high = span_of(xy[:, 0])
        x = low + divider * (high - low)
        self._maps[0].show_part(Part("left", x))
        self._maps[1].show_part(Part("right", x))
        self._draw(line_at(x, xy), self._ground)

    def leave(self) -> None:
        """Show the left map whole again; line and right map wait, hidden, below everything."""
        if self._maps is None:
            return
        left, right = self._maps
        self.forget()
        right.set_visible(is_visible=False)
        right.stand("left")
        for one in (left, right):
            one.show_part(None)
        self._layers.order([*self._lines, *right.layers])

    def forget(self) -> None:
        """The maps are going: hide the line."""
        self._maps = None
        set_visible(self._lines, is_visible=False)

    def drop(self) -> None:
        """Take the line away for good."""
        self.forget()
        lines, self._line = self._lines, None
        self._layers.remove(lines)

    def lost(self, layer: Layer) -> bool:
        """Whether a layer somebody took away was the line that is seen; another one is drawn next time."""
        if layer is not self._line:
            return False
        self._line = None
        return self.is_on

    def keep_width(self, edge_width: float) -> None:
        """Keep the line as wide on the screen."""
        if self._line is not None and self._line.edge_width != WIDTH * edge_width:
            self._line.edge_width = WIDTH * edge_width

    @property
    def _lines(self) -> list[Layer]:
        return [] if self._line is None else [self._line]

    def _draw(self, line: Float64, ground: Ground) -> None:
        self.make_line(ground)
        assert self._line is not None, "it was made"
        # A hidden layer would take the new line without looking at it.
        set_visible([self._line], is_visible=True)
        self._line.data = line
        put_in_place(self._line, ground.placement)


def span_of(ends: Float64) -> tuple[float, float]:
    """From a little before the first spot to a little beyond the last, of x or y (n,)."""
    if not len(ends):
        return (0.0, 1.0)
    low, high = float(ends.min()), float(ends.max())
    return (low - OVERHANG * (high - low), high + OVERHANG * (high - low))


def line_at(x: float, xy: Float64) -> Float64:
    """(1, 2, 2) start and displacement, in row, column, of a line from above all spots to below them."""
    low, high = span_of(xy[:, 1])
    return np.array([[[low, x], [high - low, 0.0]]])
