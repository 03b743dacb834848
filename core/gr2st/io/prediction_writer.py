"""A prediction file written block by block, for one too large for the memory."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from anndata.io import write_elem

from gr2st import keys
from gr2st.errors import StorageError
from gr2st.io.store import MAKE_ROOM, atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gr2st.types import Float32

BLOCK = (16384, 4)
"""Spots and genes of a chunk of the file: a gene of 640,000 spots is read from 10 MB of 2 GB."""
_LAYER = f"layers/{keys.PREDICTED}"
_ARRAY = {"encoding-type": "array", "encoding-version": "0.2.0"}
_ANNDATA = {"encoding-type": "anndata", "encoding-version": "0.1.0"}
_PARTS = ("obs", "var", "uns", "obsm", "varm", "obsp", "varp")


class PredictionWriter:
    """Takes in rows of predicted expression, in spot order; made by `writing_prediction`."""

    def __init__(self, file: h5py.File, n_spots: int, genes: Sequence[str]) -> None:
        self._file = file
        file.attrs.update(_ANNDATA)
        write_elem(file, "layers", {})
        chunks = (min(BLOCK[0], n_spots), min(BLOCK[1], len(genes)))
        packed = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}
        self._data = file.create_dataset(_LAYER, (n_spots, len(genes)), np.float32, **packed)
        self._data.attrs.update(_ARRAY)
        # The same values under a second name, as in the files of sections.
        file["X"] = self._data
        self._waiting: list[Float32] = []
        self._written = 0
        self._sum = np.zeros(len(genes))

    @property
    def rows(self) -> int:
        """Rows taken in so far."""
        return self._written + sum(map(len, self._waiting))

    def add(self, expression: Float32) -> None:
        """Take in the expression (n, genes) of the next spots; whole chunks are written at once."""
        self._waiting.append(expression)
        self._sum += expression.sum(axis=0, dtype=np.float64)
        while self.rows - self._written >= self._data.chunks[0]:
            self._write(self._data.chunks[0])

    def finish(self, parts: dict[str, Any]) -> None:
        """Write what is left, and the tables round it: ``obs``, ``var``, ``obsm``, ``obsp``, ``uns``, other layers."""
        self._write(self.rows - self._written)
        for name in _PARTS:
            write_elem(self._file, name, parts.get(name, {}))
        for name, layer in parts.get("layers", {}).items():
            write_elem(self._file["layers"], name, layer)

    def means(self) -> Float32:
        """Mean of each gene over the rows taken in so far."""
        return (self._sum / max(self.rows, 1)).astype(np.float32)

    def predicted(self) -> Float32:
        """All rows taken in so far (n, genes), in memory: only for a small section."""
        return np.concatenate([self._data[: self._written], *self._waiting])

    def _write(self, count: int) -> None:
        rows = np.concatenate(self._waiting) if self._waiting else np.zeros((0, self._data.shape[1]), np.float32)
        self._data[self._written : self._written + count] = rows[:count]
        self._waiting = [rows[count:]]
        self._written += count


@contextmanager
def writing_prediction(path: Path, n_spots: int, genes: Sequence[str]) -> Iterator[PredictionWriter]:
    """Write a prediction of so many spots; the file takes its name when the block ends well.

    Raises
    ------
    StorageError
        The file cannot be written, or the disk has no room for it.
    """
    _refuse_full_disk(path, 4 * n_spots * len(genes))
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        yield PredictionWriter(file, n_spots, genes)


def _refuse_full_disk(path: Path, wanted: int) -> None:
    """Beforehand: HDF5 that meets a full disk ends the whole process."""
    there = next((folder for folder in path.absolute().parents if folder.exists()), None)
    free = wanted if there is None else shutil.disk_usage(there).free
    if free < wanted:
        raise StorageError(
            f"{path.name} takes up to {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free in {there}. {MAKE_ROOM}"
        )
