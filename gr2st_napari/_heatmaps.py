"""A heatmap in the viewer: discs for few spots, a picture for many. Made once, then recoloured in place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from napari.utils.colormaps import Colormap

from gr2st_napari import _layers
from gr2st_napari._colours import ClassColours, colormap, see_through_nan
from gr2st_napari._layer_list import put_in_place
from gr2st_napari._visibility import set_visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari.layers import Image, Layer, Points

    from gr2st_napari._ground import Ground
    from gr2st_napari._layer_list import LayerList
    from gr2st_napari._panels import Panel
    from gr2st_napari._raster import Bool, Raster

Side: TypeAlias = Literal["left", "right"]

COLORBAR_PX = (18, 180)


class Part(NamedTuple):
    """The spots to one side of `x`, in level-0 pixels."""

    side: Side
    x: float


NOTHING = Part("left", -_layers.FAR)


class Heatmap(ABC):
    """One map of the canvas; `layers` are what it consists of, bottom first, `main` the one with the values."""

    layers: list[Layer]
    main: Layer
    for_many: bool
    """Whether its layers are those for very many spots."""
    _colours_of = staticmethod(colormap)

    def __init__(
        self, layers: LayerList, panel: Panel, ground: Ground, source: Mapping[str, Any], suffix: str = ""
    ) -> None:
        self._panel, self._ground, self._suffix = panel, ground, suffix
        self._part: Part | None = None
        self._is_resting = False
        self._make(layers, source)
        self.main.editable = False
        self._colorbar.size = COLORBAR_PX
        self.stand("left")

    def fits(self, ground: Ground) -> bool:
        """Whether spots that lie so can be shown in layers of this kind."""
        return self.for_many == (ground.raster is not None)

    def stands_on(self, ground: Ground) -> bool:
        """Whether the layers show spots that lie so; at rest they show none."""
        return not self._is_resting and self._ground.lies_like(ground)

    def show(self, panel: Panel, source: Mapping[str, Any]) -> None:
        """Show another panel of the same spots in the same layers."""
        before, self._panel = self._panel, panel
        if panel.values is not before.values or panel.limits != before.limits:
            self._recolour()
        self._label(source)

    def move(self, panel: Panel, ground: Ground, source: Mapping[str, Any]) -> None:
        """Show other spots in the same layers."""
        self._panel, self._ground = panel, ground
        self._part, self._is_resting = None, False
        # A layer that is hidden does not look at what it is given.
        self.set_visible(is_visible=True)
        self._fill()
        self._label(source)

    def show_part(self, part: Part | None) -> None:
        """Show the spots of a part, or all of them."""
        if part != self._part:
            self._part = part
            self._mask()

    def rest(self) -> None:
        """Show no spot, until `move`: a third of the work of hiding the layers."""
        self._is_resting = True
        self.show_part(NOTHING)

    def set_visible(self, *, is_visible: bool) -> None:
        """Show or hide the whole map."""
        set_visible(self.layers, is_visible=is_visible)

    def stand(self, side: Side) -> None:
        """Put title and colour bar to one side of the cell."""
        self.main.name_overlay.position = f"top_{side}"
        self._colorbar.position = f"bottom_{side}"

    @abstractmethod
    def complete(self, layers: LayerList) -> None:
        """Make what is lacking of the layers: each takes a turn of the window."""

    def show_title(self) -> None:
        """Say on the canvas what is shown."""
        self.main.name_overlay.visible = True

    def show_colorbar(self) -> None:
        """Say on the canvas what the colours mean; a legend says it of classes."""
        self._colorbar.visible = not isinstance(self._panel.colormap, ClassColours)

    def _label(self, source: Mapping[str, Any]) -> None:
        self._set_colours()
        if self.main.name != self._panel.title:
            self.main.name = self._panel.title
        self.main.metadata[_layers.METADATA].update(source)

    def _set_colours(self) -> None:
        wanted = self._colours_of(self._panel.colormap)
        if self._colormap.name != wanted["name"]:
            self._colormap = Colormap(**wanted)
            self.show_colorbar()

    @property
    @abstractmethod
    def _colorbar(self) -> Any: ...

    @property
    @abstractmethod
    def _colormap(self) -> Colormap: ...

    @_colormap.setter
    @abstractmethod
    def _colormap(self, colours: Colormap) -> None: ...

    @abstractmethod
    def _make(self, layers: LayerList, source: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def _fill(self) -> None: ...

    @abstractmethod
    def _recolour(self) -> None: ...

    @abstractmethod
    def _mask(self) -> None: ...


class Discs(Heatmap):
    """Points of true size."""

    main: Points
    for_many = False

    def complete(self, layers: LayerList) -> None:
        """Its one layer is there."""

    @property
    def _colorbar(self) -> Any:
        return self.main.face_colorbar

    @property
    def _colormap(self) -> Colormap:
        return self.main.face_colormap

    @_colormap.setter
    def _colormap(self, colours: Colormap) -> None:
        self.main.face_colormap = colours

    def _make(self, layers: LayerList, source: Mapping[str, Any]) -> None:
        self.main = layers.add(_layers.spots_layer(self._panel, self._ground, source=source))
        self.layers = [self.main]

    def _fill(self) -> None:
        xy, placement = self._ground.expression.xy, self._ground.placement
        spots = self.main
        spots.selected_data = set()
        spots.data = _layers.rows_columns(xy)
        spots.size = placement.spot_diameter_px
        spots.antialiasing = _layers.smoothing(len(xy))
        put_in_place(spots, placement)
        self._mask()
        self._recolour()

    def _recolour(self) -> None:
        """Set values and limits together, with one upload to the graphics card.

        Each public setter uploads every attribute of every spot again, three times for one gene. There is no public
        way to change both at once, so the colour managers are silenced meanwhile; the colour bar listens to the limits
        event.
        """
        spots, limits = self.main, self._panel.limits
        face, border = spots._face, spots._border
        same_limits = tuple(spots.face_contrast_limits) == limits
        with face.events.blocker_all(), border.events.blocker_all():
            spots.features = {_layers.FEATURE: self._panel.values}
            spots.face_contrast_limits = limits
        if not same_limits:
            face.events.contrast_limits(value=spots.face_contrast_limits)
        spots.events.face_color()

    def _mask(self) -> None:
        # napari 0.9.2 draws all points of a flat picture, whatever `shown` says.
        side, x = self._part or Part("right", -_layers.FAR)
        (plane,) = self.main.experimental_clipping_planes
        plane.update(_layers.clipping(self._ground.placement.scale * x, towards=1 if side == "right" else -1))


class Pixels(Heatmap):
    """An Image, and below it another one for spots without a value: no value must look other than no spot."""

    main: Image
    _gaps: Image | None
    for_many = True
    _colours_of = staticmethod(see_through_nan)

    @property
    def _colorbar(self) -> Any:
        return self.main.colorbar

    @property
    def _colormap(self) -> Colormap:
        return self.main.colormap

    @_colormap.setter
    def _colormap(self, colours: Colormap) -> None:
        self.main.colormap = colours

    def set_visible(self, *, is_visible: bool) -> None:
        set_visible([self.main], is_visible=is_visible)
        self._reveal_gaps()

    def complete(self, layers: LayerList) -> None:
        if self._gaps is None:
            data, keywords, kind = _layers.gaps_layer(self._panel, self._ground, suffix=self._suffix)
            self._gaps = layers.add((data, {**keywords, "visible": False}, kind), under=self.main)
            self.layers = [self._gaps, self.main]
            self._mask_gaps()
            self._reveal_gaps()

    @property
    def _shown(self) -> Bool | None:
        """Spots of the part, each by its centre."""
        if self._part is None:
            return None
        is_left = self._ground.expression.xy[:, 0] <= self._part.x
        return is_left if self._part.side == "left" else ~is_left

    @property
    def _raster(self) -> Raster:
        assert self._ground.raster is not None, "spots become pixels where there is a raster"
        return self._ground.raster

    def _make(self, layers: LayerList, source: Mapping[str, Any]) -> None:
        self._gaps = None
        self.main = layers.add(_layers.pixels_layer(self._panel, self._ground, source=source))
        self.layers = [self.main]

    def _fill(self) -> None:
        if self._gaps is not None:
            self._gaps.data = self._raster.gaps(self._panel.values)
        self.main.data = self._raster.picture(self._panel.values)
        for layer in self.layers:
            layer.affine = _layers.raster_affine(self._ground)
        self._limit()
        self.set_visible(is_visible=True)

    def _set_colours(self) -> None:
        super()._set_colours()
        self._reveal_gaps()

    def _recolour(self) -> None:
        self._mask()
        self._limit()

    def _limit(self) -> None:
        limits = self._panel.limits
        if tuple(self.main.contrast_limits) != limits:
            # Limits may not lie outside their range, which new values leave as it is.
            self.main.contrast_limits_range = limits
            self.main.contrast_limits = limits

    def _mask(self) -> None:
        np.copyto(self.main.data, self._raster.picture(self._panel.values, self._shown))
        self.main.refresh(extent=False)
        self._mask_gaps()

    def _mask_gaps(self) -> None:
        if self._gaps is None:
            return
        gaps = self._raster.gaps(self._panel.values, self._shown)
        if not np.array_equal(gaps, self._gaps.data):
            np.copyto(self._gaps.data, gaps)
            self._gaps.refresh(extent=False)

    def _reveal_gaps(self) -> None:
        """Gaps are seen with the map, where there are any and the colours have a place for them."""
        colours = self._panel.colormap
        shows_gaps = not isinstance(colours, ClassColours) or colours.shows_rest
        if self._gaps is not None:
            set_visible([self._gaps], is_visible=self.main.visible and shows_gaps and bool(self._gaps.data.any()))


def heatmap(layers: LayerList, panel: Panel, ground: Ground, source: Mapping[str, Any], suffix: str = "") -> Heatmap:
    """A new map on top of all layers; `suffix` is for names beside its title."""
    return (Discs if ground.raster is None else Pixels)(layers, panel, ground, source, suffix)
