"""How long a user waits before anything happens: imports and the command line, each in a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 3


def seconds(*arguments: str) -> float:
    """Median wall time of a fresh interpreter with these arguments; it must succeed."""
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=120)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


class StartUp:
    """Wall time of a whole process, the interpreter's own start included (see `track_python`)."""

    unit = "s"
    timeout = 400

    def track_python(self) -> float:
        return seconds("-c", "pass")

    def track_import_gr2st(self) -> float:
        return seconds("-c", "import gr2st")

    def track_command_line_help(self) -> float:
        return seconds("-m", "gr2st", "--help")

    def track_import_reader(self) -> float:
        return seconds("-c", "import gr2st_napari._reader")
