"""Wish and reality -> what is drawn: a frozen answer. Pure; changes neither."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gr2st import SPACE_NAMES, automatic_limits, joined_limits
from gr2st_napari._classes import NO_CLASS, source_of
from gr2st_napari._colours import ClassColours
from gr2st_napari._panels import Display, Panel
from gr2st_napari._scales import is_linear, round_up, scale_words, scaled
from gr2st_napari._state import SPACES
from gr2st_napari._trust import MEASURE_WORDS, trust_of, why_not

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gr2st_napari._classes import Classes
    from gr2st_napari._expression import Expression, Float32, Kind
    from gr2st_napari._state import Mode, Wish

TRUST_MAP = "magma"
TRUST_NOTE = "The map shows how sure the prediction is, not expression: bright is less sure. A view above ends it."
COMPARING: tuple[Mode, ...] = ("side by side", "swipe", "flicker")
"""Measured and predicted, both at once or by turns."""


def available_modes(expression: Expression | None) -> dict[Mode, str]:
    """For every way of looking, why it cannot be used; empty where it can."""
    no_section = "Open a section first."
    if expression is None:
        return dict.fromkeys(("measured", "predicted", "difference", *COMPARING), no_section)
    no_measured = "" if expression.has_measured else "This section has no counts."
    no_predicted = "" if expression.has_predicted else "Needs a prediction: open one, or predict with a model."
    either = no_predicted or no_measured
    return {"measured": no_measured, "predicted": no_predicted, **dict.fromkeys((*COMPARING, "difference"), either)}


def resolve(wish: Wish, expression: Expression, classes: Classes | None = None) -> Display:
    """Turn what the user asked for into what can be shown.

    `classes` are the ones known; while those asked for are being worked out, the gene stays in view.
    """
    if wish.colour_by and classes is not None and classes.source == source_of(expression, wish):
        return _of_classes(wish, classes)
    if not expression.genes:
        nothing = np.full(len(expression.spots), np.nan, np.float32)
        panel = Panel("measured", "spots without counts", nothing, (0.0, 1.0), wish.colormap)
        return Display("", "measured", (panel,), ("This section has no counts: its spots are grey.",))
    wish = _possible_gene(wish, expression)
    mode, notes = _possible_mode(wish.mode, expression)
    if wish.measure != "expression":
        reason = why_not(wish.measure, wish, expression)
        if not reason:
            return Display(gene=wish.gene, mode=mode, panels=(_trust(wish, expression),), notes=(TRUST_NOTE,))
        notes = (*notes, reason)
    panels, more = _difference(wish, expression) if mode == "difference" else _maps(mode, wish, expression)
    notes = (*notes, *more, *_of_list(wish, expression), *_absences(wish, mode, panels, expression))
    return Display(gene=wish.gene, mode=mode, panels=panels, notes=notes, members=wish.members)


def first_wish(wish: Wish, before: Expression | None, expression: Expression) -> Wish:
    """The gene in view where the new section has it, else its best; a first prediction is compared at once."""
    if expression.has_predicted and (before is None or before.prediction is not expression.prediction):
        space = next((known for known in SPACES if known == expression.predicted_space), wish.space)
        wish = replace(wish, space=space, mode="side by side" if expression.has_measured else "predicted")
    if not expression.has_predicted:
        wish = replace(wish, mode="measured")
    here = expression.listed(wish.members or (wish.gene,))
    known = any(map(expression.predicts, here)) if expression.has_predicted else bool(here)
    return wish if known else replace(wish, gene=expression.default_gene(wish.space), members=())


def _trust(wish: Wish, expression: Expression) -> Panel:
    """How far the predicted values can be trusted, in the place of the gene; limits set for its values do not apply."""
    trust = trust_of(wish.measure, wish.gene, expression)
    whose = "" if wish.measure == "distance" else f"{wish.gene} · "
    words = MEASURE_WORDS[wish.measure]
    title = f"{whose}{words if not whose else words.lower()} · {trust.unit}"
    return Panel(wish.measure, title, trust.values, automatic_limits(trust.values, wish.clip), TRUST_MAP)


def _of_classes(wish: Wish, classes: Classes) -> Display:
    hidden = frozenset(at for at, name in enumerate(classes.names) if name in wish.hidden)
    colours = ClassColours(len(classes.names), hidden, shows_rest=NO_CLASS not in wish.hidden)
    panel = Panel("classes", classes.words, classes.codes, colours.limits, colours)
    return Display(wish.gene, "measured", (panel,), (), wish.members, classes)


def _possible_gene(wish: Wish, expression: Expression) -> Wish:
    if wish.gene in expression.genes if not wish.members else expression.listed(wish.members):
        return wish
    return replace(wish, gene=expression.default_gene(wish.space), members=())


def _possible_mode(mode: Mode, expression: Expression) -> tuple[Mode, tuple[str, ...]]:
    reasons = available_modes(expression)
    if not reasons[mode]:
        return mode, ()
    instead: Mode = "measured" if not reasons["measured"] else "predicted"
    return (instead, ()) if mode == "measured" else (instead, (reasons[mode],))


def _maps(mode: Mode, wish: Wish, expression: Expression) -> tuple[tuple[Panel, ...], tuple[str, ...]]:
    kinds: tuple[Kind, ...] = ("measured", "predicted") if mode in COMPARING else (mode,)  # type: ignore[assignment]
    spaces = {kind: wish.space if kind == "measured" else expression.predicted_space for kind in kinds}
    values = {kind: scaled(expression.shown_values(wish, kind), wish, spaces[kind]) for kind in kinds}
    limits = {kind: wish.limits or automatic_limits(values[kind], wish.clip) for kind in kinds}
    notes: tuple[str, ...] = ()
    if len(kinds) == 2 and wish.limits is None:
        if wish.members or spaces["measured"] == spaces["predicted"]:
            shared = joined_limits(limits["measured"], limits["predicted"])
            limits = dict.fromkeys(kinds, shared)
        else:
            notes = (_two_scales(expression, wish),)
    panels = tuple(
        Panel(
            kind,
            f"{wish.gene} · {kind} · {scale_words(wish, spaces[kind])}",
            values[kind],
            limits[kind],
            wish.colormap,
        )
        for kind in kinds
    )
    return panels, (*notes, *_without_logarithm(wish, spaces.values()))


def _without_logarithm(wish: Wish, spaces: Iterable[str]) -> tuple[str, ...]:
    """What to say where the logarithm cannot be taken away."""
    if wish.log or any(is_linear(wish, space) for space in spaces):
        return ()
    return ("These values have no scale without logarithm: they are shown as they are.",)


def _two_scales(expression: Expression, wish: Wish) -> str:
    predicted = SPACE_NAMES.get(expression.predicted_space, expression.predicted_space)
    same = {"gene": "the gene", "spot": "the spot"}.get(expression.predicted_space)
    remedy = f' Set Values to "Relative to {same}" to compare on one scale.' if same else ""
    return f"Each map has its own colour limits (measured: {SPACE_NAMES[wish.space]}; predicted: {predicted}).{remedy}"


def _difference(wish: Wish, expression: Expression) -> tuple[tuple[Panel, ...], tuple[str, ...]]:
    spaces = {"measured": wish.space, "predicted": expression.predicted_space}
    measured = scaled(expression.shown_values(wish, "measured"), wish, spaces["measured"])
    predicted = scaled(expression.shown_values(wish, "predicted"), wish, spaces["predicted"])
    same_space = wish.space == expression.predicted_space
    what = scale_words(wish, wish.space) if same_space and not wish.members else "standard deviations"
    notes: tuple[str, ...] = ()
    # Means of z-scores are on one scale as they are.
    if not same_space and not wish.members:
        measured, predicted = _standardised(measured), _standardised(predicted)
        notes = ("Both maps were centred and divided by their spread first: they are on different scales.",)
    values = (predicted - measured).astype(np.float32)
    bound = wish.bound or round_up(max(map(abs, automatic_limits(values, wish.clip))))
    panel = Panel(
        "difference", f"{wish.gene} · predicted minus measured · {what}", values, (-bound, bound), "difference"
    )
    return (panel,), (*notes, *_without_logarithm(wish, spaces.values()))


def _standardised(values: Float32) -> Float32:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return values
    spread = float(finite.std())
    return ((values - float(finite.mean())) / (spread if spread > 0 else 1.0)).astype(np.float32)


def _of_list(wish: Wish, expression: Expression) -> tuple[str, ...]:
    """How many genes of a list stand behind its map."""
    here = len(expression.listed(wish.members))
    return (f"{here} of {len(wish.members)} listed genes are on this slide.",) if here < len(wish.members) else ()


def _absences(wish: Wish, mode: Mode, panels: tuple[Panel, ...], expression: Expression) -> tuple[str, ...]:
    """What is grey, and why."""
    gene = wish.gene
    if mode != "measured" and not any(map(expression.predicts, expression.listed(wish.members or (gene,)))):
        return (f"This model does not predict {gene}: grey.",)
    missing = max(int(np.isnan(panel.values).sum()) for panel in panels)
    if not missing:
        return ()
    if missing == len(expression.spots):
        return (f"{gene} was not measured in this section: grey.",)
    return (f"{missing} of {len(expression.spots)} spots have no value: light grey.",)
