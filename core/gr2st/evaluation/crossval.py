"""`evaluate`: every model on every fold of a study, resumable, summed up in three files."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr2st import keys
from gr2st.config import Recipe, Settings, TrainConfig
from gr2st.errors import Cancelled, DataError, Gr2stError
from gr2st.evaluation.fold import FoldJob, FoldResult, GeneChoice, fold_steps, gene_scores, run_fold
from gr2st.evaluation.folds import WARNINGS, Protocol, make_folds
from gr2st.evaluation.metrics import mean_of_known
from gr2st.io.store import write_csv, write_json
from gr2st.preparation import encoder_identity
from gr2st.registry import MODELS
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
    """

    out: Path
    summary: Mapping[str, Any]
    failures: tuple[FoldFailure, ...]


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
    """

    models: tuple[str, ...]
    genes: GeneChoice
    protocol: Protocol = "patient"
    sections: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, TrainConfig] = field(default_factory=dict)
    config: Mapping[str, Settings] = field(default_factory=dict)

    @property
    def encoder(self) -> str:
        """Name of the patch encoder; settings that no recipe takes are refused here."""
        return Recipe(genes=("any",), **self.recipe).encoder


def evaluate(study: Study, plan: Plan, out: Path | str, *, executor: Executor | None = None) -> Steps[Evaluation]:
    """Train and score every model on every held-out patient or section.

    Parameters
    ----------
    study : Study
    plan : Plan
    out : Path
        Results; a finished fold found there is not done again, so a killed evaluation goes on where it was.
    executor : concurrent.futures.Executor, optional
        Where folds run; none: here, one after the other.

    Returns
    -------
    Evaluation

    Raises
    ------
    DataError, UnknownName
        Before anything runs: unknown names, too few sections or patients, sections without an image.
    WeightsMissing
        Before anything runs: the weights of the encoder are not on this machine.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; an evaluation is a folder. Choose another name.")
    jobs = _jobs(usable_entries(study, plan.sections), plan, out)
    outcomes = yield from (_here(jobs) if executor is None else _elsewhere(jobs, executor))
    results = [outcome for outcome in outcomes if isinstance(outcome, FoldResult)]
    failures = tuple(outcome for outcome in outcomes if isinstance(outcome, FoldFailure))
    summary = summarise(results, failures, plan)
    _write(out, jobs, results, summary)
    return Evaluation(out, summary, failures)


def usable_entries(study: Study, sections: Sequence[str] = ()) -> tuple[SectionEntry, ...]:
    """The named sections of a study (all that have an image, where none is named); refuses named ones without."""
    if not sections:
        return tuple(entry for entry in study.entries if not entry.without_image)
    twice = sorted({name for name in sections if list(sections).count(name) > 1})
    if twice:
        raise DataError(f"Sections named twice: {', '.join(twice)}. Name each section once.")
    chosen = tuple(study.entry(name) for name in sections)
    faults = [f"{entry.name}: {entry.without_image}" for entry in chosen if entry.without_image]
    if faults:
        raise DataError("Sections that cannot be used: " + "; ".join(faults))
    return chosen


def summarise(results: Sequence[FoldResult], failures: Sequence[FoldFailure], plan: Plan) -> dict[str, Any]:
    """The content of summary.json: per model the section scores and their mean over sections."""
    summary: dict[str, Any] = {
        "protocol": plan.protocol,
        "warning": WARNINGS[plan.protocol],
        "genes": max((result.n_genes for result in results), default=0),
        "encoder": plan.encoder,
        "models": {model: _model_row([r for r in results if r.model == model]) for model in plan.models},
    }
    if failures:
        summary["failed"] = [{"model": f.model, "fold": f.fold, "message": f.message} for f in failures]
    return summary


def _model_row(results: Sequence[FoldResult]) -> dict[str, Any]:
    scores = [score for result in results for score in result.scores]
    return {
        "pcc_spot": mean_of_known([score.pcc_spot for score in scores]),
        "pcc_gene": mean_of_known([score.pcc_gene for score in scores]),
        "sections": {
            score.section: {
                "pcc_spot": score.pcc_spot,
                "pcc_gene": score.pcc_gene,
                "n_spots": score.n_spots,
                "seconds": score.seconds,
            }
            for score in scores
        },
    }


def _jobs(entries: tuple[SectionEntry, ...], plan: Plan, out: Path) -> list[FoldJob]:
    if not plan.models:
        raise DataError("No model to evaluate; name at least one.")
    for name in (*plan.models, *plan.training, *plan.config):
        MODELS[name]
    encoder_identity(plan.encoder)
    return [
        FoldJob(
            fold=fold,
            model=model,
            entries=entries,
            genes=plan.genes,
            out=out,
            recipe=plan.recipe,
            config=plan.config.get(model),
            training=plan.training.get(model),
        )
        for fold in plan.folds or make_folds(entries, plan.protocol)
        for model in plan.models
    ]


def _here(jobs: Sequence[FoldJob]) -> Steps[list[FoldResult | FoldFailure]]:
    outcomes: list[FoldResult | FoldFailure] = []
    for done, job in enumerate(jobs):
        yield Progress("Evaluating", done, len(jobs), f"{job.model}, {job.fold.name} held out")
        outcomes.append((yield from _guarded(job)))
    yield Progress("Evaluating", len(jobs), len(jobs))
    return outcomes


def _guarded(job: FoldJob) -> Steps[FoldResult | FoldFailure]:
    """Run one fold here; its error becomes a FoldFailure, so that the rest goes on."""
    try:
        return (yield from fold_steps(job))
    except Cancelled:
        raise
    except (Gr2stError, OSError, RuntimeError, ArithmeticError, MemoryError) as error:
        return _failure(job, error)


def _elsewhere(jobs: Sequence[FoldJob], executor: Executor) -> Steps[list[FoldResult | FoldFailure]]:
    futures = {executor.submit(run_fold, job): job for job in jobs}
    outcomes: list[FoldResult | FoldFailure] = []
    try:
        yield Progress("Evaluating", 0, len(jobs))
        for future in as_completed(futures):
            job = futures[future]
            try:
                outcomes.append(future.result())
            except (Gr2stError, OSError, RuntimeError, ArithmeticError, MemoryError) as error:
                outcomes.append(_failure(job, error))
            yield Progress("Evaluating", len(outcomes), len(jobs), f"{job.model}, {job.fold.name} held out")
    finally:
        for future in futures:
            future.cancel()
    order = {(job.model, job.fold.name): index for index, job in enumerate(jobs)}
    return sorted(outcomes, key=lambda outcome: order[outcome.model, outcome.fold])


def _failure(job: FoldJob, error: BaseException) -> FoldFailure:
    details = "".join(traceback.format_exception(error))
    return FoldFailure(job.model, job.fold.name, f"{type(error).__name__}: {error}", details)


def _write(out: Path, jobs: Sequence[FoldJob], results: Sequence[FoldResult], summary: Mapping[str, Any]) -> None:
    by_key = {(job.model, job.fold.name): job for job in jobs}
    rows = [row for result in results for row in _section_rows(result)]
    write_csv(out / keys.SECTION_SCORES, pd.DataFrame(rows))
    tables = [gene_scores(by_key[result.model, result.fold]).assign(model=result.model) for result in results]
    if tables:
        columns = ["model", "section", "gene", "pcc_spot", "pcc_gene"]
        write_csv(out / keys.GENE_SCORES, pd.concat(tables)[columns])
    write_json(out / keys.SUMMARY, summary)


def _section_rows(result: FoldResult) -> Iterator[dict[str, Any]]:
    for score in result.scores:
        yield {
            "model": result.model,
            "fold": result.fold,
            "section": score.section,
            "pcc_spot": score.pcc_spot,
            "pcc_gene": score.pcc_gene,
            "n_spots": score.n_spots,
            "genes_scored": score.n_genes_scored,
            "seconds": score.seconds,
        }
