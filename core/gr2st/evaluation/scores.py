"""The score table of one predicted section: a row per gene, a column per score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from gr2st import keys
from gr2st.evaluation.ceiling import noise_ceiling
from gr2st.evaluation.measured import measured_counts
from gr2st.evaluation.metrics import Matrix, Vector, gene_mae, gene_pcc, gene_rmse, gene_spearman, mean_score, morans_i
from gr2st.preprocess.normalise import gene_normalise, spot_normalise

if TYPE_CHECKING:
    from gr2st.types import Float64, Prediction, Section

VERSION = 2
"""Raised whenever a score is added or computed differently: folds that were scored otherwise are done again."""
SPACES = {"spot": (keys.MEASURED_SPOT, spot_normalise), "gene": (keys.MEASURED_GENE, gene_normalise)}
SCORES = {"pcc": gene_pcc, "spearman": gene_spearman, "rmse": gene_rmse, "mae": gene_mae}
COLUMNS = (
    "section",
    "gene",
    *(f"{score}_{space}" for score in SCORES for space in SPACES),
    "ceiling_spot",
    "ceiling_gene",
    "moran_measured",
    "moran_predicted",
    "mean_gene",
)
"""Columns of a score table; see docs/evaluation.md."""


def score_table(prediction: Prediction, section: Section) -> pd.DataFrame:
    """Every score of every gene of a prediction that has its measured values beside it.

    Parameters
    ----------
    prediction : Prediction
        As `gr2st.with_measured` returns it.
    section : Section
        Where its counts come from, for the noise ceiling.

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
    return pd.DataFrame(columns)[list(COLUMNS)]


def neighbours_of(xy: Float64, pitch: float) -> csr_array:
    """Pairs (spots, spots) of spots at most 1.5 array steps apart: 8 round a spot of a square array, 6 of a Visium one.

    ``xy`` (spots, 2) and ``pitch``, the array step, are in pixels.
    """
    one, other = cKDTree(xy).query_pairs(1.5 * pitch, output_type="ndarray").T
    pairs = np.concatenate([one, other]), np.concatenate([other, one])
    return csr_array((np.ones(len(pairs[0])), pairs), shape=(len(xy), len(xy)))


def further_means(table: pd.DataFrame) -> dict[str, float | None]:
    """Mean over genes of every column but the two main scores, and of those two over the 50 highest genes (HEG)."""
    main = ("pcc_spot", "pcc_gene")
    means = {name: mean_score(table[name].to_numpy(np.float64)) for name in COLUMNS[2:-1] if name not in main}
    highest = table["mean_gene"].to_numpy(np.float64)
    heg = {f"{name}_heg50": mean_over_highest(table[name].to_numpy(np.float64), highest) for name in main}
    return means | heg


def mean_over_highest(scores: Vector, means: Vector, count: int = 50) -> float | None:
    """Mean score of the `count` genes with the highest mean expression (HEG), as the field reports it."""
    highest = np.argsort(np.where(np.isnan(means), -np.inf, means), kind="stable")[::-1][:count]
    return mean_score(scores[highest])


def _layer(prediction: Prediction, name: str) -> Matrix:
    return np.asarray(prediction.table.layers[name], np.float64)
