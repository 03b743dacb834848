"""What the spots of a figure show: values with a colour bar, or classes with a legend."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gr2st.colours import paint

if TYPE_CHECKING:
    from gr2st.colours import Limits
    from gr2st.types import Bool, Float32, Float64, Int64

NOT_DRAWN = -1
"""In the place of a class: the spot is left out."""


@dataclass(frozen=True, eq=False)
class Map:
    """Values (n,) of the spots under a title; NaN is drawn grey. Without values only the slide is drawn."""

    title: str
    values: Float32 | None = None
    limits: Limits = (0.0, 1.0)
    colormap: str = "viridis"
    unit: str = ""
    """What the numbers of the colour bar are."""

    def of(self, spots: Bool) -> Map:
        """The map of some of the spots (n,)."""
        return self if self.values is None else replace(self, values=self.values[spots])

    def colours(self) -> Float64 | None:
        """Colours (n, 4) RGBA of the spots; None where only the slide is drawn."""
        return None if self.values is None else paint(self.values, self.limits, self.colormap)


@dataclass(frozen=True, slots=True)
class MapClass:
    """A class of spots, as the legend tells it: name, number of spots, colour (RGBA, 0 to 1)."""

    name: str
    n_spots: int
    colour: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Spots in classes under a title, with a legend in the place of a colour bar.

    Attributes
    ----------
    title : str
    codes : (n,) int64
        Place of each spot in `classes`; `NOT_DRAWN` where it is left out.
    classes : tuple of MapClass
        In the order of the legend.
    """

    title: str
    codes: Int64
    classes: tuple[MapClass, ...]

    def of(self, spots: Bool) -> ClassMap:
        """The map of some of the spots (n,), with the classes that are drawn there; their numbers of spots stay."""
        codes = self.codes[spots]
        present = np.unique(codes[codes != NOT_DRAWN])
        places = np.full(len(self.classes) + 1, NOT_DRAWN)
        places[present] = np.arange(len(present))
        return ClassMap(self.title, places[codes], tuple(self.classes[at] for at in present))

    def colours(self) -> Float64:
        """Colours (n, 4) RGBA of the spots; those left out are wholly transparent."""
        # `NOT_DRAWN` counts from the end.
        return np.array([*(one.colour for one in self.classes), (0.0, 0.0, 0.0, 0.0)])[self.codes]


AnyMap: TypeAlias = Map | ClassMap
