"""A gene of one section -> its maps, measured and predicted, as values of a figure. No torch, no matplotlib."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.colours import automatic_limits, joined_limits
from gr2st.evaluation.figure import MapFigure, window_round
from gr2st.evaluation.figure_maps import Map
from gr2st.io.prediction import SPACE_NAMES
from gr2st.preprocess.normalise import spot_normalise

if TYPE_CHECKING:
    from gr2st.types import Float32, Float64, Prediction, Section

MARGIN_SPOTS = 1.5
"""Room round a section, in spot diameters."""
MEASURED = {"spot": keys.MEASURED_SPOT, "gene": keys.MEASURED_GENE}


def best_gene(prediction: Prediction) -> str:
    """The gene with the highest correlation against spot-normalised expression; the first one where none has any."""
    scores = prediction.table.var[keys.PCC_SPOT]
    return str(scores.idxmax()) if scores.notna().any() else prediction.genes[0]


def gene_maps(section: Section, prediction: Prediction | None, gene: str) -> tuple[Map, ...]:
    """A gene as measured and as predicted, with equal limits where both are in one space; without a prediction one map.

    Predicted values on a mixed scale stand beside spot-normalised ones, each with limits of their own. Without
    measured values beside the prediction there is only the predicted map.
    """
    if prediction is None:
        return (_map(gene, "measured", "spot", _counted(section, gene)),)
    predicted_in = str(prediction.table.uns.get(keys.PROVENANCE, {}).get("space", "mixed"))
    predicted = _map(gene, "predicted", predicted_in, _column(prediction, keys.PREDICTED, gene))
    measured_in = predicted_in if predicted_in in MEASURED else "spot"
    if MEASURED[measured_in] not in prediction.table.layers:
        return (predicted,)
    measured = _map(gene, "measured", measured_in, _column(prediction, MEASURED[measured_in], gene))
    if measured_in != predicted_in:
        return measured, predicted
    shared = joined_limits(measured.limits, predicted.limits)
    return replace(measured, limits=shared), replace(predicted, limits=shared)


def section_figure(
    section: Section, prediction: Prediction | None, maps: tuple[Map, ...], heading: str = ""
) -> MapFigure:
    """Maps of all spots of a section, or of its prediction; the slide is read when it is drawn."""
    table = section.table if prediction is None else prediction.table
    xy: Float64 = np.asarray(table.obsm[keys.SPATIAL], np.float64)[:, :2]
    window = window_round(xy, MARGIN_SPOTS * section.spot_diameter_px)
    return MapFigure(maps, xy, section.spot_diameter_px, window, um_per_px=section.um_per_px, heading=heading)


def _map(gene: str, kind: str, space: str, values: Float32) -> Map:
    return Map(f"{gene} · {kind} · {SPACE_NAMES.get(space, space)}", values, automatic_limits(values))


def _column(prediction: Prediction, layer: str, gene: str) -> Float32:
    column = prediction.table.layers[layer][:, [prediction.genes.index(gene)]]
    return np.asarray(column.toarray() if hasattr(column, "toarray") else column, np.float32)[:, 0]


def _counted(section: Section, gene: str) -> Float32:
    """A gene of the counts, spot-normalised over all genes of the section."""
    counts = section.table.X
    column = counts[:, [section.genes.index(gene)]].toarray()
    others = np.maximum(np.asarray(counts.sum(axis=1)).reshape(-1, 1) - column, 0)
    return np.asarray(spot_normalise(np.hstack([column, others]))[:, 0], np.float32)
