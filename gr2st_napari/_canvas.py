"""What is drawn: slide, one or two heatmaps, edges of one spot; each layer is made once, then changed in place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from gr2st_napari import _layers
from gr2st_napari._background import Background
from gr2st_napari._beside import Beside
from gr2st_napari._cell import SECOND_SUFFIX, Cell
from gr2st_napari._edges import edges_of
from gr2st_napari._ground import is_large
from gr2st_napari._heatmaps import heatmap
from gr2st_napari._late_drawing import LateDrawing
from gr2st_napari._layer_list import LayerList
from gr2st_napari._letters import draw_letters
from gr2st_napari._marks import mark_of
from gr2st_napari._neighbours import EDGE_KINDS
from gr2st_napari._opening import placement_of
from gr2st_napari._over_maps import OverMaps
from gr2st_napari._swipe import Swipe
from gr2st_napari._turns import Turns
from gr2st_napari._view import View
from gr2st_napari._visibility import set_visible
from gr2st_napari._vispy_programs import keep_programs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari import Viewer
    from napari.layers import Layer

    from gr2st import Slide
    from gr2st_napari._expression import Float64
    from gr2st_napari._ground import Ground
    from gr2st_napari._heatmaps import Heatmap
    from gr2st_napari._layers import Placement
    from gr2st_napari._marks import Mark
    from gr2st_napari._neighbours import EdgeKind, Neighbours
    from gr2st_napari._opening import Opened, Picture
    from gr2st_napari._panels import Display, Panel

EDGE_SCREEN_PX = 1.5
TITLE_PT, TITLE_BESIDE_PT = 10, 7
"""Size of the titles: where two maps stand beside each other, each has half the width."""
BESIDE = ("side by side", "swipe")


class Canvas:
    """Projects a display onto a viewer."""

    lost = Signal(str)
    """The user deleted one of our layers: "slide", "spots", "edges", "second", "divider" or a mark."""

    parted = Signal()
    """Two maps have come to stand side by side."""

    def __init__(self, viewer: Viewer) -> None:
        keep_programs()
        self._drawing = LateDrawing(viewer)
        self.layers = LayerList(viewer, self._drawing.late)
        self.view = View(viewer)
        self._first = Cell()
        self._second: Cell | None = None
        self._swipe = Swipe(self.layers)
        self.turns = Turns(self._drawing.late)
        self._pair = Beside(viewer, self.layers, self.turns, self._show_panel)
        self._over = OverMaps(self.layers, self.turns, lambda: self._cells, self._is_seen, self._settle_over)
        self._placement: Placement | None = None
        self._picture: Picture | None = None
        self._is_first_look = True
        self._taking_turns: tuple[Panel, ...] = ()
        self._wanted_over: tuple[Panel, Ground, float] | None = None
        """What is to lie over the first map, and where the line stands; None where nothing is."""
        self._source: Mapping[str, Any] = {}
        self._pair.parted.connect(self._on_parted)
        self.layers.removed.connect(self._on_removed)
        self.layers.disturbed.connect(self._on_disturbed)
        self.view.zoomed.connect(self._keep_widths)
        self._letters = draw_letters(viewer)
        self._reader = Background()
        self._reader.run(self.layers.learn_units, lambda _learnt: None)

    @property
    def hidden_layers(self) -> int:
        """How many of the user's own layers are hidden while two maps stand side by side."""
        return self._pair.hidden_layers

    def has_map(self, ground: Ground) -> bool:
        """Whether there are layers for spots that lie so."""
        return any(spots is not None and spots.fits(ground) for spots in (self._first.spots, self._first.spare))

    def take_dropped(self) -> list[Opened]:
        """What our reader has put into the viewer; its layers are taken away."""
        return self.layers.take_dropped()

    def clear(self) -> None:
        """Take all our layers away and give the user's view back."""
        self.drop_second()
        self._over.forget()
        self.layers.remove(self._first.all_layers)
        self._first, self._placement, self.view.scale = Cell(), None, None
        self._is_first_look = True

    def make_room(self, opened: Opened) -> None:
        """Another section comes: hide what it will fill anew, take away what it has no use for.

        A new layer in the place of the old one would take ten times as long: napari sweeps all of Python's memory
        whenever a layer goes.
        """
        if self._placement is None or self._placement.units != placement_of(opened).units:
            self.clear()
            return
        spots = self._first.spots
        if opened.is_slide_alone:
            self._drop_all_but_slide()
        elif spots is not None and spots.for_many != is_large(opened):
            self._pair.leave()
        for cell in self._cells:
            self.turns.add(cell.rest)
            if opened.picture is None and cell.slide is not None:
                self.layers.remove([cell.slide])
                cell.slide = None
        self._over.forget()
        self._is_first_look = True

    def close(self) -> None:
        """Stop listening; the layers stay."""
        self.turns.forget()
        self._drawing.close()
        self._letters.forget()
        self._reader.close()
        self.layers.close()
        self.view.close()

    def show_picture(self, picture: Picture | None, placement: Placement) -> None:
        """Put a slide under the spots, or swap the pixels of the one that is there."""
        self._stand(placement)
        self._picture = picture
        if picture is not None:
            self.turns.add_once(self._lay_slide)
            self.turns.add(self.view.show_scale)

    def _lay_slide(self) -> None:
        if self._picture is None or self._placement is None:
            return
        for cell in self._cells:
            slide = _layers.picture_layer(self._picture, self._placement, name=f"slide{cell.suffix}")
            if cell.slide is None:
                cell.slide = self.layers.add(slide, under=next(iter(cell.over_slide), None))
                self.turns.add_next(partial(self.layers.select_first, cell.slide))
            else:
                cell.fill_slide(slide)
            set_visible([cell.slide], is_visible=cell is self._first or self._pair.is_parted)

    def look_at_slide(self, slide: Slide, placement: Placement) -> None:
        """Show all of a slide that has just been opened by itself."""
        self._stand(placement)
        self.view.look_at((0.0, 0.0, float(slide.width), float(slide.height)))

    def look_first(self, ground: Ground) -> None:
        """Show all of a section that has just been opened: it is often a small part of its slide."""
        self._stand(ground.placement)
        if self._is_first_look:
            self.view.look_at(ground.window)
            self.turns.add(self.view.show_scale)

    def show(self, display: Display, ground: Ground, divider: float, source: Mapping[str, Any]) -> None:
        """Draw the panels of a display: one map, two side by side, over each other, or by turns."""
        self._stand(ground.placement)
        self._source = source
        is_first_look, self._is_first_look = self._is_first_look or self._first.spots is None, False
        # A single map stands alone, whatever way of looking at two the user has chosen.
        mode = display.mode if len(display.panels) == 2 else "measured"
        if mode != "side by side":
            self._pair.leave()
        if mode != "swipe":
            self._leave_swipe()
        self._taking_turns = display.panels if mode == "flicker" else ()
        spots = self._show_panel(self._first, display.panels[0], ground)
        if is_first_look:
            self.turns.add(partial(self.layers.select, spots.main))
        if mode == "side by side":
            self._stand_beside(display.panels[1], ground)
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
        self._keep_widths()

    def put_aside(self, *, is_aside: bool) -> None:
        """Hide the map while another one lies in its place, or bring it back."""
        if self._first.spots is not None:
            self._first.spots.set_visible(is_visible=not is_aside)

    def show_edges(self, neighbours: Neighbours | None, xy: Float64, kinds: tuple[EdgeKind, ...] = EDGE_KINDS) -> None:
        """Draw the edges of one spot in every cell, those of some kinds or none."""
        if self._placement is None:
            return
        wanted = [] if neighbours is None else edges_of(neighbours, xy, self._placement, kinds)
        self._over.edges.want(wanted, self._placement)
        with self._drawing.late():
            self._over.bring(self._over.edges)

    def show_marks(self, mark: Mark, xy: Float64) -> None:
        """Mark these spots in every cell, and no others."""
        if self._placement is not None:
            self._over.marks.want(mark, xy, self._placement)
            with self._drawing.late():
                self._over.bring(self._over.marks)

    def drop_mark(self, mark: Mark) -> None:
        """Take a mark away for good."""
        self._over.marks.drop(self._cells, mark)
        self._arrange()

    def put_under_spots(self, layer: Layer) -> Any:
        """Put a layer that was made between slide and spots, which stay to be seen."""
        return self.layers.put(layer, under=None if self._first.spots is None else self._first.spots.layers[0])

    def drop_second(self) -> None:
        """Take the second cell away for good."""
        self._pair.leave_at_once()
        self._leave_swipe()
        self._swipe.drop()
        if self._second is not None:
            self.layers.remove(self._second.all_layers)
            self._second = None

    def drop_edges(self) -> None:
        """Take the edges away for good."""
        self._over.edges.drop(self._cells)
        self._arrange()

    def _stand(self, placement: Placement) -> None:
        self._placement, self.view.scale = placement, placement.scale

    def _drop_all_but_slide(self) -> None:
        self.drop_second()
        self.layers.remove([layer for layer in self._first.all_layers if layer is not self._first.slide])
        self._first = Cell(slide=self._first.slide)

    def _arrange(self) -> None:
        self._pair.arrange([cell.layers for cell in self._cells])

    @property
    def _cells(self) -> list[Cell]:
        return [self._first] if self._second is None else [self._first, self._second]

    # -- one map ---------------------------------------------------------------------------------------------------

    def _show_panel(self, cell: Cell, panel: Panel, ground: Ground) -> Heatmap:
        if cell.spots is not None and not cell.spots.fits(ground):
            cell.change_maps()
        spots = cell.spots
        if spots is None:
            cell.spots = spots = heatmap(self.layers, panel, ground, self._source, cell.suffix)
            self.turns.add_next(partial(self._complete, cell, spots))
            self.turns.add(spots.show_title, spots.show_colorbar)
            self._arrange()
        elif spots.stands_on(ground):
            spots.show(panel, self._source)
        else:
            spots.move(panel, ground, self._source)
        return spots

    def _complete(self, cell: Cell, spots: Heatmap) -> None:
        if cell.spots is spots:
            spots.complete(self.layers)
            self._arrange()

    def _size_titles(self, size_pt: int) -> None:
        for spots in (cell.spots for cell in self._cells):
            if spots is not None and spots.main.name_overlay.font_size != size_pt:
                spots.main.name_overlay.font_size = size_pt

    # -- two maps --------------------------------------------------------------------------------------------------

    def _stand_beside(self, panel: Panel, ground: Ground) -> None:
        self._pair.show(self._first, self._second_cell(), panel, ground)

    def _show_over(self, panel: Panel, ground: Ground, divider: float) -> None:
        self._wanted_over = (panel, ground, divider)
        if self._swipe.is_on:
            self._lay_over()
        else:
            for piece in (self._make_over, self._make_line, self._lay_over):
                self.turns.add_once(piece)

    def _make_over(self) -> None:
        if self._wanted_over is not None and not self._swipe.is_on:
            panel, ground, _ = self._wanted_over
            self._show_panel(self._second_cell(), panel, ground).set_visible(is_visible=False)

    def _make_line(self) -> None:
        if self._wanted_over is not None:
            self._swipe.make_line(self._wanted_over[1])

    def _lay_over(self) -> None:
        if self._wanted_over is None:
            return
        panel, ground, divider = self._wanted_over
        second = self._second_cell()
        self._show_panel(second, panel, ground)
        if self._first.spots is not None and second.spots is not None:
            self._swipe.enter(self._first.spots, second.spots, ground, divider)
            self._size_titles(TITLE_BESIDE_PT)
            self._keep_widths()

    def _second_cell(self) -> Cell:
        self._second = self._second or Cell(suffix=SECOND_SUFFIX)
        return self._second

    def _leave_swipe(self) -> None:
        self._wanted_over = None
        if self._swipe.is_on and self._second is not None:
            self._swipe.leave()
            self._second.wait()

    # -- what lies over the maps -------------------------------------------------------------------------------------

    def _on_parted(self) -> None:
        self._size_titles(TITLE_BESIDE_PT)
        self._over.bring_all()
        self.parted.emit()

    def _is_seen(self, cell: Cell) -> bool:
        return cell is self._first or self._pair.is_parted

    def _settle_over(self) -> None:
        self._arrange()
        self._keep_widths()

    def _keep_widths(self) -> None:
        """Edges keep their width on the screen; Vectors give it in data units."""
        if self._placement is None:
            return
        width = self.view.width_on_screen(EDGE_SCREEN_PX)
        for layer in (layer for cell in self._cells for layer in cell.edges if layer.visible):
            if layer.edge_width != width:
                layer.edge_width = width
        self._swipe.keep_width(width)

    # -- what the user deletes and moves -----------------------------------------------------------------------------

    def _on_removed(self, layer: Layer) -> None:
        lost = self._forget(layer)
        if lost:
            self.lost.emit(lost)

    def _on_disturbed(self) -> None:
        # The list may be in the middle of changing until then.
        if self._pair.is_parted:
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
            if cell.spare is not None and layer in cell.spare.layers:
                self.layers.remove(cell.spare.layers)
                cell.spare = None
                return ""
            if cell.spots is not None and layer in cell.spots.layers:
                self._swipe.forget()
                self.layers.remove(cell.spots.layers)
                cell.spots = None
                return "spots" if cell is self._first else "second"
        return ""
