"""Nuclei found in a picture or read from many files, once: a cache on disk, keyed by everything that decides them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st.io.store import atomic_path, cache_dir
from gr2st.types import Nuclei

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st.types import Float64, Int64, Slide

VERSION = 1
"""Raised whenever the estimate finds or classes nuclei differently."""
TILES_VERSION = 1
"""Raised whenever nuclei are read from files differently."""


@dataclass(frozen=True, slots=True)
class NucleiKey:
    """Everything that decides the estimated nuclei of a section: picture, spot centres, window, resolution."""

    image: str
    positions: str
    side: float
    um_per_px: float
    version: int = VERSION

    @classmethod
    def of(cls, slide: Slide, xy: Float64, side: float, um_per_px: float) -> NucleiKey:
        """Key of the windows of `side` level-0 pixels round the spots `xy` of a slide."""
        centres = np.ascontiguousarray(xy, dtype="<f8").tobytes()
        return cls(slide.digest(), hashlib.sha256(centres).hexdigest()[:16], float(side), um_per_px)

    @property
    def path(self) -> Path:
        """File of the cache that holds, or would hold, these nuclei."""
        return _path_of(asdict(self))


@dataclass(frozen=True, slots=True)
class TilesKey:
    """Everything that decides the nuclei counted in one file per spot: the files, and which spot each belongs to.

    ``files`` names, in the order of the spots, the file of each with its size and time; () for a spot without one.
    """

    files: tuple[tuple[str, int, int] | tuple[()], ...]
    version: int = TILES_VERSION

    @classmethod
    def of(cls, files: Sequence[Path | None]) -> TilesKey:
        """Key of these files, one per spot."""
        stats = [(path, path.stat()) if path is not None else None for path in files]
        return cls(tuple((str(s[0].resolve()), s[1].st_size, s[1].st_mtime_ns) if s else () for s in stats))

    @property
    def path(self) -> Path:
        """File of the cache that holds, or would hold, these counts."""
        return _path_of(asdict(self))


def read_cached(key: NucleiKey) -> Nuclei | None:
    """The nuclei of `key`, or None where there are none, or none that can be read."""
    stored = _stored(key.path, "xy", "kind")
    return None if stored is None else Nuclei(*stored)


def write_cached(key: NucleiKey, nuclei: Nuclei) -> None:
    """Keep nuclei; StorageError where the cache cannot be written."""
    with atomic_path(key.path) as temporary:
        np.savez_compressed(temporary, xy=nuclei.xy, kind=nuclei.kind)


def read_counts(key: TilesKey) -> Int64 | None:
    """Nuclei of each class (spots, 6) by `key`, or None where there are none, or none that can be read."""
    stored = _stored(key.path, "counts")
    return None if stored is None else stored[0]


def write_counts(key: TilesKey, counts: Int64) -> None:
    """Keep counts; StorageError where the cache cannot be written."""
    with atomic_path(key.path) as temporary:
        np.savez_compressed(temporary, counts=counts)


def _path_of(key: dict[str, Any]) -> Path:
    text = json.dumps(key, sort_keys=True)
    return cache_dir("cells") / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def _stored(path: Path, *names: str) -> list[Any] | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return [stored[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
