"""Which spots a spot is joined to, in the graphs of a prediction or by distance alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys

if TYPE_CHECKING:
    from gr2st_napari._expression import Expression, Int64

RADIUS_IN_PITCHES = 3.0
"""Reach of the spatial graph where no model says otherwise: that of GR2ST's published settings."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows of the neighbours of one spot; `functional` is None where no model has drawn that graph."""

    spot: int
    spatial: Int64
    functional: Int64 | None
    by_distance: bool


def neighbours_of(expression: Expression, spot: int) -> Neighbours:
    """Neighbours of one spot (row of `expression.spots`)."""
    spatial = _from_graph(expression, keys.SPATIAL_GRAPH, spot)
    return Neighbours(
        spot=spot,
        spatial=_within_reach(expression, spot) if spatial is None else spatial,
        functional=_from_graph(expression, keys.FUNCTIONAL_GRAPH, spot),
        by_distance=spatial is None,
    )


def _from_graph(expression: Expression, key: str, spot: int) -> Int64 | None:
    """Spots the given one listens to in a stored graph; None where the graph or the spot is not in it."""
    prediction = expression.prediction
    row = -1 if prediction is None else int(expression.rows_of_prediction[spot])
    if prediction is None or row < 0 or key not in prediction.table.obsp:
        return None
    graph = prediction.table.obsp[key][[row]]
    joined = np.setdiff1d(graph.nonzero()[1], row)
    return np.flatnonzero(np.isin(expression.rows_of_prediction, joined))


def _within_reach(expression: Expression, spot: int) -> Int64:
    if expression.section is None:
        return np.empty(0, np.int64)
    reach = RADIUS_IN_PITCHES * expression.section.grid_pitch
    # Positions are jittered by a few pixels: a hair's breadth keeps the outermost ring in.
    found = expression.tree.query_ball_point(expression.xy[spot], 1.02 * reach)
    return np.array(sorted(set(found) - {spot}), dtype=np.int64)
