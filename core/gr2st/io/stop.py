"""Asking long work of another process to end: a small file in its folder, looked for between its steps."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gr2st import keys
from gr2st.errors import Cancelled, DataError
from gr2st.io.store import atomic_path

if TYPE_CHECKING:
    from gr2st.types import Steps

R = TypeVar("R")

EVERY_S = 0.3
"""Seconds between two looks at the folder."""


def ask_to_stop(folder: Path | str) -> None:
    """Ask whoever trains or evaluates in a folder to stop; it ends after its step, and can be gone on with.

    Raises
    ------
    DataError
        There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not there: nothing that could be stopped.")
    with atomic_path(folder / keys.RUN_STOP) as part:
        part.write_text("")


def is_asked_to_stop(folder: Path) -> bool:
    """Whether `ask_to_stop` was called for a folder, and nobody has heard of it yet."""
    return (folder / keys.RUN_STOP).exists()


def heeding(folder: Path, steps: Steps[R]) -> Steps[R]:
    """The same steps, closed when `ask_to_stop` was called for the folder since they began.

    Raises
    ------
    Cancelled
        Then.
    """
    looked = time.monotonic()
    (folder / keys.RUN_STOP).unlink(missing_ok=True)
    try:
        with closing(steps):
            while True:
                if time.monotonic() - looked >= EVERY_S:
                    looked = time.monotonic()
                    if is_asked_to_stop(folder):
                        raise Cancelled(f"{folder.name} was asked to stop. `gr2st resume {folder}` goes on with it.")
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
                yield progress
    finally:
        (folder / keys.RUN_STOP).unlink(missing_ok=True)
