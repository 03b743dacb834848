"""What is computed from the tensors of a section once and not at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from gr2st.models.plain import plain

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

SECTIONS = 64
"""Sections remembered; a training run beyond that computes again."""


class PerSection(Generic[T]):
    """A value per section, kept while the tensors it was made from are the same and unchanged.

    What plain operations made is kept apart: it may have another form.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], tuple[tuple[Tensor | None, ...], tuple[int, ...], T]] = {}

    def of(self, section: str, sources: tuple[Tensor | None, ...], compute: Callable[[], T]) -> T:
        """The value of a section; computed where it is not known, or known from other tensors."""
        key = section, plain()
        known = self._known.get(key)
        versions = tuple(source._version for source in sources if source is not None)
        if known is not None and known[1] == versions and all(a is b for a, b in zip(known[0], sources, strict=True)):
            return known[2]
        value = compute()
        self._known.pop(key, None)
        while len(self._known) >= SECTIONS:
            self._known.pop(next(iter(self._known)))
        self._known[key] = (sources, versions, value)
        return value
