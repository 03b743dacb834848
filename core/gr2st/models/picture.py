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
def with_surroundings(batch: Batch, radius: float) -> Tensor:
    """Features of each spot, beside them the mean over its surroundings, standardised within the section.

    Parameters
    ----------
    batch : Batch
        With features (n, width), and with positions unless the radius is 0.
    radius : float
        In array steps; 0: the patch alone.

    Returns
    -------
    (n, 2 * width), or (n, width) with radius 0
    """
    (features,) = required(batch, "features")
    if not radius:
        return features
    (position,) = required(batch, "position")
    around = neighbourhood_mean(features, position, radius=radius)
    return torch.cat([features, standardised(around)], dim=1)
