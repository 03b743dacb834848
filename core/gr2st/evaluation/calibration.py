"""Whether error grows with what a prediction says of its own doubt: held-out sections, tenths of each measure.

An error is the absolute difference of predicted and measured, in the space that the model predicts in, divided by what
the gene varies by within a training section: errors of different genes can be put together, and the held-out section
has no say in the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from gr2st import keys
from gr2st.evaluation.metrics import Matrix, Vector, gene_spearman, mean_score
from gr2st.evaluation.scores import SPACES
from gr2st.io.evaluations import CALIBRATION_COLUMNS

if TYPE_CHECKING:
    from gr2st.types import Int64, Prediction

AnyVector: TypeAlias = npt.NDArray[Any]

OF_GENES = {"spread": keys.SPREAD, "disagreement": keys.DISAGREEMENT, "level": keys.PREDICTED}
"""Measures of a spot and a gene: layers. The level is the predicted value itself, which knows nothing of doubt: what
spread says of the error beyond what the level says is its own."""
OF_SPOTS = {"confidence": keys.CONFIDENCE, "distance": keys.DISTANCE, "outside": keys.OUTSIDE}
"""Measures of a spot: columns."""
TENTHS = 10


def calibration_table(prediction: Prediction) -> pd.DataFrame:
    """How the error of one held-out section grows with each measure of doubt.

    Parameters
    ----------
    prediction : Prediction
        With its measured values beside it, as `gr2st.with_measured` returns it.

    Returns
    -------
    DataFrame with `CALIBRATION_COLUMNS`, without the model
        A line per measure and tenth (1 the lowest), and one with neither number of a bin for the section as a whole,
        which holds the rank correlations. Empty for a model that predicts on no scale of measured expression.
    """
    error = _error(prediction)
    lines = [] if error is None else [*_of_genes(prediction, error), *_of_spots(prediction, error)]
    return pd.DataFrame(lines, columns=list(CALIBRATION_COLUMNS[1:]))


def joined(tables: Mapping[str, Sequence[pd.DataFrame]]) -> pd.DataFrame:
    """The tables of all sections and seeds of each model as one, with their means over sections.

    Tenths are those of each section, put together over the sections; rank correlations are means over sections.
    """
    parts = [table.assign(model=label) for label, own in tables.items() for table in (*own, _over_sections(own))]
    columns = list(CALIBRATION_COLUMNS)
    filled = [part for part in parts if len(part)]
    return pd.concat(filled)[columns] if filled else pd.DataFrame(columns=columns)


def told_of(table: pd.DataFrame, label: str) -> dict[str, dict[str, float | None]]:
    """What a joined table amounts to for one model: error in the lowest and highest bin of each measure, and ranks."""
    mine = table[(table["model"] == label) & table["section"].isna() & table["bin"].notna()]
    return {str(measure): _amounts(own) for measure, own in mine.groupby("measure", sort=False)}


def _amounts(bins: pd.DataFrame) -> dict[str, float | None]:
    first, last = bins.iloc[0], bins.iloc[-1]
    ends: dict[str, float] = {
        f"{name}_{end}": line[name] for name in ("mae", "rmse") for end, line in (("low", first), ("high", last))
    }
    ranks = {name: first[name] for name in ("rank", "rank_within_genes")}
    return {name: None if pd.isna(value) else float(value) for name, value in (ends | ranks).items()}


def _error(prediction: Prediction) -> Matrix | None:
    """Absolute error (spots, genes) in units of the usual spread; NaN for genes not measured, or that never vary."""
    table = prediction.table
    space = table.uns[keys.PROVENANCE]["space"]
    if space not in SPACES or keys.USUAL_SPREAD not in table.var:
        return None
    measured, _ = SPACES[space]
    predicted, found = (np.asarray(table.layers[name], np.float64) for name in (keys.PREDICTED, measured))
    return np.abs(predicted - found) / _unit(prediction)


def _unit(prediction: Prediction) -> Vector:
    usual = prediction.table.var[keys.USUAL_SPREAD].to_numpy(np.float64)
    return np.where(usual > 0, usual, np.nan)


def _of_genes(prediction: Prediction, error: Matrix) -> list[dict[str, Any]]:
    known = ~np.isnan(error).any(axis=0)
    lines: list[dict[str, Any]] = []
    if keys.SPREAD not in prediction.table.layers or not known.any():
        return lines
    for measure, layer in OF_GENES.items():
        if layer in prediction.table.layers:
            values = (np.asarray(prediction.table.layers[layer], np.float64) / _unit(prediction))[:, known]
            within = mean_score(gene_spearman(values, error[:, known]))
            lines += _lines(prediction.section, measure, values.ravel(), error[:, known].ravel(), within)
    return lines


def _of_spots(prediction: Prediction, error: Matrix) -> list[dict[str, Any]]:
    known = error[:, ~np.isnan(error).any(axis=0)]
    lines: list[dict[str, Any]] = []
    for measure, column in OF_SPOTS.items():
        if column in prediction.table.obs and known.size:
            lines += _lines(prediction.section, measure, prediction.table.obs[column].to_numpy(), known)
    return lines


def _lines(
    section: str, measure: str, values: AnyVector, error: Matrix, within: float | None = None
) -> list[dict[str, Any]]:
    """Lines of one measure: its values (n,) and the errors (n,) or (n, genes) that belong to each."""
    each = error if error.ndim == 1 else error.mean(axis=1)
    ranks = {"rank": gene_spearman(values[:, None], each[:, None])[0], "rank_within_genes": within}
    tenth = _tenths(values)
    bins = ((int(number), tenth == number) for number in np.unique(tenth))
    whole = _line(section, measure, None, values, error) | ranks
    return [whole, *(_line(section, measure, number, values[inside], error[inside]) for number, inside in bins)]


def _line(section: str, measure: str, number: int | None, values: AnyVector, error: Matrix) -> dict[str, Any]:
    return {
        "section": section,
        "measure": measure,
        "bin": number,
        "n": len(values),
        "mean_measure": float(values.mean()),
        "mae": float(error.mean()),
        "rmse": float(np.sqrt((error**2).mean())),
    }


def _tenths(values: AnyVector) -> Int64:
    """Tenth (1 to 10) of each value by its rank, equal values in one; of a yes or no, no is the first, yes the last."""
    if values.dtype == bool:
        return np.where(values, np.int64(TENTHS), np.int64(1))
    from scipy.stats import rankdata

    place = (rankdata(values) - 0.5) / len(values)
    return np.int64(1) + (TENTHS * place).astype(np.int64)


def _over_sections(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """A line per measure and bin over all sections, errors weighted by what lies in the bin."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=list(CALIBRATION_COLUMNS[1:]))
    lines = pd.concat(filled)
    bins, whole = lines[lines["bin"].notna()], lines[lines["bin"].isna()]
    ranks = whole.groupby("measure", sort=False)[["rank", "rank_within_genes"]].mean()
    weighed = bins.assign(
        mean_measure=bins["mean_measure"] * bins["n"], mae=bins["mae"] * bins["n"], rmse=bins["rmse"] ** 2 * bins["n"]
    )
    found = weighed.groupby(["measure", "bin"], sort=False)[["n", "mean_measure", "mae", "rmse"]].sum()
    sums = found[["mean_measure", "mae", "rmse"]].div(found["n"], axis=0)
    sums["rmse"] **= 0.5
    order = {name: place for place, name in enumerate((*OF_GENES, *OF_SPOTS))}
    table = sums.assign(n=found["n"], section=None).reset_index().join(ranks, on="measure")
    return table.sort_values(["measure", "bin"], key=lambda c: c.map(order) if c.name == "measure" else c)
