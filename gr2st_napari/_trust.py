"""How far each predicted value can be trusted, spot by spot: what the prediction file says of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys

if TYPE_CHECKING:
    import numpy.typing as npt

    from gr2st_napari._expression import Expression, Float32
    from gr2st_napari._state import Measure, Wish

MEASURE_WORDS: dict[Measure, str] = {
    "expression": "Expression",
    "spread": "Spread among reference spots",
    "disagreement": "Disagreement of the model's parts",
    "distance": "Distance from the training slides",
}
MEASURE_TIPS: dict[Measure, str] = {
    "expression": "The gene itself, measured or predicted",
    "spread": "How much the training spots that were looked up differ in this gene. High: they do not agree.",
    "disagreement": "How far the looked-up and the computed value of this gene lie apart. High: two ways, two answers.",
    "distance": "How unlike the training slides the picture of a spot is, whatever the gene. 1 is usual.",
}
TRUST_MEASURES: tuple[Measure, ...] = ("spread", "disagreement", "distance")
LAYER: dict[Measure, str] = {"spread": keys.SPREAD, "disagreement": keys.DISAGREEMENT}
UNIT = "1 = usual within a slide"


@dataclass(frozen=True, eq=False)
class Trust:
    """One measure of every spot (n,), in `unit`; higher is less sure, NaN where nothing is known."""

    measure: Measure
    values: Float32
    unit: str


def why_not(measure: Measure, wish: Wish, expression: Expression | None) -> str:
    """Why a measure cannot be shown for the gene that is looked at; empty where it can."""
    if measure == "expression":
        return ""
    if expression is None or expression.prediction is None:
        return "Needs a prediction: open one, or predict with a model."
    if measure == "distance":
        return "" if keys.DISTANCE in expression.prediction.table.obs else no_distance(expression)
    if wish.members:
        return "Known for single genes, not for the mean of a list: choose a gene."
    if LAYER[measure] not in expression.prediction.table.layers:
        return _no_layer(measure, expression)
    return "" if expression.predicts(wish.gene) else f"This model does not predict {wish.gene}."


def trust_of(measure: Measure, gene: str, expression: Expression) -> Trust:
    """A measure for one gene, which must be known for it."""
    if measure == "distance":
        found = expression.of_spots(keys.DISTANCE)
        assert found is not None, "whether a measure is known is asked before"
        return Trust(measure, found.astype(np.float32), "1 = usual")
    values = expression.stored(LAYER[measure], gene)
    assert values is not None, "whether a measure is known is asked before"
    usual = usual_spread(expression, gene)
    if usual is None:
        return Trust(measure, values, "scale of the prediction")
    return Trust(measure, values / np.float32(usual), UNIT)


def usual_spread(expression: Expression, gene: str) -> float | None:
    """What a gene varies by within a training section; None where no file says or it does not vary."""
    prediction = expression.prediction
    if prediction is None or keys.USUAL_SPREAD not in prediction.table.var or not expression.predicts(gene):
        return None
    usual = float(prediction.table.var[keys.USUAL_SPREAD].loc[gene])
    return usual if usual > 0 else None


def outside_of(expression: Expression | None) -> npt.NDArray[np.bool_] | None:
    """Spots (n,) whose picture is unlike the training slides; None where the prediction does not say."""
    found = None if expression is None else expression.of_spots(keys.OUTSIDE)
    return None if found is None else np.nan_to_num(found) > 0


def _model_of(expression: Expression) -> str:
    return "the model" if expression.prediction is None else expression.prediction.model


def no_distance(expression: Expression) -> str:
    """Why it is not known how unlike the training slides a spot is."""
    if expression.prediction is None:
        return "There is no prediction yet."
    return (
        f"{_model_of(expression)} did not keep what its training slides look like: it was stored by an earlier "
        "version, or looks at no picture. Train it again to have this."
    )


def _no_layer(measure: Measure, expression: Expression) -> str:
    assert expression.prediction is not None
    table = expression.prediction.table
    if keys.REFERENCE not in table.obsm and keys.BANK_SECTION in expression.provenance:
        return "Not kept in this file: of so many spots it would be larger than the prediction. Predict a region."
    if keys.REFERENCE not in table.obsm:
        return f"{_model_of(expression)} looks up no training spots: this is known for GR2ST."
    if measure == "disagreement" and keys.SPREAD in table.layers:
        return f"The parts of {_model_of(expression)} do not answer on one scale, so they cannot be compared."
    return "This prediction was made by an earlier version: predict again to have this."
