"""Picture and panel -> layer data tuples. Pure, no napari; the only place where x, y becomes row, column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gr2st import NOT_MEASURED
from gr2st_napari._colours import NOTHING, colormap, see_through_nan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st_napari._crossed import Crossed
    from gr2st_napari._expression import Float64, Int64
    from gr2st_napari._graph_picture import GraphPicture
    from gr2st_napari._ground import Ground
    from gr2st_napari._opening import Picture
    from gr2st_napari._panels import Panel

LayerTuple: TypeAlias = tuple[Any, dict[str, Any], str]

METADATA = "gr2st"
DROPPED = "gr2st_dropped"
"""Metadata key of a layer made by our reader: the first dock to open takes what it holds."""
FEATURE = "expr"
"""The one feature column: its name never changes, only its values do."""

FAR = 1e9
"""Farther than any slide reaches, in whatever unit."""

SMOOTH_UP_TO = 2000
"""Spots with smooth rims; more are drawn without, which is faster and gives small discs their exact colours."""

DIVIDER_COLOUR = "#ff6600"
"""Seen on slide, white and black, and in none of the colour maps."""
RING_COLOUR = (0.02, 0.02, 0.02, 1.0)
"""Of the ring round the clicked spot where its edges are coloured by attention."""


LIT_SIZE = 1.25
"""Of the ring round a spot that is lit up, in spot diameters."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How level-0 pixels lie in the viewer: micrometres where the scale is known, pixels where it is not."""

    um_per_px: float | None
    spot_diameter_px: float

    @property
    def scale(self) -> float:
        return self.um_per_px or 1.0

    @property
    def units(self) -> tuple[str, str]:
        return ("um", "um") if self.um_per_px else ("pixel", "pixel")

    @property
    def place(self) -> dict[str, Any]:
        """What layers in level-0 pixels need to lie right."""
        return {"scale": (self.scale, self.scale), "units": self.units, "axis_labels": ("y", "x")}


def rows_columns(xy: Float64) -> Float64:
    """(n, 2) x, y -> (n, 2) row, column."""
    return np.ascontiguousarray(xy[:, ::-1])


def picture_layer(picture: Picture, placement: Placement, *, name: str) -> LayerTuple:
    """The slide as a multiscale image; a reduced picture is scaled up so that pixel centres stay in place."""
    keywords = {
        "name": name,
        "rgb": True,
        "multiscale": True,
        "metadata": {METADATA: {"role": "slide"}},
        **picture_place(picture, placement),
    }
    return list(picture.levels), keywords, "image"


def picture_place(picture: Picture, placement: Placement) -> dict[str, Any]:
    """Scale, translation and units of a picture whose pixels are `picture.shrink` level-0 pixels wide."""
    scale = np.multiply(picture.shrink, placement.scale)
    shift = 0.5 * (np.asarray(picture.shrink) - 1) * placement.scale
    return {"scale": tuple(scale), "translate": tuple(shift), "units": placement.units, "axis_labels": ("y", "x")}


def heatmap_layers(panel: Panel, ground: Ground, *, source: Mapping[str, Any]) -> list[LayerTuple]:
    """What a heatmap is made of, bottom first."""
    if ground.raster is None:
        return [spots_layer(panel, ground, source=source)]
    return [gaps_layer(panel, ground), pixels_layer(panel, ground, source=source)]


def spots_layer(panel: Panel, ground: Ground, *, source: Mapping[str, Any]) -> LayerTuple:
    """Spots as discs of true size, coloured by one feature."""
    xy, placement = ground.expression.xy, ground.placement
    keywords = {
        "name": panel.title,
        "size": placement.spot_diameter_px,
        "features": {FEATURE: panel.values},
        "face_color": FEATURE,
        "face_colormap": colormap(panel.colormap),
        "face_contrast_limits": panel.limits,
        "border_width": 0,
        "antialiasing": smoothing(len(xy)),
        "canvas_size_limits": (0, 10000),
        # One that cuts nothing: a first one would have the program of the graphics built anew.
        "experimental_clipping_planes": [clipping(-FAR, towards=1)],
        **placement.place,
        "metadata": {METADATA: {"role": "spots", **source}},
    }
    return rows_columns(xy), keywords, "points"


def clipping(x: float, *, towards: int) -> dict[str, Any]:
    """Plane that leaves what lies to the right of `x`, towards 1, or to the left, -1; on the canvas, not in pixels."""
    return {"position": (0.0, 0.0, x), "normal": (0.0, 0.0, float(towards))}


def smoothing(n_spots: int) -> float:
    """How far the rims of discs fade, in pixels of the screen."""
    return 0.5 if n_spots <= SMOOTH_UP_TO else 0


def pixels_layer(panel: Panel, ground: Ground, *, source: Mapping[str, Any]) -> LayerTuple:
    """Many spots as one picture."""
    assert ground.raster is not None, "spots become pixels where there is a raster"
    keywords = {
        "name": panel.title,
        "colormap": see_through_nan(panel.colormap),
        "contrast_limits": panel.limits,
        "metadata": {METADATA: {"role": "spots", **source}},
    }
    return ground.raster.picture(panel.values), {**keywords, **_raster_look(ground)}, "image"


def gaps_layer(panel: Panel, ground: Ground, *, suffix: str = "") -> LayerTuple:
    """The spots of such a picture that have no value, in light grey."""
    assert ground.raster is not None, "spots become pixels where there is a raster"
    keywords = {
        "name": f"spots without a value{suffix}",
        "colormap": {"colors": [NOTHING, NOT_MEASURED], "name": "gr2st gaps"},
        "contrast_limits": (0, 1),
        "metadata": {METADATA: {"role": "gaps"}},
    }
    return ground.raster.gaps(panel.values), {**keywords, **_raster_look(ground)}, "image"


def raster_affine(ground: Ground) -> Float64:
    """(3, 3): from row and column of a pixel to y and x in the viewer."""
    assert ground.raster is not None, "spots become pixels where there is a raster"
    scale = ground.placement.scale
    affine: Float64 = np.diag([scale, scale, 1.0]) @ ground.raster.affine
    return affine


def _raster_look(ground: Ground) -> dict[str, Any]:
    return {
        "affine": raster_affine(ground),
        "interpolation2d": "nearest",
        "units": ground.placement.units,
        "axis_labels": ("y", "x"),
    }


def divider_layer(line: Float64, placement: Placement) -> LayerTuple:
    """The line between two maps that lie over each other: (1, 2, 2) start and displacement in row, column."""
    keywords = {
        "name": "divider",
        "edge_color": DIVIDER_COLOUR,
        "vector_style": "line",
        "edge_width": placement.spot_diameter_px / 16,
        "opacity": 1.0,
        **placement.place,
        "metadata": {METADATA: {"role": "divider"}},
    }
    return line, keywords, "vectors"


def regions_layer(placement: Placement, *, name: str) -> LayerTuple:
    """An empty layer to draw regions on."""
    keywords = {
        "name": name,
        "ndim": 2,
        "edge_width": placement.spot_diameter_px / 5,
        "edge_color": "#e69f00",
        "face_color": "transparent",
        "opacity": 1.0,
        **placement.place,
        "metadata": {METADATA: {"role": "regions"}},
    }
    return None, keywords, "shapes"


def edges_layer(
    ends: Float64, centre: Float64, placement: Placement, *, name: str, colour: Any, visible: bool = True
) -> LayerTuple:
    """Lines from one spot (x, y) to its neighbours (n, 2), and a ring round the spot itself.

    `colour` is one for all, or (n, 4) RGBA.
    """
    vectors = edge_vectors(ends, centre, placement.spot_diameter_px)
    if not isinstance(colour, str):
        ring = np.tile(RING_COLOUR, (len(vectors) - len(colour), 1))
        colour = np.concatenate([colour, ring]).astype(np.float32)
    keywords = {
        "name": name,
        "visible": visible,
        "edge_color": colour,
        "vector_style": "line",
        "edge_width": placement.spot_diameter_px / 16,
        "opacity": 0.95,
        **placement.place,
        "metadata": {METADATA: {"role": "edges"}},
    }
    return vectors, keywords, "vectors"


def graph_layer(
    pairs: Int64, colour: Any, xy: Float64, placement: Placement, *, name: str, width_px: float
) -> LayerTuple:
    """A line between the spots of every pair (m, 2); `colour` is one for all, or (m, 4) RGBA."""
    starts, ends = rows_columns(xy[pairs[:, 0]]), rows_columns(xy[pairs[:, 1]])
    keywords = {
        "name": name,
        "edge_color": colour,
        "vector_style": "line",
        "edge_width": width_px,
        "opacity": 0.8,
        **placement.place,
        "metadata": {METADATA: {"role": "graph"}},
    }
    return np.stack([starts, ends - starts], axis=1).astype(np.float32), keywords, "vectors"


def graph_picture_layer(picture: GraphPicture, placement: Placement, *, name: str) -> LayerTuple:
    """The same as a picture of the lines that a view shows."""
    keywords = {
        "name": name,
        "rgb": True,
        "opacity": 0.8,
        "interpolation2d": "nearest",
        **graph_picture_place(picture, placement),
        "units": placement.units,
        "axis_labels": ("y", "x"),
        "metadata": {METADATA: {"role": "graph"}},
    }
    return picture.pixels, keywords, "image"


def graph_picture_place(picture: GraphPicture, placement: Placement) -> dict[str, Any]:
    """Scale and translation of such a picture; napari puts the middle of its first pixel where it is told."""
    width = picture.px * placement.scale
    middle = np.multiply((picture.top, picture.left), placement.scale) + width / 2
    return {"scale": (width, width), "translate": tuple(middle)}


def crossed_layer(crossed: Crossed, placement: Placement, *, name: str) -> LayerTuple:
    """Crosses and hatching over spots, white with a black rim: seen over every colour of slide and map."""
    keywords = {
        "name": name,
        "rgb": True,
        "multiscale": True,
        "interpolation2d": "linear",
        **crossed_place(crossed, placement),
        "units": placement.units,
        "axis_labels": ("y", "x"),
        "metadata": {METADATA: {"role": "outside"}},
    }
    return crossed.levels, keywords, "image"


def crossed_place(crossed: Crossed, placement: Placement) -> dict[str, Any]:
    """Scale and translation of such a picture; napari puts the middle of its first pixel where it is told."""
    scale = placement.scale * crossed.px[::-1]
    return {"scale": tuple(scale), "translate": tuple(placement.scale * crossed.corner[::-1] + scale / 2)}


def rings_layer(xy: Float64, placement: Placement, *, name: str) -> LayerTuple:
    """Rings round spots that are lit up, yellow with a black rim."""
    keywords = {
        "name": name,
        "size": LIT_SIZE * placement.spot_diameter_px,
        "symbol": "ring",
        "face_color": "#ffe600",
        "border_color": "black",
        "border_width": 0.08,
        "antialiasing": 0.5,
        "canvas_size_limits": (5, 10000),
        **placement.place,
        "metadata": {METADATA: {"role": "lit"}},
    }
    return rows_columns(xy), keywords, "points"


def edge_vectors(ends: Float64, centre: Float64, diameter_px: float) -> Float64:
    """(n, 2, 2) start and displacement, in row, column: a line per neighbour, then the ring."""
    starts = np.broadcast_to(centre, ends.shape)
    lines = np.stack([rows_columns(starts), rows_columns(ends - starts)], axis=1)
    angle = np.linspace(0, 2 * np.pi, 33)
    ring = centre + 0.62 * diameter_px * np.column_stack([np.cos(angle), np.sin(angle)])
    circle = np.stack([rows_columns(ring[:-1]), rows_columns(np.diff(ring, axis=0))], axis=1)
    return np.concatenate([lines, circle])
