"""Nuclei found in a picture, found once: a cache on disk, keyed by everything that decides them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st.io.store import atomic_path, cache_dir
from gr2st.types import Nuclei

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Float64, Slide

VERSION = 1
"""Raised whenever the estimate finds or classes nuclei differently."""


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
        text = json.dumps(asdict(self), sort_keys=True)
        return cache_dir("cells") / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"


def read_cached(key: NucleiKey) -> Nuclei | None:
    """The nuclei of `key`, or None where there are none, or none that can be read."""
    if not key.path.is_file():
        return None
    try:
        with key.path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return Nuclei(stored["xy"], stored["kind"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write_cached(key: NucleiKey, nuclei: Nuclei) -> None:
    """Keep nuclei; StorageError where the cache cannot be written."""
    with atomic_path(key.path) as temporary:
        np.savez_compressed(temporary, xy=nuclei.xy, kind=nuclei.kind)
