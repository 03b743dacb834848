"""Maps of a section as a figure: slide beneath, spots at true size, colour bars, scale bar. Values in."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gr2st.colours import paint

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gr2st.colours import Limits
    from gr2st.io.slide_window import SlideWindow, Window
    from gr2st.types import Float32, Float64

Pair: TypeAlias = tuple[float, float]

DPI = 300
MAP_INCHES = 4.2
"""Longer side of a map."""
LEFT, GAP, TOP, HEAD, BAR, LINE = 0.08, 0.22, 0.3, 0.27, 0.42, 0.115
"""Inches: margin, between maps, heading, title of a map, strip of the bars, a line of the caption."""
CHARACTER = 0.55
"""Width of a letter as a share of its height, on the safe side."""
TITLE_PT, SMALL_PT, LEAST_PT = 9.0, 6.5, 4.5
GREY = "#555555"
AT_ONCE = 2_000
"""Spots drawn in one call: a thread that draws lets others work between two calls."""
MOST_VECTORS = 50_000
"""More spots than that are pixels also in a vector figure."""


@dataclass(frozen=True, eq=False)
class Map:
    """Values (n,) of the spots under a title; NaN is drawn grey. Without values only the slide is drawn."""

    title: str
    values: Float32 | None = None
    limits: Limits = (0.0, 1.0)
    colormap: str = "viridis"
    unit: str = ""
    """What the numbers of the colour bar are."""


@dataclass(frozen=True, eq=False)
class Outline:
    """An area to be outlined: rings (k, 2) in level-0 pixels, and its colour."""

    rings: tuple[Float64, ...]
    colour: str


@dataclass(frozen=True, eq=False)
class MapFigure:
    """All that a figure of a section shows.

    Attributes
    ----------
    maps : tuple of Map
        Beside each other, all of the same window.
    xy : (n, 2) float64
        Spot centres in level-0 pixels.
    diameter_px : float
        Of a spot, in level-0 pixels.
    window : left, top, right, bottom
        What is shown, in level-0 pixels.
    picture : SlideWindow or None
        The slide beneath, as `gr2st.read_window` reads it.
    um_per_px : float or None
        Without it there is no scale bar.
    heading, caption : str
        Above and below the maps.
    outlines : tuple of Outline
        On every map.
    """

    maps: tuple[Map, ...]
    xy: Float64
    diameter_px: float
    window: Window
    picture: SlideWindow | None = None
    um_per_px: float | None = None
    heading: str = ""
    caption: str = ""
    outlines: tuple[Outline, ...] = ()


def window_round(xy: Float64, margin_px: float) -> Window:
    """The window that holds all spots with a margin."""
    (left, top), (right, bottom) = xy.min(axis=0) - margin_px, xy.max(axis=0) + margin_px
    return (float(left), float(top), float(right), float(bottom))


def pixels_wanted(dpi: int = DPI) -> int:
    """Pixels of the slide on the longer side of a map."""
    return round(MAP_INCHES * dpi)


def draw_maps(shown: MapFigure) -> Figure:
    """The maps beside each other; no state of matplotlib that others share is touched."""
    from matplotlib.figure import Figure

    width, height = _size_of_map(shown.window)
    count = len(shown.maps)
    within = count * width + (count - 1) * GAP
    lines = wrap(shown.caption, int(72 * within / (CHARACTER * SMALL_PT)))
    head, foot = TOP if shown.heading else 0.0, 0.05 + LINE * len(lines)
    total = (2 * LEFT + within, head + HEAD + height + BAR + foot)
    figure = Figure(figsize=total, dpi=DPI, facecolor="white")
    for place, one in enumerate(shown.maps):
        left, bottom = LEFT + place * (width + GAP), foot + BAR
        _draw_map(_axes(figure, total, (left, bottom), (width, height)), one, shown)
        _fit(figure, one.title, total, (left, bottom + height + 0.08), width, size=TITLE_PT)
        if one.values is not None:
            _draw_colour_bar(figure, one, total, (left, foot), width)
        _draw_scale_bar(figure, shown, total, (left, foot), width)
    _fit(figure, shown.heading, total, (LEFT, total[1] - TOP + 0.08), within, weight="bold", size=10.0)
    for above, line in enumerate(reversed(lines)):
        _fit(figure, line, total, (LEFT, 0.07 + LINE * above), within, color=GREY, size=SMALL_PT)
    return figure


def scale_bar_um(across_um: float) -> float:
    """Length of a scale bar on a map of this width: 1, 2 or 5 times a power of ten, at most a third."""
    most = across_um / 3
    power = 10.0 ** np.floor(np.log10(most))
    return float(power * max(step for step in (1, 2, 5) if step * power <= most))


def _size_of_map(window: Window) -> Pair:
    across, down = window[2] - window[0], window[3] - window[1]
    return MAP_INCHES * min(1.0, across / down), MAP_INCHES * min(1.0, down / across)


def _axes(figure: Figure, total: Pair, at: Pair, size: Pair) -> Axes:
    """Bare axes at a place and of a size given in inches."""
    axes: Axes = figure.add_axes((at[0] / total[0], at[1] / total[1], size[0] / total[0], size[1] / total[1]))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes


def _draw_map(axes: Axes, one: Map, shown: MapFigure) -> None:
    left, top, right, bottom = shown.window
    if shown.picture is not None:
        x0, y0, x1, y1 = shown.picture.covers
        axes.imshow(shown.picture.pixels, extent=(x0, x1, y1, y0), zorder=0)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="auto")
    for outline in shown.outlines:
        for ring in outline.rings:
            axes.fill(*ring.T, fill=False, edgecolor=outline.colour, linewidth=1, zorder=2)
    if one.values is None:
        return
    radius = shown.diameter_px / 2
    inside = (shown.xy > (left - radius, top - radius)).all(axis=1)
    inside &= (shown.xy < (right + radius, bottom + radius)).all(axis=1)
    xy, colours = shown.xy[inside], paint(one.values[inside], one.limits, one.colormap)
    for start in range(0, len(xy), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        _draw_discs(axes, xy[part], colours[part], shown.diameter_px, as_pixels=len(xy) > MOST_VECTORS)


def _draw_discs(axes: Axes, xy: Float64, colours: Float64, diameter: float, *, as_pixels: bool) -> None:
    from matplotlib.collections import EllipseCollection

    discs = EllipseCollection(
        [diameter],
        [diameter],
        [0],
        units="xy",
        offsets=xy,
        offset_transform=axes.transData,
        facecolors=colours,
        linewidths=0,
        rasterized=as_pixels,
        zorder=1,
    )
    axes.add_collection(discs, autolim=False)


def _draw_colour_bar(figure: Figure, one: Map, total: Pair, at: Pair, width: float) -> None:
    """A strip of the colours as they lie over white, its ends and its middle with numbers."""
    left, foot = at
    bar = _axes(figure, total, (left, foot + BAR - 0.15), (0.45 * width, 0.09))
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
    _fit(figure, one.unit, total, (left + 0.47 * width, foot + BAR - 0.13), 0.2 * width, size=SMALL_PT, color=GREY)


def _number(value: float, span: float) -> str:
    digits = max(0, int(np.ceil(1.5 - np.log10(span)))) if span > 0 else 2
    return f"{value:.{min(digits, 6)}f}".replace("-", "\N{MINUS SIGN}")


def _draw_scale_bar(figure: Figure, shown: MapFigure, total: Pair, at: Pair, width: float) -> None:
    if shown.um_per_px is None:
        return
    across_um = (shown.window[2] - shown.window[0]) * shown.um_per_px
    length = scale_bar_um(across_um)
    right, middle = at[0] + width, at[1] + BAR - 0.1
    start = right - width * length / across_um
    line = _line(figure, (start / total[0], right / total[0]), middle / total[1])
    figure.add_artist(line)
    words = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} \N{MICRO SIGN}m"
    at = ((start + right) / 2 / total[0], (middle - 0.13) / total[1])
    figure.text(*at, words, fontsize=SMALL_PT, ha="center")


def _line(figure: Figure, x: Pair, y: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(x, (y, y), color="black", linewidth=2, solid_capstyle="butt", transform=figure.transFigure)


def _fit(figure: Figure, words: str, total: Pair, at: Pair, width: float, *, size: float, **style: Any) -> None:
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
