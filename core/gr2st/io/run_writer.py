"""Writes the folder of a run while its training goes on."""

from __future__ import annotations

import csv
import os
import platform
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import keys
from gr2st.errors import StorageError
from gr2st.io.runs import Epoch, RunCard, StateCard, read_card, read_curves
from gr2st.io.store import MAKE_ROOM, atomic_path, cause_of, write_json
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gr2st.io.runs import Told
    from gr2st.plans import TrainPlan

EVERY_S = 1.0
"""Seconds between two writings of the state while a training runs."""


class RunWriter:
    """Tells how one training goes: state, curves and log. Curves begun before are gone on with.

    Parameters
    ----------
    folder : Path
        Of a run that `begin_run` has begun.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._epochs = list(read_curves(folder))
        self._progress: Progress | None = None
        self._written = 0.0

    def hear(self, progress: Progress) -> None:
        """Tell a step of the training: a new stage into the log, an epoch into the curves, at times the state."""
        is_new = self._progress is None or self._progress.stage != progress.stage
        self._progress = progress
        if is_new:
            self.log(progress.stage)
        if progress.values:
            self._draw(progress)
        if is_new or time.monotonic() - self._written >= EVERY_S:
            self.tell("running")

    def tell(self, state: Told, message: str = "", details: str = "") -> None:
        """Write the state, with the last step that was heard."""
        write_state(self.folder, state, self._progress or Progress(""), message, details)
        self._written = time.monotonic()

    def end(self, state: Told, message: str = "", details: str = "") -> None:
        """Say the last word, into the state and the log."""
        self.tell(state, message, details)
        self.log(f"{state.capitalize()}. {message}".rstrip())

    def log(self, text: str) -> None:
        """Add lines to the log, each with the time of UTC; StorageError where the disk does not take them."""
        lines = "".join(f"{now()} {line}\n" for line in text.splitlines())
        path = self.folder / keys.RUN_LOG
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(lines)
        except OSError as error:
            raise StorageError(f"{path} could not be written: {cause_of(error)}. {MAKE_ROOM}") from error

    def _draw(self, progress: Progress) -> None:
        """Add an epoch; what a crash lost of the training and is trained again takes the place of the first time."""
        new = Epoch(progress.stage, progress.done, dict(progress.values))
        self._epochs = [one for one in self._epochs if one.stage != new.stage or one.epoch < new.epoch]
        self._epochs.append(new)
        names = dict.fromkeys(name for one in self._epochs for name in one.values)
        with (
            atomic_path(self.folder / keys.RUN_CURVES) as part,
            part.open("w", encoding="utf-8", newline="") as file,
        ):
            table = csv.DictWriter(file, ["stage", "epoch", *names], restval="", lineterminator="\n")
            table.writeheader()
            table.writerows({"stage": one.stage, "epoch": one.epoch, **one.values} for one in self._epochs)


def begin_run(folder: Path, plan: TrainPlan, *, device: str, versions: dict[str, str]) -> None:
    """Write what was asked: from here on the folder is a run."""
    card = RunCard(format=keys.FORMAT, plan=plan, device=device, versions=versions, began=now())
    write_json(folder / keys.RUN_CARD, card.model_dump(mode="json"))


def write_state(folder: Path, state: Told, progress: Progress, message: str = "", details: str = "") -> None:
    """Tell in a folder how far the work in it is, as this process."""
    card = StateCard(
        state=state,
        message=message,
        details=details,
        pid=os.getpid(),
        host=platform.node(),
        at=time.time(),
        stage=progress.stage,
        done=progress.done,
        total=progress.total,
        note=progress.note,
        values=dict(progress.values),
    )
    write_json(folder / keys.RUN_STATE, card.model_dump(mode="json"))


@contextmanager
def last_word(folder: Path) -> Iterator[None]:
    """Say in the block how the work in a folder ended, where that is not its end.

    A full disk takes no last word. The one before would say for ever that the work goes on, so it goes; there is always
    room for that, and work without a word counts as interrupted.
    """
    try:
        yield
    except StorageError:
        with suppress(OSError):
            (folder / keys.RUN_STATE).unlink(missing_ok=True)


def tell_again(folder: Path, state: Told) -> None:
    """Tell another state of the work in a folder, otherwise what was told last; nothing where nothing was told yet."""
    path = folder / keys.RUN_STATE
    if path.is_file():
        told = read_card(path, StateCard, "delete this file")
        write_json(path, told.model_copy(update={"state": state, "at": time.time()}).model_dump(mode="json"))


def now() -> str:
    """The time of UTC in ISO form, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
