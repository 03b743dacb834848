"""What will not fit is refused before it begins: a process that runs out of memory is killed without a word."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING

import psutil
import torch

from gr2st.errors import TrainingFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.models.base import SpotModel
    from gr2st.types import Prepared

MOST_SPOTS = 10_000_000
"""Beyond what any array holds; bounds the search for the largest section that fits."""

LARGEST_KEPT = (1 << 25) - (1 << 16)
"""Bytes of the largest block that glibc may come to take from memory it keeps, less what it adds."""


@cache
def reuse_freed_memory() -> None:
    """Let what one training step frees be there for the next.

    glibc gives freed memory back to the system where more of it lies together than twice the largest block that was
    ever freed; asking for it again, page by page, took up to a fifth of a step. One large block freed is all it takes
    (mallopt(3), M_MMAP_THRESHOLD). Other allocators do not mind, nor does glibc where its switches are set by the user,
    or by dask for its workers.
    """
    torch.empty(LARGEST_KEPT, dtype=torch.uint8)


def refuse_too_large(module: SpotModel, sections: Sequence[Prepared], *, free: int) -> None:
    """Nothing where a training step on the largest section fits into `free` bytes.

    Raises
    ------
    TrainingFailed
        It does not; the message says how many spots would fit.
    """
    largest = max(sections, key=lambda section: len(section.spots))
    n_spots = len(largest.spots)
    needed = module.step_bytes(n_spots)
    if needed <= free:
        return
    fitting = _spots_that_fit(module, free)
    raise TrainingFailed(
        f"A training step on section {largest.section} with its {n_spots:,} spots needs about {_gb(needed)} of memory; "
        f"{_gb(free)} are free, enough for about {fitting:,} spots. Close other programs, train on a machine with more "
        "memory, or leave this section out."
    )


def out_of_memory(module: SpotModel, section: str, n_spots: int, device: torch.device) -> TrainingFailed:
    """What to say of a step for which the memory did not do after all: other programs take of it too."""
    free = free_bytes(device)
    fitting = min(n_spots - 1, _spots_that_fit(module, free))
    return TrainingFailed(
        f"Memory of {device} ran out in a training step on section {section} with {n_spots:,} spots; {_gb(free)} are "
        f"free now, enough for about {fitting:,} spots. Close other programs that use it, train on steps of fewer "
        "spots (batch_spots), or leave this section out."
    )


def _spots_that_fit(module: SpotModel, free: int) -> int:
    return bisect_right(range(1, MOST_SPOTS), free, key=module.step_bytes)


def free_bytes(device: torch.device) -> int:
    """Memory of the device that can be had now without swapping."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
