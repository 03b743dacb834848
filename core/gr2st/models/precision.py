"""Where half precision has no place: choices of edges, attention written out by hand, logarithms of shares."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

R = TypeVar("R")
HALVES = frozenset({torch.bfloat16, torch.float16})


def in_full_precision(function: Callable[..., R]) -> Callable[..., R]:
    """A function of tensors that never computes in half precision: autocast is off, halves arrive as float32."""

    @wraps(function)
    def computed(*values: Any, **settings: Any) -> R:
        device = next(value.device.type for value in values if isinstance(value, Tensor))
        if not torch.is_autocast_enabled(device):
            return function(*values, **settings)
        with torch.autocast(device, enabled=False):
            return function(*map(_widened, values), **settings)

    return computed


def _widened(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in HALVES else value
