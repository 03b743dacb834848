"""Widgets hear of news while they live; when they are taken apart, nothing of ours is called.

A handler of `destroyed` would run in the middle of that, at times inside Python's own sweep of its memory.
"""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive

if TYPE_CHECKING:
    from collections.abc import Callable


def listen(*pairs: tuple[Any, Callable[..., None]]) -> None:
    """Join signals of psygnal or napari to methods of widgets."""
    for signal, method in pairs:
        _join(signal, method)


def _join(signal: Any, method: Any) -> None:
    widget, function = weakref.ref(method.__self__), method.__func__

    def hear(*news: Any) -> None:
        listener = widget()
        if listener is not None and isalive(listener):
            function(listener, *news)

    # What is connected is asked how much of the news it takes.
    hear.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    signal.connect(hear)
    weakref.finalize(method.__self__, signal.disconnect, hear).atexit = False
