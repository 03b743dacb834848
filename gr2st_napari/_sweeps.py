"""Python's sweeps of its memory hold the window for 0.2 s and more where they go over all that was loaded to open it.

napari asks for one whenever a layer goes, Python makes others by itself.
"""

from __future__ import annotations

import gc
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


def spare_what_is_loaded(viewer: Viewer) -> None:
    """Leave what is in memory by now out of all sweeps, once in a process.

    What is left out is never swept away: a viewer that shows something already, which may be large, is waited with.
    """
    if not viewer.layers:
        _spare()


@cache
def _spare() -> None:
    gc.freeze()
