"""Which models and which genes stand where in an evaluation; read from its files, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gr2st.errors import UnknownName
from gr2st.evaluation.statistics import intervals
from gr2st.io.evaluations import read_evaluation, read_gene_scores
from gr2st.registry import MODELS

GENE_DRAWS = 2_000
"""Draws behind the interval of one gene; there may be thousands of genes."""


@dataclass(frozen=True, slots=True)
class ModelRank:
    """Where a row of the table stands.

    ``rank`` counts from 1, best first by ``pcc_spot``; None for an oracle, which reads the test section, and for a row
    without a score.
    """

    label: str
    rank: int | None
    is_oracle: bool
    pcc_spot: float | None
    pcc_gene: float | None


def rank_models(summary: Mapping[str, Any]) -> tuple[ModelRank, ...]:
    """Rows of a summary, best first by the score against spot-normalised expression; rows without a rank at the end."""
    rows = [(label, is_oracle(label), row["pcc_spot"], row["pcc_gene"]) for label, row in summary["models"].items()]
    ranked = sorted((row for row in rows if not row[1] and row[2] is not None), key=lambda row: -row[2])
    others = [row for row in rows if row not in ranked]
    places = [*range(1, len(ranked) + 1), *([None] * len(others))]
    return tuple(
        ModelRank(label, place, oracle, spot, gene)
        for place, (label, oracle, spot, gene) in zip(places, [*ranked, *others], strict=True)
    )


def is_oracle(label: str) -> bool:
    """Whether a row of a table, also an ablated one, reads the test section."""
    name = label.partition(".")[0]
    return name in MODELS and MODELS[name].is_oracle


def gene_ranking(folder: Path | str, label: str) -> pd.DataFrame:
    """Every gene of a model with its scores, best first by ``pcc_spot``.

    Parameters
    ----------
    folder : Path
        Of an evaluation.
    label : str
        A row of its table.

    Returns
    -------
    DataFrame, index gene
        ``pcc_spot`` and ``pcc_gene``: mean over seeds, then over sections. ``low``, ``high`` and ``low_gene``,
        ``high_gene``: 95 % interval of each by bootstrap over patients, over sections where fewer than two patients are
        known; NaN for a gene with a score in fewer than two of them.

    Raises
    ------
    UnknownName
        The evaluation has no such row, or none of its folds is done.
    DataError
        No evaluation, or a table of it cannot be read.
    """
    table = read_gene_scores(folder)
    mine = table[table["model"] == label]
    if mine.empty:
        raise UnknownName.of("model with results", label, list(map(str, table["model"].unique())))
    patients = patients_of(folder)
    found: dict[str, Any] = {}
    for name, low, high in (("pcc_spot", "low", "high"), ("pcc_gene", "low_gene", "high_gene")):
        by_section = mine.pivot_table(index="section", columns="gene", values=name, aggfunc="mean", dropna=False)
        found[name] = by_section.mean()
        found[low], found[high] = _intervals(by_section, patients)
    ranking = pd.DataFrame(found)[["pcc_spot", "pcc_gene", "low", "high", "low_gene", "high_gene"]]
    return ranking.rename_axis("gene").sort_values("pcc_spot", ascending=False, kind="stable")


def patients_of(folder: Path | str) -> Mapping[str, str | None]:
    """The patient of each section of an evaluation; nothing where an earlier version wrote it."""
    card = read_evaluation(folder).card
    return card.patients if card else {}


def _intervals(by_section: pd.DataFrame, patients: Mapping[str, str | None]) -> tuple[pd.Series, pd.Series]:
    sections = list(map(str, by_section.index))
    low, high = intervals(by_section.to_numpy(np.float64), sections, patients, draws=GENE_DRAWS)
    return pd.Series(low, by_section.columns), pd.Series(high, by_section.columns)
