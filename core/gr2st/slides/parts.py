"""A virtual section as parts that a model can be shown: each tile, with the spots round it that have a say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from gr2st import keys
from gr2st.models.base import Batch
from gr2st.slides.cautions import training_pitch_um

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gr2st.appearance import Appearance
    from gr2st.slides.features import TileFeatures
    from gr2st.types import Float64, Int64, Section


def positions(section: Section, appearances: Mapping[str, Appearance]) -> Float64:
    """Spot positions (n, 2) in steps of the *training* array: a radius means the same micrometres on any grid.

    In steps of the grid itself where the model does not tell its training pitch.
    """
    xy = np.asarray(section.table.obsm[keys.SPATIAL], dtype=np.float64)
    step_um = training_pitch_um(appearances)
    step = section.grid_pitch if step_um is None or section.um_per_px is None else step_um / section.um_per_px
    return xy / step


class Parts:
    """The batches of a section, tile by tile.

    Parameters
    ----------
    features : TileFeatures
    position : (n, 2) float64
        In steps of the training array.
    reach : float
        Steps within which other spots have a say; 0: a part is its tile alone.
    device : torch.device
    """

    def __init__(self, features: TileFeatures, position: Float64, *, reach: float, device: torch.device) -> None:
        self._features, self._position, self._reach = features, position, reach
        self._device = device
        tiles = features.tiles
        self._low = np.array([position[rows].min(axis=0) for rows in tiles])
        self._high = np.array([position[rows].max(axis=0) for rows in tiles])

    def __len__(self) -> int:
        return len(self._features.tiles)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.part, range(len(self)))

    def part(self, number: int) -> Batch:
        """The batch of one tile."""
        near = self._near(number)
        chosen = {tile: self._within(tile, number) for tile in near}
        features = np.concatenate([self._features.of(tile)[chosen[tile]] for tile in near])
        rows = np.concatenate([self._rows(tile)[chosen[tile]] for tile in near])
        asked = np.concatenate([np.full(int(chosen[tile].sum()), tile == number) for tile in near])
        return Batch(
            section=self._features.section.name,
            features=torch.tensor(features, device=self._device),
            position=self._tensor(self._position[rows]) if self._reach else None,
            asked=torch.tensor(asked, device=self._device) if self._reach else None,
        )

    def _near(self, number: int) -> list[int]:
        """The tiles that the reach of one tile touches, itself among them."""
        if not self._reach:
            return [number]
        low, high = self._low[number] - self._reach, self._high[number] + self._reach
        return [int(tile) for tile in np.flatnonzero(((self._low <= high) & (self._high >= low)).all(axis=1))]

    def _within(self, tile: int, number: int) -> np.ndarray:
        """Which spots of a tile lie within the reach of another's outline."""
        position = self._position[self._features.tiles[tile]]
        low, high = self._low[number] - self._reach, self._high[number] + self._reach
        return np.asarray(((position >= low) & (position <= high)).all(axis=1))

    def _rows(self, tile: int) -> Int64:
        rows = self._features.tiles[tile]
        return np.arange(rows.start, rows.stop)

    def _tensor(self, values: Float64) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self._device)
