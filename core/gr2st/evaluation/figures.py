"""Pictures of the scores of an evaluation, for a page and for a file: without a screen, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gr2st.evaluation.ranking import is_oracle

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gr2st.types import Float64

Space = Literal["pcc_spot", "pcc_gene"]

TITLES: Mapping[Space, str] = {"pcc_spot": "spot-normalised (S)", "pcc_gene": "gene-normalised (T)"}
PANELS = ("spread", "disagreement", "confidence", "distance")
"""Measures of doubt that have tenths, in the order they are drawn."""
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""Okabe and Ito's colours, told apart by the colour-blind."""
MARKERS = "osD^vPX*"
GREY = "#8a8a8a"
ROW_INCHES = 0.42
WIDTH_INCHES = 8.0
LEGEND_ROWS = 12


def box_plot(genes: pd.DataFrame, space: Space) -> Figure:
    """Scores of single genes, a box per model: median, quartiles, and whiskers to the 5th and 95th percentile.

    Parameters
    ----------
    genes : DataFrame
        As `gr2st.read_gene_scores` returns it; a gene counts once per model, with its mean over sections and seeds.
    space : "pcc_spot" or "pcc_gene"
    """
    labels = _labels(genes)
    means = genes.groupby(["model", "gene"], sort=False)[space].mean()
    scores = [_known(means.loc[[label]].to_numpy(np.float64)) for label in labels]
    figure, axes = _rows_of(labels, f"Pearson r of each gene, {TITLES[space]}")
    for place, (label, values) in enumerate(zip(labels, scores, strict=True), start=1):
        if len(values):
            _draw_box(axes, place, values, _colour(label, labels))
        else:
            _say_no_score(axes, place)
    _name_rows(axes, labels)
    return figure


def section_dots(sections: pd.DataFrame, patients: Mapping[str, str | None], space: Space) -> Figure:
    """The score of every section, a row per model, a colour and a mark per patient; a bar marks the mean.

    Parameters
    ----------
    sections : DataFrame
        As `gr2st.read_section_scores` returns it; a section counts once per model, with its mean over seeds.
    patients : section -> patient
        Sections of no known patient are drawn as those of a patient of their own.
    space : "pcc_spot" or "pcc_gene"
    """
    labels = _labels(sections)
    means = sections.groupby(["model", "section"], sort=False)[space].mean()
    named = {name: patients.get(name) or name for name in map(str, sections["section"].unique())}
    people = list(dict.fromkeys(named.values()))
    figure, axes = _rows_of(labels, f"Pearson r of each section, mean over genes, {TITLES[space]}", len(people))
    for place, label in enumerate(labels, start=1):
        scores = means.loc[label].dropna()
        heights = place + _spread(len(scores))
        for number, person in enumerate(people):
            mine = np.array([named[str(name)] == person for name in scores.index], bool)
            style = _mark(number) | _legend(place, person)
            axes.scatter(scores.to_numpy(np.float64)[mine], heights[mine], s=34, linewidths=0, **style)
        if len(scores):
            axes.plot([scores.mean()] * 2, [place - 0.32, place + 0.32], color="black", linewidth=2)
        else:
            _say_no_score(axes, place)
    _name_rows(axes, labels)
    if len(people) > 1:
        columns = -(-len(people) // LEGEND_ROWS)
        figure.legend(title="patient", loc="outside right upper", frameon=False, fontsize=8, ncols=columns)
    return figure


def calibration_curves(calibration: pd.DataFrame, labels: Sequence[str]) -> Figure | None:
    """Error over the tenths of each measure of doubt, a panel per measure, a line per model; None where there is none.

    Parameters
    ----------
    calibration : DataFrame
        As `gr2st.read_calibration` returns it.
    labels : names of all models of the evaluation
        A model has the colour of its place among them, here as in the other figures.
    """
    from matplotlib.figure import Figure

    lines = calibration[calibration["section"].isna() & calibration["bin"].notna()]
    measures = [name for name in PANELS if (lines["measure"] == name).any()]
    if not measures:
        return None
    figure = Figure(figsize=(WIDTH_INCHES, 2.8), layout="constrained", dpi=120)
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, measures, strict=True):
        for label, own in lines[lines["measure"] == measure].groupby("model", sort=False):
            axes.plot(own["bin"], own["mae"], "o-", color=_colour(str(label), labels), label=label, markersize=3)
        _dress_panel(axes, measure)
    panels[0].set_ylabel("mean absolute error")
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _dress_panel(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("tenth, low to high", fontsize=8)
    axes.set_xticks([1, 5, 10])
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_box(axes: Axes, place: int, values: Float64, colour: str) -> None:
    low, first, middle, third, high = np.percentile(values, [5, 25, 50, 75, 95])
    axes.plot([low, high], [place, place], color="black", linewidth=0.9, zorder=2)
    axes.barh(place, third - first, 0.6, left=first, color=colour, edgecolor="black", linewidth=0.8, zorder=3)
    axes.plot([middle] * 2, [place - 0.3, place + 0.3], color="black", linewidth=1.8, zorder=4)
    beyond = values[(values < low) | (values > high)]
    axes.scatter(beyond, np.full(len(beyond), place), s=6, color=GREY, linewidths=0, zorder=2)


def _say_no_score(axes: Axes, place: int) -> None:
    axes.annotate("  no score: the same everywhere", (0, place), color=GREY, fontsize=8, va="center")


def _mark(number: int) -> dict[str, Any]:
    """Colour and mark of a patient; 64 of them differ."""
    round_ = number // len(COLOURS)
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[(number + round_) % len(MARKERS)], "zorder": 3}


def _legend(place: int, person: str) -> dict[str, Any]:
    """Each patient is named once."""
    return {"label": person} if place == 1 else {}


def _labels(scores: pd.DataFrame) -> list[str]:
    return list(map(str, scores["model"].unique()))


def _known(values: Float64) -> Float64:
    known: Float64 = values[~np.isnan(values)]
    return known


def _rows_of(labels: Sequence[str], title: str, named: int = 0) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    legend = 0.2 * min(named, LEGEND_ROWS)
    height = 1.0 + max(ROW_INCHES * max(len(labels), 2), legend)
    figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained", dpi=120)
    axes = figure.subplots()
    axes.set_xlabel(title)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _name_rows(axes: Axes, labels: Sequence[str]) -> None:
    """The first model on top; one that reads the test section says so."""
    names = [f"{label}\n(reads the test section)" if is_oracle(label) else label for label in labels]
    axes.set_yticks(range(1, len(labels) + 1), names)
    axes.set_ylim(len(labels) + 0.6, 0.4)


def _colour(label: str, labels: Sequence[str]) -> str:
    return GREY if is_oracle(label) else COLOURS[list(labels).index(label) % len(COLOURS)]


def _spread(count: int) -> Float64:
    """Heights of the dots of one row, so that none hides another."""
    return np.linspace(-0.24, 0.24, count) if count > 1 else np.zeros(count)
