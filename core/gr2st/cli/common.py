"""What the commands share: options, lists, progress bars."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gr2st.errors import Cancelled, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from gr2st.types import Progress as Step
    from gr2st.types import Steps

R = TypeVar("R")

STOPPED = "Stopped. What is finished is kept; the same command goes on from there."


class CellTypesName(StrEnum):
    """Where the cell types of the spots come from."""

    none = "none"
    files = "files"
    estimate = "estimate"


StudyArgument = Annotated[Path, typer.Argument(help="Study: a folder, a study.csv, a Space Ranger folder or an .h5ad.")]
SectionsOption = Annotated[str, typer.Option(help="Section names, separated by commas. Default: all with an image.")]
GenesOption = Annotated[
    Path | None,
    typer.Option(help="File with the genes to predict: one per line, or a table with a column called gene."),
]
VariableOption = Annotated[
    int, typer.Option(min=2, help="Without --genes: number of variable genes, chosen from the training sections alone.")
]
EncoderOption = Annotated[str, typer.Option(help="Patch encoder; see `gr2st encoders`.")]
UmPerPxOption = Annotated[
    float | None, typer.Option(min=0.01, help="Micrometres per patch pixel. Default: the encoder's own.")
]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="Passes over the training sections. Default: the model's.")
]
SeedOption = Annotated[int, typer.Option(help="Seed of everything random.")]
CellTypesOption = Annotated[
    CellTypesName,
    typer.Option(help="Cell types: none, from the files named in study.csv, or an estimate from the picture."),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")]


def names_of(text: str) -> tuple[str, ...]:
    """``"C2, C3"`` to ``("C2", "C3")``."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if text and not names:
        raise DataError(f"{text!r} names nothing; give names separated by commas.")
    return names


def new_file(path: Path, suffix: str) -> Path:
    """The path, if a file of that kind may be written there."""
    if path.suffix != suffix:
        raise DataError(f"{path} would hold a {suffix} file: give it the ending {suffix}.")
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it.")
    return path


def say_notes(notes: Sequence[str]) -> None:
    """What the user should know, a line each on standard error."""
    for note in notes:
        typer.echo(f"Note: {note}", err=True)


def show_progress(steps: Steps[R]) -> R:
    """Run a long step with a bar per stage on standard error; its result comes back."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
    )
    bars = Progress(*columns, console=console, disable=not console.is_terminal)
    with closing(steps), bars, heeding_ctrl_c() as is_asked_to_stop:
        return _drain(steps, bars, is_asked_to_stop)


@contextmanager
def heeding_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Within the block a first Ctrl-C only asks, so that the step under way ends whole; a second one ends at once."""
    asked: list[bool] = []
    at_once = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        if asked and callable(at_once):
            at_once(number, frame)
        asked.append(True)
        sys.stderr.write("Stopping after this step; Ctrl-C again stops at once.\n")

    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, at_once)


def _drain(steps: Steps[R], bars: Progress, is_asked_to_stop: Callable[[], bool]) -> R:
    tasks: dict[str, TaskID] = {}
    said: dict[str, tuple[int, str]] = {}
    while True:
        if is_asked_to_stop():
            raise Cancelled(STOPPED)
        try:
            now = next(steps)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        if bars.disable:
            _say(now, said)
            continue
        if now.stage not in tasks:
            tasks[now.stage] = bars.add_task(now.stage, total=now.total or None, note="")
        bars.update(tasks[now.stage], completed=now.done, total=now.total or None, note=now.note)


def _say(now: Step, said: dict[str, tuple[int, str]]) -> None:
    """Where no bar can be drawn (a log file, a pipe): a line whenever a tenth more is done or there is news.

    A note beside values is no news: it repeats them, anew at every step.
    """
    tenth = 10 * now.done // now.total if now.total else 0
    before, note = said.get(now.stage, (-1, ""))
    if before != tenth or (now.note and now.note != note and not now.values):
        said[now.stage] = tenth, now.note
        sys.stderr.write(f"{now.stage} {10 * tenth} % {now.note}".rstrip() + "\n")
        sys.stderr.flush()
