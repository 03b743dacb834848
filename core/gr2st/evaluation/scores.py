"""The score table of one predicted section: a row per gene, a column per score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gr2st import keys
from gr2st.evaluation.ceiling import noise_ceiling
from gr2st.evaluation.measured import measured_counts
from gr2st.evaluation.metrics import (
    Matrix,
    Vector,
    gene_mae,
    gene_pcc,
    gene_rmse,
    gene_spearman,
    mean_score,
    median_score,
    morans_i,
    neighbours_of,
)
from gr2st.preprocess.normalise import gene_normalise, spot_normalise

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gr2st.types import Prediction, Section

VERSION = 3
"""Raised whenever a score is added or computed differently: folds that were scored otherwise are done again."""
SPACES = {"spot": (keys.MEASURED_SPOT, spot_normalise), "gene": (keys.MEASURED_GENE, gene_normalise)}
SCORES = {"pcc": gene_pcc, "spearman": gene_spearman, "rmse": gene_rmse, "mae": gene_mae}
MAIN = ("pcc_spot", "pcc_gene")
"""The two scores that are told of subsets of genes too."""
GENE_SCORES = (
    *(f"{score}_{space}" for score in SCORES for space in SPACES),
    "ceiling_spot",
    "ceiling_gene",
    "moran_measured",
    "moran_predicted",
)
COLUMNS = ("section", "gene", *GENE_SCORES, "mean_gene", "variability_rank")
"""Columns of a score table; see docs/evaluation.md."""
FEW = 50
"""Genes of the subsets that the field reports: highest expression (HEG), most variable (HVG)."""


def score_table(prediction: Prediction, section: Section, variable: Sequence[str] = ()) -> pd.DataFrame:
    """Every score of every gene of a prediction that has its measured values beside it.

    Parameters
    ----------
    prediction : Prediction
        As `gr2st.with_measured` returns it.
    section : Section
        Where its counts come from, for the noise ceiling.
    variable : genes, optional
        The most variable genes of the *training* sections, most variable first.

    Returns
    -------
    DataFrame with `COLUMNS`
        NaN where a score is undefined: a gene that was not measured, or is constant on either side.
    """
    table = prediction.table
    predicted = _layer(prediction, keys.PREDICTED)
    columns: dict[str, object] = {"section": prediction.section, "gene": list(prediction.genes)}
    counts = measured_counts(section.table[list(table.obs_names)], prediction.genes)
    for space, (layer, normalise) in SPACES.items():
        measured = _layer(prediction, layer)
        columns |= {f"{name}_{space}": score(predicted, measured) for name, score in SCORES.items()}
        columns[f"ceiling_{space}"] = noise_ceiling(counts, normalise)
    neighbours = neighbours_of(np.asarray(table.obsm[keys.SPATIAL], np.float64), section.grid_pitch)
    columns["moran_measured"] = morans_i(_layer(prediction, keys.MEASURED_SPOT), neighbours)
    columns["moran_predicted"] = morans_i(predicted, neighbours)
    columns["mean_gene"] = _layer(prediction, keys.MEASURED_GENE).mean(axis=0)
    rank = {gene: place for place, gene in enumerate(variable, start=1)}
    columns["variability_rank"] = [rank.get(gene) for gene in prediction.genes]
    return pd.DataFrame(columns)[list(COLUMNS)]


def further_means(table: pd.DataFrame) -> dict[str, float | None]:
    """What a section's score table amounts to, besides the mean of the two main scores.

    Means over genes of every other score; of the main ones the median over genes, and the means over the 50 genes of
    highest expression in the section (HEG) and over the 50 most variable ones of the training sections (HVG).
    """
    found = {name: mean_score(_column(table, name)) for name in GENE_SCORES if name not in MAIN}
    highest, variable = _column(table, "mean_gene"), -_column(table, "variability_rank")
    for name in MAIN:
        scores = _column(table, name)
        found[f"{name}_median"] = median_score(scores)
        found[f"{name}_heg50"] = mean_over_highest(scores, highest)
        found[f"{name}_hvg50"] = mean_over_highest(scores[~np.isnan(variable)], variable[~np.isnan(variable)])
    return found


def means_over(table: pd.DataFrame, genes: Collection[str]) -> dict[str, float | None]:
    """Means of the two main scores over a list of genes, and how many of them have a score."""
    listed = table[table["gene"].isin(genes)]
    means = {f"{name}_listed": mean_score(_column(listed, name)) for name in MAIN}
    return means | {"genes_listed": int(listed[MAIN[0]].notna().sum())}


def mean_over_highest(scores: Vector, means: Vector, count: int = FEW) -> float | None:
    """Mean score of the `count` genes that are highest in `means`, as the field reports it."""
    highest = np.argsort(np.where(np.isnan(means), -np.inf, means), kind="stable")[::-1][:count]
    return mean_score(scores[highest])


def _column(table: pd.DataFrame, name: str) -> Vector:
    return table[name].to_numpy(np.float64)


def _layer(prediction: Prediction, name: str) -> Matrix:
    return np.asarray(prediction.table.layers[name], np.float64)
