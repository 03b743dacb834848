"""What is drawn: slide, one or two heatmaps, edges of one spot; each layer is made once, then changed in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from gr2st_napari import _layers
from gr2st_napari._attention import PLAIN, edge_colours, top_of
from gr2st_napari._heatmaps import heatmap
from gr2st_napari._layer_list import LayerList
from gr2st_napari._marks import MARKS, Marks, mark_of
from gr2st_napari._neighbours import EDGE_KINDS
from gr2st_napari._side_by_side import SideBySide, set_visible
from gr2st_napari._swipe import Swipe
from gr2st_napari._vispy_programs import keep_programs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari import Viewer
    from napari.layers import Image, Layer, Points, Vectors

    from gr2st_napari._export import Window
    from gr2st_napari._expression import Float64
    from gr2st_napari._ground import Ground
    from gr2st_napari._heatmaps import Heatmap
    from gr2st_napari._layers import LayerTuple, Placement
    from gr2st_napari._marks import Mark
    from gr2st_napari._neighbours import EdgeKind, Neighbours
    from gr2st_napari._opening import Opened, Picture
    from gr2st_napari._panels import Display, Panel

EDGE_SCREEN_PX = 1.5
VIEW_MARGIN = 0.1
TITLE_PT, TITLE_BESIDE_PT = 10, 7
"""Size of the titles: where two maps stand beside each other, each has half the width."""
BESIDE = ("side by side", "swipe")
SECOND_SUFFIX = " (predicted)"


@dataclass
class Cell:
    """Our layers of one cell of the canvas, bottom first."""

    slide: Image | None = None
    spots: Heatmap | None = None
    edges: tuple[Vectors, ...] = ()
    marks: dict[Mark, Points] = field(default_factory=dict)

    @property
    def layers(self) -> list[Layer]:
        slide = [] if self.slide is None else [self.slide]
        spots = [] if self.spots is None else self.spots.layers
        marks = [self.marks[mark] for mark in MARKS if mark in self.marks]
        return [*slide, *spots, *marks, *self.edges]


class Canvas:
    """Projects a display onto a viewer."""

    lost = Signal(str)
    """The user deleted one of our layers: "slide", "spots", "edges", "second", "divider" or a mark."""

    moved = Signal()
    """The view was moved or zoomed."""

    def __init__(self, viewer: Viewer) -> None:
        keep_programs()
        self.layers = LayerList(viewer)
        self._viewer = viewer
        self._pair = SideBySide(viewer, self.layers)
        self._marks = Marks(self.layers)
        self._first = Cell()
        self._second: Cell | None = None
        self._swipe = Swipe(self.layers)
        self._placement: Placement | None = None
        self._taking_turns: tuple[Panel, ...] = ()
        self._source: Mapping[str, Any] = {}
        self.layers.removed.connect(self._on_removed)
        self.layers.disturbed.connect(self._on_disturbed)
        viewer.scene.camera.events.zoom.connect(self._on_zoom)
        viewer.scene.camera.events.zoom.connect(self._on_camera)
        viewer.scene.camera.events.center.connect(self._on_camera)

    @property
    def hidden_layers(self) -> int:
        """How many of the user's own layers are hidden while two maps stand side by side."""
        return self._pair.hidden_layers

    def take_dropped(self) -> list[Opened]:
        """What our reader has put into the viewer; its layers are taken away."""
        return self.layers.take_dropped()

    @property
    def window(self) -> Window | None:
        """What of the slide a map shows: left, top, right, bottom in level-0 pixels; None where nothing is drawn."""
        if self._placement is None:
            return None
        camera, scale = self._viewer.scene.camera, self._placement.scale
        down, across = (float(size) / (2 * camera.zoom * scale) for size in self._map_size())
        y, x = (float(middle) / scale for middle in camera.center[-2:])
        return (x - across, y - down, x + across, y + down)

    def look_at(self, window: Window) -> None:
        """Show a window of the slide whole, as large as it goes."""
        if self._placement is None:
            return
        (left, top, right, bottom), scale = window, self._placement.scale
        height, width = self._map_size()
        camera = self._viewer.scene.camera
        camera.center = ((top + bottom) / 2 * scale, (left + right) / 2 * scale)
        camera.zoom = min(height / (bottom - top), width / (right - left)) / scale

    def _map_size(self) -> tuple[float, float]:
        """Height and width on the screen of one map."""
        return self._viewer.canvas.viewbox_size(self._viewer.layers)

    def clear(self) -> None:
        """Take all our layers away and give the user's view back."""
        self.drop_second()
        self._marks.forget()
        self.layers.remove(self._first.layers)
        self._first, self._placement = Cell(), None

    def close(self) -> None:
        """Stop listening; the layers stay."""
        self.layers.close()
        self._viewer.scene.camera.events.zoom.disconnect(self._on_zoom)
        self._viewer.scene.camera.events.zoom.disconnect(self._on_camera)
        self._viewer.scene.camera.events.center.disconnect(self._on_camera)

    def show_picture(self, picture: Picture | None, placement: Placement) -> None:
        """Put a slide under the spots, or swap the pixels of the one that is there."""
        self._placement = placement
        if picture is None:
            return
        place = _layers.picture_place(picture, placement)
        for cell in self._cells:
            if cell.slide is not None:
                cell.slide.data = list(picture.levels)
                cell.slide.scale, cell.slide.translate = place["scale"], place["translate"]
        if self._first.slide is None:
            self._first.slide = self.layers.add(_layers.picture_layer(picture, placement, name="slide"))

    def show(self, display: Display, ground: Ground, divider: float, source: Mapping[str, Any]) -> None:
        """Draw the panels of a display: one map, two side by side, over each other, or by turns."""
        self._placement, self._source = ground.placement, source
        is_new = self._first.spots is None
        # A single map stands alone, whatever way of looking at two the user has chosen.
        mode = display.mode if len(display.panels) == 2 else "measured"
        if mode != "side by side":
            self._leave_side_by_side()
        if mode != "swipe":
            self._leave_swipe()
        self._taking_turns = display.panels if mode == "flicker" else ()
        self._show_panel(self._first, display.panels[0], ground)
        if is_new and self._first.spots is not None:
            self._first_view(self._first.spots.main)
        if mode == "side by side":
            self._show_second(display.panels[1], ground)
        elif mode == "swipe":
            self._show_over(display.panels[1], ground, divider)
        self._size_titles(TITLE_BESIDE_PT if mode in BESIDE else TITLE_PT)

    def take_turns(self) -> None:
        """Show the other one of two panels that take turns."""
        if self._taking_turns and self._first.spots is not None:
            self._taking_turns = (*self._taking_turns[1:], self._taking_turns[0])
            self._first.spots.show(self._taking_turns[0], self._source)

    def divide(self, divider: float) -> None:
        """Move the line between two maps that lie over each other, 0 to the left of all spots, 1 to the right."""
        self._swipe.divide(divider)
        self._on_zoom()

    def put_aside(self, *, is_aside: bool) -> None:
        """Hide the map while another one lies in its place, or bring it back."""
        if self._first.spots is not None:
            self._first.spots.set_visible(is_visible=not is_aside)

    def show_edges(self, neighbours: Neighbours | None, xy: Float64, kinds: tuple[EdgeKind, ...] = EDGE_KINDS) -> None:
        """Draw the edges of one spot in every cell, those of some kinds or none."""
        for cell in self._cells:
            is_visible = cell is self._first or self._pair.is_on
            wanted = [] if neighbours is None else self._edge_tuples(neighbours, xy, kinds)
            self._show_edges(cell, wanted, is_visible=is_visible)
        self._arrange()
        self._on_zoom()

    def show_marks(self, mark: Mark, xy: Float64) -> None:
        """Mark these spots in every cell, and no others."""
        if self._placement is not None:
            self._marks.want(mark, xy, self._placement)
            self._arrange_marks()

    def drop_mark(self, mark: Mark) -> None:
        """Take a mark away for good."""
        self._marks.drop([cell.marks for cell in self._cells], mark)
        self._pair.arrange([cell.layers for cell in self._cells])

    def put_under_spots(self, layer: Layer) -> Any:
        """Put a layer that was made between slide and spots, which stay to be seen."""
        self.layers.put(layer)
        self.layers.lower(layer, None if self._first.spots is None else self._first.spots.layers[0])
        return layer

    def width_on_screen(self, px: float) -> float:
        """Level-0 pixels that are `px` wide on the screen."""
        scale = 1.0 if self._placement is None else self._placement.scale
        return float(px / (self._viewer.scene.camera.zoom * scale))

    def drop_second(self) -> None:
        """Take the second cell away for good."""
        self._leave_side_by_side()
        self._leave_swipe()
        if self._second is not None:
            self.layers.remove(self._second.layers)
            self._second = None

    def drop_edges(self) -> None:
        """Take the edges away for good."""
        for cell in self._cells:
            self.layers.remove(cell.edges)
            cell.edges = ()
        self._arrange()

    def _arrange(self) -> None:
        self._pair.arrange([cell.layers for cell in self._cells])

    @property
    def _cells(self) -> list[Cell]:
        return [self._first] if self._second is None else [self._first, self._second]

    # -- one map ---------------------------------------------------------------------------------------------------

    def _show_panel(self, cell: Cell, panel: Panel, ground: Ground) -> None:
        if cell.spots is None:
            suffix = "" if cell is self._first else SECOND_SUFFIX
            cell.spots = heatmap(self.layers, panel, ground, self._source, suffix)
        else:
            cell.spots.show(panel, self._source)

    def _size_titles(self, size_pt: int) -> None:
        for spots in (cell.spots for cell in self._cells):
            if spots is not None and spots.main.name_overlay.font_size != size_pt:
                spots.main.name_overlay.font_size = size_pt

    def _first_view(self, spots: Layer) -> None:
        bar = self._viewer.canvas.overlays.scale_bar
        bar.visible, bar.gridded, bar.position = True, True, "bottom_right"
        self.layers.select(spots)
        self._viewer.reset_view()
        if self._first.slide is not None:
            self._look_at(spots)

    def _look_at(self, spots: Layer) -> None:
        """Come as near as all spots allow: a section is often a small part of its slide."""
        low, high = np.asarray(spots.extent.world)[:, -2:]
        room = (high - low) + 2 * VIEW_MARGIN * (high - low).max()
        camera = self._viewer.scene.camera
        camera.center = tuple((low + high) / 2)
        camera.zoom *= max(1.0, float((np.ptp(self.layers.extent(), axis=0) / room).min()))

    # -- two maps --------------------------------------------------------------------------------------------------

    def _show_second(self, panel: Panel, ground: Ground) -> None:
        if self._second is not None and self._pair.is_on:
            self._show_panel(self._second, panel, ground)
            return
        with self._pair.same_view():
            second = self._second = self._second or Cell()
            if second.slide is None and self._first.slide is not None:
                second.slide = self.layers.add(_twin(self._first.slide))
            self._show_panel(second, panel, ground)
            edges = self._first.edges if any(layer.visible for layer in self._first.edges) else ()
            self._show_edges(second, [_twin(layer) for layer in edges], is_visible=True)
            self._marks.show([cell.marks for cell in self._cells], ("", SECOND_SUFFIX))
            set_visible([] if second.slide is None else [second.slide], is_visible=True)
            if second.spots is not None:
                second.spots.set_visible(is_visible=True)
            self._pair.enter([cell.layers for cell in self._cells])

    def _leave_side_by_side(self) -> None:
        if self._pair.is_on and self._second is not None:
            with self._pair.same_view():
                self._pair.leave(self._second.layers)
            self._put_by(self._second)

    def _put_by(self, second: Cell) -> None:
        """What waits, hidden, for the next comparison is not named after what it showed."""
        if second.spots is not None:
            second.spots.main.name = f"spots{SECOND_SUFFIX}"

    def _show_over(self, panel: Panel, ground: Ground, divider: float) -> None:
        second = self._second = self._second or Cell()
        self._show_panel(second, panel, ground)
        if self._first.spots is not None and second.spots is not None:
            self._swipe.enter(self._first.spots, second.spots, ground, divider)
            self._on_zoom()

    def _leave_swipe(self) -> None:
        if self._swipe.is_on and self._second is not None:
            self._swipe.leave()
            self._put_by(self._second)

    # -- edges -----------------------------------------------------------------------------------------------------

    def _edge_tuples(self, neighbours: Neighbours, xy: Float64, kinds: tuple[EdgeKind, ...]) -> list[LayerTuple]:
        assert self._placement is not None, "a placement is set before anything is drawn"
        found: list[LayerTuple] = []
        for kind in EDGE_KINDS:
            rows, attention = neighbours.rows(kind), neighbours.attention(kind)
            if rows is None:
                continue
            colour = PLAIN[kind] if attention is None else edge_colours(kind, attention, top_of(attention))
            name, centre = f"{kind} neighbours", xy[neighbours.spot]
            found.append(
                _layers.edges_layer(xy[rows], centre, self._placement, name=name, colour=colour, visible=kind in kinds)
            )
        return found

    def _show_edges(self, cell: Cell, wanted: list[LayerTuple], *, is_visible: bool) -> None:
        """Put new lines into the layers that are there; without any the layers are only hidden."""
        if wanted and len(wanted) != len(cell.edges):
            self.layers.remove(cell.edges)
            cell.edges = tuple(self.layers.add(layer) for layer in map(self._named_for(cell), wanted))
        if not wanted:
            set_visible(cell.edges, is_visible=False)
        for layer, (data, keywords, _) in zip(cell.edges, wanted, strict=False):
            is_seen = is_visible and keywords["visible"]
            set_visible([layer], is_visible=is_seen)
            # A hidden layer takes new lines without counting them, and has too few colours or too many for them.
            if is_seen:
                layer.data, layer.edge_color = data, keywords["edge_color"]

    def _arrange_marks(self) -> None:
        cells = self._cells
        self._marks.show([cell.marks for cell in cells], ("", SECOND_SUFFIX)[: len(cells)])
        if len(cells) == 2 and not self._pair.is_on:
            set_visible(cells[1].marks.values(), is_visible=False)
        self._pair.arrange([cell.layers for cell in cells])

    def _named_for(self, cell: Cell) -> Any:
        suffix = "" if cell is self._first else SECOND_SUFFIX
        return lambda layer: (layer[0], {**layer[1], "name": layer[1]["name"].removesuffix(suffix) + suffix}, layer[2])

    def _on_zoom(self, _event: object = None) -> None:
        """Edges keep their width on the screen; Vectors give it in data units."""
        if self._placement is None:
            return
        width = self.width_on_screen(EDGE_SCREEN_PX)
        for layer in (layer for cell in self._cells for layer in cell.edges if layer.visible):
            if layer.edge_width != width:
                layer.edge_width = width
        self._swipe.keep_width(width)

    def _on_camera(self, _event: object = None) -> None:
        self.moved.emit()

    # -- what the user deletes and moves -----------------------------------------------------------------------------

    def _on_removed(self, layer: Layer) -> None:
        lost = self._forget(layer)
        if lost:
            self.lost.emit(lost)

    def _on_disturbed(self) -> None:
        # The list may be in the middle of changing until then.
        if self._pair.is_on:
            QTimer.singleShot(0, self._arrange)

    def _forget(self, layer: Layer) -> str:
        """Drop a layer the user deleted, and say which part is lost."""
        if self._swipe.lost(layer):
            return "divider"
        for cell in self._cells:
            mark = mark_of(cell.marks, layer)
            if mark is not None:
                del cell.marks[mark]
                return mark
            if layer in cell.edges:
                cell.edges = tuple(edge for edge in cell.edges if edge is not layer)
                return "edges"
            if layer is cell.slide:
                cell.slide = None
                return "slide" if cell is self._first else "second"
            if cell.spots is not None and layer in cell.spots.layers:
                self._swipe.forget()
                self.layers.remove(cell.spots.layers)
                cell.spots = None
                return "spots" if cell is self._first else "second"
        return ""


def _twin(layer: Layer) -> LayerTuple:
    data, keywords, kind = layer.as_layer_data_tuple()
    return data, {**keywords, "name": f"{layer.name}{SECOND_SUFFIX}"}, kind
