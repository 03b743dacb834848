"""Folds of one model trained as one computation: which ones can be, and how each is then finished by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gr2st.errors import Cancelled, DataError, TrainingFailed
from gr2st.evaluation.fold import FAULTS, FoldJob, concluded, fold_steps, training_sections
from gr2st.evaluation.results import FoldResult, read_result
from gr2st.training.capacity import networks_that_fit
from gr2st.training.loop import pick_device
from gr2st.training.together import Lesson, networks_of, train_together

if TYPE_CHECKING:
    from gr2st.config import Recipe
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Prepared, Steps

R = TypeVar("R")
NOTE = (
    "Folds were trained together: the order of the sections and the lots of dropout were drawn for all at once, so "
    "scores differ from those of folds trained one after the other as between two seeds."
)


@dataclass(frozen=True, eq=False, slots=True)
class Bundle:
    """Jobs that are computed at once, or one job by itself."""

    jobs: tuple[FoldJob, ...]
    together: bool

    @property
    def name(self) -> str:
        """For people."""
        if len(self.jobs) == 1:
            return self.jobs[0].name
        return f"{self.jobs[0].row.label}, {len(self.jobs)} folds together"


def bundles(jobs: Sequence[FoldJob], together: int | None) -> list[Bundle]:
    """All jobs; open folds and seeds of one row, with one list of genes, in one bundle, these before the others.

    Parameters
    ----------
    jobs : sequence of FoldJob
    together : int or None
        Networks trained at once; None: as many as fit on a GPU, 1 on a CPU.

    Raises
    ------
    DataError
        More than one is asked for, but genes are chosen anew in every fold.
    """
    groups: dict[str, list[FoldJob]] = {}
    single: list[FoldJob] = []
    for job in jobs:
        (groups.setdefault(job.row.label, []) if _goes_together(job, together) else single).append(job)
    return [*(Bundle(tuple(group), True) for group in groups.values()), *(Bundle((job,), False) for job in single)]


def _goes_together(job: FoldJob, together: int | None) -> bool:
    """Whether a job is trained together with others; a label names one model, one recipe and one kind of training."""
    wanted = together if together is not None else pick_device(job.row.training.device).type == "cuda"
    training = job.row.training
    if not wanted or together == 1 or not training.epochs or training.batch_spots or read_result(job) is not None:
        return False
    if job.genes.listed or together is None:
        return bool(job.genes.listed)
    raise DataError(
        f"{together} networks were to be trained together, but variable genes are chosen anew in every fold, and "
        "networks trained together predict the same genes. Give a list with --genes, or --together 1."
    )


def folds_together(jobs: Sequence[FoldJob], together: int | None) -> Steps[list[FoldResult | Exception]]:
    """Train the folds of a bundle, as many at once as `together` allows, and finish each by itself.

    Returns
    -------
    list of FoldResult or Exception
        In the order of the jobs; why, where a fold could not be finished.
    """
    row, genes, recipe = jobs[0].row, jobs[0].genes, jobs[0].recipe
    names = list(dict.fromkeys(name for job in jobs for name in job.fold.train))
    entries = [jobs[0].entry(name) for name in names]
    device = str(pick_device(row.training.device))
    prepared, full = yield from training_sections(entries, row.model, genes, recipe, device=device)
    at_once = together or networks_that_fit(row.model, prepared, full, training=row.training, config=row.config)
    if at_once == 1:
        return (yield from _one_by_one(jobs))
    known = dict(zip(names, prepared, strict=True))
    outcomes: list[FoldResult | Exception] = []
    step = max(1, at_once // networks_of(row.training))
    for start in range(0, len(jobs), step):
        outcomes += yield from _at_once(jobs[start : start + step], known, full, at_once)
    return outcomes


def _at_once(
    jobs: Sequence[FoldJob], known: dict[str, Prepared], recipe: Recipe, at_once: int
) -> Steps[list[FoldResult | Exception]]:
    """Some folds of a bundle: their results are stored before the next are trained."""
    started, row = time.perf_counter(), jobs[0].row
    lessons = [Lesson(tuple(known[name] for name in job.fold.train), job.row.training.seed) for job in jobs]
    steps = train_together(row.model, lessons, recipe, at_once=at_once, training=row.training, config=row.config)
    trained = yield from _guarded(steps)
    if isinstance(trained, Exception):
        return [trained] * len(jobs)
    seconds = (time.perf_counter() - started) / len(jobs)
    outcomes: list[FoldResult | Exception] = []
    for job, model in zip(jobs, trained, strict=True):
        outcomes.append((yield from _finished(job, model, seconds)))
    return outcomes


def _finished(job: FoldJob, model: TrainedModel | TrainingFailed, seconds: float) -> Steps[FoldResult | Exception]:
    if isinstance(model, TrainingFailed):
        return model
    return (yield from _guarded(concluded(job, model, seconds, NOTE)))


def _one_by_one(jobs: Sequence[FoldJob]) -> Steps[list[FoldResult | Exception]]:
    outcomes: list[FoldResult | Exception] = []
    for job in jobs:
        outcomes.append((yield from _guarded(fold_steps(job))))
    return outcomes


def _guarded(steps: Steps[R]) -> Steps[R | Exception]:
    """The result of a long step, or the error that it ended in."""
    try:
        return (yield from steps)
    except Cancelled:
        raise
    except FAULTS as error:
        return error
