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

from gr2st import cache_dir
from gr2st_napari._canvas import Canvas
from gr2st_napari._class_keeper import ClassKeeper
from gr2st_napari._closing import Closing
from gr2st_napari._divider import Divider
from gr2st_napari._errands import Errands
from gr2st_napari._evaluator import Evaluator
from gr2st_napari._exporter import Exporter
from gr2st_napari._expression import KINDS
from gr2st_napari._flicker import Flicker
from gr2st_napari._gene_facts import FactsKeeper
from gr2st_napari._ground import Ground, Groundwork
from gr2st_napari._marks import MARKS
from gr2st_napari._opener import Opener
from gr2st_napari._opening import Opened, placement_of
from gr2st_napari._pairing import belongs, is_drawn, same_spots
from gr2st_napari._pointer import Pointer
from gr2st_napari._preferences import PreferenceKeeper
from gr2st_napari._pyramids import Pyramids
from gr2st_napari._region_keeper import RegionKeeper
from gr2st_napari._reporter import Reporter
from gr2st_napari._resolve import first_wish, resolve
from gr2st_napari._session_keeper import SessionKeeper
from gr2st_napari._shelf_keeper import ShelfKeeper
from gr2st_napari._sketch_keeper import SketchKeeper
from gr2st_napari._slide_keeper import SlideKeeper
from gr2st_napari._spot_keeper import SpotKeeper
from gr2st_napari._state import MODES, Job, Problem, State
from gr2st_napari._study_builder import StudyBuilder
from gr2st_napari._sweeps import SPARED
from gr2st_napari._trainer import Trainer
from gr2st_napari._trust import TRUST_MEASURES
from gr2st_napari._worker import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from napari import Viewer

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
        SPARED.watch(viewer)
        self.state = State()
        self._preferences = PreferenceKeeper(lambda changes: self.wish(**changes))
        self.state.wish = replace(self.state.wish, **asdict(self._preferences.preferences))
        self.canvas = Canvas(viewer)
        self.worker = worker or WorkerProcess()
        # Reports need no torch: a process of their own writes them, whatever the worker is doing.
        self.scribe = WorkerProcess(rests=True)
        self.facts = FactsKeeper(self.state)
        self.shelf = ShelfKeeper(self.state)
        self.builder = StudyBuilder(self.state)
        self.trainer = Trainer(self.state, self.worker)
        self.evaluator = Evaluator(self.state, self.worker)
        self.reporter = Reporter(self.state, self.scribe)
        self.slides = SlideKeeper(self.state, self.worker, self.open)
        self._viewer = viewer
        self._opener = Opener(self.state)
        self._errands = Errands(self.state, self.worker, self.scribe)
        self._pyramids = Pyramids(self.state, self.worker, self._errands)
        self.exporter = Exporter(self.state, self.canvas, self.scribe, self._errands)
        self._pointer = Pointer(viewer, self.describe)
        self._divider = Divider(viewer, self.state)
        self._flicker = Flicker(self.state, self.canvas.take_turns)
        self._groundwork = Groundwork(self.state, self.canvas.turns)
        self._ground: Ground | None = None
        self._lost: set[str] = set()
        self._is_closed = False
        self._window: QWidget | None = None
        self._closing: Closing | None = None
        # Before our own listeners: its layer is gone before two maps stand side by side.
        self.sketches = SketchKeeper(self.state, self.canvas)
        self._connect()
        self.classes = ClassKeeper(self.state)
        # After our own listeners: regions that come back are then drawn above the spots.
        self.regions = RegionKeeper(self.state, self.canvas.layers, self.canvas.view)
        self.sessions = SessionKeeper(self.state, self.canvas, self.regions, self.evaluator)
        self.spot = SpotKeeper(self.state, self.canvas, self._pointer, self._opener)
        self._bind_keys()
        self._adopt()

    def _connect(self) -> None:
        events = self.state.events
        events.opened.connect(self._on_opened)
        events.expression.connect(self._draw)
        events.wish.connect(self._draw)
        events.classes.connect(self._draw)
        events.divider.connect(self.canvas.divide)
        self._pointer.clicked.connect(self._on_clicked)
        self.canvas.lost.connect(self._on_lost)
        self.canvas.parted.connect(self._note)
        self.canvas.layers.dropped.connect(self._on_dropped)

    def _bind_keys(self) -> None:
        for mode, key in MODE_KEYS.items():
            self._viewer.bind_key(key, lambda _viewer, mode=mode: self.wish(mode=mode), overwrite=True)
        for step, key in STEP_KEYS.items():
            self._viewer.bind_key(key, lambda _viewer, step=step: self.stepped.emit(step), overwrite=True)

    # -- what docks ask for ----------------------------------------------------------------------------------------

    def wish(self, **changes: Any) -> None:
        """Change what is shown: fields of `Wish`.

        A gene ends the map of a list, a mode that of a measure of trust, and both end classes.
        """
        without: dict[str, Any] = {"members": ()} if "gene" in changes else {}
        if "mode" in changes:
            without["measure"] = "expression"
        if changes.keys() & {"gene", "mode"}:
            without |= {"colour_by": "", "hidden": frozenset()}
        self.state.wish = replace(self.state.wish, **{**without, **changes})

    def open(self, path: Path | str) -> None:
        """Open a section, a study, a prediction or a session beside the window."""
        self._opener.open(path)

    def open_too(self, path: Path | str, failed: Callable[[str], None]) -> None:
        """Open it after what is being opened; `failed` hears why it cannot be."""
        self._opener.open_too(path, failed)

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
        elif self._groundwork.is_busy:
            self._groundwork.stop()
            self.state.opened = None
            self.state.job = Job()
        else:
            self.exporter.stop()
            self._opener.stop()

    @property
    def is_settled(self) -> bool:
        """Whether all that is open is drawn."""
        return not (self._groundwork.is_busy or self.canvas.turns.is_busy)

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
        self.scribe.stop()
        self.canvas.close()
        self._pointer.close()
        for key in (*MODE_KEYS.values(), *STEP_KEYS.values()):
            self._viewer.bind_key(key, None)
        self._window = None
        _CONTROLLERS.pop(self._viewer, None)
        SPARED.let_go(self._viewer)

    @property
    def _parts(self) -> tuple[Any, ...]:
        """What is to be closed with the window, in this order: each stops listening and lets go of its thread."""
        return (
            self._preferences,
            self._errands,
            self._opener,
            self._groundwork,
            self._divider,
            self._flicker,
            self.classes,
            self.facts,
            self.shelf,
            self.builder,
            self.trainer,
            self.evaluator,
            self.reporter,
            self.exporter,
            self.sessions,
            self.slides,
            self.regions,
            self.sketches,
            self.spot,
        )

    def _on_window_gone(self) -> None:
        # What watched the window went with it.
        self._closing = None
        self.close()

    def _unfinished(self) -> list[Unfinished]:
        """What goes on for the docks, and would end with the window."""
        parts = (self.trainer, self.evaluator, self.slides)
        return [part.at_work for part in parts if part.at_work is not None]

    def describe(self, spot: int) -> str:
        """Words for one spot: its name and what is known of the shown gene."""
        expression, shown = self.state.expression, self.state.shown
        if expression is None or shown is None or spot >= len(expression.spots):
            return ""
        gene, words = shown.gene, [f"spot {expression.spots[spot]}"]
        if shown.classes is not None:
            return f"{words[0]} · {shown.classes.words}: {shown.classes.name_of(spot) or 'none'}"
        looked_at = replace(self.state.wish, gene=gene, members=shown.members)
        for kind in KINDS:
            value = expression.shown_values(looked_at, kind)[spot]
            if not isnan(value):
                words.append(f"{gene} {kind} {value:.2f}")
        words += [f"{panel.kind} {panel.values[spot]:.2f}" for panel in shown.panels if panel.kind in TRUST_MEASURES]
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
            self.state.spot = None
        if opened is None:
            self.canvas.clear()
            self._groundwork.stop()
            self.state.expression = None
            self.state.shown = None
        else:
            if before is not None and not same_spots(opened, before):
                self.state.expression = None
                self.canvas.make_room(opened)
            self._show_opened(opened, is_new_picture=before is None or opened.picture is not before.picture)

    def _show_opened(self, opened: Opened, *, is_new_picture: bool) -> None:
        if is_new_picture:
            self.canvas.show_picture(opened.picture, placement_of(opened))
        if opened.is_slide_alone:
            self.state.expression, self.state.shown = None, None
            if is_new_picture and opened.slide is not None:
                self.canvas.look_at_slide(opened.slide, placement_of(opened))
        if is_drawn(opened, self.state.expression):
            self._opener.arrive()
        else:
            pieces = (self.canvas.look_first, self._draw_first, self._stand_on, lambda _ground: self._opener.arrive())
            self._groundwork.lay(opened, *pieces)
        if is_new_picture:
            self._pyramids.make(opened.picture)

    def _draw_first(self, ground: Ground) -> None:
        """A map for which layers have to be made takes a turn, before the docks fill with what it shows."""
        opened, expression = self.state.opened, ground.expression
        if opened is not None and not self.canvas.has_map(ground):
            shown = resolve(first_wish(self.state.wish, self.state.expression, expression), expression, None)
            self.canvas.show(shown, ground, self.state.divider, {"opened": opened, "gene": shown.gene})

    def _stand_on(self, ground: Ground) -> None:
        expression, placement = ground.expression, ground.placement
        self._ground = ground
        self._pointer.watch(expression.tree, ground.reach_px, placement.scale)
        self._divider.watch(expression.xy, placement)
        self.state.wish = first_wish(self.state.wish, self.state.expression, expression)
        self.state.expression = expression

    def _draw(self) -> None:
        expression, opened, ground = self.state.expression, self.state.opened, self._ground
        if opened is None or expression is None or ground is None or not belongs(expression, opened):
            return
        before, shown = self.state.shown, resolve(self.state.wish, expression, self.state.classes)
        self.canvas.show(shown, ground, self.state.divider, {"opened": opened, "gene": shown.gene})
        self.state.shown = shown
        self._note()
        self._pointer.refresh(outdated=() if before is None else [panel.title for panel in before.panels])

    def _note(self) -> None:
        """What is to be known of the map in view."""
        shown, hidden = self.state.shown, self.canvas.hidden_layers
        own = (f"{hidden} of your own layers hidden while two maps stand side by side.",) if hidden else ()
        self.state.notes = own if shown is None else (*shown.notes, *own)

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
        if lost & {"slide", "second", "divider"}:
            if self.state.wish.mode in ("side by side", "swipe"):
                self.wish(mode="measured")
            self.canvas.drop_second()
        for mark in MARKS:
            if mark in lost:
                self.spot.forget_mark(mark)
        if "edges" in lost:
            self.canvas.drop_edges()
            self.state.spot = None
