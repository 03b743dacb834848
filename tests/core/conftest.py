"""Fixtures of the tests of the library."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest


class Done(NamedTuple):
    """What came of a command."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]
Command = Callable[..., tuple[int, str]]


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """The command line in this process, many times faster than a new one."""
    from gr2st.cli.app import main

    before = signal.getsignal(signal.SIGINT)

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["gr2st", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Done(int(ended.value.code or 0), printed.out, printed.err)

    yield run
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command(run_here: Run) -> Command:
    """The command line in this process: exit code, and all that was printed."""

    def run(*arguments: object) -> tuple[int, str]:
        done = run_here(*arguments)
        return done.returncode, done.stdout + done.stderr

    return run
