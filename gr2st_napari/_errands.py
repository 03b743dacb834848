"""Short requests to workers: told as the job of the state, their answers handed on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gr2st_napari._problems import problem_in
from gr2st_napari._state import Job

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._state import State
    from gr2st_napari._worker import WorkerProcess


class Errands:
    """Changes `State.job`; one request is told of at a time, when it is over the one that has waited longest."""

    def __init__(self, state: State, *workers: WorkerProcess) -> None:
        self._state, self._workers = state, workers
        self._then: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._jobs: dict[int, Job] = {}
        self._listeners: list[tuple[Any, Any]] = [
            listener
            for worker in workers
            for listener in (
                (worker.progressed, self._on_progress),
                (worker.finished, self._on_finished),
                (worker.failed, self._on_failed),
                (worker.cancelled, self._on_cancelled),
            )
        ]
        for told, listener in self._listeners:
            told.connect(listener)

    @property
    def is_told(self) -> bool:
        """Whether the job of the state is a request of ours."""
        return self._state.job.request is not None

    def send(self, request: int, label: str, then: Callable[[dict[str, Any]], None]) -> None:
        """Hand the files of a request to `then` when it is done; it is told of under `label` when no other is."""
        self._then[request] = then
        self._jobs[request] = Job(label, request=request)
        if self._state.job.request is None:
            self._state.job = self._jobs[request]

    def stop(self) -> None:
        """Stop the request that is told of: politely first."""
        job = self._state.job
        if job.request is not None and not job.is_stopping:
            self._state.job = self._jobs[job.request] = replace(job, is_stopping=True)
            for worker in self._workers:
                worker.cancel(job.request)

    def close(self) -> None:
        """Listen no more, and hand nothing on."""
        self._then.clear()
        self._jobs.clear()
        for told, listener in self._listeners:
            told.disconnect(listener)

    def _on_progress(self, request: int, event: dict[str, Any]) -> None:
        job = self._jobs.get(request)
        if job is None:
            return
        done, total = int(event.get("done", 0)), int(event.get("total", 0))
        label, note = str(event.get("stage") or job.label), str(event.get("note", ""))
        self._jobs[request] = replace(job, label=label, done=done, total=total, note=note)
        if request == self._state.job.request:
            self._state.job = self._jobs[request]

    def _on_finished(self, request: int, files: dict[str, Any]) -> None:
        then = self._then.pop(request, None)
        self._rest(request)
        if then is not None:
            then(files)

    def _on_failed(self, request: int, sentence: str, details: str) -> None:
        self._rest(request)
        if self._then.pop(request, None) is not None:
            self._state.problem = problem_in(sentence, details)

    def _on_cancelled(self, request: int) -> None:
        self._then.pop(request, None)
        self._rest(request)

    def _rest(self, request: int) -> None:
        self._jobs.pop(request, None)
        if request == self._state.job.request:
            self._state.job = next(iter(self._jobs.values()), Job())
