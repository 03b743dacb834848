"""Work in a thread as the job of the state: told when it begins; handed on, or told what went wrong, when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gr2st_napari._problems import problem_of
from gr2st_napari._state import Job

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from gr2st_napari._state import State


def tell(state: State, label: str) -> None:
    """Say what is being done, unless the worker does something that is told of."""
    if state.job.request is None:
        state.job = Job(label)


def hand_on(state: State, future: Future[Any], then: Callable[[Any], None]) -> None:
    """Give what came out to `then`, or say what went wrong."""
    if state.job.request is None:
        state.job = Job()
    error = future.exception()
    if error is None:
        then(future.result())
    else:
        state.problem = problem_of(error)
