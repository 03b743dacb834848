"""Patch features of a virtual section, tile by tile: never more than a tile's pixels, kept on disk as they are made."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.encoders.cache import FeatureKey, encode_section, feature_path, read_features
from gr2st.errors import DataError, StorageError
from gr2st.io.store import MAKE_ROOM
from gr2st.preparation import why_without_picture
from gr2st.registry import ENCODERS
from gr2st.slides.grid import TILE

if TYPE_CHECKING:
    from gr2st.config import Recipe
    from gr2st.types import Float32, Float64, Section, Slide, Steps

_KEPT_BYTES = 96 << 20


def tiles_of(section: Section) -> list[slice]:
    """Rows of each tile of a virtual section, in their order."""
    cells = section.table.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy()
    starts = np.flatnonzero(np.diff(cells // TILE, axis=0).any(axis=1)) + 1
    bounds = [0, *starts.tolist(), len(cells)]
    return list(itertools.starmap(slice, itertools.pairwise(bounds)))


class TileFeatures:
    """The features of a virtual section, by tile.

    Each tile is kept in the user's cache under its own key: a run that was killed goes on at the tile it was in, and
    other models of the same encoder and patches, or other regions of the slide, find the tiles that they share.
    """

    def __init__(self, section: Section, recipe: Recipe, device: str) -> None:
        self.section, self.recipe = section, recipe
        self.tiles = tiles_of(section)
        self._device = device if ENCODERS[recipe.encoder].needs_weights else "cpu"
        self._xy: Float64 = np.asarray(section.table.obsm[keys.SPATIAL])
        self._read: OrderedDict[int, Float32] = OrderedDict()

    def missing(self) -> list[int]:
        """Tiles that are yet to be encoded."""
        return [number for number in range(len(self.tiles)) if not feature_path(self._key(number)).exists()]

    def encode(self) -> Steps[None]:
        """Encode every tile that is not in the cache.

        Raises
        ------
        StorageError
            The cache cannot be written: the features would be lost.
        DataError, WeightsMissing, TrainingFailed
            As `encode_section`.
        """
        stage, total, done = "Looking at the tissue", self.section.n_spots, 0
        for number, rows in enumerate(self.tiles):
            for progress in self._encode(number):
                yield replace(progress, stage=stage, done=done + progress.done, total=total, note="")
            if not feature_path(self._key(number)).exists():
                raise StorageError(f"The features of {self.section.name} cannot be kept on the disk. {MAKE_ROOM}")
            done += rows.stop - rows.start

    def of(self, number: int) -> Float32:
        """Features (n, width) of one tile; the last ones read stay in memory."""
        if number in self._read:
            self._read.move_to_end(number)
            return self._read[number]
        features = read_features(self._key(number))
        if features is None:
            raise StorageError(
                f"Features of {self.section.name} that were kept are gone from the cache. Start the same prediction "
                "again: it makes those that are missing."
            )
        self._read[number] = features
        while len(self._read) > 1 and sum(part.nbytes for part in self._read.values()) > _KEPT_BYTES:
            self._read.popitem(last=False)
        return features

    def _encode(self, number: int) -> Steps[Float32]:
        return encode_section(
            self._slide(),
            self._xy[self.tiles[number]],
            recipe=self.recipe,
            um_per_px=self.section.um_per_px,
            section=self.section.name,
            device=self._device,
        )

    def _key(self, number: int) -> FeatureKey:
        xy = self._xy[self.tiles[number]]
        return FeatureKey.of(self._slide(), xy, self.recipe, self.section.um_per_px, device=self._device)

    def _slide(self) -> Slide:
        if self.section.slide is None:
            raise DataError(why_without_picture(self.section))
        return self.section.slide
