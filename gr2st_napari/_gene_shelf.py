"""Genes that are set apart (favourites, recent ones, lists the user has opened), and what is told of them. No Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FAVOURITES, RECENT = "Favourites", "Recent"


@dataclass(frozen=True, eq=False)
class Shelf:
    """What is set apart; `recent` has the newest first.

    `columns` are those of the list of genes that are wanted, the one given room first in front; None: as they come.
    """

    favourites: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What the list of genes can be narrowed to."""
        return (FAVOURITES, RECENT, *self.lists)

    def genes(self, name: str) -> tuple[str, ...] | None:
        """Genes of one of `names`, None for any other."""
        return {**self.lists, FAVOURITES: self.favourites, RECENT: self.recent}.get(name)
