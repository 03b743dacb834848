"""Colour maps and the colours of classes, as napari takes them. Pure, no napari."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gr2st import NOT_MEASURED, map_colours

Rgba: TypeAlias = npt.NDArray[np.float64]

NOTHING = (0.0, 0.0, 0.0, 0.0)

CLASS_COLOURS = (
    "e69f00 56b4e9 009e73 cc79a7 d55e00 0072b2 f0e442 701038 3000af 8f70ff 705000 af1870 "
    "78c787 5040e7 8fffa7 581878 9f5848 f75868 c720af 286070 8fcfff 588fd7 784048 48e780 "
    "ff87bf 504097 a7efff 683000 976887 ffbf58 403858 5870d7 8797ff 408f08 6810c7 80508f "
    "00c7cf e78748 8faf97 a78050 b71020 df60c7 7058f7 bfdfaf 80ffdf bfb760 209f9f e7b7af "
    "70df18 782880 3060c7 087840 70ff78 8f0028 800060 bf8080 f7afef 500897 876868 ff87e7"
)
"""Of classes, in their order: seven that the colour-blind can tell apart (Okabe and Ito), then always the one that is
furthest from those before and from grey, white and black, to the usual eye and to those without red or green cones."""


@dataclass(frozen=True, slots=True)
class ClassColours:
    """Colours of `count` classes, those hidden left out; `shows_rest` is about spots without a class."""

    count: int
    hidden: frozenset[int] = frozenset()
    shows_rest: bool = True

    @property
    def limits(self) -> tuple[float, float]:
        """Between which every class, a whole number from 0, lies in the middle of its colour."""
        return (-0.5, max(self.count, 2) - 0.5)


def see_through_nan(wanted: str | ClassColours) -> dict[str, Any]:
    """The same as `colormap`, for pictures, in which NaN is where no spot is.

    Under a name of its own: napari numbers maps of one name that differ, one more each time.
    """
    found = colormap(wanted)
    return {**found, "nan_color": NOTHING, "name": f"{found['name']}, see-through"}


def colormap(wanted: str | ClassColours) -> dict[str, Any]:
    """Arguments of a napari Colormap, missing values light grey; the name tells whether two are the same."""
    if isinstance(wanted, ClassColours):
        return _class_map(wanted)
    return {"colors": map_colours(wanted), "name": map_name(wanted), "display_name": wanted, "nan_color": NOT_MEASURED}


def map_name(wanted: str | ClassColours) -> str:
    """Name of the napari Colormap of `wanted`."""
    if isinstance(wanted, str):
        return f"gr2st {wanted}"
    return f"gr2st {wanted.count} classes without {sorted(wanted.hidden)} {'and' if wanted.shows_rest else 'nor'} rest"


def class_colours(count: int) -> list[tuple[float, float, float]]:
    """Opaque colours of classes."""
    colours = _colours(CLASS_COLOURS)[:, :3]
    return [(red, green, blue) for red, green, blue in colours[np.arange(count) % len(colours)].tolist()]


def _class_map(wanted: ClassColours) -> dict[str, Any]:
    chosen = chain(class_colours(wanted.count), repeat((0.0, 0.0, 0.0)))
    # A map of one colour is refused: a second, that no class has, stands behind it.
    steps = [next(chosen) for _ in range(max(wanted.count, 2))]
    colours = [(*rgb, 0.0 if at in wanted.hidden else 1.0) for at, rgb in enumerate(steps)]
    return {
        "colors": np.array(colours),
        "name": map_name(wanted),
        "display_name": "classes",
        "interpolation": "zero",
        "nan_color": NOT_MEASURED if wanted.shows_rest else NOTHING,
    }


def _colours(text: str) -> Rgba:
    """(n, 4) RGBA of hexadecimal colours."""
    rgb = [[int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)] for colour in text.split()]
    return np.column_stack([rgb, np.ones(len(rgb))])
