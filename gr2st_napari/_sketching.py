"""The map of a training that goes on: which gene, which spots, and what is said of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st import automatic_limits
from gr2st_napari._panels import Panel
from gr2st_napari._runs import AT_WORK
from gr2st_napari._series import SCORE
from gr2st_napari._training import Training

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st import Run, Sketch
    from gr2st_napari._expression import Float32
    from gr2st_napari._panels import Display
    from gr2st_napari._runs import RunsSeen
    from gr2st_napari._state import Wish
    from gr2st_napari._training import Phase


@dataclass(frozen=True, eq=False)
class Sketched:
    """What is said of the map, and the map itself where there is one to draw; `run` is the folder it is read from."""

    note: str = ""
    panel: Panel | None = None
    run: Path | None = None


def followed(training: Training, runs: RunsSeen, before: Path | None) -> Training:
    """The training whose map is drawn: that of this window, else one that another process is at.

    A run that is selected goes first; the one whose map is drawn (`before`) goes on being followed to its end.
    """
    if training.is_busy:
        return training
    drawing = [run for run in runs.found if run.plan.sketch]
    selected = [run for run in drawing if run in runs.selected and run.state in AT_WORK]
    goes_on = [run for run in drawing if run.folder == before]
    if not selected and training.plan is not None and training.plan.sketch:
        return training
    at_work = [run for run in drawing if run.state in AT_WORK]
    run = next(iter((*selected, *goes_on, *at_work)), None)
    return training if run is None else _of_run(run, runs)


def _of_run(run: Run, runs: RunsSeen) -> Training:
    """A run of another process, as far as its folder tells it."""
    phase: Phase = "running" if run.state in AT_WORK else "idle"
    return Training(phase, run.folder, run.plan, epochs=runs.curves.get(run.folder, ()))


def looks_of(training: Training) -> int:
    """How many looks at what is held out a training has kept so far; 0 where it was not asked to."""
    if training.plan is None or not training.plan.sketch:
        return 0
    return sum(SCORE in one.values for one in training.epochs)


def sketched(sketch: Sketch, spots: Sequence[str], shown: Display, wish: Wish) -> Sketched:
    """The gene in view as an unfinished model predicts it, for these spots; the first that is learned in its place."""
    far = f"epoch {sketch.epoch} of {sketch.epochs}"
    if len(shown.panels) > 1:
        return Sketched(f"{sketch.section} was drawn at {far}: choose Measured in the Genes dock to see it.")
    is_learned = not shown.members and shown.gene in sketch.genes
    gene = shown.gene if is_learned else sketch.genes[0]
    values = _of_spots(sketch, gene, spots)
    title = f"{gene} · predicted so far · {far}"
    panel = Panel("sketch", title, values, automatic_limits(values, wish.clip), wish.colormap)
    instead = "" if is_learned else f" {shown.gene} is not learned; choose another gene in the Genes dock."
    return Sketched(f"{gene} lies on {sketch.section} as it is predicted at {far}.{instead}", panel)


def _of_spots(sketch: Sketch, gene: str, spots: Sequence[str]) -> Float32:
    """Values (n,) of a gene in the order of `spots`; NaN where the sketch has none."""
    rows = {spot: row for row, spot in enumerate(sketch.spots)}
    at = np.array([rows.get(spot, -1) for spot in spots], dtype=np.int64)
    known = np.append(sketch.values[:, sketch.genes.index(gene)], np.float32(np.nan))
    return np.asarray(known[at], dtype=np.float32)
