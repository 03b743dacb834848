"""Fixtures of the tests of the library."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator

import pytest

Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command line in this process, many times faster than a new one: exit code, and all that was printed."""
    from gr2st.cli.app import main

    before = signal.getsignal(signal.SIGINT)

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["gr2st", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    yield run
    signal.signal(signal.SIGINT, before)
