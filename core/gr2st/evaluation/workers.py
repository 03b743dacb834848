"""Processes of this machine that compute folds; one that is killed takes nothing but its own fold with it.

None outlives the process it works for, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gr2st.errors import WorkerLost
from gr2st.processes import share_the_cores

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from types import TracebackType

P = ParamSpec("P")
R = TypeVar("R")

TRIES = 2
"""How often a call is begun: memory may have run out because of its neighbours, but not for ever."""


class Workers(Executor):
    """A process pool that outlives its processes: a call whose process is killed is made again in a fresh one.

    Left by an error, or because it was stopped, it ends its processes at once.

    Every process is a pool of its own. In a common pool, the death of one process (the system's answer to memory that
    runs out) fails every call that runs or waits, and nobody can say which of them it was.

    Parameters
    ----------
    count : int
        Processes, and calls at once.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._is_over = False
        # Forked children would share the locks of torch's threads.
        self._context = multiprocessing.get_context("spawn")
        self._heard, self._lifeline = self._context.Pipe(duplex=False)
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

    def end(self) -> None:
        """End all processes, whatever they are at, and answer no call any more."""
        self._is_over = True
        self._lifeline.close()
        self.shutdown(cancel_futures=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.shutdown()
        self.end()

    def _call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        process = self._idle.get()
        try:
            for _ in range(TRIES):
                try:
                    return process.submit(fn, *args, **kwargs).result()
                except BrokenProcessPool:
                    process.shutdown()
                    if self._is_over:
                        break
                    process = self._process()
        finally:
            self._idle.put(process)
        raise WorkerLost(
            f"its process was killed {TRIES} times, most likely because memory ran out. Use fewer --workers, or a "
            "machine with more memory; the same command then does only what is missing."
        )

    def _process(self) -> ProcessPoolExecutor:
        """A pool of one process, which starts with its first call."""
        return ProcessPoolExecutor(1, self._context, initializer=_settle_in, initargs=(self._count, self._heard))


def _settle_in(workers: int, lifeline: Connection) -> None:
    """Give each worker its share of the cores, and let it end when the other end of its lifeline is let go."""
    threading.Thread(target=_hang_on, args=(lifeline,), daemon=True).start()
    share_the_cores()
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))


def _hang_on(lifeline: Connection) -> None:
    # Nothing is ever said: what is heard is that the other end is gone.
    with suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)
