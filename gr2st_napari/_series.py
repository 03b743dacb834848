"""Epochs -> lines of a plot: parts of the loss with their chance, and how well a watched section is predicted. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st import Epoch

SCORE, CHANCE, TOTAL = "pcc", "chance", "loss"
PART_WORDS = {
    TOTAL: "total",
    "contrastive": "contrastive",
    CHANCE: "chance",
    "mse": "regression",
    "gate": "cell types",
    "entropy": "attention entropy",
}
_COLOUR_OF = {"contrastive": 0, CHANCE: 0, "mse": 1, "gate": 2, "entropy": 3}
_NEXT_COLOUR = 4
_COMPARED_WITH = {CHANCE: "contrastive"}
"""Whose first value is the unit, where that is not the part's own."""
PLAIN = -1
"""The colour of the axes."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, the number of its colour, and its points; NaN breaks it.

    ``last`` is the last value in its own unit, None where the line is drawn in that unit.
    """

    label: str
    colour: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    is_dashed: bool = False
    last: float | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """Everything that is drawn of one or several runs.

    Attributes
    ----------
    losses, scores : tuple of Series
    stages : tuple of (x, name)
        Where a stage begins, where there are several.
    """

    losses: tuple[Series, ...] = ()
    scores: tuple[Series, ...] = ()
    stages: tuple[tuple[float, str], ...] = ()


def curves_of(epochs: Sequence[Epoch]) -> Curves:
    """The parts of the loss of one run, stage after stage, each as a share of what it was in the first epoch.

    Parts differ by a factor of a hundred: on one axis in their own units none of them would be seen to move.
    """
    names = dict.fromkeys(name for one in epochs for name in one.values)
    losses = [_part(name, epochs) for name in names if name != SCORE and _first(name, epochs) > 0]
    scores = [_line("", epochs, SCORE, colour=0)] if SCORE in names else []
    before = ["", *(one.stage for one in epochs)]
    starts = tuple((at + 0.5, one.stage) for at, one in enumerate(epochs) if before[at] != one.stage)
    return Curves(tuple(losses), tuple(scores), starts if len(starts) > 1 else ())


def compared(runs: Sequence[tuple[str, Sequence[Epoch]]], part: str) -> Curves:
    """One part of the loss of several runs, in their last stage, a colour each."""
    last = [(name, [one for one in epochs if one.stage == epochs[-1].stage]) for name, epochs in runs]
    losses = [_line(name, epochs, part, colour=at) for at, (name, epochs) in enumerate(last)]
    scores = [_line(name, epochs, SCORE, colour=at) for at, (name, epochs) in enumerate(last)]
    return Curves(_with_points(losses), _with_points(scores))


def parts_of(runs: Sequence[Sequence[Epoch]]) -> tuple[str, ...]:
    """Parts of the loss that any of the runs has."""
    names = dict.fromkeys(name for epochs in runs for one in epochs for name in one.values)
    return tuple(name for name in names if name not in (SCORE, CHANCE))


def _part(name: str, epochs: Sequence[Epoch]) -> Series:
    colour = PLAIN if name == TOTAL else _COLOUR_OF.get(name, _NEXT_COLOUR)
    line = _line(PART_WORDS.get(name, name), epochs, name, colour=colour)
    unit = _first(_COMPARED_WITH.get(name, name), epochs) or 1.0
    shares = tuple(value / unit for value in line.y)
    return replace(line, y=shares, last=next(one.values[name] for one in reversed(epochs) if name in one.values))


def _first(name: str, epochs: Sequence[Epoch]) -> float:
    """The first value of a part, 0 where it never came."""
    return next((one.values[name] for one in epochs if name in one.values), 0.0)


def _line(label: str, epochs: Sequence[Epoch], name: str, *, colour: int) -> Series:
    """A line with a gap where a stage ends; epochs that bring no such value are passed over."""
    points: list[tuple[float, float]] = []
    for at, one in enumerate(epochs):
        if at and epochs[at - 1].stage != one.stage:
            points.append((at + 0.5, math.nan))
        if name in one.values:
            points.append((at + 1.0, one.values[name]))
    x, y = zip(*points, strict=True) if points else ((), ())
    return Series(label, colour, tuple(x), tuple(y), is_dashed=name == CHANCE)


def _with_points(lines: Sequence[Series]) -> tuple[Series, ...]:
    return tuple(line for line in lines if any(math.isfinite(y) for y in line.y))
