"""How the processes we start behave beside others: the command line and the worker."""

from __future__ import annotations

import os

SPINS = "2000"
"""Turns a thread of GNU OpenMP waits awake for its siblings before it sleeps.

Left to itself it stays awake for milliseconds. Where another program holds one of the cores (a window that draws, a
second fold) all threads then wait for the one that cannot run: a training step took 5 to 40 times as long on two cores.
"""


def share_the_cores() -> None:
    """Let waiting threads sleep early; to be called before torch is imported. The user's own setting is kept."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
