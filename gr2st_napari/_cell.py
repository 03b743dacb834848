"""Our layers of one cell of the canvas: slide, map, marks, edges. Kept from section to section, filled anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from gr2st_napari._marks import MARKS
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from napari.layers import Image, Layer, Vectors

    from gr2st_napari._heatmaps import Heatmap
    from gr2st_napari._layers import LayerTuple
    from gr2st_napari._marks import Mark

SECOND_SUFFIX = " (predicted)"


@dataclass
class Cell:
    """Our layers of one cell of the canvas, bottom first."""

    slide: Image | None = None
    spots: Heatmap | None = None
    edges: tuple[Vectors, ...] = ()
    marks: dict[Mark, Layer] = field(default_factory=dict)
    spare: Heatmap | None = None
    """The map for few spots while there are many, or the other way round; it waits, hidden."""
    suffix: str = ""
    """What the names of its layers end with."""

    @property
    def layers(self) -> list[Layer]:
        slide = [] if self.slide is None else [self.slide]
        return [*slide, *self.over_slide]

    @property
    def over_slide(self) -> list[Layer]:
        """All but the slide."""
        return [*([] if self.spots is None else self.spots.layers), *self.over_map]

    @property
    def over_map(self) -> list[Layer]:
        """Marks and edges."""
        return [*(self.marks[mark] for mark in MARKS if mark in self.marks), *self.edges]

    @property
    def all_layers(self) -> list[Layer]:
        """Those that wait too."""
        return [*([] if self.spare is None else self.spare.layers), *self.layers]

    def change_maps(self) -> None:
        """Let the map that is seen wait, and the one that waits be seen."""
        if self.spots is not None:
            self.spots.set_visible(is_visible=False)
            self.wait()
        self.spots, self.spare = self.spare, self.spots

    def wait(self) -> None:
        """What waits, hidden, for the next comparison is not named after what it showed."""
        if self.spots is not None:
            self.spots.main.name = f"spots{self.suffix}"

    def rest(self) -> None:
        """Hide what lies on the slide, until it is filled anew."""
        set_visible(self.over_map, is_visible=False)
        if self.spots is not None:
            self.spots.rest()

    def fill_slide(self, slide: LayerTuple) -> None:
        """Put other pixels into the slide that is there."""
        assert self.slide is not None, "there is a slide to be filled"
        data, keywords, _ = slide
        self.slide.data = data
        for name in ("scale", "translate"):
            if not np.array_equal(getattr(self.slide, name), keywords[name]):
                setattr(self.slide, name, keywords[name])


def twin(layer: Layer) -> LayerTuple:
    """The same layer for the second cell."""
    data, keywords, kind = layer.as_layer_data_tuple()
    return data, {**keywords, "name": f"{layer.name}{SECOND_SUFFIX}"}, kind
