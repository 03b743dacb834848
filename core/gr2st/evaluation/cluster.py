"""Folds on a dask.distributed cluster: one at a time on each GPU, and a sentence where a fold kills its workers."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from gr2st.errors import DataError, WorkerLost
from gr2st.evaluation.fold import FoldJob

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

ANSWERS_WITHIN = "10s"
GPU = "GPU"
"""Name of the resource by which workers declare their GPUs: `dask worker … --resources "GPU=1"`."""


class Cluster(Executor):
    """A dask.distributed cluster as an executor.

    Where its workers declare GPUs when the executor is made, a fold that computes on a GPU takes one for itself; on a
    cluster that declares none, folds go to any worker.

    Parameters
    ----------
    address : str
        Of the scheduler (``tcp://host:8786``).

    Raises
    ------
    DataError
        distributed is not installed, or no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        self._client = _client_of(address)
        self._anywhere = self._client.get_executor()
        self._on_gpu = self._client.get_executor(resources={GPU: 1}) if _has_gpus(self._client) else self._anywhere

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call `fn` on one of the workers; the future holds WorkerLost where the call killed too many of them."""
        wants_gpu = any(isinstance(argument, FoldJob) and argument.wants_gpu for argument in args)
        executor = self._on_gpu if wants_gpu else self._anywhere
        return _with_lost_workers_told(executor.submit(fn, *args, **kwargs))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster, which itself goes on."""
        for executor in {self._anywhere, self._on_gpu}:
            executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


def _client_of(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise DataError("A cluster needs dask.distributed: install it with `pip install distributed`.") from error
    try:
        return Client(address, timeout=ANSWERS_WITHIN)
    except (OSError, ValueError) as error:
        raise DataError(f"No dask scheduler answers at {address}: {error}. Start one with `dask scheduler`.") from error


def _has_gpus(client: Any) -> bool:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return any(worker["resources"].get(GPU, 0) >= 1 for worker in workers)


def _with_lost_workers_told(asked: Future[R]) -> Future[R]:
    """The same answer, with the cluster's error for a call that killed its workers as one of ours."""
    from distributed.scheduler import KilledWorker

    told: Future[R] = Future()

    def pass_on(_: Future[R]) -> None:
        if asked.cancelled():
            told.cancel()
        if not told.set_running_or_notify_cancel():
            return
        error = asked.exception()
        if isinstance(error, KilledWorker):
            lost = WorkerLost("every worker of the cluster that it was given to was killed; their logs may say why.")
            lost.__cause__ = error
            told.set_exception(lost)
        elif error is not None:
            told.set_exception(error)
        else:
            told.set_result(asked.result())

    asked.add_done_callback(pass_on)
    told.add_done_callback(lambda future: asked.cancel() if future.cancelled() else None)
    return told
