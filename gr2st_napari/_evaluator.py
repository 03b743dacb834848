"""Evaluates for one viewer: asks the worker, follows the folder it writes, and reads results beside the window."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from gr2st import (
    GeneChoice,
    Preflight,
    ask_to_stop,
    atomic_path,
    data_dir,
    json_of_plan,
    keys,
    list_evaluations,
    read_evaluation,
    read_gene_list,
    read_gene_scores,
    read_section_scores,
)
from gr2st_napari import _evaluation
from gr2st_napari._background import Background
from gr2st_napari._problems import problem_in, problem_of
from gr2st_napari._results import patients_of, ranking_of, results_of
from gr2st_napari._state import Job, Unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from gr2st import EvaluationFolder, EvaluationFolders, Study
    from gr2st_napari._evaluation import Act, Desk
    from gr2st_napari._opening import Opened
    from gr2st_napari._results import Results
    from gr2st_napari._state import State
    from gr2st_napari._worker import WorkerProcess

FOLLOW_MS = 1000
"""Between two looks at a folder that another process writes."""
GLANCE_MS = 5000
"""Between two looks whether an evaluation goes on in the background."""
RECENT = 12
_LABELS: Mapping[Act, str] = {"check": "Checking", "evaluate": "Evaluating"}
_TABLES = (keys.SECTION_SCORES, keys.GENE_SCORES)


class Evaluator(QObject):
    """Changes `State.desk`; everything returns at once."""

    def __init__(self, state: State, worker: WorkerProcess) -> None:
        super().__init__()
        self._state, self._worker = state, worker
        self._folder: Path | None = None
        self._is_outdated = False
        self._following, self._reading = Background(), Background()
        self._timer = QTimer(self)
        self._timer.setInterval(FOLLOW_MS)
        self._timer.timeout.connect(self._look)
        self._glances = QTimer(self)
        self._glances.setInterval(GLANCE_MS)
        self._glances.setSingleShot(True)
        self._glances.timeout.connect(self.glance)
        state.events.opened.connect(self._on_opened)
        worker.progressed.connect(self._on_progress)
        worker.finished.connect(self._on_finished)
        worker.failed.connect(self._on_failed)
        worker.cancelled.connect(self._on_cancelled)
        worker.paused.connect(lambda request: self._on_rest(request, is_paused=True))
        worker.resumed.connect(lambda request: self._on_rest(request, is_paused=False))

    # -- what is to be evaluated -----------------------------------------------------------------------------------

    def change(self, act: Callable[..., Desk], *arguments: Any, **changes: Any) -> None:
        """Change the desk by one of the functions of `_evaluation`."""
        self._set(act(self._desk, *arguments, **changes))

    def read_genes(self, path: Path | str) -> None:
        """Predict the genes of a file."""
        path = Path(path)

        def then(genes: tuple[str, ...]) -> None:
            self.change(_evaluation.designed, genes=GeneChoice(listed=genes), genes_source=path.name)

        self._read(lambda: read_gene_list(path), then)

    def check(self) -> None:
        """Let the worker look whether all is there, and how long it takes."""
        design = self._desk.design
        if design.study is not None and self._desk.request is None:
            plan, workers = json_of_plan(design.plan()), design.place.asked.get("workers", 1)
            out = _new_folder(design.study)
            self._ask("check", self._worker.check_evaluation(design.study.path, plan, out, workers=workers))

    def start(self) -> None:
        """Evaluate in a new folder."""
        design = self._desk.design
        if design.study is None or self._desk.request is not None:
            return
        self._evaluate(design.study.path, json_of_plan(design.plan()), _new_folder(design.study))

    def go_on(self) -> None:
        """Do what is missing of the evaluation in view; or let a paused one go on."""
        desk = self._desk
        if desk.request is not None:
            self._worker.resume(desk.request)
        elif desk.evaluation is not None and desk.evaluation.study is not None:
            self._evaluate(desk.evaluation.study, dict(desk.evaluation.plan), desk.evaluation.folder)

    def pause(self) -> None:
        """Let the evaluation rest."""
        if self._desk.request is not None:
            self._worker.pause(self._desk.request)

    def stop(self) -> None:
        """End it; what is done stays. Another process ends it when its step is done."""
        request, evaluation = self._desk.request, self._desk.evaluation
        if request is None and evaluation is not None and self._desk.is_elsewhere:
            told = f"{evaluation.folder.name} was asked to stop: it does so when its step is done."
            self._read(lambda: ask_to_stop(evaluation.folder), lambda _: self._set(replace(self._desk, told=told)))
        elif request is not None and not self._desk.is_stopping:
            self._set(replace(self._desk, is_stopping=True))
            self._state.evaluating = replace(self._state.evaluating, is_stopping=True)
            self._worker.cancel(request)

    def dismiss(self) -> None:
        """Put an error away."""
        self._set(replace(self._desk, problem=None))

    # -- what was evaluated ----------------------------------------------------------------------------------------

    def open(self, folder: Path | str, label: str = "") -> None:
        """Show an evaluation, made here or elsewhere; one that goes on is followed. Not beside one that runs here.

        The genes are ranked by the model `label`, where one is named.
        """
        if self._desk.is_evaluating:
            return
        folder = Path(folder)

        def then(found: tuple[EvaluationFolder, Results | None]) -> None:
            self._folder = folder
            self._state.ranking = None
            self._set(replace(self._desk, results=None, chosen="", section=""))
            self._show(*found)
            if label:
                self.choose(label)

        self._read(lambda: _both(folder, None), then)

    def list_recent(self) -> None:
        """Look which evaluations there are."""
        self._read(lambda: list_evaluations(data_dir("evaluations")), self._take_recent)

    def glance(self) -> None:
        """Look whether an evaluation goes on in the background, and again as long as one does.

        What else is being read is not disturbed.
        """
        if self._reading.is_busy:
            self._glances.start()
        else:
            self.list_recent()

    def follow(self) -> None:
        """Show the evaluation that goes on in the background."""
        if self._desk.in_background is not None:
            self.open(self._desk.in_background.folder)

    def choose(self, label: str) -> None:
        """List the genes of a model, here and in the Genes dock."""
        desk = self._desk
        if desk.evaluation is not None and desk.results is not None:
            self._set(_evaluation.in_view(replace(desk, chosen=label), desk.evaluation, desk.results))
            self._rank(desk.evaluation, desk.results, label)

    def _rank(self, evaluation: EvaluationFolder, results: Results, label: str) -> None:
        ranking, before = ranking_of(evaluation, results, label), self._state.ranking
        if ranking is None or before is None or ranking.scores is not before.scores:
            self._state.ranking = ranking

    def export(self, what: str, path: Path | str) -> None:
        """Write tables or figures into a folder."""
        evaluation, path = self._desk.evaluation, Path(path)
        if evaluation is not None:
            write = _copied if what == "tables" else _drawn
            told = f"The {what} of {evaluation.folder.name} are in {path}."
            self._read(lambda: write(evaluation, path), lambda _: self._set(replace(self._desk, told=told)))

    @property
    def at_work(self) -> Unfinished | None:
        """The evaluation that is under way here, paused or not; a check is none."""
        desk = self._desk
        if desk.act != "evaluate" or desk.request is None or self._folder is None:
            return None
        options = [(f"--{name}", str(value)) for name, value in desk.design.place.asked.items()]
        return Unfinished(f"The evaluation {self._folder.name}", self._folder, sum(options, ()))

    def close(self) -> None:
        """Follow nothing any more."""
        self._folder = None
        self._timer.stop()
        self._glances.stop()
        self._state.events.opened.disconnect(self._on_opened)
        self._following.close()
        self._reading.close()

    # -- the worker ------------------------------------------------------------------------------------------------

    @property
    def _desk(self) -> Desk:
        return self._state.desk

    def _set(self, desk: Desk) -> None:
        self._state.desk = desk

    def _evaluate(self, study: Path, plan: dict[str, Any], folder: Path) -> None:
        is_new = self._folder != folder
        self._folder = folder
        if is_new:
            self._state.ranking = None
            self._set(replace(self._desk, evaluation=None, results=None))
        self._ask("evaluate", self._worker.evaluate(study, plan, folder, **self._desk.design.place.asked))
        self._timer.start()

    def _ask(self, act: Act, request: int) -> None:
        self._set(
            replace(self._desk, act=act, request=request, is_paused=False, is_stopping=False, told="", problem=None)
        )
        self._state.evaluating = Job(_LABELS[act], request=request)

    def _take_recent(self, there: EvaluationFolders) -> None:
        self._set(replace(self._desk, recent=there.found[:RECENT], damaged=there.faults))
        if self._desk.in_background is not None:
            self._glances.start()

    def _on_opened(self, opened: Opened | None) -> None:
        study = None if opened is None else opened.study
        if study is not None:
            self.change(_evaluation.with_study, study)
        results = self._desk.results
        if opened is not None and results is not None and opened.name in results.sections(self._desk.chosen):
            self.change(_evaluation.seen, section=opened.name)

    def _on_progress(self, request: int, event: Mapping[str, Any]) -> None:
        if request != self._desk.request:
            return
        stage, note = str(event["stage"]), str(event.get("note", ""))
        done, total = int(event.get("done", 0)), int(event.get("total", 0))
        self._state.evaluating = replace(self._state.evaluating, label=stage, done=done, total=total, note=note)
        if event["stage"] == "Evaluating":
            self._look()

    def _on_finished(self, request: int, files: Mapping[str, Any]) -> None:
        if request != self._desk.request:
            return
        act = self._desk.act
        self._end()
        if act == "check":
            self._set(replace(self._desk, preflight=Preflight.of_json(files)))

    def _on_failed(self, request: int, sentence: str, details: str) -> None:
        if request == self._desk.request:
            self._end()
            self._set(replace(self._desk, problem=problem_in(sentence, details)))

    def _on_cancelled(self, request: int) -> None:
        if request == self._desk.request:
            self._end()

    def _on_rest(self, request: int, *, is_paused: bool) -> None:
        if request == self._desk.request:
            self._set(replace(self._desk, is_paused=is_paused))

    def _end(self) -> None:
        act = self._desk.act
        self._state.evaluating = Job()
        self._set(replace(self._desk, act="", request=None, is_paused=False, is_stopping=False))
        if act == "evaluate":
            self._look()

    # -- the folder ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read the folder in view, once more where it is being read already."""
        folder, results = self._folder, self._desk.results
        if self._following.is_busy:
            self._is_outdated = True
        elif folder is not None:
            self._is_outdated = False
            self._following.run(lambda: _both(folder, results) if _is_there(folder) else None, self._on_looked)

    def _on_looked(self, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            self._set(replace(self._desk, problem=problem_of(error)))
        elif future.result() is not None and future.result()[0].folder == self._folder:
            self._show(*future.result())
        if self._is_outdated:
            self._look()

    def _show(self, evaluation: EvaluationFolder, results: Results | None) -> None:
        self._set(_evaluation.in_view(self._desk, evaluation, results))
        if self._state.ranking is not None and results is not None:
            # Of the same evaluation, as far as it was when the model was chosen.
            self._rank(evaluation, results, self._state.ranking.label)
        if self._desk.is_followed:
            self._timer.start()
        else:
            self._timer.stop()

    def _read(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        def on_read(future: Future[Any]) -> None:
            error = future.exception()
            if error is None:
                then(future.result())
            else:
                self._set(replace(self._desk, problem=problem_of(error)))

        self._reading.run(work, on_read)


def _both(folder: Path, before: Results | None) -> tuple[EvaluationFolder, Results | None]:
    """The evaluation and its results; those that were read before stay where its summary is the same."""
    evaluation = read_evaluation(folder)
    if before is not None and before.folder == folder and before.summary == evaluation.summary:
        return evaluation, before
    return evaluation, results_of(evaluation)


def _is_there(folder: Path) -> bool:
    """Whether the worker has begun to write it."""
    return any((folder / name).is_file() for name in (keys.EVALUATION_CARD, keys.SUMMARY))


def _new_folder(study: Study) -> Path:
    return data_dir("evaluations") / f"{time.strftime('%Y%m%d-%H%M%S')}-{study.name}"


def _copied(evaluation: EvaluationFolder, to: Path) -> None:
    for name in _TABLES:
        with atomic_path(to / name) as part:
            shutil.copyfile(evaluation.folder / name, part)


def _drawn(evaluation: EvaluationFolder, to: Path) -> None:
    from gr2st import box_plot, section_dots

    genes, sections = read_gene_scores(evaluation.folder), read_section_scores(evaluation.folder)
    for space in ("spot", "gene"):
        name = f"pcc_{space}"
        figures = {"genes": box_plot(genes, name), "slides": section_dots(sections, patients_of(evaluation), name)}
        for what, figure in figures.items():
            with atomic_path(to / f"{what}_{space}.png") as part:
                figure.savefig(part, format="png")
