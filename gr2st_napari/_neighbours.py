"""Which spots a spot is joined to, and how much it listens to each: from a prediction, or by distance alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from gr2st import keys

if TYPE_CHECKING:
    from gr2st_napari._expression import Expression, Float32, Int64

EdgeKind: TypeAlias = Literal["spatial", "functional"]
EDGE_KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)
GRAPH_KEY: dict[EdgeKind, str] = {"spatial": keys.SPATIAL_GRAPH, "functional": keys.FUNCTIONAL_GRAPH}

MOST_DRAWN = 120
"""Edges of one spot that are drawn at most: the functional graph may join it to half of the slide, which then hides."""
RADIUS_IN_PITCHES = 3.0
"""Reach of the spatial graph where no model says otherwise: that of GR2ST's published settings."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows of the neighbours of one spot; None where no model has drawn that graph, `spatial` in a section excepted.

    The shares of its attention that go to each of them, in the same order, are None where the file does not tell.
    """

    spot: int
    spatial: Int64 | None
    functional: Int64 | None
    by_distance: bool
    spatial_attention: Float32 | None = None
    functional_attention: Float32 | None = None

    def rows(self, kind: EdgeKind) -> Int64 | None:
        return self.spatial if kind == "spatial" else self.functional

    def attention(self, kind: EdgeKind) -> Float32 | None:
        return self.spatial_attention if kind == "spatial" else self.functional_attention

    def drawn(self, kind: EdgeKind) -> tuple[Int64, Float32 | None] | None:
        """Rows and attention of the edges that are drawn: the strongest; all where none is known to be stronger."""
        rows, attention = self.rows(kind), self.attention(kind)
        if rows is None or attention is None or len(rows) <= MOST_DRAWN:
            return None if rows is None else (rows, attention)
        strongest = np.sort(np.argsort(-attention, kind="stable")[:MOST_DRAWN])
        return rows[strongest], attention[strongest]


def neighbours_of(expression: Expression, spot: int) -> Neighbours:
    """Neighbours of one spot (row of `expression.spots`)."""
    spatial = _from_graph(expression, "spatial", spot)
    functional = _from_graph(expression, "functional", spot)
    return Neighbours(
        spot=spot,
        spatial=_within_reach(expression, spot) if spatial is None else spatial[0],
        functional=None if functional is None else functional[0],
        by_distance=spatial is None,
        spatial_attention=None if spatial is None else spatial[1],
        functional_attention=None if functional is None else functional[1],
    )


def graph_of(expression: Expression, kind: EdgeKind) -> Any:
    """The stored graph (sparse, rows and columns of the prediction), None where there is none."""
    return None if expression.prediction is None else expression.prediction.table.obsp.get(GRAPH_KEY[kind])


def tells_attention(expression: Expression) -> bool:
    """Whether the numbers in the graphs are attention; earlier versions wrote 1 for every edge."""
    prediction = expression.prediction
    return prediction is not None and keys.ATTENTION in prediction.table.uns.get(keys.PROVENANCE, {})


def _from_graph(expression: Expression, kind: EdgeKind, spot: int) -> tuple[Int64, Float32 | None] | None:
    """Spots the given one listens to in a stored graph, with their shares; None where graph or spot are not there."""
    graph, row = graph_of(expression, kind), int(expression.rows_of_prediction[spot])
    if graph is None or row < 0:
        return None
    line = graph[[row]].tocoo()
    here = expression.spots_of_prediction[line.col]
    kept = (here >= 0) & (line.col != row)
    order = np.argsort(here[kept], kind="stable")
    shares = line.data[kept][order].astype(np.float32)
    return here[kept][order], shares if tells_attention(expression) else None


def _within_reach(expression: Expression, spot: int) -> Int64 | None:
    if expression.section is None:
        return None
    reach = RADIUS_IN_PITCHES * expression.section.grid_pitch
    # Positions are jittered by a few pixels: a hair's breadth keeps the outermost ring in.
    found = expression.tree.query_ball_point(expression.xy[spot], 1.02 * reach)
    return np.array(sorted(set(found) - {spot}), dtype=np.int64)
