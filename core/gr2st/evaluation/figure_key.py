"""What stands below a map of a figure: its colour bar, or the legend of its classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from gr2st.colours import paint
from gr2st.evaluation.figure_maps import ClassMap
from gr2st.evaluation.figure_page import CHARACTER, GREY, SMALL_PT, axes_at, fit_words, letters_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from gr2st.evaluation.figure_maps import AnyMap, Map, MapClass
    from gr2st.evaluation.figure_page import Pair

BAR = 0.42
"""Inches: height of a colour bar with its numbers, and of the scale bar beside it."""
ROW, SWATCH, INDENT, ABOVE, BELOW = 0.125, 0.085, 0.14, 0.06, 0.1
"""Inches of a legend: a line, a square of colour, from there to its words, room over and under all lines."""
BESIDE, UNDER = 0.64, 0.34
"""Of a legend beside the scale bar its share of the width; of one under the scale bar the inches from the map."""
MOST_LINES = 2
"""Of one name; what is longer is cut off."""
FEWEST_ROWS = 4
"""So many classes stand below each other before a second column begins."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A class in the legend: where it begins, in inches from the left and from the top, and its lines."""

    left: float
    top: float
    kind: MapClass
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Legend:
    """Classes laid out below a map; `height` and `words_width` in inches."""

    entries: tuple[Entry, ...]
    height: float
    words_width: float

    @property
    def n_cut(self) -> int:
        """How many names are cut off, or broken within a word."""
        return sum(" ".join(entry.lines) != f"{entry.kind.name} {_number_of(entry.kind)}" for entry in self.entries)


def key_height(one: AnyMap, width: float, *, has_scale: bool) -> float:
    """Inches that the key of a map takes below it."""
    return max(BAR, legend_of(one.classes, width, has_scale=has_scale).height) if isinstance(one, ClassMap) else BAR


def draw_key(figure: Figure, one: AnyMap, total: Pair, at: Pair, width: float, *, has_scale: bool) -> None:
    """The key of a map, from `at` (left, top) downwards."""
    if isinstance(one, ClassMap):
        _draw_legend(figure, legend_of(one.classes, width, has_scale=has_scale), total, at)
    elif one.values is not None:
        _draw_colour_bar(figure, one, total, at, width)


def legend_of(classes: Sequence[MapClass], width: float, *, has_scale: bool) -> Legend:
    """Lay classes out below a map: beside the scale bar, or under it where names are cut off or columns grow long."""
    if not has_scale:
        return _laid_out(classes, width, 0.0)
    beside, under = _laid_out(classes, BESIDE * width, 0.0), _laid_out(classes, width, UNDER)
    is_better = beside.n_cut > 0 or under.height < beside.height - 2 * ROW
    return under if is_better else beside


def _laid_out(classes: Sequence[MapClass], room: float, top: float) -> Legend:
    columns = _columns(classes, room)
    across, words_width = room / columns, room / columns - INDENT - SWATCH
    entries, height = [], 0.0
    for column, part in enumerate(_parts(classes, math.ceil(len(classes) / columns))):
        down = top + ABOVE
        for kind in part:
            lines = _lines(kind, letters_within(words_width))
            entries.append(Entry(column * across, down, kind, lines))
            down += ROW * len(lines)
        height = max(height, down + BELOW)
    return Legend(tuple(entries), height, words_width)


def _columns(classes: Sequence[MapClass], room: float) -> int:
    """As many as hold every name on one line, unless the columns become too short."""
    longest = max((len(f"{one.name} {_number_of(one)}") for one in classes), default=1)
    wanted = INDENT + SWATCH + longest * CHARACTER * SMALL_PT / 72
    return max(1, min(int(room / wanted), math.ceil(len(classes) / FEWEST_ROWS)))


def _parts(classes: Sequence[MapClass], size: int) -> Iterator[Sequence[MapClass]]:
    for start in range(0, len(classes), max(size, 1)):
        yield classes[start : start + size]


def _lines(kind: MapClass, letters: int) -> tuple[str, ...]:
    """The name over at most `MOST_LINES` lines, and behind it the number of spots."""
    number = _number_of(kind)
    within = max(letters - len(number) - 1, 6)
    *first, last = wrap(kind.name, within, max_lines=MOST_LINES, placeholder="\N{HORIZONTAL ELLIPSIS}") or [""]
    return (*first, f"{last} {number}")


def _number_of(kind: MapClass) -> str:
    return f"({kind.n_spots:,})"


def _draw_legend(figure: Figure, legend: Legend, total: Pair, at: Pair) -> None:
    from matplotlib.patches import Rectangle

    for entry in legend.entries:
        left, line = at[0] + entry.left, at[1] - entry.top - ROW + 0.03
        corner, size = (left / total[0], (line - 0.01) / total[1]), (SWATCH / total[0], SWATCH / total[1])
        square = Rectangle(corner, *size, transform=figure.transFigure, edgecolor=GREY, linewidth=0.3)
        square.set_facecolor(entry.kind.colour)
        figure.add_artist(square)
        for row, words in enumerate(entry.lines):
            place = (left + INDENT, line - ROW * row)
            fit_words(figure, words, total, place, legend.words_width, size=SMALL_PT)


def _draw_colour_bar(figure: Figure, one: Map, total: Pair, at: Pair, width: float) -> None:
    """A strip of the colours as they lie over white, its ends and its middle with numbers."""
    left, top = at
    bar = axes_at(figure, total, (left, top - 0.15), (0.45 * width, 0.09))
    low, high = one.limits
    steps = paint(np.linspace(low, high, 256), one.limits, one.colormap)[None]
    bar.imshow(steps, extent=(low, high, 0, 1), aspect="auto", interpolation="nearest")
    bar.spines[:].set(visible=True, linewidth=0.4, color=GREY)
    ticks = [low, (low + high) / 2, high]
    bar.set_xticks(ticks, [_number(tick, high - low) for tick in ticks])
    bar.tick_params(axis="x", labelsize=SMALL_PT, length=1.8, width=0.4, pad=1.2)
    first, _, last = bar.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    fit_words(figure, one.unit, total, (left + 0.47 * width, top - 0.13), 0.2 * width, size=SMALL_PT, color=GREY)


def _number(value: float, span: float) -> str:
    digits = max(0, int(np.ceil(1.5 - np.log10(span)))) if span > 0 else 2
    return f"{value:.{min(digits, 6)}f}".replace("-", "\N{MINUS SIGN}")
