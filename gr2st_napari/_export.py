"""What is shown, as values of a figure and as the settings of its sidecar. Pure: no Qt, no viewer."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import (
    NOT_DRAWN,
    ClassMap,
    Map,
    MapClass,
    MapFigure,
    Outline,
    keys,
    prediction_told,
    section_told,
    window_round,
)
from gr2st_napari._classes import NO_CLASS, NO_CLASS_WORDS, legend_lines
from gr2st_napari._colours import ClassColours
from gr2st_napari._opening import grid_of, placement_of
from gr2st_napari._regions import colours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gr2st import Region
    from gr2st_napari._classes import Classes
    from gr2st_napari._expression import Expression
    from gr2st_napari._opening import Opened
    from gr2st_napari._panels import Display, Panel
    from gr2st_napari._state import State, Wish

Window = tuple[float, float, float, float]
"""Left, top, right, bottom in level-0 pixels."""

MARGIN_SPOTS = 1.5
"""Room round a whole section, in spot diameters."""
SCALES = {
    "spot": "spot-normalised: log10(1 + 10,000 x share of the gene in the counts of its spot)",
    "gene": "gene-normalised: log10(1 + 10,000 x share of the spot in the counts of its gene)",
}


def figure_of(
    display: Display,
    expression: Expression,
    opened: Opened,
    window: Window | None = None,
    regions: Sequence[Region] = (),
) -> MapFigure:
    """The maps in view as a figure, of a window of the slide or of all spots; its slide is read when it is drawn."""
    placement = placement_of(opened)
    diameter = placement.spot_diameter_px
    return MapFigure(
        maps=tuple(_map(panel, display.classes) for panel in display.panels),
        xy=expression.xy,
        diameter_px=diameter,
        window=_window(expression, opened, diameter, window),
        um_per_px=placement.um_per_px,
        heading=_heading(opened),
        caption=_caption(display, opened),
        outlines=tuple(_outlines(regions)),
    )


def settings_of(display: Display, wish: Wish, opened: Opened) -> dict[str, Any]:
    """Everything that decided how the maps look."""
    told: dict[str, Any] = {
        "study": None if opened.study is None else str(opened.study.path),
        "section": opened.name,
        "view": {**asdict(wish), "gene": display.gene, "mode": display.mode, "hidden": sorted(wish.hidden)},
        "maps": [_map_told(panel, display.classes) for panel in display.panels],
        "notes": list(display.notes),
    }
    if opened.section is not None:
        told |= section_told(opened.section)
    if opened.prediction is not None:
        told |= {"prediction": _path(opened), **prediction_told(opened.prediction)}
    return told


def values_of(display: Display) -> dict[str, Any]:
    """A column (n,) for each map in view: its values, or the name of the class of each spot."""
    classes = display.classes
    if classes is not None:
        names = np.array([*classes.names, NO_CLASS], dtype=object)
        return {classes.words: names[np.nan_to_num(classes.codes, nan=-1).astype(np.int64)]}
    return {panel.title: panel.values for panel in display.panels}


def why_not_export(state: State, listed: Sequence[str]) -> dict[str, str]:
    """For everything that can be written, why it cannot be now; empty where it can. `listed`: genes in the list."""
    opened = state.opened
    no_prediction = "Needs a prediction." if opened is None or opened.prediction is None else ""
    no_section = "Needs the section of the prediction." if opened is None or opened.section is None else ""
    return {
        "figure-view": "",
        "figure-whole": "",
        "values-view": "",
        "values-all": no_prediction,
        "prediction": no_prediction,
        "report-best": no_section,
        "report-favourites": no_section or ("" if state.shelf.favourites else "No gene is a favourite yet."),
        "report-list": no_section or ("" if listed else "The list is empty."),
    }


def file_stem(display: Display, opened: Opened) -> str:
    """A name for a file: section, gene or classes and, other than the measured map, how it is looked at."""
    if display.classes is not None:
        return _joined(opened.name, display.classes.words.split(" (")[0])
    mode = "" if display.mode == "measured" else display.mode.replace(" ", "-")
    return _joined(opened.name, display.gene, mode)


def _joined(*words: str) -> str:
    """Words as a name for a file."""
    return "_".join(
        "".join(one if one.isalnum() or one in "-." else "-" for one in word) for word in filter(None, words)
    )


def _window(expression: Expression, opened: Opened, diameter: float, wanted: Window | None) -> Window:
    """What is wanted, without what lies beside the slide; all spots where nothing is left of it."""
    everything = window_round(expression.xy, MARGIN_SPOTS * diameter)
    if wanted is None:
        return everything
    slide = opened.tissue
    ends = everything if slide is None else (-0.5, -0.5, slide.width - 0.5, slide.height - 0.5)
    left, top = max(wanted[0], ends[0]), max(wanted[1], ends[1])
    right, bottom = min(wanted[2], ends[2]), min(wanted[3], ends[3])
    return (left, top, right, bottom) if right - left > 1 and bottom - top > 1 else everything


def _outlines(regions: Sequence[Region]) -> Iterator[Outline]:
    for region, colour in zip(regions, colours(regions), strict=True):
        yield Outline(tuple(ring for polygon in region.polygons for ring in polygon), colour)


def _map(panel: Panel, classes: Classes | None) -> Map | ClassMap:
    if isinstance(panel.colormap, ClassColours):
        assert classes is not None, "colours of classes are those of some classes"
        return _map_of_classes(panel.title, classes, panel.colormap)
    return Map(panel.title, panel.values, panel.limits, panel.colormap)


def _map_of_classes(title: str, classes: Classes, drawn: ClassColours) -> ClassMap:
    """The classes as a figure takes them; those that are hidden on the screen are not drawn."""
    listed = zip(*legend_lines(classes), strict=True)
    lines = tuple(MapClass(name or NO_CLASS_WORDS, count, colour) for name, count, colour in listed)
    codes = np.nan_to_num(classes.codes, nan=len(classes.names)).astype(np.int64)
    hidden = [*drawn.hidden, *([] if drawn.shows_rest else [len(classes.names)])]
    return ClassMap(title, np.where(np.isin(codes, hidden), NOT_DRAWN, codes), lines)


def _map_told(panel: Panel, classes: Classes | None) -> dict[str, Any]:
    shown = _map(panel, classes)
    if isinstance(shown, ClassMap):
        return {"title": panel.title, "classes": [asdict(one) for one in shown.classes]}
    return {"title": panel.title, "limits": list(panel.limits), "colormap": panel.colormap}


def _path(opened: Opened) -> str | None:
    return None if opened.prediction_path is None else str(opened.prediction_path)


def _heading(opened: Opened) -> str:
    patient = "" if opened.section is None or opened.section.patient is None else f", patient {opened.section.patient}"
    kind = "Section" if grid_of(opened.prediction) is None else "Slide"
    return f"{kind} {opened.name}{patient}"


def _caption(display: Display, opened: Opened) -> str:
    """Whose prediction it is, what the numbers mean, and what is grey or left out."""
    colours = display.panels[0].colormap
    if display.classes is not None and isinstance(colours, ClassColours):
        return _caption_of_classes(display.classes, colours)
    prediction = opened.prediction
    said = []
    if prediction is not None and display.mode != "measured":
        trained = prediction.table.uns.get(keys.PROVENANCE, {}).get("trained_on", ())
        on = f", trained on {', '.join(map(str, trained))}" if len(trained) else ""
        said.append(f"Predicted by {prediction.model}{on}")
    titles = " ".join(panel.title for panel in display.panels)
    said += [words for name, words in SCALES.items() if f"{name}-normalised" in titles]
    if any(np.isnan(panel.values).any() for panel in display.panels):
        said.append("grey: no value")
    text = " · ".join(said)
    return text[:1].upper() + text[1:]


def _caption_of_classes(classes: Classes, drawn: ClassColours) -> str:
    hidden = [classes.names[at] for at in sorted(drawn.hidden)]
    if classes.n_without and not drawn.shows_rest:
        hidden.append(NO_CLASS_WORDS)
    left_out = f" · Not drawn: {', '.join(hidden)}" if hidden else ""
    return f"In brackets: spots in the whole section{left_out}"
