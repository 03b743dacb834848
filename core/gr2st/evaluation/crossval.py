"""`evaluate`: every model on every fold of a study, resumable, summed up in three files."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st.config import CellSource, GeneChoice, Recipe, Settings, TrainConfig
from gr2st.errors import Cancelled, DataError
from gr2st.evaluation.fold import FAULTS, FoldJob, fold_steps, run_fold
from gr2st.evaluation.folds import Protocol, make_folds
from gr2st.evaluation.results import FoldResult, read_result, with_listed
from gr2st.evaluation.rows import Row, rows_of
from gr2st.evaluation.sections import refuse_unreadable
from gr2st.evaluation.summary import summarise, write_results
from gr2st.evaluation.together import Bundle, bundles, folds_together
from gr2st.io.tables import plural, some
from gr2st.preparation import encoder_identity
from gr2st.types import Fold, Progress

if TYPE_CHECKING:
    from gr2st.types import SectionEntry, Steps, Study


@dataclass(frozen=True, slots=True)
class FoldFailure:
    """A fold that ended in an error: which, why in one sentence, and the traceback for a report."""

    model: str
    fold: str
    message: str
    details: str


Outcome = FoldResult | FoldFailure


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Outcome of `evaluate`.

    Attributes
    ----------
    out : Path
        Folder with summary.json, sections.csv, genes.csv and one folder per model and fold.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to evaluate: a value that a window, a file and a command line fill in alike.

    Attributes
    ----------
    models : names of `gr2st.registry.MODELS`
    genes : GeneChoice
        A list, or a number of variable genes chosen anew from the training sections of every fold.
    protocol : "patient" or "section"
    sections : names, optional
        Only these sections of the study; empty: all that have an image.
    folds : Fold, optional
        Splits of the user's own, in place of those the protocol makes.
    recipe : fields of `Recipe` other than the genes
    training, config : settings per model name, in place of the registered ones
    ablations : names of `gr2st.evaluation.rows.ABLATIONS`
        Each model that has the part is also trained without it.
    seeds : int
        How often each model that draws lots is trained, with one seed after the other.
    preset : mapping
        What summary.json tells of the preset this plan was made from (`gr2st.evaluation.preset`).
    score_genes : names of genes, optional
        A list whose genes are scored by themselves too; it changes no fold.
    """

    models: tuple[str, ...]
    genes: GeneChoice
    protocol: Protocol = "patient"
    sections: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, TrainConfig] = field(default_factory=dict)
    config: Mapping[str, Settings] = field(default_factory=dict)
    ablations: tuple[str, ...] = ()
    seeds: int = 1
    preset: Mapping[str, Any] = field(default_factory=dict)
    score_genes: tuple[str, ...] = ()

    def rows(self) -> tuple[Row, ...]:
        """Every model, ablation and seed, in the order of the table."""
        return rows_of(
            self.models,
            self.config,
            self.training,
            recipe=self.recipe,
            ablations=self.ablations,
            seeds=self.seeds,
        )

    @property
    def encoder(self) -> str:
        """Name of the patch encoder; settings that no recipe takes are refused here."""
        return self._recipe.encoder

    @property
    def cell_types(self) -> CellSource:
        """Where the cell types come from."""
        return self._recipe.cell_types

    @property
    def _recipe(self) -> Recipe:
        return Recipe(genes=("any",), **self.recipe)


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
        cannot be trained together although they are to be.
    SectionInvalid
        Before anything is trained: all sections that cannot be read.
    WeightsMissing
        Before anything runs: the weights of the encoder are not on this machine.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; an evaluation is a folder. Choose another name.")
    jobs = _jobs(usable_entries(study, plan.sections), plan, out)
    if executor is not None and together not in (None, 1):
        raise DataError("Folds are trained together in one process (--together), or in several (--workers), not both.")
    grouped = bundles(jobs, together) if executor is None else []
    yield from refuse_unreadable(_entries_needed(jobs))
    outcomes = yield from (_here(jobs, grouped, together) if executor is None else _elsewhere(jobs, executor))
    results = [outcome for outcome in outcomes if isinstance(outcome, FoldResult)]
    if plan.score_genes:
        by_digest = {job.digest(): job for job in jobs}
        results = [with_listed(by_digest[result.digest], result, plan.score_genes) for result in results]
    failures = tuple(outcome for outcome in outcomes if isinstance(outcome, FoldFailure))
    patients = {entry.name: entry.patient for entry in study.entries}
    summary = summarise(results, failures, plan, patients)
    write_results(out, jobs, results, summary)
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


def _jobs(entries: tuple[SectionEntry, ...], plan: Plan, out: Path) -> list[FoldJob]:
    if not plan.models:
        raise DataError("No model to evaluate; name at least one.")
    rows = plan.rows()
    _refuse_unpredicted(plan)
    encoder_identity(plan.encoder)
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


def _here(jobs: Sequence[FoldJob], grouped: Sequence[Bundle], together: int | None) -> Steps[list[Outcome]]:
    done: dict[int, Outcome] = {}
    for bundle in grouped:
        yield Progress("Evaluating", len(done), len(jobs), bundle.name)
        found = yield from (_guarded_together(bundle, together) if bundle.together else _guarded(bundle.jobs[0]))
        done |= zip(map(id, bundle.jobs), found, strict=True)
    yield Progress("Evaluating", len(jobs), len(jobs))
    return [done[id(job)] for job in jobs]


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


def _elsewhere(jobs: Sequence[FoldJob], executor: Executor) -> Steps[list[Outcome]]:
    futures = {executor.submit(run_fold, job): job for job in jobs}
    outcomes: dict[Future[FoldResult], Outcome] = {}
    try:
        yield Progress("Evaluating", 0, len(jobs))
        for future in as_completed(futures):
            job = futures[future]
            try:
                outcomes[future] = future.result()
            except FAULTS as error:
                outcomes[future] = _failure(job, error)
            yield Progress("Evaluating", len(outcomes), len(jobs), job.name)
    finally:
        for future in futures:
            future.cancel()
    return [outcomes[future] for future in futures]


def _failure(job: FoldJob, error: BaseException) -> FoldFailure:
    details = "".join(traceback.format_exception(error))
    return FoldFailure(job.row.folder, job.fold.name, f"{type(error).__name__}: {error}", details)
