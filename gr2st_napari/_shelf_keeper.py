"""Keeps the favourites in a file, remembers which genes were shown, and reads and writes lists of genes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import Gr2stError, data_dir, read_gene_list, read_gene_lists, write_gene_list
from gr2st_napari._gene_shelf import FAVOURITES
from gr2st_napari._problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gr2st_napari._panels import Display
    from gr2st_napari._state import State

REMEMBERED = 20


class ShelfKeeper:
    """Keeps `state.shelf`; what goes wrong with a file is the problem of the state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._try(lambda: self._put(favourites=_favourites()))
        state.events.shown.connect(self._on_shown)

    def close(self) -> None:
        self._state.events.shown.disconnect(self._on_shown)

    def star(self, gene: str) -> None:
        """Make a gene a favourite, or no longer; another window may have changed the file meanwhile."""
        self._try(lambda: self._put(favourites=_starred(gene)))

    def open(self, path: Path | str) -> None:
        """Take the lists of a file."""
        self._try(lambda: self._put(lists={**self._state.shelf.lists, **read_gene_lists(path)}))

    def save(self, path: Path | str, genes: Sequence[str]) -> None:
        """Write genes to a file."""
        self._try(lambda: write_gene_list(path, genes, Path(path).stem))

    def _put(self, **changes: object) -> None:
        self._state.shelf = replace(self._state.shelf, **changes)  # type: ignore[arg-type]

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (Gr2stError, OSError) as error:
            self._state.problem = problem_of(error)

    def _on_shown(self, shown: Display | None) -> None:
        recent = self._state.shelf.recent
        if shown is not None and shown.gene and not shown.members and shown.gene != next(iter(recent), ""):
            others = (gene for gene in recent if gene != shown.gene)
            self._put(recent=(shown.gene, *others)[:REMEMBERED])


def favourites_path() -> Path:
    """Where favourites are kept: a name per line."""
    return data_dir("genes") / "favourites.txt"


def _favourites() -> tuple[str, ...]:
    path = favourites_path()
    return read_gene_list(path) if path.exists() else ()


def _starred(gene: str) -> tuple[str, ...]:
    """The favourites with the gene if it was none, without it if it was; as they are in the file then."""
    before = _favourites()
    after = tuple(known for known in before if known != gene) if gene in before else (*before, gene)
    if after:
        write_gene_list(favourites_path(), after, FAVOURITES)
    else:
        favourites_path().unlink()
    return after
