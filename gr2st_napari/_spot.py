"""What the Spot dock shows: why the clicked spot was predicted so, what is lit up on the tissue. No Qt, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gr2st import Explanation, Reference, explain
from gr2st_napari._neighbours import EDGE_KINDS

if TYPE_CHECKING:
    import numpy.typing as npt

    from gr2st_napari._calibration import Calibration
    from gr2st_napari._expression import Expression, Float32, Int64
    from gr2st_napari._neighbours import EdgeKind
    from gr2st_napari._panels import Display
    from gr2st_napari._patch_pictures import Pixels, SpotPlace
    from gr2st_napari._state import Wish

N_REFERENCES = 8
SCATTER = "the scatter"
"""What lights spots up where no region does."""
Graphs: TypeAlias = Mapping["EdgeKind", str]


@dataclass(frozen=True, eq=False)
class Case:
    """The clicked spot and the gene in view.

    Attributes
    ----------
    spot : int
        Row of the expression.
    gene : str
        Or the name of a list of genes.
    measured, predicted : float
        As the maps show them; NaN where there is none.
    explanation : Explanation or None
        None without a prediction of this spot.
    place : (section, (x, y))
        Where its own picture is cut.
    """

    spot: int
    name: str
    gene: str
    measured: float
    predicted: float
    explanation: Explanation | None
    place: SpotPlace


@dataclass(frozen=True, eq=False)
class Why:
    """Everything the Spot dock shows.

    Attributes
    ----------
    chosen : int
        The reference spot that is looked at, by its place in the list.
    pictures : place -> pixels, or why there are none
        Those cut so far.
    is_cutting : bool
        Whether more pictures are on the way.
    edges, graphs : tuple of "spatial", "functional"
        Edges of the clicked spot, and whole graphs, that are to be seen.
    graph_words : kind -> sentence
        What is known of each whole graph that was asked for.
    lit : (k,) rows of the spots that are lit up, by `lit_by`: a region, or the scatter.
    way_back : str
        The section that was left to look at a reference spot; empty where none was.
    """

    case: Case | None = None
    n_references: int = N_REFERENCES
    chosen: int = 0
    pictures: Mapping[SpotPlace, Pixels | str] = field(default_factory=dict)
    is_cutting: bool = False
    edges: tuple[EdgeKind, ...] = EDGE_KINDS
    graphs: tuple[EdgeKind, ...] = ()
    graph_words: Graphs = field(default_factory=dict)
    is_drawing: bool = False
    marks_outside: bool = True
    lit: tuple[int, ...] = ()
    lit_by: str = ""
    way_back: str = ""
    calibration: Calibration | None = None

    @property
    def references(self) -> tuple[Reference, ...]:
        """The reference spots in the list: those with the highest weight."""
        explanation = None if self.case is None else self.case.explanation
        return () if explanation is None else explanation.references[: self.n_references]

    @property
    def reference(self) -> Reference | None:
        """The one that is looked at."""
        listed = self.references
        return listed[self.chosen] if self.chosen < len(listed) else None


def case_of(expression: Expression, shown: Display, wish: Wish, spot: int) -> Case:
    """What is known of one spot and the gene that is shown."""
    looked_at = replace(wish, gene=shown.gene, members=shown.members)
    measured, predicted = (float(expression.shown_values(looked_at, kind)[spot]) for kind in ("measured", "predicted"))
    x, y = map(float, expression.xy[spot])
    return Case(
        spot=spot,
        name=expression.spots[spot],
        gene=shown.gene,
        measured=measured,
        predicted=predicted,
        explanation=_explanation(expression, shown, spot),
        place=(expression.name, (x, y)),
    )


def place_of(reference: Reference) -> SpotPlace | None:
    """Where the picture of a reference spot is cut; None where the file does not tell."""
    return None if reference.xy is None or not reference.section else (reference.section, reference.xy)


def pairs_of(expression: Expression, shown: Display, wish: Wish) -> tuple[Float32, Float32]:
    """Measured and predicted values (n,) of what is shown; NaN where one is missing."""
    looked_at = replace(wish, gene=shown.gene, members=shown.members)
    return expression.shown_values(looked_at, "measured"), expression.shown_values(looked_at, "predicted")


def correlation(one: Float32, other: Float32) -> float:
    """Pearson's r over the spots that have both; NaN where it is not defined."""
    both = np.isfinite(one) & np.isfinite(other)
    first, second = one[both].astype(np.float64), other[both].astype(np.float64)
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def lit(why: Why, rows: npt.NDArray[np.bool_] | Int64 | tuple[int, ...], by: str) -> Why:
    """Other spots lit up; none where there are no rows."""
    found = np.flatnonzero(rows) if getattr(rows, "dtype", None) == np.bool_ else rows
    listed = tuple(int(row) for row in found)
    return replace(why, lit=listed, lit_by=by if listed or by not in ("", SCATTER) else "")


def _explanation(expression: Expression, shown: Display, spot: int) -> Explanation | None:
    row = int(expression.rows_of_prediction[spot])
    if expression.prediction is None or row < 0:
        return None
    gene = shown.gene if not shown.members and expression.predicts(shown.gene) else None
    return explain(expression.prediction, row, gene)
