"""Predicts the open slide: looks ahead, starts, stops, and opens what comes of it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer

from gr2st import DataError, Gr2stError, Preflight, SlidePlan, cache_dir, keys, write_regions
from gr2st_napari._problems import problem_in, problem_of
from gr2st_napari._slide_habits import Habits, read_habits, write_habits
from gr2st_napari._slides import WHOLE, changed, chosen_regions, places, rested
from gr2st_napari._state import Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gr2st_napari._opening import Opened
    from gr2st_napari._slides import SlideSheet
    from gr2st_napari._state import State
    from gr2st_napari._worker import WorkerProcess

SETTLED_MS = 600
"""How long a wish rests before it is looked at ahead: a number is typed digit by digit."""
PATIENCE_MS = 60_000
"""How long a batch of patches or a part may take to end once it is to stop."""


class SlideKeeper:
    """Changes `State.slide`; everything returns at once.

    Parameters
    ----------
    state : State
    worker : WorkerProcess
    open_path : callable
        Opens the prediction that was made.
    """

    def __init__(self, state: State, worker: WorkerProcess, open_path: Callable[[Path], None]) -> None:
        self._state, self._worker, self._open = state, worker, open_path
        self._request: int | None = None
        self._check: int | None = None
        self._regions: object = ()
        self._name = ""
        self._settling = QTimer(singleShot=True, interval=SETTLED_MS)
        self._settling.timeout.connect(self.check)
        self._try(lambda: self._set(replace(self._sheet, **dict(read_habits()))))
        state.events.opened.connect(self._on_opened)
        state.events.sheet.connect(self._on_regions)
        self._listeners: list[tuple[Any, Any]] = [
            (worker.progressed, self._on_progress),
            (worker.finished, self._on_finished),
            (worker.failed, self._on_failed),
            (worker.cancelled, self._on_cancelled),
        ]
        for told, listener in self._listeners:
            told.connect(listener)

    # -- what the dock asks for ------------------------------------------------------------------------------------

    def wish(self, **fields: object) -> None:
        """Change model, pitch, scale, place or whether tissue matters; it is then looked at ahead."""
        if not self._sheet.is_busy:
            self._set(changed(self._sheet, **fields))
            self._settling.start()
            if fields.keys() & Habits.model_fields.keys():
                self._try(lambda: write_habits(Habits(model=self._sheet.model, pitch_um=self._sheet.pitch_um)))

    def choose_model(self, folder: Path) -> None:
        """Predict with the model of a folder; where there is none that is told at once, and the choice before stays."""
        self._try(lambda: self.wish(model=_with_model(folder)))

    def check(self) -> None:
        """Look ahead: how many spots, how long, and what speaks against it."""
        self._settling.stop()
        self._leave_check()
        plan = self._plan()
        if plan is not None and not self._sheet.is_busy:
            self._check = self._worker.check_slide(plan, self._out(plan))
            self._set(replace(self._sheet, phase="checking"))

    def start(self) -> None:
        """Predict the slide."""
        plan = self._plan()
        if plan is None or self._sheet.is_busy:
            return
        self._settling.stop()
        self._leave_check()
        self._name = plan.slide.name
        self._request = self._worker.predict_slide(plan, self._out(plan))
        self._set(replace(self._sheet, phase="predicting", stage="Waiting for its turn", problem=None))

    def stop(self) -> None:
        """End the prediction; what was looked at stays."""
        if self._request is not None and self._sheet.phase == "predicting":
            self._set(replace(self._sheet, phase="stopping"))
            self._worker.cancel(self._request, patience_ms=PATIENCE_MS)

    @property
    def at_work(self) -> Unfinished | None:
        """The prediction that is under way; one that is to stop, and a look ahead, are none."""
        return Unfinished(f"The prediction of {self._name}") if self._sheet.phase == "predicting" else None

    def dismiss(self) -> None:
        """Put an error away."""
        self._set(replace(self._sheet, problem=None))

    def close(self) -> None:
        """Listen no more."""
        self._settling.stop()
        self._state.events.opened.disconnect(self._on_opened)
        self._state.events.sheet.disconnect(self._on_regions)
        for told, listener in self._listeners:
            told.disconnect(listener)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Gr2stError as error:
            self._set(replace(self._sheet, problem=problem_of(error)))

    # -- the plan --------------------------------------------------------------------------------------------------

    @property
    def _sheet(self) -> SlideSheet:
        return self._state.slide

    def _set(self, sheet: SlideSheet) -> None:
        self._state.slide = sheet

    def _plan(self) -> SlidePlan | None:
        """What is asked for, as the worker takes it; None where something is missing yet."""
        opened, sheet = self._state.opened, self._sheet
        slide = None if opened is None else opened.slide
        if slide is None or sheet.model is None or (sheet.um_per_px is None and slide.um_per_px is None):
            return None
        try:
            return SlidePlan.of(
                model=sheet.model,
                slide=slide.path,
                pitch_um=sheet.pitch_um,
                um_per_px=sheet.um_per_px,
                regions=self._written_regions(),
                everywhere=sheet.everywhere,
            )
        except Gr2stError as error:
            self._set(replace(sheet, problem=problem_of(error)))
            return None

    def _written_regions(self) -> Path | None:
        """The chosen regions in a file, for another process to read."""
        regions = chosen_regions(self._sheet, self._state.sheet.regions)
        if not regions:
            return None
        path = cache_dir("regions") / "to-predict.geojson"
        write_regions(path, regions)
        return path

    def _out(self, plan: SlidePlan) -> Path:
        assert self._state.opened is not None, "a plan is of an open slide"
        moment = time.strftime("%Y%m%d-%H%M%S")
        return cache_dir("predictions") / f"{self._state.opened.name}-{plan.model.name}-{moment}.h5ad"

    def _leave_check(self) -> None:
        if self._check is not None:
            self._worker.cancel(self._check, patience_ms=PATIENCE_MS)
            self._check = None
            self._set(rested(self._sheet))

    # -- news ------------------------------------------------------------------------------------------------------

    def _on_opened(self, opened: Opened | None, before: Opened | None) -> None:
        """Another slide: its own scale, its tissue and all of it, and what was found for the one before forgotten."""
        # The same slide is opened again when its pyramid is there: what the user said of it stays.
        is_same = opened is not None and before is not None and opened.slide is before.slide
        if opened is not None and opened.is_slide_alone and not is_same and not self._sheet.is_busy:
            self.wish(um_per_px=None, where=WHOLE, everywhere=False)

    def _on_regions(self, _news: object) -> None:
        regions = self._state.sheet.regions
        if regions is self._regions or self._sheet.is_busy:
            return
        self._regions = regions
        if self._sheet.where not in dict(places(regions)):
            self.wish(where=WHOLE)
        elif self._sheet.where != WHOLE:
            self.wish()

    def _on_progress(self, request: int, event: dict[str, Any]) -> None:
        if request == self._request:
            done, total = int(event.get("done", 0)), int(event.get("total", 0))
            self._set(replace(self._sheet, stage=str(event.get("stage", "")), done=done, total=total))

    def _on_finished(self, request: int, files: dict[str, Any]) -> None:
        if request == self._check:
            self._check = None
            self._set(replace(rested(self._sheet), preflight=Preflight.of_json(files)))
        elif request == self._request:
            self._request = None
            self._set(replace(rested(self._sheet), is_finished=True))
            self._open(files["prediction"])

    def _on_failed(self, request: int, sentence: str, details: str) -> None:
        if request in (self._check, self._request):
            self._rest(request)
            self._set(rested(self._sheet, problem_in(sentence, details)))

    def _on_cancelled(self, request: int) -> None:
        if request in (self._check, self._request):
            self._rest(request)
            self._set(rested(self._sheet))

    def _rest(self, request: int) -> None:
        self._check = None if request == self._check else self._check
        self._request = None if request == self._request else self._request


def _with_model(folder: Path) -> Path:
    """The folder, where it holds a model."""
    if not (folder / keys.MODEL_CARD).is_file():
        raise DataError(
            f"{folder.name} is no model folder: {keys.MODEL_CARD} is not there. Choose one that the dock Train or "
            "`gr2st train` has made."
        )
    return folder
