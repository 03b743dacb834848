"""Patches per second: cut, normalised, encoded."""

from __future__ import annotations

import time

import numpy as np

from gr2st.encoders.base import load_encoder
from gr2st.preprocess.stain import reinhard
from gr2st.registry import ENCODERS


def tissue_like(count: int, side: int) -> np.ndarray:
    """Patches (count, side, side, 3) uint8 with the colours of H&E and structure at several sizes."""
    rng = np.random.default_rng(0)
    coarse = rng.random((count, side // 8, side // 8, 1)).repeat(8, axis=1).repeat(8, axis=2)
    shade = 0.7 * coarse + 0.3 * rng.random((count, side, side, 1))
    return (np.array((80, 60, 130)) * shade + np.array((230, 180, 210)) * (1 - shade)).astype(np.uint8)


def patches_per_second(function, patches: np.ndarray) -> float:
    """Best of three runs after a warm-up."""
    function(patches[:8])
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        function(patches)
        seconds.append(time.perf_counter() - start)
    return len(patches) / min(seconds)


class EncoderThroughput:
    """Encoders that need no weights, on the threads that torch takes by default."""

    params = (sorted(name for name, spec in ENCODERS.items() if not spec.needs_weights),)
    param_names = ("encoder",)
    unit = "patches/s"

    def setup(self, encoder: str) -> None:
        self.encoder = load_encoder(encoder)
        self.patches = tissue_like(128, self.encoder.spec.input_px)

    def track_patches_per_second(self, encoder: str) -> float:
        return patches_per_second(self.encoder.encode, self.patches)


class StainThroughput:
    """Reinhard normalisation of 224 px patches."""

    unit = "patches/s"

    def setup(self) -> None:
        self.patches = tissue_like(64, 224)

    def track_reinhard(self) -> float:
        return patches_per_second(reinhard, self.patches)
