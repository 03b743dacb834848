"""Keeps the regions of one viewer: the layer they are drawn on, their files, and their comparison."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from gr2st import DataError, Gr2stError, read_regions, write_csv, write_regions
from gr2st_napari import _layers, _regions
from gr2st_napari._background import Background
from gr2st_napari._layer_list import put_in_place
from gr2st_napari._opening import placement_of
from gr2st_napari._pairing import is_drawn
from gr2st_napari._problems import problem_of
from gr2st_napari._region_file import home_of
from gr2st_napari._region_memory import RegionMemory
from gr2st_napari._region_merging import meeting_words, merged, not_there
from gr2st_napari._region_shapes import are_in_order, face_and_edge, regions_of, shapes_of
from gr2st_napari._regions import Sheet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from napari.layers import Layer, Shapes

    from gr2st import Region
    from gr2st_napari._expression import Expression, Float64
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._state import State
    from gr2st_napari._view import View

LAYER_NAME = "Regions"
TOOLS = {"polygon": "add_polygon", "lasso": "add_polygon_lasso", "change": "direct", "move": "pan_zoom"}
"""Our words for napari's own modes of a Shapes layer."""
_DONE = ("added", "changed", "removed")
OUTLINE_SCREEN_PX = 2.5
OUTLINE_PLAY = 0.25
"""Outlines may be so much thinner or thicker before they are drawn anew: a turn of the wheel is less."""


class RegionKeeper:
    """Changes `State.sheet`; everything returns at once. The layer is what counts: regions are read from it."""

    def __init__(self, state: State, layers: LayerList, view: View) -> None:
        self._state, self._layers, self._view = state, layers, view
        self._background = Background()
        self._memory = RegionMemory()
        self._memory.recalled.connect(self._on_recalled)
        self._memory.met.connect(self._on_met)
        self._memory.failed.connect(lambda error: self._set(replace(self._sheet, problem=problem_of(error))))
        self._layer: Shapes | None = None
        self._is_away = False
        """Whether the layer waits, hidden, for the regions of what is open."""
        self._units: tuple[str, str] | None = None
        self._kept: dict[tuple[object, str], tuple[Region, ...]] = {}
        self._section: tuple[object, str] | None = None
        self._seen: Expression | None = None
        self._is_ours = False
        self._request = 0
        layers.removed.connect(self._on_removed)
        view.zoomed.connect(self._keep_width)
        for news in (state.events.expression, state.events.opened):
            news.connect(self._on_opened)

    # -- what the dock asks for ------------------------------------------------------------------------------------

    def get_ready(self) -> None:
        """Regions are about to be drawn."""
        if self._layer is None and not self._background.is_busy:
            self._background.run(self._layers.learn_shapes, lambda _learnt: None)

    def draw(self, tool: str) -> None:
        """Take one of `TOOLS` in hand; two maps side by side become one, which can be drawn on."""
        if self._state.opened is None:
            return
        if self._state.wish.mode == "side by side":
            self._state.wish = replace(self._state.wish, mode="measured")
        layer = self._made()
        self._layers.select(layer)
        layer.mode = TOOLS[tool]
        self._on_mode()

    def rename(self, name: str, new: str) -> None:
        """Call a region otherwise."""
        self.dismiss()
        self._try(lambda: self._write(_regions.renamed(self._sheet.regions, name, new)))

    def classify(self, names: Sequence[str], kind: str) -> None:
        """Give regions a class."""
        self._write(_regions.classed(self._sheet.regions, names, kind))

    def remove(self, names: Sequence[str]) -> None:
        """Take regions away."""
        self._write(tuple(region for region in self._sheet.regions if region.name not in names))

    def choose(self, a: str, b: str) -> None:
        """Say what is to be compared."""
        self._set(_regions.chosen(self._sheet, a, b))

    def compare(self) -> None:
        """Compare the two sides beside the window."""
        expression, sheet, space = self._state.expression, self._sheet, self._state.wish.space
        if expression is None or not sheet.regions:
            return
        self._request += 1
        number = self._request
        self._set(replace(sheet, is_comparing=True, problem=None))
        self._background.run(
            lambda: _regions.compared(expression, space, sheet, lambda: number == self._request),
            lambda future: self._on_compared(future, sheet, expression),
        )

    def stop(self) -> None:
        """Let go of a comparison that is being made."""
        self._request += 1
        self._background.forget()
        self._set(replace(self._sheet, is_comparing=False))

    def dismiss(self) -> None:
        """Put an error away."""
        self._set(replace(self._sheet, problem=None))

    def read(self, path: Path) -> None:
        """Add the regions of a GeoJSON file; those that are there already are left alone."""
        self._try(lambda: self._add(read_regions(path)))

    def _add(self, more: tuple[Region, ...]) -> None:
        new = not_there(self._sheet.regions, more)
        if new:
            self._write(_regions.added(self._sheet.regions, new))
        self._set(replace(self._sheet, n_known=len(more) - len(new)))

    @property
    def in_view(self) -> tuple[Region, ...]:
        """The regions, none where their layer is hidden."""
        return self._sheet.regions if self._layer is not None and self._layer.visible else ()

    def put(self, regions: tuple[Region, ...]) -> None:
        """Show these regions in the place of those that are there, which are kept beside them."""
        self._try(lambda: self._memory.set_aside(self._sheet.regions, regions))
        self._try(lambda: self._write(_regions.added((), regions)))

    def write(self, path: Path) -> None:
        """Write all regions as GeoJSON."""
        self._try(lambda: write_regions(_with_suffix(path, ".geojson"), self._sheet.regions))

    def save_table(self, path: Path, rows: Sequence[int]) -> None:
        """Write the comparison as CSV, in the order of `rows`."""
        known = self._sheet.comparison
        if known is not None:
            table = known.table.iloc[list(rows)]
            self._try(lambda: write_csv(_with_suffix(path, ".csv"), table))

    def put_away(self) -> None:
        """Hide the layer before others are drawn, or take it away where they are on another scale; the regions stay.

        napari warns of layers on two scales, hidden ones too.
        """
        opened = self._state.opened
        if opened is not None and placement_of(opened).units != self._units:
            self._remove()
        elif self._layer is not None:
            self._layer.visible = False
            self._is_away = True

    def close(self) -> None:
        """Stop listening; the layer stays."""
        self._request += 1
        self._background.close()
        self._memory.close()
        self._let_go()
        self._layers.removed.disconnect(self._on_removed)
        self._view.zoomed.disconnect(self._keep_width)
        for news in (self._state.events.expression, self._state.events.opened):
            news.disconnect(self._on_opened)

    # -- the layer -------------------------------------------------------------------------------------------------

    @property
    def _sheet(self) -> Sheet:
        return self._state.sheet

    def _set(self, sheet: Sheet) -> None:
        self._state.sheet = sheet

    def _made(self) -> Shapes:
        """The layer above all others, made where there is none."""
        opened = self._state.opened
        assert opened is not None, "regions are drawn on what is open"
        placement = placement_of(opened)
        if self._layer is not None and self._is_away:
            if self._units == placement.units:
                put_in_place(self._layer, placement)
                self._layers.lift(self._layer)
                self._layer.visible = True
            else:
                self._remove()
        if self._layer is None:
            self._layer = self._layers.add(_layers.regions_layer(placement, name=LAYER_NAME))
            self._layer.events.data.connect(self._on_data)
            self._layer.events.mode.connect(self._on_mode)
        self._is_away, self._units = False, placement.units
        self._keep_width()
        return self._layer

    def _keep_width(self) -> None:
        """Outlines can be seen at every zoom; a Shapes layer gives their width in data units."""
        layer, width = self._layer, self._view.width_on_screen(OUTLINE_SCREEN_PX)
        if layer is None or self._is_away or abs(layer.current_edge_width / width - 1) < OUTLINE_PLAY:
            return
        layer.edge_width = width
        # Only this one tells the canvas.
        layer.current_edge_width = width

    def _remove(self) -> None:
        layer = self._let_go()
        self._layers.remove([] if layer is None else [layer])

    def _let_go(self) -> Shapes | None:
        layer, self._layer = self._layer, None
        if layer is not None:
            layer.events.data.disconnect(self._on_data)
            layer.events.mode.disconnect(self._on_mode)
        return layer

    def _write(self, regions: tuple[Region, ...]) -> None:
        """Put regions into the layer, and into the sheet."""
        if self._state.opened is None:
            raise DataError("Regions belong to a slide: open one first.")
        if regions or self._layer is not None:
            self._fill(self._made(), regions)
        self._take(regions)

    def _take(self, regions: tuple[Region, ...], note: str = "") -> None:
        """The regions as they are now: into the sheet, and into their file."""
        self._set(_regions.redrawn(self._sheet, regions, self._xy, note))
        self._memory.keep(regions)

    def _fill(self, layer: Shapes, regions: tuple[Region, ...]) -> None:
        shapes, _ = shapes_of(regions)
        with self._changing():
            layer.selected_data = set()
            layer.data = []
            if shapes:
                layer.add(shapes, shape_type="polygon")
        self._dress(layer, regions)

    def _dress(self, layer: Shapes, regions: tuple[Region, ...]) -> None:
        """Names and colours of shapes that are there already, in the order of the regions."""
        _, features = shapes_of(regions)
        face, edge = face_and_edge(regions)
        with self._changing():
            # Columns without a row would be of numbers, which no name can be put into.
            layer.features = {name: np.array(values, dtype=object) for name, values in features.items()}
            if regions:
                layer.face_color, layer.edge_color = face, edge
            layer.feature_defaults = dict.fromkeys(features, "")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """News of the layer that come inside are of our own making."""
        self._is_ours = True
        try:
            yield
        finally:
            self._is_ours = False

    def _on_data(self, event: Any) -> None:
        # napari tells of a shape while it is still putting it away: what it is can be read when that is over.
        if not self._is_ours and str(getattr(event.action, "value", event.action)) in _DONE:
            QTimer.singleShot(0, self._read_layer)

    def _on_mode(self, _event: object = None) -> None:
        mode = "" if self._layer is None else str(self._layer.mode)
        self._set(replace(self._sheet, tool=next((tool for tool, ours in TOOLS.items() if ours == mode), "")))

    def _read_layer(self) -> None:
        layer = self._layer
        # There is no public word for a shape whose corners are still being clicked.
        if layer is None or self._state.opened is None or layer._is_creating:
            return
        regions = regions_of(layer.data, layer.shape_type, layer.features)
        lines = sum(kind in ("line", "path") for kind in layer.shape_type)
        note = f"{lines} of the shapes drawn are lines, which hold no spots." if lines else ""
        if not lines:
            arrange = self._dress if are_in_order(layer.features, shapes_of(regions)[1]) else self._fill
            arrange(layer, regions)
        self._take(regions, note)

    def _on_removed(self, layer: Layer) -> None:
        if layer is self._layer:
            self._let_go()
            self._kept.pop(self._section, None)  # type: ignore[arg-type]
            self._memory.lose()
            self._set(Sheet())

    # -- what is open ----------------------------------------------------------------------------------------------

    @property
    def _xy(self) -> Float64:
        """The spots that may lie in a region; none on a slide that has none yet."""
        expression = self._state.expression
        return np.zeros((0, 2)) if expression is None else expression.xy

    def _on_opened(self, _news: object) -> None:
        opened = self._state.opened
        # Regions lie above the spots, which come later than their slide.
        if not is_drawn(opened, self._state.expression):
            return
        before, self._seen = self._seen, self._state.expression
        study = None if opened is None or opened.study is None else opened.study.path
        section = None if opened is None else (study, opened.name)
        if section == self._section:
            self._bring_back()
            if self._seen is not before:
                self._set(_regions.redrawn(self._sheet, self._sheet.regions, self._xy))
            return
        if self._section is not None:
            self._kept[self._section] = self._sheet.regions
        self._section = section
        self._memory.turn_to(None)
        self._turn_to(() if section is None else self._kept.get(section, ()))
        self._try(lambda: self._memory.turn_to(home_of(opened)))
        if section not in self._kept:
            self._memory.recall()

    def _on_recalled(self, regions: tuple[Region, ...]) -> None:
        """Regions of an earlier window, beside what was drawn meanwhile; two maps side by side would hide them."""
        if not regions:
            if self._sheet.regions:
                self._memory.keep(self._sheet.regions)
            return
        wish = self._state.wish
        if wish.mode == "side by side":
            self._state.wish = replace(wish, mode="measured")
        self._try(lambda: self._write(_regions.added(regions, self._sheet.regions)))
        self._state.wish = wish
        self._set(replace(self._sheet, n_recalled=len(regions)))

    def _on_met(self, kept: tuple[Region, ...], together: tuple[Region, ...]) -> None:
        """Another window has drawn on this slide: show that too, where corners are being clicked after they are."""
        layer, current = self._layer, self._sheet.regions
        if layer is None or self._is_away or layer._is_creating:
            return
        self._memory.agree(together)
        regions = merged(kept, current, together)
        self._write(regions)
        self._set(replace(self._sheet, note=meeting_words(current, regions)))

    def _bring_back(self) -> None:
        """Show a layer that was put away again: above what is drawn now, and on its scale."""
        is_missing = self._layer is None or self._is_away
        if is_missing and self._sheet.regions and self._state.opened is not None:
            self._fill(self._made(), self._sheet.regions)

    def _turn_to(self, regions: tuple[Region, ...]) -> None:
        """Another section: its own regions in the place of those of the one before."""
        self._request += 1
        self._background.forget()
        self.put_away()
        self._set(Sheet())
        if regions:
            self._write(regions)
        elif self._state.opened is None:
            self._remove()
        elif self._layer is not None:
            self._fill(self._layer, ())

    # -- comparison and files --------------------------------------------------------------------------------------

    def _on_compared(self, future: Future[Any], asked: Sheet, expression: Expression) -> None:
        error = future.exception()
        if error is None:
            sheet = replace(self._sheet, comparison=future.result(), is_comparing=False)
            is_current = sheet.regions is asked.regions and self._state.expression is expression
            self._set(sheet if is_current else _regions.outdated(sheet))
        else:
            self._set(replace(self._sheet, is_comparing=False, problem=problem_of(error)))

    def _try(self, act: Callable[[], None]) -> None:
        """Do something that may go wrong, which is then told on the card."""
        try:
            act()
        except Gr2stError as error:
            self._set(replace(self._sheet, problem=problem_of(error)))


def _with_suffix(path: Path, suffix: str) -> Path:
    return path if path.suffix else path.with_suffix(suffix)
