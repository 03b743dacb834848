"""`evaluate`: every model on every fold of a study, resumable, summed up in three files."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st.errors import Cancelled, DataError, Gr2stError
from gr2st.evaluation.fold import FAULTS, FoldJob, fold_steps, run_fold
from gr2st.evaluation.folder import Ledger, Outcome, begin_evaluation
from gr2st.evaluation.folds import check_folds, make_folds
from gr2st.evaluation.results import FoldFailure, FoldResult, read_result, with_listed
from gr2st.evaluation.sections import refuse_unreadable
from gr2st.evaluation.summary import calibration_of, summarise, write_results
from gr2st.evaluation.together import Bundle, bundles, folds_together
from gr2st.io.lock import held
from gr2st.io.stop import heeding
from gr2st.io.tables import plural, some
from gr2st.preparation import encoder_identity
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.evaluation.cautions import Patients
    from gr2st.evaluation.plan import Plan
    from gr2st.types import Fold, SectionEntry, Steps, Study

WORD_S = 0.3
"""Seconds after which an evaluation whose folds run elsewhere says that it is still there."""
SUM_S, SUM_SHARE = 5.0, 0.05
"""Between two summings up on the way, the first at once: at least so many seconds, and so many that they take this
share of the time."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Outcome of `evaluate`.

    Attributes
    ----------
    out : Path
        Folder with summary.json, sections.csv, genes.csv, calibration.csv and one folder per model and fold.
    summary : mapping
        What summary.json holds.
    failures : tuple of FoldFailure
        Folds without a result; the others are complete.
    notes : tuple of str
        What the predictions of the folds note, each sentence once.
    """

    out: Path
    summary: Mapping[str, Any]
    failures: tuple[FoldFailure, ...]
    notes: tuple[str, ...] = ()


def evaluate(
    study: Study, plan: Plan, out: Path | str, *, executor: Executor | None = None, together: int | None = None
) -> Steps[Evaluation]:
    """Train and score every model on every held-out patient or section.

    Parameters
    ----------
    study : Study
    plan : Plan
    out : Path
        Results; a finished fold found there is not done again, so a killed evaluation goes on where it was.
    executor : concurrent.futures.Executor, optional
        Where folds run; none: here.
    together : int, optional
        Networks trained at once as one computation, here; none: 1 on a CPU, on a GPU as many as its memory holds.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError, UnknownName
        Before anything runs: unknown names, too few sections or patients, sections without an image, folds that
        cannot be trained together although they are to be, another process that evaluates in the folder.
    SectionInvalid
        Before anything is trained: all sections that cannot be read.
    WeightsMissing
        Before anything runs: the weights of the encoder are not on this machine.
    StorageError
        The folder cannot be written to.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; an evaluation is a folder. Choose another name.")
    jobs = jobs_of(usable_entries(study, plan.sections), plan, out)
    if executor is not None and together not in (None, 1):
        raise DataError("Folds are trained together in one process (--together), or in several (--workers), not both.")
    grouped = bundles(jobs, together) if executor is None else []
    with held(out):
        ledger = begin_evaluation(out, study, plan, jobs)
        patients = {entry.name: entry.patient for entry in study.entries}
        folds = heeding(out, _all_folds(jobs, grouped, ledger, executor, together))
        splits = tuple(dict.fromkeys(job.fold for job in jobs))
        return (yield from _told(ledger, folds, lambda: _summed_up(out, ledger, plan, patients, splits)))


def _told(ledger: Ledger, folds: Steps[None], sum_up: Callable[[], Evaluation]) -> Steps[Evaluation]:
    """Do the folds and sum them up, in a folder that is ours; the ledger tells how it goes and how it ends."""
    try:
        yield from _heard(ledger, folds, sum_up)
        evaluation = sum_up()
        ledger.tell("finished")
    except (GeneratorExit, KeyboardInterrupt, Cancelled):
        # Nothing here may hide that the evaluation was stopped.
        with suppress(Gr2stError, OSError, ValueError):
            ledger.tell_end("stopped")
            sum_up()
        raise
    except Exception as error:
        ledger.tell_end("failed", str(error) or type(error).__name__, "".join(traceback.format_exception(error)))
        raise
    return evaluation


def _all_folds(
    jobs: Sequence[FoldJob], grouped: Sequence[Bundle], ledger: Ledger, executor: Executor | None, together: int | None
) -> Steps[None]:
    yield from refuse_unreadable(_entries_needed(jobs))
    yield from (_here(grouped, ledger, together) if executor is None else _elsewhere(jobs, ledger, executor))
    yield Progress("Evaluating", len(jobs), len(jobs))


def _heard(ledger: Ledger, steps: Steps[None], sum_up: Callable[[], Evaluation]) -> Steps[None]:
    """The same steps, each told to the ledger first; now and then, what the folds done so far amount to."""
    summed, due = 0, time.monotonic()
    with closing(steps):
        for progress in steps:
            ledger.hear(progress)
            if summed < ledger.ended < ledger.planned and time.monotonic() >= due:
                started = time.monotonic()
                # What hinders it is told at the end: it is no reason to end here.
                with suppress(Gr2stError, OSError, ValueError):
                    sum_up()
                summed, taken = ledger.ended, time.monotonic() - started
                due = time.monotonic() + max(SUM_S, taken / SUM_SHARE)
            yield progress


def _summed_up(out: Path, ledger: Ledger, plan: Plan, patients: Patients, folds: Sequence[Fold]) -> Evaluation:
    """Write what the folds that have ended amount to."""
    ended = ledger.outcomes()
    done = [(job, outcome) for job, outcome in ended if isinstance(outcome, FoldResult)]
    if plan.score_genes:
        done = [(job, with_listed(job, result, plan.score_genes)) for job, result in done]
    failures = tuple(outcome for _, outcome in ended if isinstance(outcome, FoldFailure))
    results = [result for _, result in done]
    calibration = calibration_of(done)
    summary = summarise(results, failures, plan, patients, folds=folds, planned=ledger.planned, calibration=calibration)
    write_results(out, done, summary, calibration)
    return Evaluation(out, summary, failures, _notes_of_folds(results))


def usable_entries(study: Study, sections: Sequence[str] = ()) -> tuple[SectionEntry, ...]:
    """The named sections of a study (all that have an image, where none is named); refuses named ones without."""
    if not sections:
        return _all_usable(study)
    twice = sorted({name for name in sections if list(sections).count(name) > 1})
    if twice:
        raise DataError(f"Sections named twice: {', '.join(twice)}. Name each section once.")
    chosen = tuple(study.entry(name) for name in sections)
    faults = [f"{entry.name}: {entry.without_image}" for entry in chosen if entry.without_image]
    if faults:
        raise DataError("Sections that cannot be used: " + "; ".join(faults))
    return chosen


def _all_usable(study: Study) -> tuple[SectionEntry, ...]:
    usable = tuple(entry for entry in study.entries if not entry.without_image)
    if not usable:
        reasons = "; ".join(f"{entry.name}: {entry.without_image}" for entry in study.entries)
        raise DataError(f"No section of {study.name} has a picture to learn from. {reasons}")
    return usable


def _notes_of_folds(results: Sequence[FoldResult]) -> tuple[str, ...]:
    """Every note once, with the models it holds for where these are not all."""
    models = {result.label for result in results}
    said: dict[str, list[str]] = {}
    for result in results:
        for note in result.notes:
            said.setdefault(note, []).append(result.label)
    return tuple(note if set(by) == models else f"{', '.join(dict.fromkeys(by))}: {note}" for note, by in said.items())


def jobs_of(entries: tuple[SectionEntry, ...], plan: Plan, out: Path) -> list[FoldJob]:
    """Every row of a plan on every split; the errors of `evaluate` that come before any section is read."""
    if not plan.models:
        raise DataError("No model to evaluate; name at least one.")
    rows = plan.rows()
    _refuse_unpredicted(plan)
    encoder_identity(plan.encoder)
    check_folds(plan.folds, [entry.name for entry in entries])
    return [
        FoldJob(fold, row, entries, plan.genes, out, recipe={**plan.recipe, **row.recipe})
        for fold in plan.folds or make_folds(entries, plan.protocol)
        for row in rows
    ]


def _refuse_unpredicted(plan: Plan) -> None:
    """Refuse genes to score that are not among the listed genes to predict (variable ones are known fold by fold)."""
    unknown = [gene for gene in plan.score_genes if gene not in set(plan.genes.listed)]
    if plan.genes.listed and unknown:
        raise DataError(
            f"{len(unknown)} of {plural(len(plan.score_genes), 'gene')} to score are not among the "
            f"{plural(len(plan.genes.listed), 'gene')} to predict: {some(unknown)}. Predict them too, or take them out."
        )


def _entries_needed(jobs: Sequence[FoldJob]) -> list[SectionEntry]:
    """Sections of the folds that are not finished yet, in the order of the study."""
    open_jobs = [job for job in jobs if read_result(job) is None]
    used = {name for job in open_jobs for name in (*job.fold.train, *job.fold.test)}
    return [entry for entry in (jobs[0].entries if jobs else ()) if entry.name in used]


def _here(grouped: Sequence[Bundle], ledger: Ledger, together: int | None) -> Steps[None]:
    for bundle in grouped:
        yield Progress("Evaluating", ledger.ended, ledger.planned, bundle.name)
        found = yield from (_guarded_together(bundle, together) if bundle.together else _guarded(bundle.jobs[0]))
        for job, outcome in zip(bundle.jobs, found, strict=True):
            ledger.note(job, outcome)


def _guarded(job: FoldJob) -> Steps[list[Outcome]]:
    """Run one fold here; its error becomes a FoldFailure, so that the rest goes on."""
    try:
        return [(yield from fold_steps(job))]
    except Cancelled:
        raise
    except FAULTS as error:
        return [_failure(job, error)]


def _guarded_together(bundle: Bundle, together: int | None) -> Steps[list[Outcome]]:
    """Run the folds of a bundle here; an error that is not of one fold alone fails them all."""
    try:
        found: list[FoldResult | Exception] = yield from folds_together(bundle.jobs, together)
    except Cancelled:
        raise
    except FAULTS as error:
        found = [error] * len(bundle.jobs)
    pairs = zip(bundle.jobs, found, strict=True)
    return [_failure(job, outcome) if isinstance(outcome, Exception) else outcome for job, outcome in pairs]


def _elsewhere(jobs: Sequence[FoldJob], ledger: Ledger, executor: Executor) -> Steps[None]:
    """Run the folds in an executor; a word now and then while none ends, so that a stop is heard."""
    futures = {executor.submit(run_fold, job): job for job in jobs}
    waiting, note = set(futures), ""
    try:
        while waiting:
            yield Progress("Evaluating", ledger.ended, ledger.planned, note)
            ended, waiting = wait(waiting, timeout=WORD_S, return_when=FIRST_COMPLETED)
            for future in ended:
                ledger.note(futures[future], _answer(futures[future], future))
                note = futures[future].name
    finally:
        for future in futures:
            future.cancel()


def _answer(job: FoldJob, future: Future[FoldResult]) -> Outcome:
    try:
        return future.result()
    except FAULTS as error:
        return _failure(job, error)


def _failure(job: FoldJob, error: BaseException) -> FoldFailure:
    details = "".join(traceback.format_exception(error))
    return FoldFailure(job.row.folder, job.fold.name, f"{type(error).__name__}: {error}", details)
