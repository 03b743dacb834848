"""The offline default encoder: colour, texture and nuclear statistics of a patch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gr2st.encoders.base import check_patches
from gr2st.encoders.channels import channels_of
from gr2st.encoders.colour import colour_features
from gr2st.encoders.nuclei import nuclear_features
from gr2st.encoders.texture import texture_features
from gr2st.registry import ENCODERS, EncoderSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from gr2st.encoders.statistics import Named
    from gr2st.types import Float32, UInt8

BATCH = 32
"""Patches between two reports of progress."""
AT_ONCE = 8
"""Patches computed together; more no longer fit the processor's cache."""


class Handcrafted:
    """Features without weights: deterministic, and the same for a patch whatever patches stand beside it.

    Parameters
    ----------
    spec : EncoderSpec
    device : str
        Device of torch.
    """

    def __init__(self, spec: EncoderSpec | None = None, *, device: str = "cpu") -> None:
        self.spec = spec or ENCODERS["handcrafted"]
        self.batch = BATCH
        self._device = torch.device(device)

    def encode(self, patches: UInt8) -> Float32:
        """Features (n, spec.width) of RGB patches (n, 224, 224, 3) uint8; DataError for other shapes."""
        check_patches(self.spec, patches)
        parts = [patches[start : start + AT_ONCE] for start in range(0, len(patches), AT_ONCE)]
        with _one_thread_per_part(self._device) as run:
            rows = list(run(self._encode, parts))
        return np.concatenate(rows) if rows else np.zeros((0, self.spec.width), dtype=np.float32)

    @torch.inference_mode()
    def _encode(self, patches: UInt8) -> Float32:
        pixels = torch.from_numpy(np.ascontiguousarray(patches)).to(self._device)
        features = _named_features(pixels)
        stacked = torch.stack([value.to(torch.float32) for value in features.values()], dim=1)
        return np.asarray(stacked.cpu().numpy(), dtype=np.float32)


@contextmanager
def _one_thread_per_part(device: torch.device) -> Iterator[Callable[..., Iterable[Float32]]]:
    """A `map` that works on several parts at once, each on one thread of torch, as many as torch may use.

    The operations are short: threads inside them cost more than they bring, most of all on a busy machine. And a part
    computed by one thread comes out the same to the bit, however many threads there are.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield map
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def feature_names() -> tuple[str, ...]:
    """Name of every feature, in column order: ``group.channel.how``."""
    with torch.inference_mode():
        return tuple(_named_features(torch.full((1, 224, 224, 3), 255, dtype=torch.uint8)))


def _named_features(patches: Tensor) -> Named:
    """All features of patches (n, 224, 224, 3) uint8."""
    channels = channels_of(patches)
    return colour_features(channels) | texture_features(channels) | nuclear_features(channels)
