"""Maps of a section as a figure: slide beneath, spots at true size, colour bars or legends, scale bar. Values in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st.evaluation.figure_key import draw_key, key_height
from gr2st.evaluation.figure_page import GREY, SMALL_PT, TITLE_PT, axes_at, fit_words, letters_within

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gr2st.evaluation.figure_maps import AnyMap
    from gr2st.evaluation.figure_page import Pair
    from gr2st.io.slide_window import SlideWindow, Window
    from gr2st.types import Float64

DPI = 300
MAP_INCHES = 4.2
"""Longer side of a map."""
LEFT, GAP, TOP, HEAD, LINE = 0.08, 0.22, 0.3, 0.27, 0.115
"""Inches: margin, between maps, heading, title of a map, a line of the caption."""
AT_ONCE = 2_000
"""Spots drawn in one call: a thread that draws lets others work between two calls."""
MOST_VECTORS = 50_000
"""More spots than that are pixels also in a vector figure."""


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
    maps : tuple of Map or ClassMap
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

    maps: tuple[AnyMap, ...]
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

    shown = _in_window(shown)
    width, height = _size_of_map(shown.window)
    count = len(shown.maps)
    within = count * width + (count - 1) * GAP
    lines = wrap(shown.caption, letters_within(within))
    has_scale = shown.um_per_px is not None
    strip = max(key_height(one, width, has_scale=has_scale) for one in shown.maps)
    head, foot = TOP if shown.heading else 0.0, 0.05 + LINE * len(lines)
    total = (2 * LEFT + within, head + HEAD + height + strip + foot)
    figure = Figure(figsize=total, dpi=DPI, facecolor="white")
    for place, one in enumerate(shown.maps):
        left, bottom = LEFT + place * (width + GAP), foot + strip
        _draw_map(axes_at(figure, total, (left, bottom), (width, height)), one, shown)
        fit_words(figure, one.title, total, (left, bottom + height + 0.08), width, size=TITLE_PT)
        draw_key(figure, one, total, (left, bottom), width, has_scale=has_scale)
        _draw_scale_bar(figure, shown, total, (left, bottom), width)
    fit_words(figure, shown.heading, total, (LEFT, total[1] - TOP + 0.08), within, weight="bold", size=10.0)
    for above, line in enumerate(reversed(lines)):
        fit_words(figure, line, total, (LEFT, 0.07 + LINE * above), within, color=GREY, size=SMALL_PT)
    return figure


def scale_bar_um(across_um: float) -> float:
    """Length of a scale bar on a map of this width: 1, 2 or 5 times a power of ten, at most a third."""
    most = across_um / 3
    power = 10.0 ** np.floor(np.log10(most))
    return float(power * max(step for step in (1, 2, 5) if step * power <= most))


def _in_window(shown: MapFigure) -> MapFigure:
    """The same without the spots that no part of can be seen."""
    (left, top, right, bottom), radius = shown.window, shown.diameter_px / 2
    low, high = (left - radius, top - radius), (right + radius, bottom + radius)
    seen = np.asarray(((shown.xy > low) & (shown.xy < high)).all(axis=1))
    return replace(shown, xy=shown.xy[seen], maps=tuple(one.of(seen) for one in shown.maps))


def _size_of_map(window: Window) -> Pair:
    across, down = window[2] - window[0], window[3] - window[1]
    return MAP_INCHES * min(1.0, across / down), MAP_INCHES * min(1.0, down / across)


def _draw_map(axes: Axes, one: AnyMap, shown: MapFigure) -> None:
    left, top, right, bottom = shown.window
    if shown.picture is not None:
        x0, y0, x1, y1 = shown.picture.covers
        axes.imshow(shown.picture.pixels, extent=(x0, x1, y1, y0), zorder=0)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="auto")
    for outline in shown.outlines:
        for ring in outline.rings:
            axes.fill(*ring.T, fill=False, edgecolor=outline.colour, linewidth=1, zorder=2)
    colours = one.colours()
    if colours is None:
        return
    xy, colours = shown.xy[colours[:, 3] > 0], colours[colours[:, 3] > 0]
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


def _draw_scale_bar(figure: Figure, shown: MapFigure, total: Pair, at: Pair, width: float) -> None:
    if shown.um_per_px is None:
        return
    across_um = (shown.window[2] - shown.window[0]) * shown.um_per_px
    length = scale_bar_um(across_um)
    right, middle = at[0] + width, at[1] - 0.1
    start = right - width * length / across_um
    line = _line(figure, (start / total[0], right / total[0]), middle / total[1])
    figure.add_artist(line)
    words = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} \N{MICRO SIGN}m"
    at = ((start + right) / 2 / total[0], (middle - 0.13) / total[1])
    figure.text(*at, words, fontsize=SMALL_PT, ha="center")


def _line(figure: Figure, x: Pair, y: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(x, (y, y), color="black", linewidth=2, solid_capstyle="butt", transform=figure.transFigure)
