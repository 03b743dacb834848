"""A run: one training as a folder, told while it goes on; read without torch.

::

    run.json       what was asked, on which device, with which versions, when it was begun
    state.json     running, paused, finished, failed or stopped; how far; whose process, and when it last said a word
    curves.csv     a line per epoch: stage, epoch, parts of the loss
    log.txt        for people
    unfinished/    what a training needs to be gone on with
    sketches/      where that was asked for: sections not learned from, as they were last predicted on the way
    model/         the trained model, at the end
    lock.json      who works in the folder, while somebody does
    stop           asks whoever that is to stop
"""

from __future__ import annotations

import csv
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import psutil
from pydantic import Field, ValidationError

from gr2st import keys
from gr2st.config import Settings, first_fault
from gr2st.errors import DataError, Gr2stError, RecipeMismatch, UnknownName
from gr2st.io.store import cause_of
from gr2st.plans import TrainPlan  # noqa: TC001 - pydantic reads it
from gr2st.types import Progress

Told = Literal["running", "paused", "finished", "failed", "stopped"]
State = Literal["running", "paused", "finished", "failed", "stopped", "interrupted"]

AT_WORK = ("running", "paused")
"""States in which a process holds the work: one that rests keeps its memory and its folder."""

Card = TypeVar("Card", bound=Settings)

SILENT_S = 600.0
"""Seconds without a word after which a run of another machine, whose processes cannot be asked, counts as ended."""
CLOCK_S = 2.0
"""Seconds by which the clocks of processes and of files may differ."""


class RunCard(Settings):
    """What run.json holds. ``began`` is a time of UTC in ISO form."""

    format: int
    plan: TrainPlan
    device: str
    versions: dict[str, str]
    began: str


class StateCard(Settings):
    """What state.json holds. ``at`` is the time of the last word, in seconds since 1970."""

    state: Told
    message: str = ""
    details: str = ""
    pid: int
    host: str
    at: float
    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    values: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A training as its folder tells it.

    Attributes
    ----------
    folder : Path
    asked : RunCard
        The plan, device and versions.
    state : str
        "running", "paused", "finished", "failed", "stopped", or "interrupted": its process is gone without a last word.
    message, details : str
        Why it failed, in a sentence and in full; "" otherwise.
    progress : Progress
        The last that was told.
    at : float
        When that was, in seconds since 1970; 0 where nothing was told.
    pid : int
        Of the process that told it; 0 where nothing was told.
    """

    folder: Path
    asked: RunCard
    state: State
    message: str = ""
    details: str = ""
    progress: Progress = field(default_factory=lambda: Progress(""))
    at: float = 0.0
    pid: int = 0

    @property
    def plan(self) -> TrainPlan:
        """What was asked for."""
        return self.asked.plan

    @property
    def model(self) -> Path:
        """Folder of the model; there when the run has finished."""
        return self.folder / keys.RUN_MODEL

    @property
    def can_go_on(self) -> bool:
        """Whether the training may be asked for again, to go on where it was."""
        return self.state in ("stopped", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the curves: the mean parts of the loss in an epoch (from 1) of a stage."""

    stage: str
    epoch: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of one folder, the latest first, and a sentence for each that cannot be read."""

    found: tuple[Run, ...]
    faults: tuple[str, ...]


def read_run(folder: Path | str) -> Run:
    """Read where a run stands.

    Raises
    ------
    DataError
        No run, or a file of it is damaged.
    RecipeMismatch
        A later version wrote it.
    """
    folder = Path(folder)
    if not (folder / keys.RUN_CARD).is_file():
        raise DataError(f"{folder} is no run: {keys.RUN_CARD} is not there. A run is a folder that a training writes.")
    asked = read_card(folder / keys.RUN_CARD, RunCard, "delete the run, and train anew")
    if not (folder / keys.RUN_STATE).is_file():
        return Run(folder, asked, "interrupted")
    told = read_card(folder / keys.RUN_STATE, StateCard, "delete this file; the run then counts as interrupted")
    return Run(
        folder=folder,
        asked=asked,
        state=state_of(told),
        message=told.message,
        details=told.details,
        progress=Progress(told.stage, told.done, told.total, told.note, told.values),
        at=told.at,
        pid=told.pid,
    )


def list_runs(root: Path | str) -> Runs:
    """All runs that lie in a folder; none where there is no such folder."""
    found, faults = [], []
    for card in sorted(Path(root).glob(f"*/{keys.RUN_CARD}")):
        # A folder whose name begins with a full stop is being written, or was left by a crash.
        if card.parent.name.startswith("."):
            continue
        try:
            found.append(read_run(card.parent))
        except Gr2stError as error:
            faults.append(str(error))
    return Runs(tuple(sorted(found, key=lambda run: run.asked.began, reverse=True)), tuple(faults))


def read_curves(folder: Path | str) -> tuple[Epoch, ...]:
    """Every epoch of a run so far, in the order of training; none where no epoch has ended.

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = Path(folder) / keys.RUN_CURVES
    if not path.is_file():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(_epoch(row) for row in csv.DictReader(file, strict=True))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {cause_of(error)}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(f"{path} is no table of epochs ({error}): delete it; the curves then begin anew.") from error


def _epoch(row: dict[str, str]) -> Epoch:
    stage, epoch = row.pop("stage"), int(row.pop("epoch"))
    return Epoch(stage, epoch, {name: float(value) for name, value in row.items() if value != ""})


def read_card(path: Path, kind: type[Card], advice: str) -> Card:
    """Read a file that tells of long work; `advice` says what to do where it is damaged."""
    content = _json(path, advice)
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > keys.FORMAT:
        raise RecipeMismatch(f"{path} has format {found}, this version reads up to {keys.FORMAT}: update gr2st.")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path} is not what gr2st writes ({first_fault(error)}): {advice}.") from error
    except UnknownName as error:
        raise DataError(f"{path} was written by another version. {error}") from error


def _json(path: Path, advice: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {cause_of(error)}.") from error
    except ValueError as error:
        raise DataError(f"{path} is not readable as JSON ({error}): {advice}.") from error


def state_of(told: StateCard) -> State:
    """The state that a card tells: "interrupted" where its process is gone without a last word."""
    return "interrupted" if told.state in AT_WORK and not is_at_work(told.host, told.pid, told.at) else told.state


def is_at_work(host: str, pid: int, at: float) -> bool:
    """Whether the process that said a word at that time is still there: one of its number, begun before that word."""
    if host != platform.node():
        return time.time() - at < SILENT_S
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= at + CLOCK_S)
    except psutil.Error:
        return False
