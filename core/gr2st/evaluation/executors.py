"""Where folds are computed: here, in processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from gr2st.errors import DataError
from gr2st.evaluation.cluster import Cluster
from gr2st.evaluation.workers import Workers


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
        with Cluster(scheduler) as cluster:
            yield cluster
    elif workers > 1:
        with Workers(workers) as processes:
            yield processes
    else:
        yield None
