"""Runs every benchmark of this folder once and prints a table: ``python -m benchmarks.report [part of a name ...]``.

The classes are asv benchmarks: ``params``, ``param_names``, ``setup``, ``teardown``, ``time_*`` (measured here)
and ``track_*`` (the returned number is the result, ``unit`` says of what). asv itself, with its environments and its
history, runs them from asv.conf.json.
"""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.table import Table

import benchmarks
from gr2st.processes import share_the_cores

LEAST_SECONDS = 0.5
MOST_RUNS = 20


@dataclass(frozen=True)
class Result:
    """One line of the table."""

    name: str
    setting: str
    value: float
    unit: str


def main(wanted: Sequence[str]) -> None:
    """Run the benchmarks whose name contains one of `wanted` (all where none is given)."""
    share_the_cores()
    console = Console(width=120)
    table = Table("benchmark", "setting", "result", "unit", title="GR2ST-napari benchmarks")
    table.columns[2].justify = "right"
    for result in run_all(wanted):
        console.print(f"{result.name} {result.setting}: {shown(result.value)} {result.unit}", style="dim")
        table.add_row(result.name, result.setting, shown(result.value), result.unit)
    console.print(table)


def run_all(wanted: Sequence[str]) -> Iterator[Result]:
    """Results of the benchmarks of this package, in the order of files and classes."""
    for module in sorted(info.name for info in pkgutil.iter_modules(benchmarks.__path__)):
        if not module.startswith("bench_"):
            continue
        for suite in suites(importlib.import_module(f"benchmarks.{module}")):
            for method in sorted(name for name in dir(suite) if name.startswith(("time_", "track_"))):
                name = f"{module.removeprefix('bench_')}.{suite.__name__}.{method}"
                if not wanted or any(part in name for part in wanted):
                    yield from run_benchmark(suite, method, name)


def suites(module: Any) -> list[type]:
    """Benchmark classes of a module, in the order they are written."""
    return [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__]


def run_benchmark(suite: type, method: str, name: str) -> Iterator[Result]:
    """One result for each combination of the suite's parameters, each in a process of its own as in asv.

    What one leaves behind, memory in pieces above all, would weigh on the next.
    """
    spawned = get_context("spawn")
    for setting in settings(suite):
        with ProcessPoolExecutor(max_workers=1, mp_context=spawned) as process:
            value, unit = process.submit(run_setting, suite, method, setting).result()
        yield Result(name, described(suite, setting), value, unit)


def run_setting(suite: type, method: str, setting: Sequence[Any]) -> tuple[float, str]:
    """What one combination gives, with its unit."""
    bench = suite()
    call(bench, "setup", setting)
    try:
        return measure(bench, method, setting)
    finally:
        call(bench, "teardown", setting)


def settings(suite: Any) -> Iterator[tuple[Any, ...]]:
    """Combinations of ``params``, which asv allows to be one list or a list of lists."""
    params = getattr(suite, "params", ())
    if params and not isinstance(params[0], list | tuple):
        params = (params,)
    return itertools.product(*params)


def described(suite: Any, setting: Sequence[Any]) -> str:
    """The parameters of a run for the reader's eye."""
    names = getattr(suite, "param_names", [f"p{number}" for number in range(len(setting))])
    return ", ".join(f"{name}={value}" for name, value in zip(names, setting, strict=False))


def measure(bench: Any, method: str, setting: Sequence[Any]) -> tuple[float, str]:
    """The tracked number with its unit, or the median seconds of a timed method."""
    run = getattr(bench, method)
    if method.startswith("track_"):
        return float(run(*setting)), str(getattr(run, "unit", getattr(bench, "unit", "")))
    run(*setting)
    seconds: list[float] = []
    while not seconds or (sum(seconds) < LEAST_SECONDS and len(seconds) < MOST_RUNS):
        started = time.perf_counter()
        run(*setting)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), "s"


def call(bench: Any, method: str, setting: Sequence[Any]) -> None:
    """Call an optional method of a benchmark."""
    if hasattr(bench, method):
        getattr(bench, method)(*setting)


def shown(value: float) -> str:
    """Four significant digits, without an exponent where it reads better."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


if __name__ == "__main__":
    main(sys.argv[1:])
