"""How error grows with each measure of trust, on slides that were held out: values to draw, kept for the one viewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from gr2st import read_calibration
from gr2st_napari._background import Background
from gr2st_napari._problems import problem_of
from gr2st_napari._trust import MEASURE_WORDS

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    import pandas as pd

    from gr2st_napari._evaluation import Desk
    from gr2st_napari._results import Results
    from gr2st_napari._state import Measure, State


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean error in tenths of the spots, lowest measure first, in units of what a gene varies by within a slide.

    `correlation` is of ranks, mean over held-out slides; within genes where the measure is one of a gene.
    """

    measure: tuple[float, ...]
    error: tuple[float, ...]
    correlation: float | None


Curves: TypeAlias = Mapping["Measure", Curve]


@dataclass(frozen=True, eq=False)
class Calibration:
    """The curves of every model of an evaluation."""

    evaluation: str
    curves: Mapping[str, Curves]


class CalibrationKeeper:
    """Keeps `state.why.calibration` that of the evaluation in view; read beside the window."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()
        self._results: Results | None = None
        state.events.desk.connect(self._on_desk)
        self._on_desk(state.desk)

    def close(self) -> None:
        self._state.events.desk.disconnect(self._on_desk)
        self._background.close()

    def _on_desk(self, desk: Desk) -> None:
        if desk.results is self._results:
            return
        self._results = desk.results
        self._background.forget()
        if desk.results is None:
            self._put(None)
        else:
            folder = desk.results.folder
            self._background.run(lambda: calibration_in(folder), self._on_read)

    def _on_read(self, future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            self._put(future.result())
        else:
            self._put(None)
            self._state.problem = problem_of(error)

    def _put(self, calibration: Calibration | None) -> None:
        if self._state.why.calibration is not calibration:
            self._state.why = replace(self._state.why, calibration=calibration)


def calibration_in(folder: Path) -> Calibration:
    """What an evaluation folder says; without curves where an earlier version wrote it. Reads a file."""
    table = read_calibration(folder)
    joined = table[table["section"].isna() & table["bin"].notna()]
    found: dict[str, dict[Measure, Curve]] = {}
    for (label, measure), lines in joined.groupby(["model", "measure"], sort=False):
        if measure in MEASURE_WORDS:
            found.setdefault(str(label), {})[measure] = _curve(lines)
    return Calibration(folder.name, found)


def _curve(lines: pd.DataFrame) -> Curve:
    first = lines.iloc[0]
    ranks = [first[name] for name in ("rank_within_genes", "rank") if first[name] == first[name]]
    return Curve(
        tuple(map(float, lines["mean_measure"])),
        tuple(map(float, lines["mae"])),
        float(ranks[0]) if ranks else None,
    )
