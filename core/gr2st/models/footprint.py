"""What a training step of GR2ST takes of the memory, so that a section that will not fit is refused in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig

FIXED = 256 << 20
"""Kept attention weights and the scratch of one piece, in bytes."""

MASK_COPIES = 2
"""A dense mask and the same turned round, one byte a pair."""

NUMBER = 4
"""Bytes of a float32."""


def step_bytes(n_spots: int, config: Gr2stConfig, *, n_genes: int) -> int:
    """Bytes that a training step on a section of `n_spots` adds to the section and the model themselves.

    An upper estimate: both graphs dense, all that the backward pass needs alive at once. It is held against measured
    peaks in ``benchmarks/large_section.py``.
    """
    attended = config.heads * config.projection
    per_spot = 8 * attended + 10 * n_genes + 4 * config.experts * config.projection
    return FIXED + NUMBER * per_spot * n_spots + MASK_COPIES * n_spots**2
