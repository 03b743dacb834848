"""Where folds are computed: here, in processes of this machine, or on a cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from gr2st.errors import DataError
from gr2st.processes import share_the_cores

ANSWERS_WITHIN = "10s"


@contextmanager
def executor_of(workers: int, scheduler: str) -> Iterator[Executor | None]:
    """Give what `evaluate` is to compute its folds with; None for one fold after the other in this process.

    Parameters
    ----------
    workers : int
        Processes of this machine; 1 means this one.
    scheduler : str
        Address of a dask.distributed scheduler (``tcp://host:8786``); "" for none.

    Raises
    ------
    DataError
        Both are asked for, distributed is not installed, or no scheduler answers.
    """
    if workers > 1 and scheduler:
        raise DataError("Folds run in processes of this machine (--workers) or on a cluster (--scheduler), not both.")
    if scheduler:
        with _cluster(scheduler) as executor:
            yield executor
    elif workers > 1:
        # Forked children would share the locks of torch's threads.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_settle_in, initargs=(workers,)) as pool:
            yield pool
    else:
        yield None


def _settle_in(workers: int) -> None:
    """Give each worker its share of the cores."""
    share_the_cores()
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers))


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise DataError("A cluster needs dask.distributed: install it with `pip install distributed`.") from error
    try:
        client = Client(address, timeout=ANSWERS_WITHIN)
    except (OSError, ValueError) as error:
        raise DataError(f"No dask scheduler answers at {address}: {error}. Start one with `dask scheduler`.") from error
    with client:
        yield client.get_executor()
