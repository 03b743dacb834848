"""Regions <-> shapes of a napari Shapes layer. Pure, no napari: x, y becomes row, column in `_layers`."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import Region
from gr2st_napari._layers import rows_columns
from gr2st_napari._regions import colours, free_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from gr2st_napari._expression import Float64

NAME, KIND, COLOUR = "name", "class", "colour"
FACE_ALPHA = 0.0
"""A tint would change the colours of the spots under it, which are numbers."""
_AREAS = ("polygon", "rectangle", "ellipse")
_CORNERS_OF_ELLIPSE = 64


def shapes_of(regions: Iterable[Region]) -> tuple[list[Float64], dict[str, list[str]]]:
    """One shape (k, 2) row, column per polygon, and the features that say which region it is of."""
    parts = [(region, polygon) for region in regions for polygon in region.polygons]
    features = {
        NAME: [region.name for region, _ in parts],
        KIND: [region.kind for region, _ in parts],
        COLOUR: ["" if region.colour is None else ",".join(map(str, region.colour)) for region, _ in parts],
    }
    return [rows_columns(_with_slits(polygon)) for _, polygon in parts], features


def regions_of(shapes: Sequence[Any], kinds: Sequence[str], features: pd.DataFrame) -> tuple[Region, ...]:
    """The regions of a layer: shapes of one name are parts of one region, one without a name gets a free one.

    Lines and paths have no area and are left out.
    """
    found: dict[str, Region] = {}
    rows: list[Any] = features.to_dict("records")
    rows += [{}] * (len(shapes) - len(rows))
    for corners, shape, row in zip(shapes, kinds, rows, strict=False):
        if shape not in _AREAS:
            continue
        outline = _ellipse(corners) if shape == "ellipse" else np.asarray(corners, np.float64)
        polygon = _without_slits(rows_columns(outline[:, -2:]))
        name = _text(row.get(NAME)) or free_name(Region("", "", ()), [*found, *map(_text, features.get(NAME, ()))])
        known = found.get(name) or Region(name, _text(row.get(KIND)), (), _rgb(_text(row.get(COLOUR))))
        found[name] = replace(known, polygons=(*known.polygons, polygon))
    return tuple(found.values())


def are_in_order(features: pd.DataFrame, wanted: dict[str, list[str]]) -> bool:
    """Whether each shape of a layer stands where `shapes_of` would put it; one without a name may stand anywhere."""
    names = [_text(name) for name in features.get(NAME, [""] * len(features))]
    return len(names) == len(wanted[NAME]) and all(
        name in ("", new) for name, new in zip(names, wanted[NAME], strict=True)
    )


def face_and_edge(regions: Iterable[Region]) -> tuple[Float64, Float64]:
    """Colours (n, 4) of the shapes of `shapes_of`: clear faces and full edges."""
    listed = tuple(regions)
    edges = [
        [*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)), 1.0]
        for region, colour in zip(listed, colours(listed), strict=True)
        for _ in region.polygons
    ]
    edge = np.array(edges, np.float64).reshape(-1, 4)
    return edge * [1, 1, 1, FACE_ALPHA], edge


def _with_slits(polygon: Sequence[Float64]) -> Float64:
    """One outline for a polygon with holes, which napari knows no other way: a slit leads to each hole and back."""
    outer, *holes = polygon
    if not holes:
        return outer
    start = outer[:1]
    return np.concatenate([outer, start, *(part for hole in holes for part in (hole, hole[:1], start))])


def _without_slits(outline: Float64) -> tuple[Float64, ...]:
    """Outline and holes of what `_with_slits` made; anything else is one ring."""
    returns = np.flatnonzero((outline == outline[0]).all(axis=1))[1:]
    if not returns.size or returns[-1] != len(outline) - 1:
        return (outline,)
    holes = [outline[begin + 1 : end - 1] for begin, end in pairwise(returns)]
    return (outline[: returns[0]], *holes)


def _ellipse(corners: Any) -> Float64:
    """Corners of an outline inside the box (4, 2) that napari keeps of an ellipse."""
    box = np.asarray(corners, np.float64)
    angle = np.linspace(0, 2 * np.pi, _CORNERS_OF_ELLIPSE, endpoint=False)[:, None]
    middle, down, across = box.mean(axis=0), (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    return np.asarray(middle + np.cos(angle) * down + np.sin(angle) * across)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _rgb(text: str) -> tuple[int, int, int] | None:
    parts = [int(part) for part in text.split(",") if part]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
