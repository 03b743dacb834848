"""What happens to unfinished work when the window closes: the user is asked, and nothing is left running unasked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QProcess, QProcessEnvironment

from gr2st import StorageError, threads_beside_a_window
from gr2st_napari.views.dialogs import ask_leaving

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from gr2st_napari._state import Unfinished


class Closing(QObject):
    """Asks before a window with unfinished work closes.

    Parameters
    ----------
    window : QWidget
        Watched as long as it lives.
    unfinished : callable
        Tells what is at work.
    end : callable
        Ends the worker, and waits for its end.
    """

    def __init__(
        self, window: QWidget, unfinished: Callable[[], Sequence[Unfinished]], end: Callable[[], None]
    ) -> None:
        super().__init__(window)
        self._window, self._unfinished, self._end = window, unfinished, end
        window.installEventFilter(self)

    def rest(self) -> None:
        """Ask no more."""
        self._window.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the window where the user wants to stay."""
        if watched is not self._window or event.type() != QEvent.Type.Close:
            return False
        stays = not self._may_close()
        if stays:
            event.ignore()
        return stays

    def _may_close(self) -> bool:
        work = self._unfinished()
        lasting = [one.name for one in work if one.folder is not None]
        ending = [one.name for one in work if one.folder is None]
        choice = ask_leaving(self._window, lasting, ending) if work else "stop"
        if choice == "background":
            self._end()
            for one in work:
                if one.folder is not None:
                    go_on_alone(one)
        return choice != "stay"


def go_on_alone(work: Unfinished) -> None:
    """Go on with a folder in a process that outlives the window; who it is stands in the folder.

    Raises
    ------
    StorageError
        The process could not be started.
    """
    process = QProcess()
    process.setProgram(sys.executable)
    process.setArguments(["-m", "gr2st", "resume", str(work.folder), *work.options])
    process.setProcessEnvironment(_environment())
    process.setStandardInputFile(QProcess.nullDevice())
    process.setStandardOutputFile(QProcess.nullDevice())
    process.setStandardErrorFile(QProcess.nullDevice())
    started = process.startDetached()
    # PyQt gives the number of the process beside the answer, PySide the answer alone.
    is_started = started[0] if isinstance(started, tuple) else started
    if not is_started:
        raise StorageError(f"{work.name} could not be continued in the background: {sys.executable} did not start.")


def _environment() -> QProcessEnvironment:
    """As many threads as the worker had: a training then goes on to the same bits."""
    environment = QProcessEnvironment.systemEnvironment()
    if not environment.contains("OMP_NUM_THREADS"):
        environment.insert("OMP_NUM_THREADS", str(threads_beside_a_window()))
    return environment
