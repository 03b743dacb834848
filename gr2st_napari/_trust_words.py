"""How far a prediction can be trusted, and its whole graphs, in words: the Trust page of the Spot dock. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gr2st_napari._attention import MOST_EDGES
from gr2st_napari._spot_words import model_of
from gr2st_napari._trust import MEASURE_WORDS, no_distance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st_napari._attention import GraphLines
    from gr2st_napari._calibration import Calibration
    from gr2st_napari._expression import Expression
    from gr2st_napari._neighbours import EdgeKind
    from gr2st_napari._spot import Why
    from gr2st_napari._state import Measure

WEAK, STRONG = 0.05, 0.3
"""Rank correlations from which words change."""


def graph_sentence(lines: GraphLines) -> str:
    """A whole graph that was drawn."""
    drawn = len(lines.pairs)
    many = f"{lines.n_pairs:,} pairs of spots"
    if drawn < lines.n_pairs:
        many = f"the strongest {drawn:,} of {many} (at most {MOST_EDGES:,} are drawn)"
    colour = "" if lines.attention is None else f"; colour is attention, strongest from {lines.top:.2g}"
    return f"{many}{colour}{_faint_words(lines)}"


def _faint_words(lines: GraphLines) -> str:
    """Which edges are hardly seen, and why."""
    if not lines.is_faint:
        return ""
    faint = "faint, so that the slide can be seen"
    return f"; the strongest {lines.n_bold:,} stand out, the others are {faint}" if lines.n_bold else f"; {faint}"


def no_graph_sentence(expression: Expression | None, kind: EdgeKind) -> str:
    """Why there is no whole graph."""
    if expression is None or not expression.has_predicted:
        return "Needs a prediction."
    reason = str(expression.provenance.get("graphs", ""))
    if reason.startswith("not drawn"):
        return f"The {kind} graph is {reason}."
    return f"{model_of(expression)} draws no {kind} graph."


def outside_words(outside: Any, expression: Expression | None) -> str:
    """How many spots are unlike the training slides."""
    if outside is None:
        return "" if expression is None else no_distance(expression)
    if not outside.any():
        return "No spot of this slide is unlike the training slides."
    return f"{int(outside.sum()):,} of {len(outside):,} spots are unlike anything the model was trained on."


def graphs_words(why: Why, missing: Mapping[str, str]) -> str:
    """What is drawn of the whole graphs, being drawn, or not there."""
    lines = [f"{kind}: {told}" for kind, told in why.graph_words.items()]
    if why.is_drawing:
        lines.append("Being drawn…")
    reasons = dict.fromkeys(reason for reason in missing.values() if reason)
    return "\n".join([*lines, *reasons])


def curve_axis(measure: Measure) -> str:
    """Words under the curve of the error."""
    return MEASURE_WORDS[measure].lower()


def calibrated_label(calibration: Calibration | None, expression: Expression | None, chosen: str) -> str:
    """Whose curve is shown: the model that predicted, where the evaluation has it, else the one chosen there."""
    prediction = None if expression is None else expression.prediction
    own = "" if prediction is None else prediction.model
    return own if calibration is not None and own in calibration.curves else chosen


def calibration_words(calibration: Calibration | None, label: str, measure: Measure) -> str:
    """How the curve is to be read, or how to get one."""
    if calibration is None:
        return (
            "To see whether error grows with it, evaluate models in the Evaluate dock, or open an evaluation there: "
            "it is worked out on slides that were held out."
        )
    if not calibration.curves:
        return f"The evaluation {calibration.evaluation} does not tell: it is of an earlier version. Evaluate again."
    curve = calibration.curves.get(label, {}).get(measure)
    if curve is None:
        return f"The evaluation {calibration.evaluation} does not tell {MEASURE_WORDS[measure].lower()} for {label}."
    rank = "" if curve.correlation is None else f" (rank correlation {curve.correlation:.2f})"
    return f"{label}, slides held out in {calibration.evaluation}: {_trend(curve.correlation)}{rank}."


def _trend(correlation: float | None) -> str:
    if correlation is None or abs(correlation) < WEAK:
        return "error does not grow with it"
    if correlation < 0:
        return "error falls with it: do not go by it"
    return "error grows with it clearly" if correlation >= STRONG else "error grows with it a little"
