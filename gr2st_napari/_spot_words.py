"""The clicked spot in words: the status card, values, trust, reference spots, experts, graphs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from gr2st import SPACE_NAMES, keys
from gr2st_napari._advice import Card
from gr2st_napari._spot import place_of

if TYPE_CHECKING:
    from gr2st import Explanation, GeneTrust, Listening
    from gr2st_napari._expression import Expression
    from gr2st_napari._neighbours import EdgeKind, Neighbours
    from gr2st_napari._panels import Display
    from gr2st_napari._patch_pictures import Pixels
    from gr2st_napari._spot import Case, Why
    from gr2st_napari._state import State

CARD_WORDS = {
    "open": "Open a section…",
    "open-sample": "Open the sample",
    "predict": "Predict with a model…",
    "dismiss": "Dismiss",
}
CLASS_WORDS = {
    "nolabe": "no label",
    "necros": "necrosis",
    "neopla": "tumour",
    "inflam": "inflammatory",
    "connec": "connective",
    "no-neo": "benign epithelium",
}
PART_WORDS = {"retrieval": "looked up", "regression": "computed", "kernel": "kernel"}
PART_TIPS = {
    "retrieval": "Weighted mean of the reference spots",
    "regression": "Computed from the picture by the experts of the network",
    "kernel": "Kernel ridge regression on the features of the picture",
}
GRAPH_TIP = (
    "Whom the graph side of the network would listen to, were the predicted expression what was measured. "
    "On a new slide the graphs do not enter the predicted values: those come from the picture alone."
)
FURTHER = 1.3
"""Distance from the training slides, in units of what is usual there, from which words change."""
AGREE, DIFFER = 0.5, 1.0
"""The same for spread and disagreement, in units of what a gene varies by within a slide."""


@dataclass(frozen=True, eq=False)
class ReferenceLine:
    """One reference spot in the list; `picture` is pixels, or why there are none."""

    section: str
    patient: str
    distance: str
    weight: str
    tip: str
    picture: Pixels | str


@dataclass(frozen=True, slots=True)
class Bar:
    """A share from 0 to 1 with its name."""

    name: str
    share: float
    tip: str = ""


def card_of(state: State) -> Card:
    """The one thing the user should know now."""
    if state.problem is not None:
        return Card(state.problem.sentence, ("dismiss",), "error", state.problem.details)
    if state.job.is_running:
        return Card(f"{state.job.label}…", tone="working")
    expression = state.expression
    if expression is None:
        return Card(
            "No slide is open. Open one, or the sample, to see why its genes are predicted so.", ("open", "open-sample")
        )
    if state.why.case is None:
        return _without_spot(expression)
    return _about(state.why.case, expression)


def _without_spot(expression: Expression) -> Card:
    if not expression.has_predicted:
        return Card(
            "There is no prediction yet. Predict this slide, then click a spot to see what stands behind its values.",
            ("predict",),
        )
    return Card("Click a spot on the slide to see why its genes are predicted so.")


def _about(case: Case, expression: Expression) -> Card:
    told = case.explanation
    if told is None:
        if expression.has_predicted:
            return Card(f"Spot {case.name} is not in the prediction: it was made for other spots.", tone="warning")
        return Card(
            f"Spot {case.name}: no prediction yet. Predict this slide to see what stands behind it.", ("predict",)
        )
    if told.is_outside:
        return Card(f"Spot {case.name}: {distance_words(told)} Do not rely on its values.", tone="warning")
    return Card(f"Spot {case.name}")


def value_words(case: Case, expression: Expression, space: str) -> str:
    """Measured and predicted value of the gene in view, with their scale."""
    told = [
        f"{kind} <b>{value:.2f}</b> ({_scale(scale)})"
        for kind, value, scale in (
            ("measured", case.measured, space),
            ("predicted", case.predicted, expression.predicted_space),
        )
        if not isnan(value)
    ]
    return f"{case.gene}: {', '.join(told) if told else 'no value here'}."


def trust_words(case: Case) -> list[str]:
    """How far the prediction of this spot and gene can be trusted."""
    told = case.explanation
    if told is None:
        return []
    lines = [distance_words(told)] if told.distance is not None else []
    if told.gene is not None:
        lines += _gene_trust(told.gene)
    if told.distance is None and (told.gene is None or told.gene.spread is None):
        lines.append("Nothing is known of how sure this is: the prediction or its model is of an earlier version.")
    return lines


def distance_words(told: Explanation) -> str:
    """How unlike the training slides the picture is."""
    if told.distance is None:
        return ""
    times = f"{told.distance:.1f} times the usual distance"
    if told.is_outside:
        return f"Far from anything the model was trained on ({times})."
    if told.distance >= FURTHER:
        return f"Somewhat unlike the training slides ({times})."
    return f"Looks like the training slides ({times})."


def _gene_trust(gene: GeneTrust) -> list[str]:
    usual = gene.usual_spread
    if not usual:
        return []
    lines = []
    if gene.spread is not None:
        ratio = gene.spread / usual
        verdict = _graded(ratio, "agree on", "differ somewhat in", "do not agree on")
        lines.append(f"The reference spots {verdict} {gene.gene} (spread {ratio:.1f} of the usual).")
    if gene.disagreement is not None:
        ratio = gene.disagreement / usual
        verdict = _graded(ratio, "agree", "differ somewhat", "give different answers")
        lines.append(f"The parts of the model {verdict} ({ratio:.1f} of the usual spread apart).")
    return lines


def _graded(ratio: float, low: str, middle: str, high: str) -> str:
    return low if ratio < AGREE else middle if ratio < DIFFER else high


def reference_lines(why: Why) -> list[ReferenceLine]:
    """The list of reference spots."""
    lines = []
    for reference in why.references:
        place = place_of(reference)
        missing = "This prediction does not tell where its reference spots lie: predict again to see them."
        picture = missing if place is None else why.pictures.get(place, "")
        name = f"{reference.section} {reference.spot}".strip() or f"training spot {reference.row}"
        patient = f"\nPatient {reference.patient}" if reference.patient else ""
        similar = "" if reference.similarity is None else f"\nCosine similarity {reference.similarity:.3f}"
        lines.append(
            ReferenceLine(
                section=reference.section or "?",
                patient=reference.patient or "?",
                distance="" if reference.distance is None else f"{reference.distance:.3g}",
                weight=f"{100 * reference.weight:.1f} %",
                tip=f"{name}{patient}{similar}" + (f"\n{picture}" if isinstance(picture, str) and picture else ""),
                picture=picture,
            )
        )
    return lines


def reference_heading(why: Why, expression: Expression) -> str:
    """How many reference spots there are, or why there are none."""
    told = None if why.case is None else why.case.explanation
    if told is None:
        return ""
    if not told.references and told.gene is not None and told.gene.shares.get("retrieval"):
        return (
            "<b>Reference spots</b>: not kept in this file: of so many spots they would be larger than the prediction."
        )
    if not told.references:
        return f"<b>Reference spots</b>: {model_of(expression)} looks up no training spots."
    weight = 100 * sum(reference.weight for reference in why.references)
    return (
        f"<b>Reference spots</b>: {len(why.references)} of {len(told.references)}, with {weight:.0f} % of the weight."
    )


def patient_warning(told: Explanation | None, expression: Expression) -> str:
    """What to think of where the reference spots come from; empty where there is nothing to say."""
    if told is None or not told.references:
        return ""
    weights: dict[str, float] = {}
    for reference in told.references:
        weights[reference.patient] = weights.get(reference.patient, 0.0) + reference.weight
    own = _patient(expression)
    if own and weights.get(own, 0.0) > 0:
        return (
            f"⚠ {100 * weights[own]:.0f} % of the weight comes from spots of the same patient ({own}): "
            "on another patient it will do worse."
        )
    if len(weights) == 1 and "" not in weights:
        return f"⚠ All reference spots come from one patient ({next(iter(weights))})."
    return ""


def expert_bars(told: Explanation | None) -> list[Bar]:
    """Weights of the experts; their names say something only where they were taught cell types."""
    if told is None:
        return []
    return [
        Bar(CLASS_WORDS.get(name, name) if told.experts_are_taught else f"expert {at}", weight)
        for at, (name, weight) in enumerate(told.experts.items(), start=1)
    ]


def expert_note(told: Explanation | None) -> str:
    """What the names of experts mean."""
    if told is None or not told.experts:
        return ""
    if told.experts_are_taught:
        return "Experts of the network, by the cell type each was taught"
    return "Experts of the network; trained without cell types, so they have no names"


def part_note(case: Case) -> str:
    """What the bars of the parts show."""
    return f"What the predicted {case.gene} is made of, over all spots"


def part_bars(told: Explanation | None) -> list[Bar]:
    """Shares of the parts of the model in the predicted value."""
    if told is None or told.gene is None:
        return []
    return [Bar(PART_WORDS.get(part, part), share, PART_TIPS.get(part, "")) for part, share in told.gene.shares.items()]


def edge_words(found: Neighbours, kind: EdgeKind) -> str:
    """How many edges of a kind the clicked spot has; "" where no model has drawn that graph."""
    rows = found.rows(kind)
    if rows is None:
        return ""
    how = " (by distance)" if kind == "spatial" and found.by_distance else ""
    return f"{len(rows):,} {kind} neighbour{'' if len(rows) == 1 else 's'}{how}"


def drawn_words(found: Neighbours, kind: EdgeKind) -> str:
    """How many of them are drawn; "" where all are."""
    rows, drawn = found.rows(kind), found.drawn(kind)
    are_all = rows is None or drawn is None or len(drawn[0]) == len(rows)
    return "" if are_all or drawn is None else f"the {len(drawn[0]):,} strongest are drawn"


def attention_words(top: float | None, listening: Listening | None, *, by_distance: bool) -> str:
    """What the colours of the edges stand for."""
    if top is None:
        return "" if by_distance else "attention not stored"
    own = None if listening is None else listening.itself
    return f"attention 0 to {top:.2g}" + ("" if own is None else f", itself {own:.2g}")


def no_scatter_sentence(expression: Expression | None, shown: Display | None) -> str:
    """Why there are no points; empty where there are."""
    if expression is None or shown is None:
        return "Open a slide with a prediction to see measured against predicted values."
    if not expression.has_predicted:
        return "There is no prediction yet: predict this slide to see measured against predicted values."
    if not expression.has_measured:
        return "Nothing was measured here to compare with: open the section the prediction was made for."
    if not any(map(expression.predicts, expression.listed(shown.members or (shown.gene,)))):
        return f"This model does not predict {shown.gene}: choose another gene."
    return ""


def scatter_title(gene: str, r: float, n: int) -> str:
    """What the scatter shows."""
    if not gene:
        return ""
    told = "r is not defined" if isnan(r) else f"r = {r:.2f}"
    return f"<b>{gene}</b>: {told} over {n:,} spots"


def axis_words(kind: str, scale: str) -> str:
    """Words at an axis of the scatter."""
    return f"{kind} ({_scale(scale)})"


def _scale(space: str) -> str:
    return SPACE_NAMES.get(space, space or "unknown scale")


def model_of(expression: Expression) -> str:
    """The model that predicted, by its name."""
    return "The model" if expression.prediction is None else expression.prediction.model


def _patient(expression: Expression) -> str:
    """Patient of the slide in view, as its study or the prediction says."""
    if expression.section is not None and expression.section.patient:
        return str(expression.section.patient)
    if expression.prediction is None:
        return ""
    return str(expression.prediction.table.uns.get(keys.PROVENANCE, {}).get("patient", ""))
