"""The part of an evaluation's page that says how far a predicted value can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from gr2st.evaluation.figures import calibration_curves
from gr2st.evaluation.html import number, pictures, table
from gr2st.evaluation.ranking import rank_models

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "spread": "spread: the training spots behind a value differ",
    "disagreement": "disagreement: retrieval and regression are apart",
    "confidence": "confidence: the picture is like the training spots behind it",
    "distance": "distance: the picture is unlike those of training",
    "outside": "outside: further than 99 of 100 training spots",
}
LITTLE, MUCH = 0.1, 0.3
"""Rank correlations of measure and error below which it says little, and from which it says much."""


def trust(summary: Mapping[str, Any], calibration: pd.DataFrame) -> str:
    """How error grows with each measure of doubt; "" for a folder of an earlier version."""
    rows = [row for one in rank_models(summary) for row in _of_model(one.label, summary["models"][one.label])]
    if not rows:
        return ""
    figure = calibration_curves(calibration, list(summary["models"]))
    names = ("model", "measure", "error, lowest", "error, highest", "rank", "rank in a gene", "says of the error")
    return (
        "<h2>How far a value can be trusted</h2>\n<p>The spots and genes of each held-out section are put in ten equal "
        "groups by what the prediction says of its own doubt. A measure is worth something where the error grows from "
        "the lowest to the highest group; for confidence, where it falls. Error: mean absolute difference to what was "
        "measured, in units of what the gene varies by within a training section. Rank: rank correlation of measure "
        "and error, mean over held-out sections; in a gene it says which spots to trust, not which genes.</p>\n"
        + table(names, rows, numbers=(2, 3, 4, 5))
        + ("" if figure is None else pictures([figure], "Error over the tenths of each measure of doubt"))
    )


def _of_model(label: str, row: Mapping[str, Any]) -> Iterator[list[str]]:
    for measure, found in row.get("calibration", {}).items():
        yield [
            escape(label),
            escape(MEANINGS.get(measure, measure)),
            number(found["mae_low"]),
            number(found["mae_high"]),
            number(found["rank"]),
            number(found["rank_within_genes"]) if found["rank_within_genes"] is not None else "",
            worth(measure, found["rank"]),
        ]


def worth(measure: str, rank: float | None) -> str:
    """What a measure says of the error, in a word."""
    if rank is None:
        return "nothing: it is the same everywhere"
    right = -rank if measure == "confidence" else rank
    if right <= -LITTLE:
        return "the contrary"
    return "little" if right < LITTLE else "something" if right < MUCH else "much"
