"""Processes of this machine that compute folds; one that is killed takes nothing but its own fold with it."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gr2st.errors import WorkerLost
from gr2st.processes import share_the_cores

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 2
"""How often a call is begun: memory may have run out because of its neighbours, but not for ever."""


class Workers(Executor):
    """A process pool that outlives its processes: a call whose process is killed is made again in a fresh one.

    Every process is a pool of its own. In a common pool, the death of one process (the system's answer to memory that
    runs out) fails every call that runs or waits, and nobody can say which of them it was.

    Parameters
    ----------
    count : int
        Processes, and calls at once.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._threads = ThreadPoolExecutor(count)
        self._idle: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for _ in range(count):
            self._idle.put(self._process())

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call `fn` in one of the processes.

        The future holds WorkerLost where the process was killed `TRIES` times.
        """
        return self._threads.submit(self._call, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes that have no call to answer, after the others where `wait` says so."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        while not self._idle.empty():
            self._idle.get().shutdown(wait=wait)

    def _call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        process = self._idle.get()
        try:
            for _ in range(TRIES):
                try:
                    return process.submit(fn, *args, **kwargs).result()
                except BrokenProcessPool:
                    process.shutdown()
                    process = self._process()
        finally:
            self._idle.put(process)
        raise WorkerLost(
            f"its process was killed {TRIES} times, most likely because memory ran out. Use fewer --workers, or a "
            "machine with more memory; the same command then does only what is missing."
        )

    def _process(self) -> ProcessPoolExecutor:
        """A pool of one process, which starts with its first call."""
        # Forked children would share the locks of torch's threads.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=_settle_in, initargs=(self._count,))


def _settle_in(workers: int) -> None:
    """Give each worker its share of the cores."""
    share_the_cores()
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))
