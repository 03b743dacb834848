"""Trains for one viewer: checks, starts, pauses, stops and goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gr2st import (
    Gr2stError,
    Preflight,
    data_dir,
    read_curves,
    read_gene_list,
    read_run,
    read_study,
    sample_study_path,
)
from gr2st_napari import _training
from gr2st_napari._background import Background
from gr2st_napari._problems import problem_of
from gr2st_napari._run_keeper import RunKeeper
from gr2st_napari._state import Problem, Unfinished
from gr2st_napari._training import StudySummary, TrainDraft, Training

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from gr2st import Run
    from gr2st_napari._opening import Opened
    from gr2st_napari._state import State
    from gr2st_napari._study import Draft
    from gr2st_napari._training import Outcome, Phase, StudySummary
    from gr2st_napari._worker import WorkerProcess

PATIENCE_MS = 20_000
"""How long a step of a training may take to end once it is to stop: the worker is ended after that."""


class Trainer:
    """Changes `State.train_draft` and `State.training`, its `runs` `State.runs`; everything returns at once."""

    def __init__(self, state: State, worker: WorkerProcess) -> None:
        self._state = state
        self._worker = worker
        self.runs = RunKeeper(state)
        self._reading = Background()
        self._asked: Literal["check", "start", "train"] = "check"
        state.events.opened.connect(self._on_opened)
        state.events.draft.connect(self._on_study_draft)
        self._listeners: list[tuple[Any, Any]] = [
            (worker.progressed, self._on_progress),
            (worker.finished, self._on_finished),
            (worker.failed, self._on_failed),
            (worker.cancelled, self._on_cancelled),
            (worker.paused, self._on_paused),
            (worker.resumed, self._on_resumed),
        ]
        for told, listener in self._listeners:
            told.connect(listener)

    # -- the draft -------------------------------------------------------------------------------------------------

    def change(self, act: Callable[..., TrainDraft], *arguments: Any, **named: Any) -> None:
        """Change the draft by one of the functions of `_training`; what was found and done before is behind it."""
        self._set(_training.put_away(self._training))
        self._state.train_draft = act(self._draft, *arguments, **named)

    def choose_study(self, path: Path | str) -> None:
        """Train on this study, whatever is open in the viewer."""
        self._read(lambda: _training.summary_of(read_study(path)), self._take_study)

    def choose_sample(self) -> None:
        """Train on the sample study."""
        self.choose_study(sample_study_path())

    def choose_genes(self, path: Path | str) -> None:
        """Learn the genes of a file."""
        name = Path(path).name
        self._read(lambda: read_gene_list(path), lambda genes: self.change(_training.with_genes, genes, name))

    def use_settings_of(self, folder: Path) -> None:
        """Fill in the draft as a run was asked for."""

        def read() -> tuple[Run, StudySummary]:
            run = read_run(folder)
            return run, _training.summary_of(read_study(run.plan.study))

        self._read(read, lambda found: self.change(lambda draft: _training.draft_of(found[0], draft, found[1])))

    # -- a training ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Look whether the training can be done, and say what is found."""
        self._begin("check")

    def start(self) -> None:
        """Look whether the training can be done, and begin it unless something hinders it."""
        self._begin("start")

    def pause(self) -> None:
        """Let the training rest after its present step."""
        training = self._training
        if training.phase == "running" and training.request is not None:
            self._set(replace(training, phase="pausing"))
            self._worker.pause(training.request)

    def resume(self) -> None:
        """Let a training go on that rests, or that has ended before its end."""
        training = self._training
        if training.phase == "paused" and training.request is not None:
            self._set(replace(training, phase="resuming"))
            self._worker.resume(training.request)
        elif training.folder is not None:
            self.resume_run(training.folder)

    def resume_run(self, folder: Path) -> None:
        """Go on with a run where it was."""
        if not self._training.is_busy:
            self._set(Training("resuming", folder, stage=f"Reading {folder.name}"))
            self._reading.run(lambda: _run_at(folder), self._on_run_read)

    def stop(self) -> None:
        """End the training, or the check; what was learned so far is kept."""
        training = self._training
        if training.request is not None and training.phase != "stopping":
            self._set(replace(training, phase="stopping"))
            self._worker.cancel(training.request, patience_ms=PATIENCE_MS)

    def dismiss(self) -> None:
        """Put an error away."""
        self._set(replace(self._training, problem=None))
        self.runs.dismiss()

    def stop_run(self, folder: Path) -> None:
        """Stop a run: the one at work here, or one of another process."""
        if folder == self._training.folder and self._training.is_busy:
            self.stop()
        else:
            self.runs.ask_to_stop(folder)

    @property
    def at_work(self) -> Unfinished | None:
        """The training that is under way here, paused or not; a check is none."""
        training = self._training
        if self._asked != "train" or training.request is None or training.folder is None:
            return None
        return Unfinished(f"The training {training.folder.name}", training.folder)

    def close(self) -> None:
        """Read nothing any more. A training ends with the worker; what it learned is kept and can be gone on with."""
        for told, listener in self._listeners:
            told.disconnect(listener)
        self._reading.close()
        self.runs.close()

    # -- within ----------------------------------------------------------------------------------------------------

    @property
    def _draft(self) -> TrainDraft:
        return self._state.train_draft

    @property
    def _training(self) -> Training:
        return self._state.training

    def _set(self, training: Training) -> None:
        self._state.training = training

    def _fail(self, error: BaseException) -> None:
        self._set(replace(self._training, problem=problem_of(error)))

    def _read(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def on_read(future: Future[Any]) -> None:
            error = future.exception()
            if error is None:
                then(future.result())
            else:
                self._fail(error)

        self._set(replace(self._training, problem=None))
        self._reading.run(work, on_read)

    def _take_study(self, study: StudySummary) -> None:
        self.change(_training.with_study, study, is_own=True)

    def _begin(self, asked: Literal["check", "start"]) -> None:
        draft = self._draft
        if self._training.is_busy or draft.study is None:
            return
        try:
            plan = _training.plan_of(draft)
            folder = data_dir("runs") / (draft.name or _training.default_name(draft, datetime.now()))
        except Gr2stError as error:
            self._fail(error)
            return
        self._asked = asked
        training = _training.begun(folder, plan, (), _training.epochs_planned(plan, _training.n_units(draft)))
        self._set(replace(training, phase="checking", stage="Checking before the start"))
        self._set(replace(self._training, request=self._worker.check_training(plan, folder)))

    def _train(self, training: Training) -> None:
        assert training.plan is not None
        assert training.folder is not None
        self._asked = "train"
        # The worker does one long thing at a time.
        stage = "Waiting until the evaluation has ended" if self._state.desk.is_evaluating else "Starting"
        self._set(replace(training, phase="running", stage=stage, done=0, total=0))
        self._set(replace(self._training, request=self._worker.train(training.plan, training.folder)))

    def _on_run_read(self, future: Future[Training]) -> None:
        error = future.exception()
        if error is not None:
            self._set(replace(self._training, phase="idle"))
            self._fail(error)
            return
        self._train(future.result())

    def _is_mine(self, request: int) -> bool:
        return request == self._training.request

    def _on_progress(self, request: int, event: dict[str, Any]) -> None:
        if self._is_mine(request):
            self._set(_training.heard(self._training, event, time.monotonic()))

    def _on_paused(self, request: int) -> None:
        self._enter(request, "paused")

    def _on_resumed(self, request: int) -> None:
        self._enter(request, "running")

    def _enter(self, request: int, phase: Phase) -> None:
        if self._is_mine(request) and self._training.phase != "stopping":
            self._set(replace(self._training, phase=phase))
            self.runs.look()

    def _on_finished(self, request: int, answer: dict[str, Any]) -> None:
        if not self._is_mine(request):
            return
        if self._asked == "train":
            self._end("finished")
        else:
            self._on_checked(Preflight.of_json(answer))

    def _on_checked(self, preflight: Preflight) -> None:
        checked = replace(self._training, preflight=preflight, request=None, stage="")
        if self._asked == "start" and checked.phase == "checking" and preflight.can_start:
            self._train(checked)
        else:
            self._set(replace(checked, phase="idle"))

    def _on_failed(self, request: int, sentence: str, details: str) -> None:
        if self._is_mine(request):
            first, _, rest = sentence.partition("\n")
            problem = Problem(first, "\n\n".join(filter(None, (rest, details))))
            self._end("failed" if self._asked == "train" else "", problem)

    def _on_cancelled(self, request: int) -> None:
        if self._is_mine(request):
            self._end("stopped" if self._asked == "train" else "")

    def _end(self, outcome: Outcome, problem: Problem | None = None) -> None:
        self._set(_training.ended(self._training, outcome, problem))
        self.runs.look()

    def _on_opened(self, opened: Opened | None) -> None:
        """Follow the viewer, unless a study was chosen here."""
        if opened is not None and opened.study is not None and not self._draft.is_own_study:
            counts = _spots_of(self._state.draft)
            if opened.section is not None:
                counts[opened.name] = opened.section.n_spots
            self.change(_training.with_study, _training.summary_of(opened.study, counts), is_own=False)

    def _on_study_draft(self, draft: Draft) -> None:
        """A study that was just put together is trained on, where nothing else is open or chosen."""
        opened = self._state.opened
        is_other_open = opened is not None and opened.study is not None
        if draft.saved is not None and not draft.is_reading and not is_other_open and not self._draft.is_own_study:
            study = _training.summary_of(draft.study(draft.saved), _spots_of(draft))
            self.change(_training.with_study, study, is_own=False)


def _spots_of(draft: Draft) -> dict[str, int]:
    """Spots of the sections that the Study dock has read."""
    return {row.entry.name: row.facts.n_spots for row in draft.rows if row.facts is not None}


def _run_at(folder: Path) -> Training:
    """The training of a run, as far as it came."""
    run, epochs = read_run(folder), read_curves(folder)
    asked = _training.draft_of(run, TrainDraft(), _training.summary_of(read_study(run.plan.study)))
    planned = _training.epochs_planned(run.plan, _training.n_units(asked))
    return _training.begun(folder, run.plan, epochs, planned)
