"""What GR2ST sees of the picture round a spot: the features of its patch, and those of its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gr2st.graph.spatial import neighbourhood_mean
from gr2st.models.fields import required
from gr2st.models.scaling import standardised

if TYPE_CHECKING:
    from gr2st.models.base import Batch


def width_seen(n_features: int, radius: float) -> int:
    """Columns of `with_surroundings`."""
    return 2 * n_features if radius else n_features


@torch.no_grad()
def with_surroundings(batch: Batch, radius: float, *, asked: Tensor | None = None) -> Tensor:
    """Features of each spot, beside them the mean over its surroundings, standardised within the section.

    Parameters
    ----------
    batch : Batch
        With features (n, width), and with positions unless the radius is 0.
    radius : float
        In array steps; 0: the patch alone.
    asked : (n,) bool, optional
        The spots that are wanted; the others are surroundings alone.

    Returns
    -------
    (m, 2 * width), or (m, width) with radius 0
        Of the m spots that are asked for, of all where none are named.
    """
    (features,) = required(batch, "features")
    own = features if asked is None else features[asked]
    if not radius:
        return own
    moments = None if batch.scale is None else batch.scale.around[radius]
    return torch.cat([own, standardised(around_of(batch, radius, asked=asked), moments)], dim=1)


def around_of(batch: Batch, radius: float, *, asked: Tensor | None = None) -> Tensor:
    """Mean features (m, width) over each spot and those closer than `radius` array steps; m as `with_surroundings`."""
    features, position = required(batch, "features", "position")
    return neighbourhood_mean(features, position, radius=radius, asked=asked)
