"""Calls that end their own process, or keep it busy: read by processes that need nothing else and start at once."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def die(log: Path, times: int) -> int:
    """Kill the own process the first `times` times; the number of the process that got through."""
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(log.read_text().split()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def work_on(log: Path) -> None:
    """Say which process this is, and be busy for longer than anybody waits."""
    log.write_text(f"{os.getpid()}\n")
    time.sleep(600)
