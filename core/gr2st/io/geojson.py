"""GeoJSON of nuclei as QuPath exports it: classes and centroids of its features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st.errors import DataError
from gr2st.io.cell_names import classes_of_names
from gr2st.io.tables import plural
from gr2st.types import Nuclei

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FEATURES = "features"
_REGION = "annotation"
_Point = tuple[float, float]


def nuclei_of_features(where: str, content: Any) -> tuple[Nuclei, None, tuple[str, ...]]:
    """Nuclei of a FeatureCollection, or of a bare list of features as older QuPath writes it.

    The nucleus of a cell (``nucleusGeometry``) counts where it is given, else the object itself. Each polygon and each
    point of a multi-geometry is one nucleus. Annotations are regions, not nuclei, where the file also has cells or
    detections; then they are left out with a note.

    Returns
    -------
    nuclei, magnification (always None: GeoJSON counts level-0 pixels), notes

    Raises
    ------
    DataError
        Where a feature has no geometry of these kinds, or a class that is not known.
    """
    features = content[FEATURES] if isinstance(content, Mapping) else content
    if not isinstance(features, list) or not all(isinstance(feature, Mapping) for feature in features):
        raise DataError(f"{where} is no GeoJSON: a list of features is wanted.")
    objects = [feature for feature in features if _kind(feature) != _REGION]
    chosen = objects or features
    points, names = [], []
    for number, feature in enumerate(chosen, start=1):
        found = _centroids(feature, f"feature {number} of {where}")
        points += found
        names += [class_name(feature)] * len(found)
    kinds = np.array(classes_of_names(names, where), np.int64)
    regions = len(features) - len(chosen)
    notes = (f"{where}: {plural(regions, 'annotation')} left out, as regions and not nuclei.",) if regions else ()
    return Nuclei(np.array(points, np.float64).reshape(-1, 2), kinds), None, notes


def properties_of(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    """Properties of a feature, empty where it has none."""
    properties = feature.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _kind(feature: Mapping[str, Any]) -> str:
    return str(properties_of(feature).get("objectType") or feature.get("objectType") or "")


def class_name(feature: Mapping[str, Any]) -> str:
    """Name of the feature's class, "" where it has none."""
    given = properties_of(feature).get("classification")
    if not isinstance(given, Mapping):
        return ""
    names = given.get("names")
    return str(names[0]) if isinstance(names, list) and names else str(given.get("name") or "")


def _centroids(feature: Mapping[str, Any], where: str) -> list[_Point]:
    geometry = (
        feature.get("nucleusGeometry") or properties_of(feature).get("nucleusGeometry") or feature.get("geometry")
    )
    try:
        points = _READERS[geometry["type"]](geometry["coordinates"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"The geometry of {where} is none that can be read; {', '.join(_READERS)} with coordinates are wanted."
        ) from error
    if not np.isfinite(points).all():
        raise DataError(f"The geometry of {where} has coordinates that are not finite.")
    return points


def _of_point(coordinates: Sequence[float]) -> list[_Point]:
    return [(float(coordinates[0]), float(coordinates[1]))]


def _of_points(coordinates: Sequence[Sequence[float]]) -> list[_Point]:
    return [point for one in coordinates for point in _of_point(one)]


def _of_polygon(coordinates: Sequence[Sequence[Sequence[float]]]) -> list[_Point]:
    """Centroid of the outer ring by the shoelace formula; the mean corner of a ring without area."""
    ring = np.asarray(coordinates[0], np.float64)[:, :2]
    # Level-0 coordinates are large and rings are small: products are taken round the first corner.
    x, y = (ring - ring[0]).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum() / 2
    if abs(area) < 1e-9:
        middle = ring.mean(axis=0)
    else:
        middle = ring[0] + [((part + np.roll(part, -1)) * cross).sum() / (6 * area) for part in (x, y)]
    return [(float(middle[0]), float(middle[1]))]


def _of_polygons(coordinates: Sequence[Any]) -> list[_Point]:
    return [point for one in coordinates for point in _of_polygon(one)]


_READERS: dict[str, Callable[[Any], list[_Point]]] = {
    "Polygon": _of_polygon,
    "MultiPolygon": _of_polygons,
    "Point": _of_point,
    "MultiPoint": _of_points,
}
