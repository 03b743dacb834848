"""One reading thread: short file work beside the window, answers back in the window's thread."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from gr2st import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st import Progress, Steps


def run_through(
    steps: Steps[Any], is_wanted: Callable[[], bool], tell: Callable[[Progress], None] = lambda _progress: None
) -> Any:
    """The result of steps that are ended between two of them when they are wanted no more; `tell` hears of each.

    Raises
    ------
    Cancelled
        `is_wanted` said no.
    """
    while is_wanted():
        try:
            tell(next(steps))
        except StopIteration as stop:
            return stop.value
    steps.close()
    raise Cancelled("What was being worked out is wanted no more.")


class Background(QObject):
    """Runs functions one after the other in a thread; only the answer to the newest request is delivered."""

    answered = Signal(int, object)
    """Number of the request and its finished Future."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gr2st-reading")
        self._newest = 0
        self._then: dict[int, Callable[[Future[Any]], None]] = {}
        self.answered.connect(self._deliver)

    @property
    def is_busy(self) -> bool:
        return bool(self._then)

    def run(self, work: Callable[[], Any], then: Callable[[Future[Any]], None]) -> None:
        """Run `work` in the thread and hand its finished Future to `then` in the window's thread."""
        self._newest += 1
        number = self._newest
        self._then = {number: then}
        self._thread.submit(work).add_done_callback(lambda future: self.answered.emit(number, future))

    def forget(self) -> None:
        """Deliver no answer to what was asked so far."""
        self._then = {}

    def close(self) -> None:
        """Forget everything and let the thread end."""
        self.forget()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _deliver(self, number: int, future: Future[Any]) -> None:
        then = self._then.pop(number, None)
        if then is not None:
            then(future)
