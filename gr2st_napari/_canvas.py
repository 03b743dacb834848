"""What is drawn: slide, one or two heatmaps, edges of one spot; each layer is made once, then changed in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap
from psygnal import Signal

from gr2st_napari import _layers
from gr2st_napari._attention import PLAIN, edge_colours, top_of
from gr2st_napari._layer_list import LayerList
from gr2st_napari._marks import MARKS, Marks, mark_of
from gr2st_napari._neighbours import EDGE_KINDS
from gr2st_napari._side_by_side import SideBySide, set_visible
from gr2st_napari._vispy_programs import keep_programs

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Layer, Points, Vectors

    from gr2st_napari._expression import Expression, Float64
    from gr2st_napari._layers import LayerTuple, Placement
    from gr2st_napari._marks import Mark
    from gr2st_napari._neighbours import EdgeKind, Neighbours
    from gr2st_napari._opening import Opened, Picture
    from gr2st_napari._resolve import Display, Panel

EDGE_SCREEN_PX = 1.5
VIEW_MARGIN = 0.1
COLORBAR_PX = (18, 180)
TITLE_PT = {1: 10, 2: 7}
"""Size of the titles by the number of maps: beside another one a map has half the width."""
SECOND_SUFFIX = " (predicted)"


@dataclass
class Cell:
    """Our layers of one cell of the canvas, bottom first."""

    slide: Image | None = None
    spots: Points | None = None
    edges: tuple[Vectors, ...] = ()
    marks: dict[Mark, Points] = field(default_factory=dict)

    @property
    def layers(self) -> list[Layer]:
        ours = (self.slide, self.spots, *(self.marks[mark] for mark in MARKS if mark in self.marks), *self.edges)
        return [layer for layer in ours if layer is not None]


class Canvas:
    """Projects a display onto a viewer."""

    lost = Signal(str)
    """The user deleted one of our layers: "slide", "spots", "edges", "second" or a mark."""

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
        self._placement: Placement | None = None
        self.layers.removed.connect(self._on_removed)
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

    def show(self, display: Display, expression: Expression, placement: Placement, source: dict[str, Any]) -> None:
        """Draw the panels of a display: one map, or two side by side."""
        self._placement = placement
        is_new = self._first.spots is None
        if len(display.panels) == 1:
            self._leave_side_by_side()
        self._show_panel(self._first, display.panels[0], expression, source)
        if is_new and self._first.spots is not None:
            self._first_view(self._first.spots)
        if len(display.panels) == 2:
            self._show_second(display.panels[1], expression, source)
        self._size_titles(TITLE_PT[len(display.panels)])

    def show_edges(self, neighbours: Neighbours | None, xy: Float64, kinds: tuple[EdgeKind, ...] = EDGE_KINDS) -> None:
        """Draw the edges of one spot in every cell, those of some kinds or none."""
        for cell in self._cells:
            is_visible = cell is self._first or self._pair.is_on
            wanted = [] if neighbours is None else self._edge_tuples(neighbours, xy, kinds)
            self._show_edges(cell, wanted, is_visible=is_visible)
        self._pair.arrange([cell.layers for cell in self._cells])
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
        self.layers.lower(layer, self._first.spots)
        return layer

    def width_on_screen(self, px: float) -> float:
        """Level-0 pixels that are `px` wide on the screen."""
        scale = 1.0 if self._placement is None else self._placement.scale
        return float(px / (self._viewer.scene.camera.zoom * scale))

    def drop_second(self) -> None:
        """Take the second cell away for good."""
        self._leave_side_by_side()
        if self._second is not None:
            self.layers.remove(self._second.layers)
            self._second = None

    def drop_edges(self) -> None:
        """Take the edges away for good."""
        for cell in self._cells:
            self.layers.remove(cell.edges)
            cell.edges = ()
        self._pair.arrange([cell.layers for cell in self._cells])

    @property
    def _cells(self) -> list[Cell]:
        return [self._first] if self._second is None else [self._first, self._second]

    # -- one map ---------------------------------------------------------------------------------------------------

    def _show_panel(self, cell: Cell, panel: Panel, expression: Expression, source: dict[str, Any]) -> None:
        if cell.spots is None:
            assert self._placement is not None, "a placement is set before anything is drawn"
            cell.spots = self.layers.add(_layers.spots_layer(panel, expression.xy, self._placement, source=source))
            _dress(cell.spots)
            return
        spots = cell.spots
        _recolour(spots, panel)
        if spots.face_colormap.name != f"gr2st {panel.colormap}":
            spots.face_colormap = Colormap(**_layers.colormap(panel.colormap))
        spots.name = panel.title
        spots.metadata[_layers.METADATA].update(source)

    def _size_titles(self, size_pt: int) -> None:
        for spots in (cell.spots for cell in self._cells):
            if spots is not None and spots.name_overlay.font_size != size_pt:
                spots.name_overlay.font_size = size_pt

    def _first_view(self, spots: Points) -> None:
        bar = self._viewer.canvas.overlays.scale_bar
        bar.visible, bar.gridded, bar.position = True, True, "bottom_right"
        self.layers.select(spots)
        self._viewer.reset_view()
        if self._first.slide is not None:
            self._look_at(spots)

    def _look_at(self, spots: Points) -> None:
        """Come as near as all spots allow: a section is often a small part of its slide."""
        low, high = np.asarray(spots.extent.world)[:, -2:]
        room = (high - low) + 2 * VIEW_MARGIN * (high - low).max()
        camera = self._viewer.scene.camera
        camera.center = tuple((low + high) / 2)
        camera.zoom *= max(1.0, float((np.ptp(self.layers.extent(), axis=0) / room).min()))

    # -- two maps --------------------------------------------------------------------------------------------------

    def _show_second(self, panel: Panel, expression: Expression, source: dict[str, Any]) -> None:
        if self._second is not None and self._pair.is_on:
            self._show_panel(self._second, panel, expression, source)
            return
        with self._pair.same_view():
            second = self._second = self._second or Cell()
            if second.slide is None and self._first.slide is not None:
                second.slide = self.layers.add(_twin(self._first.slide))
            self._show_panel(second, panel, expression, source)
            edges = self._first.edges if any(layer.visible for layer in self._first.edges) else ()
            self._show_edges(second, [_twin(layer) for layer in edges], is_visible=True)
            self._marks.show([cell.marks for cell in self._cells], ("", SECOND_SUFFIX))
            set_visible([layer for layer in (second.slide, second.spots) if layer is not None], is_visible=True)
            self._pair.enter([cell.layers for cell in self._cells])

    def _leave_side_by_side(self) -> None:
        if self._pair.is_on and self._second is not None:
            with self._pair.same_view():
                self._pair.leave(self._second.layers)
            if self._second.spots is not None:
                self._second.spots.name = f"spots{SECOND_SUFFIX}"

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

    def _on_camera(self, _event: object = None) -> None:
        self.moved.emit()

    # -- what the user deletes -------------------------------------------------------------------------------------

    def _on_removed(self, layer: Layer) -> None:
        lost = self._forget(layer)
        if lost:
            self.lost.emit(lost)

    def _forget(self, layer: Layer) -> str:
        """Drop a layer the user deleted, and say which part is lost."""
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
            if layer is cell.spots:
                cell.spots = None
                return "spots" if cell is self._first else "second"
        return ""


def _recolour(spots: Points, panel: Panel) -> None:
    """Set values and limits together, with one upload to the graphics card.

    Each public setter uploads every attribute of every spot again, three times for one gene. There is no public way to
    change both at once, so the colour managers are silenced meanwhile; the colour bar listens to the limits event.
    """
    face, border = spots._face, spots._border
    same_limits = tuple(spots.face_contrast_limits) == panel.limits
    with face.events.blocker_all(), border.events.blocker_all():
        spots.features = {_layers.FEATURE: panel.values}
        spots.face_contrast_limits = panel.limits
    if not same_limits:
        face.events.contrast_limits(value=spots.face_contrast_limits)
    spots.events.face_color()


def _dress(spots: Points) -> None:
    """Colour bar with numbers, title; nothing to edit."""
    spots.editable = False
    spots.face_colorbar.visible = True
    spots.face_colorbar.position = "bottom_left"
    spots.face_colorbar.size = COLORBAR_PX
    spots.name_overlay.visible = True
    spots.name_overlay.position = "top_left"


def _twin(layer: Layer) -> LayerTuple:
    data, keywords, kind = layer.as_layer_data_tuple()
    return data, {**keywords, "name": f"{layer.name}{SECOND_SUFFIX}"}, kind
