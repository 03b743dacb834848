"""Where half precision has no place: choices of edges, attention written out by hand, logarithms of shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

HALVES = frozenset({torch.bfloat16, torch.float16})


@contextmanager
def full_precision(*values: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The values, those of half precision as float32, and no autocast while the block runs."""
    with torch.autocast(values[0].device.type, enabled=False):
        yield tuple(value.float() if value.dtype in HALVES else value for value in values)
