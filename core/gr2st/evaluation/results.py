"""What a fold leaves behind: its scores, its files, and whether they are those of this very job."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr2st import keys
from gr2st.evaluation.scores import means_over
from gr2st.io.store import write_csv, write_json

if TYPE_CHECKING:
    from gr2st.evaluation.fold import FoldJob

GENES = "genes.csv"


@dataclass(frozen=True, slots=True)
class SectionScore:
    """Scores of one model on one held-out section, means over genes; None where no gene could be scored.

    ``more`` holds all other scores of the section: columns of sections.csv, `further` of summary.json.
    """

    section: str
    pcc_spot: float | None
    pcc_gene: float | None
    n_spots: int
    n_genes_scored: int
    seconds: float
    more: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoldResult:
    """What a fold leaves behind, in memory; its predictions lie in its folder.

    ``provenance`` is what `gr2st.evaluation.provenance` tells of it.
    """

    label: str
    seed: int
    fold: str
    digest: str
    n_genes: int
    scores: tuple[SectionScore, ...]
    provenance: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoldFailure:
    """A fold that ended in an error: which, why in one sentence, and the traceback for a report."""

    model: str
    fold: str
    message: str
    details: str


def read_result(job: FoldJob) -> FoldResult | None:
    """The stored result of this very job, or None where it has not been finished yet."""
    path = job.folder / keys.FOLD_RESULT
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["digest"] != job.digest() or stored["files"] != _sizes(job):
            return None
        return FoldResult(
            label=job.row.label,
            seed=job.row.training.seed,
            fold=job.fold.name,
            digest=stored["digest"],
            n_genes=stored["n_genes"],
            scores=tuple(SectionScore(**score) for score in stored["scores"]),
            provenance=stored["provenance"],
            notes=tuple(map(str, stored.get("notes", ()))),
        )
    except (ValueError, KeyError, TypeError):
        return None


def gene_scores(job: FoldJob) -> pd.DataFrame:
    """The score table of a finished job: a line per section and gene (NaN where undefined)."""
    names = {"section": str, "gene": str}
    return pd.read_csv(job.folder / GENES, keep_default_na=False, na_values=[""], dtype=names)


def calibrations(job: FoldJob) -> list[pd.DataFrame]:
    """The calibration table of every section of a finished job."""
    names = {"section": str, "measure": str}
    files = (job.folder / f"{name}.{keys.CALIBRATION}" for name in job.fold.test)
    return [pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=names) for path in files]


def write_result(job: FoldJob, result: FoldResult) -> None:
    """Join the score tables of the job's sections and store its result; its predictions lie in its folder already."""
    tables = [
        pd.read_csv(job.folder / f"{name}.genes.csv", keep_default_na=False, na_values=[""]) for name in job.fold.test
    ]
    write_csv(job.folder / GENES, pd.concat(tables))
    write_json(
        job.folder / keys.FOLD_RESULT,
        {
            "digest": result.digest,
            "model": result.label,
            "seed": result.seed,
            "fold": result.fold,
            "train": list(job.fold.train),
            "n_genes": result.n_genes,
            "scores": [_as_dict(score) for score in result.scores],
            "provenance": dict(result.provenance),
            "notes": list(result.notes),
            "files": _sizes(job),
        },
    )


def with_listed(job: FoldJob, result: FoldResult, genes: Collection[str]) -> FoldResult:
    """The result with the scores over a list of genes beside the others, from the stored score table of its job."""
    table = gene_scores(job)
    scores = [
        replace(score, more={**score.more, **means_over(table[table["section"] == score.section], genes)})
        for score in result.scores
    ]
    return replace(result, scores=tuple(scores))


def _sizes(job: FoldJob) -> dict[str, int]:
    """Bytes of every file the job leaves behind; a cut or missing one makes it run again."""
    of_sections = (f"{name}.{kind}" for name in job.fold.test for kind in ("h5ad", keys.CALIBRATION))
    names = [GENES, *of_sections]
    return {name: path.stat().st_size if path.is_file() else 0 for name in names for path in [job.folder / name]}


def _as_dict(score: SectionScore) -> dict[str, Any]:
    return {name: getattr(score, name) for name in SectionScore.__slots__}
