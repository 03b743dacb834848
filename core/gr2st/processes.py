"""How the processes we start behave beside others: the command line and the worker."""

from __future__ import annotations

import os
import sys

SPINS = "2000"
"""Turns a thread of GNU OpenMP waits awake for its siblings before it sleeps.

Left to itself it stays awake for milliseconds. Where another program holds one of the cores (a window that draws, a
second fold) all threads then wait for the one that cannot run: a training step took 5 to 40 times as long on two cores.
"""


NICE = 5
"""Niceness of the work behind a window: the window comes first, and the work is not starved."""


def share_the_cores() -> None:
    """Let waiting threads sleep early; to be called before torch is imported. The user's own setting is kept."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def leave_room_for_a_window() -> None:
    """Leave the window a core, and let it come first on the others; to be called before torch is imported.

    The number of threads that the user has set is kept; so is a priority that is lower already.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(threads_beside_a_window()))
    _step_back()


def threads_beside_a_window() -> int:
    """One less than the cores this process may use. The last digits of a training depend on it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def _step_back() -> None:
    """Children do as this process does."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, max(own, NICE))
