"""Joins state, worker, canvas and pointer of one viewer; docks speak to it and listen to the state."""

from __future__ import annotations

import atexit
import time
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QMainWindow, QWidget

from gr2st import cache_dir, display_pyramid
from gr2st_napari._canvas import Canvas
from gr2st_napari._closing import Closing
from gr2st_napari._errands import Errands
from gr2st_napari._evaluator import Evaluator
from gr2st_napari._expression import KINDS, Expression
from gr2st_napari._gene_facts import FactsKeeper
from gr2st_napari._neighbours import neighbours_of
from gr2st_napari._opener import Opener
from gr2st_napari._opening import Opened, placement_of, pyramid_picture
from gr2st_napari._pairing import belongs, same_spots
from gr2st_napari._pointer import Pointer
from gr2st_napari._preferences import PreferenceKeeper
from gr2st_napari._region_keeper import RegionKeeper
from gr2st_napari._resolve import resolve
from gr2st_napari._shelf_keeper import ShelfKeeper
from gr2st_napari._slide_keeper import SlideKeeper
from gr2st_napari._state import MODES, SPACES, Problem, State, Wish
from gr2st_napari._study_builder import StudyBuilder
from gr2st_napari._trainer import Trainer
from gr2st_napari._worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari import Viewer

    from gr2st_napari._opening import Picture
    from gr2st_napari._state import Unfinished

MODE_KEYS = {mode: f"Control-{number}" for number, mode in enumerate(MODES, start=1)}
STEP_KEYS = {1: "Control-Shift-Down", -1: "Control-Shift-Up"}
"""To the next gene of the list and to the one before; napari has Control-Down for layers."""

_CONTROLLERS: WeakKeyDictionary[Viewer, Controller] = WeakKeyDictionary()


def controller_of(viewer: Viewer) -> Controller:
    """The controller of a viewer; the first dock to open makes it."""
    plain = getattr(viewer, "__wrapped__", viewer)  # napari hands plugins a proxy, a new one each time
    if plain not in _CONTROLLERS:
        _CONTROLLERS[plain] = Controller(plain)
    return _CONTROLLERS[plain]


@atexit.register
def _close_all() -> None:
    """A script may end without its windows being destroyed first: no worker may outlive it."""
    for controller in list(_CONTROLLERS.values()):
        controller.close()


class Controller:
    """Everything a dock may ask for; all of it returns at once."""

    stepped = Signal(int)
    """How many genes further down the list the user wants to be."""

    def __init__(self, viewer: Viewer, worker: WorkerProcess | None = None) -> None:
        self.state = State()
        self._preferences = PreferenceKeeper(lambda changes: self.wish(**changes))
        self.state.wish = replace(self.state.wish, **asdict(self._preferences.preferences))
        self.canvas = Canvas(viewer)
        self.worker = worker or WorkerProcess()
        self.facts = FactsKeeper(self.state)
        self.shelf = ShelfKeeper(self.state)
        self.builder = StudyBuilder(self.state)
        self.trainer = Trainer(self.state, self.worker)
        self.evaluator = Evaluator(self.state, self.worker)
        self.slides = SlideKeeper(self.state, self.worker, self.open)
        self._viewer = viewer
        self._opener = Opener(self.state)
        self._errands = Errands(self.state, self.worker)
        self._pointer = Pointer(viewer, self.describe)
        self._lost: set[str] = set()
        self._is_closed = False
        self._window: QWidget | None = None
        self._closing: Closing | None = None
        self._connect()
        # After our own listeners: regions that come back are then drawn above the spots.
        self.regions = RegionKeeper(self.state, self.canvas.layers)
        self._parts = (
            self._preferences,
            self._errands,
            self._opener,
            self.facts,
            self.shelf,
            self.builder,
            self.trainer,
            self.evaluator,
            self.slides,
            self.regions,
        )
        for mode, key in MODE_KEYS.items():
            viewer.bind_key(key, lambda _viewer, mode=mode: self.wish(mode=mode), overwrite=True)
        for step, key in STEP_KEYS.items():
            viewer.bind_key(key, lambda _viewer, step=step: self.stepped.emit(step), overwrite=True)
        self._adopt()

    def _connect(self) -> None:
        events = self.state.events
        events.opened.connect(self._on_opened)
        events.expression.connect(self._draw)
        events.wish.connect(self._draw)
        events.spot.connect(self._draw_edges)
        self._pointer.clicked.connect(self._on_clicked)
        self.canvas.lost.connect(self._on_lost)
        self.canvas.layers.dropped.connect(self._on_dropped)

    # -- what docks ask for ----------------------------------------------------------------------------------------

    def wish(self, **changes: Any) -> None:
        """Change what is shown: gene, mode, space, limits, clip, colormap; a gene ends the map of a list."""
        without = {"members": ()} if "gene" in changes else {}
        self.state.wish = replace(self.state.wish, **{**without, **changes})

    def open(self, path: Path | str) -> None:
        """Open a section, a study or a prediction beside the window."""
        self._opener.open(path)

    def open_sample(self) -> None:
        """Open the sample study."""
        self._opener.open_sample()

    def choose_section(self, name: str) -> None:
        """Show another section of the open study."""
        self._opener.choose_section(name)

    def take(self, opened: Opened) -> None:
        """Show what was read elsewhere: a section, a prediction or both."""
        self._opener.take(opened)

    def show_held_out(self, study: Path | None, predictions: Mapping[str, Path], gene: str) -> None:
        """Show a gene as measured and predicted on a held-out slide: the first whose stored prediction has the gene.

        Without `study`, of the open one.
        """
        self._opener.open_held_out(study, predictions, gene, lambda: self.wish(gene=gene, mode="side by side"))

    def predict(self, model: Path | str) -> None:
        """Predict the open section with a model folder, in the worker."""
        opened = self.state.opened
        if opened is None or opened.section is None or self._errands.is_told:
            return
        if opened.study is None:
            self.state.problem = Problem(
                f"{opened.name} was handed over without its folder: open it here to predict it."
            )
            return
        model, section = Path(model), opened.section.name
        out = cache_dir("predictions") / f"{section}-{model.name}-{time.strftime('%Y%m%d-%H%M%S')}.h5ad"
        self.state.problem = None
        request = self.worker.predict(model=model, study=opened.study.path, section=section, out=out)
        self._errands.send(
            request, f"Predicting {section}", lambda files: self._opener.open_prediction(Path(files["prediction"]))
        )

    def cancel(self) -> None:
        """Stop what runs: politely first."""
        if self._errands.is_told:
            self._errands.stop()
        else:
            self._opener.stop()

    def dismiss(self) -> None:
        """Put an error away."""
        self.state.problem = None

    def live_in(self, window: QWidget) -> None:
        """End with this window, the viewer's own."""
        if self._window is None and isinstance(window, QMainWindow):
            self._window = window
            self._closing = Closing(window, self._unfinished, self.worker.stop)
            window.destroyed.connect(self._on_window_gone)

    def close(self) -> None:
        """The window is going: end the worker, let go of the viewer."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._closing is not None:
            self._closing.rest()
        for part in self._parts:
            part.close()
        self.worker.stop()
        self.canvas.close()
        self._pointer.close()
        for key in (*MODE_KEYS.values(), *STEP_KEYS.values()):
            self._viewer.bind_key(key, None)
        self._window = None
        _CONTROLLERS.pop(self._viewer, None)

    def _on_window_gone(self) -> None:
        # What watched the window went with it.
        self._closing = None
        self.close()

    def _unfinished(self) -> list[Unfinished]:
        """What goes on for the docks, and would end with the window."""
        return [work for work in (self.trainer.at_work, self.evaluator.at_work) if work is not None]

    def describe(self, spot: int) -> str:
        """Words for one spot: its name and what is known of the shown gene."""
        expression, shown = self.state.expression, self.state.shown
        if expression is None or shown is None or spot >= len(expression.spots):
            return ""
        gene, words = shown.gene, [f"spot {expression.spots[spot]}"]
        looked_at = replace(self.state.wish, gene=gene, members=shown.members)
        for kind in KINDS:
            value = expression.shown_values(looked_at, kind)[spot]
            if not isnan(value):
                words.append(f"{gene} {kind} {value:.2f}")
        return " · ".join(words if len(words) > 1 else [*words, f"{gene} has no value here"])

    def _adopt(self) -> None:
        """Take over what napari's own File > Open or a drop has read with our reader."""
        if self._is_closed:
            return
        for opened in self.canvas.take_dropped():
            self.take(opened)

    def _on_dropped(self) -> None:
        # A reader adds layer after layer: take them when all are there.
        QTimer.singleShot(0, self._adopt)

    # -- drawing ---------------------------------------------------------------------------------------------------

    def _on_opened(self, opened: Opened | None, before: Opened | None) -> None:
        if before is not None and (opened is None or not same_spots(opened, before)):
            self._pointer.rest()
            self.regions.put_away()
            self.canvas.clear()
            self.state.spot = None
        if opened is None:
            self.state.expression = None
            self.state.shown = None
        else:
            self._show_opened(opened, is_new_picture=before is None or opened.picture is not before.picture)

    def _show_opened(self, opened: Opened, *, is_new_picture: bool) -> None:
        placement = placement_of(opened)
        if is_new_picture:
            self.canvas.show_picture(opened.picture, placement)
        if opened.is_slide_alone:
            self.state.expression, self.state.shown = None, None
        elif not belongs(self.state.expression, opened):
            expression = Expression(opened.section, opened.prediction)
            self._pointer.watch(expression.xy, placement)
            self.state.wish = _first_wish(self.state, expression)
            self.state.expression = expression
        if is_new_picture and opened.picture is not None and opened.picture.is_preview:
            self._make_pyramid(opened.picture)

    def _draw(self) -> None:
        expression, opened = self.state.expression, self.state.opened
        if opened is None or expression is None or not belongs(expression, opened):
            return
        before, shown = self.state.shown, resolve(self.state.wish, expression)
        self.canvas.show(shown, expression, placement_of(opened), {"opened": opened, "gene": shown.gene})
        hidden = self.canvas.hidden_layers
        own = (f"{hidden} of your own layers hidden while two maps stand side by side.",) if hidden else ()
        self.state.notes = (*shown.notes, *own)
        self.state.shown = shown
        self._pointer.refresh(outdated=() if before is None else [panel.title for panel in before.panels])

    def _draw_edges(self, spot: int | None) -> None:
        expression = self.state.expression
        if expression is not None:
            self.canvas.show_edges(None if spot is None else neighbours_of(expression, spot), expression.xy)

    def _on_clicked(self, spot: int | None) -> None:
        self.state.spot = spot

    def _on_lost(self, part: str) -> None:
        # Several layers may go at once; the list is in the middle of changing until then.
        if not self._lost:
            QTimer.singleShot(0, self._after_loss)
        self._lost.add(part)

    def _after_loss(self) -> None:
        lost, self._lost = self._lost, set()
        if self._is_closed:
            return
        opened = self.state.opened
        if "spots" in lost or ("slide" in lost and opened is not None and opened.is_slide_alone):
            self.state.opened = None
            return
        if lost & {"slide", "second"}:
            if self.state.wish.mode == "side by side":
                self.wish(mode="measured")
            self.canvas.drop_second()
        if "edges" in lost:
            self.canvas.drop_edges()
            self.state.spot = None

    # -- the slide -------------------------------------------------------------------------------------------------

    def _make_pyramid(self, picture: Picture) -> None:
        request = self.worker.build_pyramid(picture.path)
        self._errands.send(request, "Preparing the slide for zooming", lambda _files: self._swap_picture(picture))

    def _swap_picture(self, preview: Picture) -> None:
        opened, pyramid = self.state.opened, display_pyramid(preview.path)
        if opened is not None and opened.picture is preview and pyramid is not None:
            self.state.opened = replace(opened, picture=pyramid_picture(pyramid, preview.path))


def _first_wish(state: State, expression: Expression) -> Wish:
    """The gene in view where the new section has it, else its best; a first prediction is compared at once."""
    wish, before = state.wish, state.expression
    if expression.has_predicted and (before is None or before.prediction is not expression.prediction):
        space = next((known for known in SPACES if known == expression.predicted_space), wish.space)
        wish = replace(wish, space=space, mode="side by side" if expression.has_measured else "predicted")
    if not expression.has_predicted:
        wish = replace(wish, mode="measured")
    here = expression.listed(wish.members or (wish.gene,))
    known = any(map(expression.predicts, here)) if expression.has_predicted else bool(here)
    return wish if known else replace(wish, gene=expression.default_gene(wish.space), members=(), limits=None)
