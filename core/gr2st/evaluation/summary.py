"""What an evaluation amounts to: summary.json, sections.csv and genes.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr2st import __version__, keys
from gr2st.evaluation.cautions import BASELINE, Patients, cautions, departures
from gr2st.evaluation.folds import sisters_warning
from gr2st.evaluation.metrics import mean_of_known, median_of_known
from gr2st.evaluation.provenance import joined
from gr2st.evaluation.results import gene_scores
from gr2st.evaluation.scores import MAIN
from gr2st.evaluation.statistics import Estimate, estimate, paired_difference
from gr2st.io.store import write_csv, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.evaluation.fold import FoldJob
    from gr2st.evaluation.plan import Plan
    from gr2st.evaluation.results import FoldFailure, FoldResult
    from gr2st.types import Fold

SECTION_COLUMNS = ("model", "seed", "fold", "section", *MAIN)
"""What sections.csv tells where no fold is done yet."""

Sections = dict[str, dict[str, Any]]


def summarise(
    results: Sequence[FoldResult],
    failures: Sequence[FoldFailure],
    plan: Plan,
    patients: Patients,
    *,
    folds: Sequence[Fold],
    planned: int,
) -> dict[str, Any]:
    """The content of summary.json: per model the section scores, their mean over sections and what it is worth.

    ``folds`` are the splits; ``planned`` is the number of trainings in all, of which `results` are those that are done.
    """
    sisters = sisters_warning(folds, patients, plan.held_out)
    labels = list(dict.fromkeys(row.label for row in plan.rows()))
    sections = {label: _sections_of([r for r in results if r.label == label]) for label in labels}
    summary: dict[str, Any] = {
        "protocol": plan.held_out,
        "complete": len(results) == planned,
        "folds": {"done": len(results), "failed": len(failures), "planned": planned},
        "warning": " ".join(filter(None, [sisters, departures(plan)])),
        "genes": max((result.n_genes for result in results), default=0),
        "encoder": plan.encoder,
        "cell_types": plan.cell_types,
        "version": __version__,
        "models": {label: _model_row(label, sections, results, patients) for label in labels},
        "provenance": joined(results),
    }
    if plan.preset:
        summary["preset"] = dict(plan.preset)
    if failures:
        summary["failed"] = [{"model": f.model, "fold": f.fold, "message": f.message} for f in failures]
    summary["warnings"] = cautions(summary, plan, patients, sisters)
    return summary


def write_results(out: Path, done: Sequence[tuple[FoldJob, FoldResult]], summary: Mapping[str, Any]) -> None:
    """Write summary.json and, with a line per model, seed and section or gene, sections.csv and genes.csv."""
    lines = [row for _, result in done for row in _section_rows(result)]
    write_csv(out / keys.SECTION_SCORES, pd.DataFrame(lines, columns=None if lines else SECTION_COLUMNS))
    tables = [_gene_rows(job, result) for job, result in done]
    if tables:
        write_csv(out / keys.GENE_SCORES, pd.concat(tables))
    write_json(out / keys.SUMMARY, summary)


def _sections_of(results: Sequence[FoldResult]) -> Sections:
    """Scores of each section, mean over seeds."""
    found: dict[str, list[Any]] = {}
    for result in results:
        for score in result.scores:
            found.setdefault(score.section, []).append(score)
    return {
        section: {
            **{name: mean_of_known([getattr(score, name) for score in scores]) for name in MAIN},
            "n_spots": scores[0].n_spots,
            "seconds": round(sum(score.seconds for score in scores) / len(scores), 3),
        }
        for section, scores in found.items()
    }


def _model_row(
    label: str, sections: Mapping[str, Sections], results: Sequence[FoldResult], patients: Patients
) -> dict[str, Any]:
    mine = sections[label]
    row: dict[str, Any] = {name: mean_of_known([score[name] for score in mine.values()]) for name in MAIN}
    row["median"] = {name: median_of_known([score[name] for score in mine.values()]) for name in MAIN}
    row["further"] = _further([result for result in results if result.label == label])
    row["interval"] = {name: _told(estimate(_column(mine, name), patients)) for name in MAIN}
    seeds = _by_seed([result for result in results if result.label == label])
    if len(seeds) > 1:
        row["seeds"] = seeds
    if label != BASELINE and sections.get(BASELINE):
        other = sections[BASELINE]
        row[f"minus_{BASELINE}"] = {
            name: _told(paired_difference(_column(mine, name), _column(other, name), patients)) for name in MAIN
        }
    row["sections"] = mine
    return row


def _further(results: Sequence[FoldResult]) -> dict[str, float | None]:
    """Every other score, mean over sections and seeds."""
    scores = [score.more for result in results for score in result.scores]
    return {name: mean_of_known([score.get(name) for score in scores]) for name in (scores[0] if scores else ())}


def _column(sections: Sections, name: str) -> dict[str, float | None]:
    return {section: scores[name] for section, scores in sections.items()}


def _told(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"mean": found.mean, "low": found.low, "high": found.high, "unit": found.unit, "n": found.n_units}


def _by_seed(results: Sequence[FoldResult]) -> list[dict[str, Any]]:
    """Mean over sections for each seed."""
    seeds = sorted({result.seed for result in results})
    scores = {seed: [score for result in results if result.seed == seed for score in result.scores] for seed in seeds}
    return [
        {"seed": seed, **{name: mean_of_known([getattr(score, name) for score in scores[seed]]) for name in MAIN}}
        for seed in seeds
    ]


def _section_rows(result: FoldResult) -> Iterator[dict[str, Any]]:
    for score in result.scores:
        yield {
            "model": result.label,
            "seed": result.seed,
            "fold": result.fold,
            "section": score.section,
            "pcc_spot": score.pcc_spot,
            "pcc_gene": score.pcc_gene,
            **score.more,
            "n_spots": score.n_spots,
            "genes_scored": score.n_genes_scored,
            "seconds": score.seconds,
        }


def _gene_rows(job: FoldJob, result: FoldResult) -> pd.DataFrame:
    table = gene_scores(job)
    table.insert(0, "model", result.label)
    table.insert(1, "seed", result.seed)
    return table
