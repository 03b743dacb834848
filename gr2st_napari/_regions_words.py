"""Regions and their comparison in words: the status card, the lines of the list, the columns of the table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st import SPACE_NAMES
from gr2st_napari._advice import Card
from gr2st_napari._regions import REST, colours

if TYPE_CHECKING:
    import numpy.typing as npt

    from gr2st_napari._regions import Comparison, Sheet
    from gr2st_napari._state import State

REST_WORDS = "the rest"
NAME, KIND, SPOTS = range(3)
LIST_COLUMNS = ("Region", "Class", "Spots")
LIST_TIPS = (
    "Name of the region: double-click to change it",
    "Class, such as Tumor: double-click to type; with several rows selected, all of them get it",
    "Spots whose centre lies inside",
)
CARD_WORDS = {"open": "Open a section…", "open-sample": "Open the sample", "dismiss": "Dismiss"}
_CAUTION = "Spots of one slide are neighbours, not independent samples: q ranks genes, it proves nothing."


@dataclass(frozen=True, slots=True)
class RegionLine:
    """One row of the list of regions."""

    name: str
    kind: str
    n_spots: int
    colour: str


@dataclass(frozen=True, eq=False)
class Column:
    """One column of numbers in the table of genes; a share is shown as percent, a q with its power of ten."""

    title: str
    tip: str
    values: npt.NDArray[np.float64]
    style: str = "number"


def card_of(state: State) -> Card:
    """The one thing the user should know now."""
    sheet = state.sheet
    if sheet.problem is not None:
        return Card(sheet.problem.sentence, ("dismiss",), "error", sheet.problem.details)
    if state.opened is None:
        return Card("No slide is open. Open one, then draw regions on it.", ("open", "open-sample"))
    if sheet.note:
        return Card(sheet.note, tone="warning")
    if not sheet.regions:
        return Card("Draw a region: click its corners and press Enter, or move round it with the lasso.")
    if sheet.n_recalled:
        came = "A region" if sheet.n_recalled == 1 else f"{sheet.n_recalled} regions"
        return Card(f"{came} you drew on this slide before came back. What is drawn here is kept by itself.")
    if sheet.n_known:
        were = "One region of the file was" if sheet.n_known == 1 else f"{sheet.n_known} regions of the file were"
        return Card(f"{were} here already and left alone.")
    if state.expression is None:
        return Card("There are no spots to compare yet. Predict the slide, or these regions of it, in the dock Slide.")
    reason = why_not_compare(sheet)
    if reason:
        return Card(reason, tone="warning")
    n_a, n_b = (int(side.sum()) for side in sheet.sides)
    return Card(f"{sheet.a} holds {n_a:,} spots, {b_words(sheet.b)} {n_b:,}.")


def why_not_compare(sheet: Sheet) -> str:
    """Why A and B cannot be compared, empty where they can."""
    if not sheet.regions:
        return "Draw a region first."
    in_a, in_b = sheet.sides
    both = int((in_a & in_b).sum())
    if both:
        return f"{sheet.a} and {sheet.b} overlap: {both:,} spots lie in both. Change one of them, or choose another."
    empty = [name for name, side in ((sheet.a, in_a), (b_words(sheet.b), in_b)) if not side.any()]
    return f"No spot lies in {empty[0]}." if empty else ""


def b_words(name: str) -> str:
    """Region B by its name, or what stands in its place."""
    return REST_WORDS if name == REST else name


def region_lines(sheet: Sheet) -> list[RegionLine]:
    """The list of regions."""
    found = zip(sheet.regions, sheet.inside, colours(sheet.regions), strict=True)
    return [RegionLine(region.name, region.kind, int(inside.sum()), colour) for region, inside, colour in found]


def heading(comparison: Comparison) -> str:
    """What the table shows, and how far it carries."""
    scale = f"measured {SPACE_NAMES[comparison.space]}"
    if comparison.has_predicted:
        scale += f", predicted {SPACE_NAMES.get(comparison.predicted_space, comparison.predicted_space)}"
    old = "<b>Regions or slide have changed since: compare again.</b> " if comparison.is_outdated else ""
    return f"{old}A = {comparison.a}, B = {b_words(comparison.b)} ({scale}). {_CAUTION}"


def columns(comparison: Comparison) -> list[Column]:
    """Numbers of every gene: what measured and predicted say stands side by side."""
    wanted = [
        ("Δ", "difference", "Mean of A minus mean of B", "number"),
        ("q", "q", "Mann-Whitney U, two-sided, corrected over all genes (Benjamini-Hochberg)", "q"),
        ("A", "mean_a", "Mean over the spots of A", "number"),
        ("B", "mean_b", "Mean over the spots of B", "number"),
    ]
    kinds = {"measured": "meas.", "predicted": "pred."}
    found = [
        _column(comparison, f"{title} {short}", f"{kind}_{name}", f"{tip}, {kind}", style)
        for title, name, tip, style in wanted
        for kind, short in kinds.items()
    ]
    found += [
        _column(comparison, f"% {side}", f"measured_detected_{side.lower()}", f"Spots of {side} with counts", "share")
        for side in "AB"
    ]
    return [column for column in found if column is not None]


def _column(comparison: Comparison, title: str, name: str, tip: str, style: str) -> Column | None:
    if name not in comparison.table:
        return None
    return Column(title, tip, comparison.table[name].to_numpy(np.float64), style)


def clipboard_text(comparison: Comparison, rows: list[int]) -> str:
    """The table for a spreadsheet, tabs between the columns, in the order of `rows`."""
    return str(comparison.table.iloc[rows].to_csv(sep="\t", index=False, lineterminator="\n"))
