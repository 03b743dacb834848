"""Attention as colour: of the edges of one spot, and of whole graphs. Pure; heavy parts are for a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st_napari._neighbours import graph_of, tells_attention

if TYPE_CHECKING:
    import numpy.typing as npt

    from gr2st_napari._expression import Expression, Float32, Int64
    from gr2st_napari._neighbours import EdgeKind

RAMPS: dict[EdgeKind, str] = {
    "spatial": "d6e9ff a5cffb 6fb2f5 3a92ec 0f6fe0 0049c4",
    "functional": "ffe2bf ffc588 ffa653 fc8420 ea6000 c93a00",
}
"""From weak to strong, evenly darker and more vivid: one hue per graph, so that the two are told apart."""
PLAIN: dict[EdgeKind, str] = {"spatial": "#1fa2ff", "functional": "#ff7a00"}
"""Colour of edges of which no attention is known."""
WEAK_ALPHA = 0.55
BOLD_SHARE = 0.15
"""Of the tissue under the spots: as much of it the strongest edges of a whole graph may cover together."""
VEIL = 0.2
"""How opaque all other edges may be together: thousands of them would hide the slide and the strong ones."""
LINES_ACROSS = 800
"""How many lines beside each other are as wide as all spots, in a window that shows the whole slide."""
MOST_EDGES = 300_000
"""Edges of one graph that are drawn at most; a thread takes a second to draw so many."""
TOP_PERCENT = 99.0


@dataclass(frozen=True, eq=False)
class GraphLines:
    """A whole graph to draw: pairs of spots (m, 2), each pair once, strongest last, and their attention (m,).

    Attributes
    ----------
    attention : (m,) or None
        The larger of the two directions; None where the file does not tell.
    n_pairs : int
        Pairs that the graph has; more than m where only the strongest are drawn.
    top : float
        Attention that gets the strongest colour.
    n_bold : int
        How many of the strongest stand out; none where no attention is known.
    depth : float
        How many of all others lie one on another where there is tissue, on average, with the whole slide in view.
    """

    kind: EdgeKind
    pairs: Int64
    attention: Float32 | None
    n_pairs: int
    top: float
    n_bold: int
    depth: float

    @property
    def is_faint(self) -> bool:
        """Whether the others are fainter than edges of one spot are."""
        return self.alpha(adds_up=True) < self._most_alpha

    def alpha(self, *, adds_up: bool) -> float:
        """Opacity of the others; it adds up where lines lie one on another, and not in the pixels of a picture."""
        together = -np.log(1 - VEIL) / max(self.depth, 1e-6)
        return float(min(self._most_alpha, together if adds_up else max(VEIL, together)))

    @property
    def _most_alpha(self) -> float:
        return 1.0 if self.attention is None else WEAK_ALPHA


def ramp(kind: EdgeKind) -> npt.NDArray[np.float64]:
    """Colours (6, 4) of a graph, weak to strong, RGBA."""
    rgb = [rgb_of(colour) for colour in RAMPS[kind].split()]
    return np.column_stack([rgb, np.linspace(WEAK_ALPHA, 1.0, len(rgb))])


def rgb_of(colour: str) -> list[float]:
    """Red, green and blue, 0 to 1, of a colour like ff7a00."""
    return [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]


def line_colours(kind: EdgeKind, *, is_plain: bool) -> list[str]:
    """Colours of the edges of a graph for a legend, weak to strong; one where no attention is known."""
    return [PLAIN[kind]] if is_plain else [f"#{colour}" for colour in RAMPS[kind].split()]


def edge_colours(kind: EdgeKind, attention: Float32, top: float) -> Float32:
    """Colours (m, 4) of edges by their attention, from 0 to `top`."""
    stops = ramp(kind)
    at = np.clip(attention / top if top > 0 else np.zeros_like(attention), 0, 1) * (len(stops) - 1)
    return np.column_stack([np.interp(at, range(len(stops)), stops[:, band]) for band in range(4)]).astype(np.float32)


def graph_colours(lines: GraphLines, *, adds_up: bool = True) -> Float32:
    """Colours (m, 4) of the edges of a whole graph: the strongest stand out, the others let the slide be seen."""
    if lines.attention is None:
        colours = np.tile(np.array([*rgb_of(PLAIN[lines.kind].lstrip("#")), 1.0], np.float32), (len(lines.pairs), 1))
    else:
        colours = edge_colours(lines.kind, lines.attention, lines.top)
    others = colours[: len(colours) - lines.n_bold]
    others[:, 3] = np.minimum(others[:, 3], lines.alpha(adds_up=adds_up))
    return colours


def top_of(attention: Float32 | None) -> float:
    """The strongest attention of the edges of one spot."""
    return float(attention.max()) if attention is not None and attention.size else 0.0


def whole_graph(expression: Expression, kind: EdgeKind, most: int = MOST_EDGES) -> GraphLines | None:
    """All edges of a graph between spots that are here, or the strongest; None where the prediction has none."""
    graph = graph_of(expression, kind)
    if graph is None:
        return None
    pairs, attention = _pairs(expression, graph)
    kept = np.argsort(attention, kind="stable")[-most:]
    told = attention[kept] if tells_attention(expression) else None
    top = float(np.percentile(told, TOP_PERCENT)) if told is not None and told.size else 0.0
    covered = _covered(expression, pairs[kept])
    n_bold = 0 if told is None else int((np.cumsum(covered[::-1]) <= BOLD_SHARE).sum())
    depth = float(covered[: len(covered) - n_bold].sum())
    return GraphLines(kind, pairs[kept], told, len(pairs), top, n_bold, depth)


def _covered(expression: Expression, pairs: Int64) -> npt.NDArray[np.float64]:
    """Which share of the tissue under the spots each pair's edge (m,) covers, with the whole slide in view."""
    xy = expression.xy
    apart = np.median(np.asarray(expression.tree.query(xy, k=2)[0])[:, 1])
    ends = xy[pairs]
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    return np.asarray(lengths * np.ptp(xy, axis=0).max() / LINES_ACROSS / (len(xy) * apart**2))


def _pairs(expression: Expression, graph: Any) -> tuple[Int64, Float32]:
    """Each joined pair of spots once (m, 2), with the larger of its two numbers (m,)."""
    from scipy.sparse import csr_array, triu

    square = csr_array(graph)
    upper = triu(square.maximum(square.T), k=1).tocoo()
    pairs = expression.spots_of_prediction[np.column_stack([upper.row, upper.col])]
    here = (pairs >= 0).all(axis=1)
    return pairs[here], upper.data[here].astype(np.float32)
