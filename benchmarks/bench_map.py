"""A map of 5,000, 50,000 and 500,000 spots: opened, another gene, the mouse over it. Software OpenGL, process time."""

from __future__ import annotations

import time
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING

from benchmarks.bench_window import BINS, SPOTS, GeneSwitch, bins, prediction, section

if TYPE_CHECKING:
    from gr2st import Section
    from gr2st_napari._opening import Opened

SIDES = {50_000: 224, 500_000: BINS}
"""Bins in a row and in a column."""
STEP_PX = 37
"""Screen pixels from one place of the mouse to the next."""


class Map:
    """Another gene drawn to the end; the mouse moved across, with words for the spots it comes to."""

    timer = time.process_time
    params = ([SPOTS, *SIDES],)
    param_names = ("spots",)
    number, repeat, warmup_time = 1, 15, 0.5
    timeout = 300

    def setup(self, spots: int) -> None:
        self.window = GeneSwitch()
        self.window.show(opened(spots))
        self.places = cycle(range(200, 500, STEP_PX))
        self.time_ten_moves_of_the_mouse(spots)

    def teardown(self, _spots: int) -> None:
        self.window.teardown("measured")

    def time_gene_switch(self, _spots: int) -> None:
        self.window.time_gene_switch("measured")

    def time_ten_moves_of_the_mouse(self, _spots: int) -> None:
        from qtpy.QtCore import QPoint
        from qtpy.QtTest import QTest
        from qtpy.QtWidgets import QApplication

        for _ in range(10):
            x = next(self.places)
            QTest.mouseMove(self.window.canvas, QPoint(x, x))
            QApplication.processEvents()


class Opening:
    """From one section to another of as many spots, until all is drawn and the facts of all genes are known."""

    timer = time.process_time
    params = ([SPOTS, *SIDES],)
    param_names = ("spots",)
    number, repeat, warmup_time = 1, 5, 0.0
    timeout = 300

    def setup(self, spots: int) -> None:
        self.window = GeneSwitch()
        self.others = cycle([opened(spots, name) for name in ("one", "other")])
        self.window.show(next(self.others))
        self.time_opening(spots)

    def teardown(self, _spots: int) -> None:
        self.window.teardown("measured")

    def time_opening(self, _spots: int) -> None:
        self.window.take(next(self.others))


@cache
def opened(spots: int, name: str = "one") -> Opened:
    """A section with a prediction of its first genes."""
    from gr2st_napari._opening import Opened

    made = _made(spots, name)
    return Opened(section=made, prediction=prediction(made, genes=3))


def _made(spots: int, name: str) -> Section:
    return section(name) if spots == SPOTS else bins(SIDES[spots], name)
