"""Writes figures, values and reports of what is shown: beside the window, and says where they are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import cache_dir, prediction_table, save_prediction, spot_table, write_figure, write_values
from gr2st_napari._background import Background, run_through
from gr2st_napari._export import figure_of, settings_of, values_of
from gr2st_napari._opening import placement_of
from gr2st_napari._state import Job, Problem
from gr2st_napari._telling import hand_on, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gr2st import Region
    from gr2st_napari._canvas import Canvas
    from gr2st_napari._errands import Errands
    from gr2st_napari._expression import Expression
    from gr2st_napari._opening import Opened
    from gr2st_napari._panels import Display
    from gr2st_napari._state import State
    from gr2st_napari._worker import WorkerProcess

BUSY = "A file is still being written: wait until it is there."


class Exporter:
    """Changes `State.saved`; everything returns at once. What is shown when it is asked for is what is written."""

    def __init__(self, state: State, canvas: Canvas, scribe: WorkerProcess, errands: Errands) -> None:
        self._state, self._canvas, self._scribe, self._errands = state, canvas, scribe, errands
        self._background = Background()
        self._request = 0

    def figure(self, path: Path | str, regions: Sequence[Region] = (), *, is_whole: bool) -> None:
        """Draw the maps in view, of what the canvas shows or of the whole section, and outline regions."""
        display, expression, opened = self._shown()
        shown = figure_of(display, expression, opened, None if is_whole else self._canvas.view.window, regions)
        slide = opened.tissue
        settings = settings_of(display, self._state.wish, opened)
        self._run(
            "Drawing the figure", lambda is_wanted: run_through(write_figure(path, shown, slide, settings), is_wanted)
        )

    def values_in_view(self, path: Path | str) -> None:
        """Write the values of the maps in view, a column each."""
        display, expression, opened = self._shown()
        table = spot_table(expression.spots, expression.xy, placement_of(opened).um_per_px, values_of(display))
        settings = settings_of(display, self._state.wish, opened)
        self._run("Writing the values", lambda _: write_values(path, table, settings))

    def predicted_values(self, path: Path | str) -> None:
        """Write all predicted genes as a table."""
        display, _, opened = self._shown()
        prediction = opened.prediction
        if prediction is None:
            return
        um_per_px, settings = placement_of(opened).um_per_px, settings_of(display, self._state.wish, opened)
        told = {name: value for name, value in settings.items() if name not in ("view", "maps", "notes")}
        self._run("Writing the values", lambda _: write_values(path, prediction_table(prediction, um_per_px), told))

    def prediction(self, path: Path | str) -> None:
        """Write the whole prediction, as `gr2st predict` does."""
        opened = self._state.opened
        prediction = None if opened is None else opened.prediction
        if prediction is not None:
            self._run("Writing the prediction", lambda _: save_prediction(prediction, Path(path)))

    def report(self, path: Path | str, genes: Sequence[str] = ()) -> None:
        """Let the scribe write the report: maps of these genes, or of the best and worst predicted."""
        opened = self._state.opened
        if opened is None or opened.section is None:
            return
        if opened.study is None:
            self._state.problem = Problem(
                f"{opened.name} was handed over without its folder: open it here to write a report of it."
            )
        elif opened.prediction is not None and opened.prediction_path is None:
            stored = cache_dir("predictions") / f"{opened.name}-{time.strftime('%Y%m%d-%H%M%S')}.h5ad"
            prediction = opened.prediction
            self._run(
                "Storing the prediction",
                lambda _: save_prediction(prediction, stored),
                lambda stored: self._ask_report(opened, stored, Path(path), genes),
            )
        else:
            self._ask_report(opened, opened.prediction_path, Path(path), genes)

    def stop(self) -> None:
        """Let go of what is being written; nothing half-written remains."""
        if self._background.is_busy:
            self._request += 1
            self._background.forget()
            self._state.job = Job()

    def close(self) -> None:
        """Write nothing any more."""
        self._request += 1
        self._background.close()

    def _shown(self) -> tuple[Display, Expression, Opened]:
        state = self._state
        assert state.shown is not None, "there is an export only of what is shown"
        assert state.expression is not None, "there is an export only of what is shown"
        assert state.opened is not None, "there is an export only of what is shown"
        return state.shown, state.expression, state.opened

    def _ask_report(self, opened: Opened, prediction: Path | None, out: Path, genes: Sequence[str]) -> None:
        assert opened.study is not None, "a report is made of files"
        request = self._scribe.report_section(opened.study.path, opened.name, prediction, out, genes)
        self._state.problem = None
        self._errands.send(request, "Writing the report", lambda files: self._tell(Path(files["report"])))

    def _run(
        self,
        label: str,
        work: Callable[[Callable[[], bool]], Path],
        then: Callable[[Path], None] | None = None,
    ) -> None:
        """Do `work` in the thread; it may ask whether it is still wanted."""
        if self._background.is_busy:
            self._state.problem = Problem(BUSY)
            return
        self._request += 1
        number = self._request
        self._state.problem = None
        tell(self._state, label)
        self._background.run(
            lambda: work(lambda: number == self._request),
            lambda future: hand_on(self._state, future, then or self._tell),
        )

    def _tell(self, path: Path) -> None:
        self._state.saved = path
