"""What Python reads before the first dock of a process can be filled: a second's work, done beside the window."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal

from gr2st_napari._sweeps import SPARED

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from gr2st_napari._controller import Controller

DOCKS = ("_docks", "_spot_dock", "_regions_dock", "_slide_dock", "_study_dock", "_train_dock", "_evaluate_dock")
"""The modules that fill docks; they lead to all others that a window needs."""


class Loading(QObject):
    """Done once in a process."""

    finished = Signal()
    """In the window's thread."""

    _read = Signal()

    def __init__(self, read: Callable[[], None]) -> None:
        super().__init__()
        self.is_done = False
        self._thread = Thread(target=self._go_through, args=(read,), name="gr2st-loading")
        self._read.connect(self._on_read)

    def begin(self) -> None:
        """Read in a thread, where that was not begun yet."""
        if self._thread.ident is None:
            # A sweep over all that napari holds would stop the window too, whatever thread it comes in.
            SPARED.leave_out()
            self._thread.start()

    def then(self, act: Callable[[], None]) -> None:
        """Do something when all is read: at once where it is."""
        if self.is_done:
            act()
        else:
            self.finished.connect(act)
            self.begin()

    def wait(self) -> None:
        """Read to the end before anything else is done."""
        self.begin()
        self._thread.join()
        self._on_read()

    def _go_through(self, read: Callable[[], None]) -> None:
        # What cannot be read here cannot be read where it is needed either, and is told there.
        with suppress(Exception):
            read()
        self._read.emit()

    def _on_read(self) -> None:
        if not self.is_done:
            self.is_done = True
            self.finished.emit()


def read_all() -> None:
    """Modules, the declarations of plugins, and which encoders are ready."""
    for name in DOCKS:
        import_module(f"gr2st_napari.{name}")
    from napari.settings import get_plugin_settings

    from gr2st_napari._options import encoder_options

    get_plugin_settings()
    encoder_options()


LOADING = Loading(read_all)


def ask_controller(viewer: Viewer, act: Callable[[Controller], object]) -> None:
    """Have the controller of a viewer do something, once it can be made; not where the window is closed by then."""

    def act_then() -> None:
        from gr2st_napari._controller import controller_of

        if is_open(viewer):
            act(controller_of(viewer))

    LOADING.then(act_then)


def is_open(viewer: Viewer) -> bool:
    """Whether the window of a viewer is still there."""
    plain = getattr(viewer, "__wrapped__", viewer)  # napari hands plugins a proxy, which hides its widgets
    widget = getattr(plain.window, "_qt_viewer", None)
    return widget is not None and isalive(widget)
