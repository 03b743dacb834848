"""Micrometres per pixel as a TIFF states them: OME, Aperio, ImageJ or resolution tags, where they can be believed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    import tifffile

_BELIEVABLE = (0.1, 5.0)
"""Micrometres per pixel of histology pictures; 72 dpi, the value of software that does not know, is 353."""
_IN_MICROMETRES = {"nm": 1e-3, "\u00b5m": 1.0, "\u03bcm": 1.0, "um": 1.0, "micron": 1.0, "mm": 1e3, "cm": 1e4}
_RESOLUTION_UNIT = {2: 25_400.0, 3: 10_000.0}
_SAME = 0.01


def um_per_px_of(tiff: tifffile.TiffFile, picture: Any) -> float | None:
    """Micrometres per pixel of the largest level, None where nothing believable is stated or pixels are not square."""
    if tiff.is_ome:
        return _square(*_ome(tiff.ome_metadata or "", _index(tiff, picture)))
    if picture.kind == "svs":
        stated = re.search(r"\bMPP\s*=\s*([0-9.]+)", str(picture.keyframe.description))
        return _square(float(stated[1]), float(stated[1])) if stated else None
    return _square(*_resolution(picture.keyframe, _tag_unit(tiff, picture.keyframe)))


def _index(tiff: tifffile.TiffFile, picture: Any) -> int:
    return next(index for index, series in enumerate(tiff.series) if series is picture)


def _ome(xml: str, index: int) -> tuple[float, float]:
    """Pixel size of the OME image `index`; zeros where it is not stated."""
    try:
        images = [node for node in ElementTree.fromstring(xml).iter() if node.tag.endswith("}Pixels")]
    except ElementTree.ParseError:
        return 0.0, 0.0
    if index >= len(images):
        return 0.0, 0.0
    found = images[index].attrib
    x, y = (
        float(found.get(f"PhysicalSize{axis}", 0)) * _IN_MICROMETRES.get(found.get(f"PhysicalSize{axis}Unit", "um"), 0)
        for axis in "XY"
    )
    return x, y


def _tag_unit(tiff: tifffile.TiffFile, page: Any) -> float:
    """Micrometres per unit of the resolution tags, 0 where no unit is known."""
    if tiff.is_imagej:
        name = str((tiff.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "\u00b5")
        return _IN_MICROMETRES.get(name, 0.0)
    tag = page.tags.get("ResolutionUnit")
    return _RESOLUTION_UNIT.get(int(tag.value) if tag else 2, 0.0)


def _resolution(page: Any, unit: float) -> tuple[float, float]:
    sizes = []
    for name in ("XResolution", "YResolution"):
        tag = page.tags.get(name)
        pixels, units = tag.value if tag else (0, 1)
        sizes.append(unit * units / pixels if pixels else 0.0)
    return sizes[0], sizes[1]


def _square(x: float, y: float) -> float | None:
    if not all(_BELIEVABLE[0] <= size <= _BELIEVABLE[1] for size in (x, y)) or abs(x - y) > _SAME * x:
        return None
    return (x + y) / 2
