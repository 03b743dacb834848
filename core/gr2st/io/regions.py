"""Regions as GeoJSON, the way QuPath exports and imports annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st.errors import DataError
from gr2st.io.geojson import FEATURES, class_name, properties_of
from gr2st.io.store import write_json
from gr2st.io.tables import plural
from gr2st.regions import Region

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gr2st.regions import Polygon, Ring

_FEWEST_CORNERS = 3
_NO_AREA = ("Point", "MultiPoint", "LineString", "MultiLineString")
_COLOUR_BYTES = 3


def read_regions(path: Path | str) -> tuple[Region, ...]:
    """Read the annotations of a GeoJSON file, as QuPath writes it.

    Points and lines have no area and are left out, as are cells and detections where the file also has annotations.

    Returns
    -------
    tuple of Region
        In the order of the file, in level-0 pixels. The name is empty where the file gives none.

    Raises
    ------
    DataError
        The file cannot be read, is no GeoJSON, or has no area.
    """
    path = Path(path)
    content = _content(path)
    found = regions_of_geojson(content, path.name)
    if not found:
        raise DataError(
            f"{path.name} has no region: polygons are wanted, found "
            f"{plural(len(_features(content, path.name)), 'feature')} without any. In QuPath, export annotations as "
            "GeoJSON."
        )
    return found


def regions_of_geojson(content: Any, where: str) -> tuple[Region, ...]:
    """As `read_regions`, of GeoJSON that was read already, and perhaps none; `where` names it in an error."""
    features = _features(content, where)
    annotations = [one for one in features if properties_of(one).get("objectType") == "annotation"] or features
    return tuple(
        _region(feature, f"feature {number} of {where}")
        for number, feature in enumerate(annotations, start=1)
        if not _is_without_area(feature)
    )


def write_regions(path: Path | str, regions: Iterable[Region]) -> None:
    """Write regions as a GeoJSON FeatureCollection of annotations that QuPath opens, atomically.

    Raises
    ------
    DataError
        A coordinate is not finite.
    StorageError
        The file cannot be written.
    """
    write_json(path, geojson_of_regions(regions))


def geojson_of_regions(regions: Iterable[Region]) -> dict[str, Any]:
    """Regions as a FeatureCollection of annotations."""
    return {"type": "FeatureCollection", FEATURES: [_feature(region) for region in regions]}


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise DataError(f"{path.name} is no GeoJSON: {error}. In QuPath, export annotations as GeoJSON.") from error


def _features(content: Any, where: str) -> list[Mapping[str, Any]]:
    if isinstance(content, Mapping):
        content = content.get(FEATURES, [content] if content.get("type") == "Feature" else None)
    if not isinstance(content, list) or not all(isinstance(feature, Mapping) for feature in content):
        raise DataError(f"{where} is no GeoJSON: a list of features is wanted.")
    return content


def _is_without_area(feature: Mapping[str, Any]) -> bool:
    geometry = feature.get("geometry")
    return isinstance(geometry, Mapping) and geometry.get("type") in _NO_AREA


def _region(feature: Mapping[str, Any], where: str) -> Region:
    name = str(properties_of(feature).get("name") or "")
    return Region(name, class_name(feature), _polygons(feature, where), _colour(feature))


def _polygons(feature: Mapping[str, Any], where: str) -> tuple[Polygon, ...]:
    geometry = feature.get("geometry")
    try:
        kind, coordinates = geometry["type"], geometry["coordinates"]  # type: ignore[index]
        listed = {"Polygon": [coordinates], "MultiPolygon": coordinates}[kind]
        polygons = tuple(tuple(_ring(ring) for ring in polygon) for polygon in listed)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(
            f"The geometry of {where} is none that can be read: a Polygon or MultiPolygon with coordinates is wanted."
        ) from error
    if (
        not polygons
        or not all(polygons)
        or min(len(ring) for polygon in polygons for ring in polygon) < (_FEWEST_CORNERS)
    ):
        raise DataError(f"The geometry of {where} has a ring of fewer than three corners.")
    if not all(np.isfinite(ring).all() for polygon in polygons for ring in polygon):
        raise DataError(f"The geometry of {where} has coordinates that are not finite.")
    return polygons


def _ring(coordinates: Sequence[Sequence[float]]) -> Ring:
    """A ring without the corner that GeoJSON repeats at its end."""
    ring = np.asarray(coordinates, np.float64)[:, :2]
    return ring[:-1] if len(ring) > 1 and (ring[0] == ring[-1]).all() else ring


def _colour(feature: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Colour of the class, else of the object itself; older QuPath packs it into one number."""
    properties = properties_of(feature)
    given = properties.get("classification")
    named = given if isinstance(given, Mapping) else {}
    colour = named.get("color", named.get("colorRGB", properties.get("color")))
    if isinstance(colour, int) and not isinstance(colour, bool):
        return (colour >> 16 & 255, colour >> 8 & 255, colour & 255)
    is_rgb = isinstance(colour, list) and len(colour) == _COLOUR_BYTES and all(isinstance(one, int) for one in colour)
    return (colour[0] & 255, colour[1] & 255, colour[2] & 255) if is_rgb and isinstance(colour, list) else None


def _feature(region: Region) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in polygon] for polygon in region.polygons]
    is_one = len(polygons) == 1
    properties: dict[str, Any] = {"objectType": "annotation"}
    if region.name:
        properties["name"] = region.name
    if region.kind:
        properties["classification"] = {"name": region.kind}
    if region.colour is not None:
        properties.setdefault("classification", properties)["color"] = list(region.colour)
    geometry = {
        "type": "Polygon" if is_one else "MultiPolygon",
        "coordinates": polygons[0] if is_one else polygons,
    }
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _closed(ring: Ring) -> list[list[float]]:
    corners: list[list[float]] = np.asarray(ring, np.float64).tolist()
    return [*corners, corners[0]]
