"""The page of a figure in inches: sizes, bare axes, and words that stay within a width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pair: TypeAlias = tuple[float, float]

CHARACTER = 0.55
"""Width of a letter as a share of its height, on the safe side."""
TITLE_PT, SMALL_PT, LEAST_PT = 9.0, 6.5, 4.5
GREY = "#555555"


def letters_within(inches: float, size: float = SMALL_PT) -> int:
    """How many letters fit a width."""
    return int(72 * inches / (CHARACTER * size))


def axes_at(figure: Figure, total: Pair, at: Pair, size: Pair) -> Axes:
    """Bare axes at a place and of a size given in inches."""
    axes: Axes = figure.add_axes((at[0] / total[0], at[1] / total[1], size[0] / total[0], size[1] / total[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def fit_words(figure: Figure, words: str, total: Pair, at: Pair, width: float, *, size: float, **style: Any) -> None:
    """Words from a place in inches on: smaller where they are too wide, cut off where that is not enough."""
    if not words:
        return
    text = figure.text(at[0] / total[0], at[1] / total[1], words, fontsize=size, parse_math=False, **style)
    wide = text.get_window_extent().width / figure.dpi
    if wide > width:
        text.set_fontsize(max(LEAST_PT, size * width / wide))
    wide = text.get_window_extent().width / figure.dpi
    if wide > width:
        text.set_text(words[: int(len(words) * width / wide) - 2] + "\N{HORIZONTAL ELLIPSIS}")
