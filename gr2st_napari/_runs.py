"""The runs there are, as the Train dock sees them. Frozen values, pure functions; no Qt, no files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gr2st import Epoch, Run
    from gr2st_napari._state import Problem

AT_WORK = ("running", "paused")
"""States of a run that a process is at."""


@dataclass(frozen=True, slots=True)
class RunsSeen:
    """The runs that lie in the user's folder.

    Attributes
    ----------
    found : tuple of Run
        The latest first.
    curves : mapping of Path to tuple of Epoch
    chosen : tuple of Path
        Those selected, to be looked at or compared.
    asked_to_stop : frozenset of Path
        Runs of other processes that were asked to stop.
    """

    found: tuple[Run, ...] = ()
    faults: tuple[str, ...] = ()
    curves: Mapping[Path, tuple[Epoch, ...]] = field(default_factory=dict)
    chosen: tuple[Path, ...] = ()
    asked_to_stop: frozenset[Path] = frozenset()
    problem: Problem | None = None

    @property
    def selected(self) -> tuple[Run, ...]:
        return tuple(run for run in self.found if run.folder in self.chosen)


def with_found(runs: RunsSeen, found: tuple[Run, ...], faults: tuple[str, ...], curves: Mapping[Path, Any]) -> RunsSeen:
    """What was found when looking; what is gone is not chosen any more."""
    there = {run.folder for run in found}
    at_work = {run.folder for run in found if run.state == "running"}
    return replace(
        runs,
        found=found,
        faults=faults,
        curves=curves,
        chosen=tuple(folder for folder in runs.chosen if folder in there),
        asked_to_stop=runs.asked_to_stop & at_work,
    )


def differences(runs: Iterable[Run]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Settings that are not the same in all runs: dotted name, and the value in each run."""
    plans = [dict(_flat(run.plan.model_dump(mode="json"))) for run in runs]
    names = dict.fromkeys(name for plan in plans for name in plan)
    rows = ((name, tuple(plan.get(name, "-") for plan in plans)) for name in names)
    return tuple((name, values) for name, values in rows if len(set(values)) > 1)


def _flat(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or "none"
    else:
        yield name, "none" if value is None else str(value)


def last_value(epochs: Iterable[Epoch], name: str) -> float | None:
    """The last value of a name; None where it never came."""
    return next((one.values[name] for one in reversed(tuple(epochs)) if name in one.values), None)
