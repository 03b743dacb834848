"""Keeps the map that sharpens: what a training makes of the open slide so far, as a layer in the place of the map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gr2st import read_sketch
from gr2st_napari import _sketching
from gr2st_napari._background import Background
from gr2st_napari._ground import Ground
from gr2st_napari._heatmaps import heatmap
from gr2st_napari._opening import placement_of
from gr2st_napari._pairing import same_spots
from gr2st_napari._problems import problem_of
from gr2st_napari._raster import raster_of
from gr2st_napari._sketching import Sketched

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from napari.layers import Layer

    from gr2st import Sketch
    from gr2st_napari._canvas import Canvas
    from gr2st_napari._heatmaps import Heatmap
    from gr2st_napari._opening import Opened
    from gr2st_napari._panels import Panel
    from gr2st_napari._state import State
    from gr2st_napari._training import Training


SOURCE = {"role": "sketch"}


class SketchKeeper:
    """Changes `State.sketched`; everything returns at once.

    The gene is the one in view. The map below is hidden while this one can be seen, for its colours would shine
    through: the eye of this layer changes from one to the other. Two maps side by side leave no room for a third.
    """

    def __init__(self, state: State, canvas: Canvas) -> None:
        self._state, self._canvas = state, canvas
        self._background = Background()
        self._map: Heatmap | None = None
        self._sketch: Sketch | None = None
        self._looked: tuple[object, ...] = ()
        self._followed = state.training
        self._unwanted: Path | None = None
        canvas.layers.removed.connect(self._on_removed)
        events = state.events
        self._listeners: list[tuple[Any, Any]] = [
            (events.training, self._on_news),
            (events.runs, self._on_news),
            (events.opened, self._on_opened),
            (events.shown, self._draw),
        ]
        for signal, listener in self._listeners:
            signal.connect(listener)

    def close(self) -> None:
        """Stop listening; the layer stays."""
        self._let_go()
        for signal, listener in self._listeners:
            signal.disconnect(listener)
        self._canvas.layers.removed.disconnect(self._on_removed)
        self._background.close()

    # -- what there is to see --------------------------------------------------------------------------------------

    def _on_news(self, _news: object) -> None:
        """Another run begins with an empty slide; each look at what is held out brings another sketch."""
        before, drawn = self._followed.folder, self._state.sketched.run
        self._followed = _sketching.followed(self._state.training, self._state.runs, drawn)
        if self._followed.folder != before:
            self._forget()
        self._look(self._followed)

    def _on_opened(self, opened: Opened | None, before: Opened | None) -> None:
        """Another slide, or a prediction of it, takes the place of the sketch."""
        is_same = opened is not None and before is not None and same_spots(opened, before)
        if not is_same or opened.prediction is not before.prediction:  # type: ignore[union-attr]
            self._forget()
            if self._followed.is_busy:
                self._look(self._followed)

    def _look(self, training: Training) -> None:
        """Read what was kept at the last look of the training, unless that was read already."""
        opened, folder = self._state.opened, training.folder
        looks = _sketching.looks_of(training)
        if not looks or opened is None or opened.section is None or folder is None or folder == self._unwanted:
            return
        asked = (folder, opened.section, opened.prediction, looks)
        if asked != self._looked:
            self._looked = asked
            name = opened.name
            self._background.run(lambda: read_sketch(folder, name), self._on_read)

    def _on_read(self, future: Future[Sketch | None]) -> None:
        error = future.exception()
        if error is not None:
            self._state.sketched = Sketched(problem_of(error).sentence, run=self._followed.folder)
        elif future.result() is not None:
            self._sketch = future.result()
            self._draw()

    def _forget(self) -> None:
        self._background.forget()
        self._sketch, self._looked = None, ()
        gone = self._let_go()
        if gone is not None:
            self._canvas.layers.remove(gone.layers)
        self._state.sketched = Sketched()

    def _let_go(self) -> Heatmap | None:
        """The sketch, whose place the map takes again."""
        gone, self._map = self._map, None
        if gone is not None:
            gone.main.events.visible.disconnect(self._on_visible)
            self._canvas.put_aside(is_aside=False)
        return gone

    def _on_visible(self, _event: object = None) -> None:
        if self._map is not None:
            self._canvas.put_aside(is_aside=self._map.main.visible)

    def _on_removed(self, layer: Layer) -> None:
        """Whoever throws the map away wants no more of this run."""
        if self._map is not None and layer in self._map.layers:
            self._let_go()
            self._unwanted = self._followed.folder
            self._forget()

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        """The gene in view, as far as the training has come with it."""
        expression, shown, sketch = self._state.expression, self._state.shown, self._sketch
        if sketch is None or shown is None or expression is None or expression.name != sketch.section:
            return
        found = _sketching.sketched(sketch, expression.spots, shown, self._state.wish)
        self._state.sketched = replace(found, run=self._followed.folder)
        if found.panel is not None:
            self._show(found.panel)

    def _show(self, panel: Panel) -> None:
        if self._map is None:
            self._map = self._made(panel)
            self._map.main.events.visible.connect(self._on_visible)
            self._on_visible()
        else:
            self._map.show(panel, SOURCE)

    def _made(self, panel: Panel) -> Heatmap:
        opened, expression = self._state.opened, self._state.expression
        assert opened is not None, "a sketch is of what is open"
        assert expression is not None, "a sketch is of what is open"
        placement = placement_of(opened)
        ground = Ground(expression, placement, raster_of(expression, placement.spot_diameter_px))
        made = heatmap(self._canvas.layers, panel, ground, SOURCE)
        made.complete(self._canvas.layers)
        made.show_title()
        made.show_colorbar()
        return made
