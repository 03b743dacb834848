"""How long the window's thread is held while the window does something."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st_napari._controller import Controller

TICK_MS, CALM_MS = 3, 150
PATIENCE_S = 120


def held(controller: Controller, act: Callable[[], object]) -> float:
    """Act, and tell the longest time of its own that the thread spends between two turns, in seconds.

    It is over when all is drawn and nothing has been asked for a while. Time of the thread: what other programs take of
    the machine is not in it. Nor is what Python's sweep of its memory takes for what was there before.
    """
    from qtpy.QtCore import QEventLoop, QTimer

    gc.collect()
    gc.freeze()
    spent: list[float] = []
    last, calm_ms, loop = time.thread_time(), 0, QEventLoop()
    end = time.monotonic() + PATIENCE_S

    def tick() -> None:
        nonlocal last, calm_ms
        now = time.thread_time()
        spent.append(now - last)
        last = now
        is_calm = controller.is_settled and not controller.state.job.is_running
        calm_ms = calm_ms + TICK_MS if is_calm else 0
        if calm_ms > CALM_MS or time.monotonic() > end:
            loop.quit()

    timer = QTimer(interval=TICK_MS)
    timer.timeout.connect(tick)
    timer.start()
    act()
    loop.exec()
    timer.stop()
    if time.monotonic() > end:
        raise TimeoutError(f"the window was still at work after {PATIENCE_S} s")
    return max(spent)
