"""Keeps favourites and the columns of the list in files, remembers the genes shown, reads and writes lists of genes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from gr2st import Gr2stError, atomic_path, data_dir, read_gene_list, read_gene_lists, write_gene_list
from gr2st_napari._background import Background
from gr2st_napari._gene_shelf import FAVOURITES
from gr2st_napari._problems import problem_of
from gr2st_napari._telling import hand_on, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gr2st_napari._panels import Display
    from gr2st_napari._state import State

REMEMBERED = 20


class ShelfKeeper:
    """Keeps `state.shelf`; what goes wrong with a file is the problem of the state."""

    opened = Signal(str)
    """The name of a list that was read just now, of a file of several the first."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()
        self._try(lambda: self._put(favourites=_favourites(), columns=_columns()))
        state.events.shown.connect(self._on_shown)

    def close(self) -> None:
        """Read and remember nothing any more."""
        self._state.events.shown.disconnect(self._on_shown)
        self._background.close()

    def star(self, gene: str) -> None:
        """Make a gene a favourite, or no longer; another window may have changed the file meanwhile."""
        self._try(lambda: self._put(favourites=_starred(gene)))

    def want_columns(self, columns: Sequence[str]) -> None:
        """Show these columns of the list, in the next window as well."""
        self._put(columns=tuple(columns))
        self._try(lambda: _write_lines(columns_path(), columns))

    def open(self, path: Path | str) -> None:
        """Take the lists of a file, which may be long: they are there when `opened` says so."""
        self._state.problem = None
        tell(self._state, f"Reading {Path(path).name}")
        self._background.run(
            lambda: read_gene_lists(path), lambda future: hand_on(self._state, future, self._take_lists)
        )

    def save(self, path: Path | str, genes: Sequence[str]) -> None:
        """Write genes to a file."""
        self._try(lambda: write_gene_list(path, genes, Path(path).stem))

    def _take_lists(self, lists: Mapping[str, tuple[str, ...]]) -> None:
        self._put(lists={**self._state.shelf.lists, **lists})
        self.opened.emit(next(iter(lists)))

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


def columns_path() -> Path:
    """Where the columns of the list are kept that the user wants: a name per line."""
    return data_dir("genes") / "columns.txt"


def _columns() -> tuple[str, ...] | None:
    path = columns_path()
    return tuple(path.read_text(encoding="utf-8", errors="replace").split()) if path.exists() else None


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with atomic_path(path) as part:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


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
