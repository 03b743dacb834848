"""A section too large to be seen at once: what its parts must know of it is gathered in rounds over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gr2st.models.fields import required
from gr2st.models.picture import around_of
from gr2st.models.scaling import Moments, on_common_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.config import Gr2stConfig
    from gr2st.models.base import Batch


@dataclass(frozen=True, eq=False, slots=True)
class SectionScale:
    """Mean and spread over a whole section, for the parts of it.

    Attributes
    ----------
    n_spots : int
        Spots of the section.
    features : Moments or None
        Of the patch features as they are.
    around : mapping of float to Moments
        Of the mean features round a spot, by the radius in array steps.
    """

    n_spots: int = 0
    features: Moments | None = None
    around: Mapping[float, Moments] = field(default_factory=dict)


class Survey:
    """Gathers the scale of a section: show it every part once in each of its `rounds`.

    Parameters
    ----------
    config : Gr2stConfig
    radii : sequence of float
        Surroundings whose scale is needed, in array steps.
    """

    def __init__(self, config: Gr2stConfig, radii: Sequence[float]) -> None:
        self._config, self._radii = config, radii
        self._scale = SectionScale()
        self._features = _Sums()
        self._around = {radius: _Sums() for radius in radii}

    @property
    def rounds(self) -> int:
        """Two where surroundings count: what they are means of must be on its scale before."""
        return 2 if self._radii else 1

    @torch.no_grad()
    def see(self, part: Batch, number: int) -> None:
        """Take in one part in the round of that number, from 0."""
        (features,) = required(part, "features")
        if number == 0:
            self._features.add(features if part.asked is None else features[part.asked])
            return
        scaled = on_common_scale(replace(part, scale=self.scale()), self._config)
        for radius, sums in self._around.items():
            sums.add(around_of(scaled, radius, asked=part.asked))

    def scale(self) -> SectionScale:
        """What the rounds so far have found."""
        around = {radius: sums.moments() for radius, sums in self._around.items() if sums.count}
        return SectionScale(self._features.count, self._features.moments(), around)


class _Sums:
    """Sums of columns and of their squares, in float64."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = self._square = torch.zeros(())

    def add(self, values: Tensor) -> None:
        values = values.double()
        self.count += len(values)
        self._sum = self._sum.to(values) + values.sum(dim=0)
        self._square = self._square.to(values) + values.square().sum(dim=0)

    def moments(self) -> Moments:
        mean = self._sum / self.count
        variance = (self._square / self.count - mean.square()).clamp(min=0)
        return Moments(mean, variance.sqrt())
