"""What a training step of GR2ST takes of the memory, so that a section that will not fit is refused in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig

FIXED = 256 << 20
"""Kept attention weights and the scratch of one piece, in bytes."""

PAIR = 6
"""Bytes of a pair while attention takes a graph of any density over: the mask, the same turned round, lists of edges
where they are below the share at which attention works on lists."""

SCORED_PAIR = 12
"""Beside these, bytes of a pair whose score adds to its logit: what it adds, the gradient of that, and scratch."""

NUMBER = 4
"""Bytes of a float32."""


def step_bytes(n_spots: int, config: Gr2stConfig, *, n_genes: int) -> int:
    """Bytes that a training step on a section of `n_spots` adds to the section and the model themselves.

    An upper estimate: all that the backward pass needs alive at once, and a threshold graph as dense as it can be; the
    other graphs have few edges by their rule. ``benchmarks/large_section.py`` holds it against measured peaks.
    """
    attended = config.heads * config.projection
    per_spot = 8 * attended + 10 * n_genes + 4 * config.experts * config.projection
    per_pair = PAIR + (SCORED_PAIR if config.score_bias else 0)
    pairs = n_spots**2 if config.functional == "threshold" else 0
    return FIXED + NUMBER * per_spot * n_spots + per_pair * pairs
