"""Plain operations: what `torch.func.vmap` can carry over many networks at once.

Attention, contrast and dropout are written out for one network on a CPU, where `vmap` sees nothing of what they do.
Inside `plain_operations()` a model takes their twins instead, made of torch's own operations; values and gradients are
the same up to rounding, the lots of dropout are drawn otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PLAIN: ContextVar[bool] = ContextVar("plain", default=False)


@contextmanager
def plain_operations() -> Iterator[None]:
    """Let models compute with operations that `vmap` can batch while the block runs."""
    before = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(before)


def plain() -> bool:
    """Whether only operations that `vmap` can batch may be used."""
    return _PLAIN.get()
