"""Lets the page of the evaluation in view be written, also while the worker evaluates, and tells how far it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st_napari._problems import problem_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st_napari._state import State
    from gr2st_napari._worker import WorkerProcess


class Reporter:
    """Changes the report of `State.desk`; `scribe` is a process that writes pages and does nothing else."""

    def __init__(self, state: State, scribe: WorkerProcess) -> None:
        self._state, self._scribe = state, scribe
        self._listeners: list[tuple[Any, Any]] = [
            (scribe.progressed, self._on_progress),
            (scribe.finished, self._on_finished),
            (scribe.failed, self._on_failed),
            (scribe.cancelled, self._on_cancelled),
        ]
        for told, listener in self._listeners:
            told.connect(listener)

    def write(self, path: Path | str) -> None:
        """Write what is done of the evaluation in view; one page at a time."""
        desk = self._state.desk
        if desk.evaluation is not None and desk.report is None:
            request = self._scribe.report(desk.evaluation.folder, Path(path))
            self._set(report=request, report_stage="", told="", problem=None)

    def stop(self) -> None:
        """Write no further; nothing half-written remains."""
        if self._state.desk.report is not None:
            self._scribe.cancel(self._state.desk.report)

    def close(self) -> None:
        """Listen no more."""
        for told, listener in self._listeners:
            told.disconnect(listener)

    def _on_progress(self, request: int, event: Mapping[str, Any]) -> None:
        if request == self._state.desk.report:
            self._set(report_stage=str(event["stage"]))

    def _on_finished(self, request: int, files: Mapping[str, Any]) -> None:
        if request == self._state.desk.report:
            self._set(report=None, told=f"The report is {files['report']}.")

    def _on_failed(self, request: int, sentence: str, details: str) -> None:
        if request == self._state.desk.report:
            self._set(report=None, problem=problem_in(sentence, details))

    def _on_cancelled(self, request: int) -> None:
        if request == self._state.desk.report:
            self._set(report=None)

    def _set(self, **changes: Any) -> None:
        self._state.desk = replace(self._state.desk, **changes)
