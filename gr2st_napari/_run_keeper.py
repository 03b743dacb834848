"""Keeps an eye on the folder of all runs: what there is, how far each is; asks others to stop, deletes."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gr2st import DataError, ask_to_stop, data_dir, keys, list_runs, read_curves, read_run
from gr2st_napari import _runs
from gr2st_napari._background import Background
from gr2st_napari._problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from gr2st import Epoch, Runs
    from gr2st_napari._state import State


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of a run, with time and size of the file they were read from; what is wrong where it is damaged."""

    stamp: tuple[int, int]
    epochs: tuple[Epoch, ...] = ()
    fault: str = ""


Known: TypeAlias = dict[Path, Curves]


class RunKeeper:
    """Changes `State.runs`; everything returns at once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()
        self._curves: Known = {}

    def look(self) -> None:
        """Look which runs there are and how far they are, unless that is being done."""
        if not self._background.is_busy:
            self._background.run(lambda: _found(dict(self._curves)), self._on_found)

    def choose(self, folders: Iterable[Path]) -> None:
        """Look at these runs."""
        self._state.runs = replace(self._state.runs, chosen=tuple(folders))

    def ask_to_stop(self, folder: Path) -> None:
        """Ask the process that trains a run to stop; it hears of it before its next step."""
        runs = self._state.runs
        self._state.runs = replace(runs, asked_to_stop=runs.asked_to_stop | {folder})
        self._act(lambda: ask_to_stop(folder))

    def delete(self, folders: Iterable[Path]) -> None:
        """Delete the folders of runs; none that is being trained."""
        chosen = tuple(folders)
        self._act(lambda: _deleted(chosen))

    def dismiss(self) -> None:
        """Put an error away."""
        self._state.runs = replace(self._state.runs, problem=None)

    def close(self) -> None:
        """Look no more."""
        self._background.close()

    def _act(self, work: Callable[[], object]) -> None:
        """Do something to runs, then look at them; a look that is under way is forgotten."""

        def act() -> tuple[Runs, Known]:
            work()
            return _found(dict(self._curves))

        self._background.run(act, self._on_found)

    def _on_found(self, future: Future[tuple[Runs, Known]]) -> None:
        error = future.exception()
        if error is not None:
            self._state.runs = replace(self._state.runs, problem=problem_of(error))
            return
        found, self._curves = future.result()
        curves = {folder: one.epochs for folder, one in self._curves.items()}
        faults = (*found.faults, *(one.fault for one in self._curves.values() if one.fault))
        self._state.runs = _runs.with_found(self._state.runs, found.found, faults, curves)


def _found(known: Known) -> tuple[Runs, Known]:
    """The runs there are, with their curves; those that did not change are not read again."""
    runs = list_runs(data_dir("runs"))
    return runs, {run.folder: _curves_of(run.folder, known) for run in runs.found}


def _curves_of(folder: Path, known: Known) -> Curves:
    stamp = (0, 0)
    with suppress(OSError):
        stat = (folder / keys.RUN_CURVES).stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
    if folder in known and known[folder].stamp == stamp:
        return known[folder]
    try:
        return Curves(stamp, read_curves(folder))
    except DataError as error:
        return Curves(stamp, fault=str(error))


def _deleted(folders: Iterable[Path]) -> None:
    for folder in folders:
        if read_run(folder).state in _runs.AT_WORK:
            raise DataError(f"{folder.name} is being trained: stop it first.")
        # Out of the list at once; what is deleted by half is no run.
        hidden = folder.with_name(f".deleted-{folder.name}")
        try:
            folder.rename(hidden)
            shutil.rmtree(hidden)
        except OSError as error:
            raise DataError(f"{folder} could not be deleted: {error.strerror or error}.") from error
