"""What an evaluation found, as values to show: a score per model, a dot per slide, a box per model, a line per gene.

No Qt. Files are read by `results_of`, in a thread; everything else is pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gr2st import MODELS, gene_ranking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from gr2st import EvaluationFolder
    from gr2st_napari._state import Space

Float: TypeAlias = npt.NDArray[np.float64]

BASELINE = "ridge"
WHISKER = 1.5
"""Whiskers reach to the last value within this many times the height of the box."""


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over held-out slides with its 95 % interval; None where it is undefined."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One line of the table of models; `gain` is the difference to ridge, slide by slide."""

    label: str
    score: Score
    gain: Score | None = None
    is_oracle: bool = False
    is_best: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """One model on one held-out slide, or, without a `section`, its mean over the slides of one patient."""

    label: str
    section: str
    patient: str
    value: float
    n_slides: int = 1


@dataclass(frozen=True, slots=True)
class Box:
    """How the scores of one model spread over genes: quartiles, and the ends of the whiskers."""

    label: str
    low: float
    first: float
    median: float
    third: float
    high: float
    n_genes: int


@dataclass(frozen=True, eq=False)
class GeneScores:
    """Scores of every gene by one model, means over held-out slides; NaN where undefined.

    Attributes
    ----------
    means : space -> (n,)
    low, high : space -> (n,)
        95 % interval of the mean.
    """

    genes: tuple[str, ...]
    means: Mapping[str, Float]
    low: Mapping[str, Float]
    high: Mapping[str, Float]

    def of(self, gene: str, space: Space) -> float:
        """Score of one gene, NaN where it has none."""
        at = self._places.get(gene)
        return float("nan") if at is None else float(self.means[space][at])

    def picked(self, genes: Sequence[str], numbers: Float) -> Float:
        """Entries of one of the columns for some genes, NaN for a gene that is not listed."""
        places = np.array([self._places.get(gene, -1) for gene in genes], dtype=np.int64)
        return np.where(places >= 0, np.append(numbers, np.nan)[places], np.nan)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {gene: at for at, gene in enumerate(self.genes)}


@dataclass(frozen=True, eq=False)
class Results:
    """A finished evaluation.

    Attributes
    ----------
    summary : mapping
        What summary.json holds.
    patients : section -> patient
        As far as the study names them.
    genes : label -> GeneScores
    """

    folder: Path
    summary: Mapping[str, Any]
    patients: Mapping[str, str]
    genes: Mapping[str, GeneScores] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """Models and ablations that have a score in some space, in the order of the table."""
        return tuple(self.summary["models"])

    def sections(self, label: str) -> tuple[str, ...]:
        """Held-out slides that a model has predicted."""
        return tuple(self.summary["models"].get(label, {}).get("sections", ()))


@dataclass(frozen=True, eq=False)
class Ranking:
    """An order of genes for the Genes dock: how well a model predicts them on slides it never saw.

    It holds for the slides of the study that was evaluated, `sections`; `n_held_out` of them were predicted.
    """

    label: str
    sections: frozenset[str]
    n_held_out: int
    scores: GeneScores

    def of(self, section: str, genes: Sequence[str], space: Space) -> Float | None:
        """Score of each gene, NaN where it has none; None where the ranking does not hold for this section."""
        return self._told(section, genes, self.scores.means[space])

    def interval_of(self, section: str, genes: Sequence[str], space: Space) -> tuple[Float | None, Float | None]:
        """Ends of the 95 % interval of each score, as in `of`."""
        low, high = self.scores.low[space], self.scores.high[space]
        return self._told(section, genes, low), self._told(section, genes, high)

    def _told(self, section: str, genes: Sequence[str], numbers: Float) -> Float | None:
        if section not in self.sections:
            return None
        told = self.scores.picked(genes, numbers)
        return None if np.isnan(told).all() else told


def results_of(evaluation: EvaluationFolder) -> Results | None:
    """Read the results of an evaluation; None where there are none yet."""
    summary = evaluation.summary
    if summary is None:
        return None
    scored = [label for label, row in summary["models"].items() if row["sections"]]
    genes = {label: _gene_scores(gene_ranking(evaluation.folder, label)) for label in scored}
    return Results(evaluation.folder, summary, patients_of(evaluation), genes)


def patients_of(evaluation: EvaluationFolder) -> dict[str, str]:
    """Patient of each section, as far as the folder tells: a fold that holds out a patient is called by their name."""
    if evaluation.card is not None:
        return {section: patient for section, patient in evaluation.card.patients.items() if patient}
    if evaluation.summary is None or evaluation.summary["protocol"] != "patient":
        return {}
    return {section: row.fold for row in evaluation.rows for section in row.test}


def ranking_of(evaluation: EvaluationFolder, results: Results, label: str) -> Ranking | None:
    """The ranking of genes by one model, None where it has no scores."""
    if label not in results.genes:
        return None
    sections = frozenset(section for row in evaluation.rows for section in row.test)
    return Ranking(label, sections, len(results.sections(label)), results.genes[label])


def model_scores(results: Results, space: Space) -> tuple[ModelScore, ...]:
    """The table of models; the best one that is no oracle is marked."""
    key = f"pcc_{space}"
    rows = results.summary["models"]
    means = {label: row[key] for label, row in rows.items() if row[key] is not None and not is_oracle(label)}
    best = max(means, key=lambda label: means[label], default="")
    return tuple(
        ModelScore(
            label,
            _score(row["interval"][key], row[key]),
            _score(row[f"minus_{BASELINE}"][key], None) if f"minus_{BASELINE}" in row else None,
            is_oracle(label),
            label == best,
        )
        for label, row in rows.items()
    )


def dots(results: Results, space: Space) -> tuple[Dot, ...]:
    """One per model and held-out slide."""
    return tuple(
        Dot(label, section, results.patients.get(section, ""), scores[f"pcc_{space}"])
        for label, row in results.summary["models"].items()
        for section, scores in row["sections"].items()
        if scores[f"pcc_{space}"] is not None
    )


def patient_dots(dots: Sequence[Dot]) -> tuple[Dot, ...]:
    """One per model and patient; slides whose patient is not known have none."""
    values: dict[tuple[str, str], list[float]] = {}
    for dot in dots:
        if dot.patient:
            values.setdefault((dot.label, dot.patient), []).append(dot.value)
    return tuple(
        Dot(label, "", patient, float(np.mean(scores)), len(scores)) for (label, patient), scores in values.items()
    )


def boxes(results: Results, space: Space) -> tuple[Box, ...]:
    """One per model that has scored genes."""
    found = ((label, known(scores.means[space])) for label, scores in results.genes.items())
    return tuple(_box(label, values) for label, values in found if values.size)


def is_oracle(label: str) -> bool:
    """Whether the row reads what no model may know."""
    model = label.partition(".")[0]
    return model in MODELS and MODELS[model].is_oracle


def known(values: Float) -> Float:
    """Without NaN."""
    return values[~np.isnan(values)]


def _gene_scores(ranking: pd.DataFrame) -> GeneScores:
    columns = {name: ranking[name].to_numpy(np.float64) for name in ranking}
    return GeneScores(
        genes=tuple(map(str, ranking.index)),
        means={"spot": columns["pcc_spot"], "gene": columns["pcc_gene"]},
        low={"spot": columns["low"], "gene": columns["low_gene"]},
        high={"spot": columns["high"], "gene": columns["high_gene"]},
    )


def _box(label: str, values: Float) -> Box:
    first, median, third = map(float, np.quantile(values, [0.25, 0.5, 0.75]))
    reach = WHISKER * (third - first)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    return Box(label, float(inside.min()), first, median, third, float(inside.max()), len(values))


def _score(told: Mapping[str, Any] | None, mean: float | None) -> Score:
    return Score(mean) if told is None else Score(told["mean"], told["low"], told["high"])
