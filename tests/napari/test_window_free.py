"""The window stays free while a model is trained behind it."""

from __future__ import annotations

import os
import time
from itertools import cycle, islice

import numpy as np
import pytest
from hands import choose, click_tick, press
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication
from window_builders import open_dock

from gr2st import keys, read_run, sample_study_path
from gr2st.processes import NICE
from gr2st_napari._controller import controller_of

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("only_new_garbage")]

LONG_MS = 120_000
TICK_MS, LOOKED_MS = 5, 1_500
BUSY_P95_S = 0.02
SLOWER, SLACK_S = 1.5, 0.02
SWITCHES = 12


@pytest.fixture
def train(viewer, qtbot, tmp_path, monkeypatch):
    """The Train dock, with a slide of the sample open in the viewer."""
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "data"))
    dock = open_dock(viewer, "Train")
    controller = controller_of(viewer)
    controller.open(sample_study_path())
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=LONG_MS)
    qtbot.waitUntil(lambda: controller.state.train_draft.study is not None, timeout=LONG_MS)
    return dock


def test_the_window_is_as_free_with_a_training_behind_it_as_without(viewer, train, qtbot):
    controller = controller_of(viewer)
    without = _switch_s(controller)
    choose(qtbot, train.plan.device.box, "cpu")
    for row in (2, 3):
        click_tick(qtbot, train.plan.sections.list, row)
    press(qtbot, train.start)
    qtbot.waitUntil(lambda: len(controller.state.training.epochs) >= 1, timeout=LONG_MS)
    busy = _busy_s(qtbot)
    beside = _switch_s(controller)
    assert controller.state.training.phase == "running"
    if os.name != "nt":
        assert os.getpriority(os.PRIO_PROCESS, controller.worker.process_id) == NICE
    press(qtbot, train.stop)
    qtbot.waitUntil(lambda: not controller.state.training.is_busy, timeout=LONG_MS)
    assert read_run(controller.state.training.folder).state == "stopped"
    assert (controller.state.training.folder / keys.RUN_CURVES).is_file()
    assert np.percentile(busy, 95) < BUSY_P95_S
    assert beside < SLOWER * without + SLACK_S


def _busy_s(qtbot) -> list[float]:
    """Seconds of its own that the window's thread spends between two turns: other programs on the machine are not in it."""
    spent: list[float] = []
    last = time.thread_time()

    def tick() -> None:
        nonlocal last
        now = time.thread_time()
        spent.append(now - last)
        last = now

    timer = QTimer(interval=TICK_MS)
    timer.timeout.connect(tick)
    timer.start()
    qtbot.wait(LOOKED_MS)
    timer.stop()
    assert len(spent) > 50
    return spent


def _switch_s(controller) -> float:
    """Median seconds of this process from one gene to the next, drawn."""
    canvas = next(widget for widget in QApplication.allWidgets() if widget.inherits("QOpenGLWidget"))
    taken: list[float] = []
    for gene in islice(cycle(controller.state.expression.genes), 1, SWITCHES):
        before = time.process_time()
        controller.wish(gene=gene)
        canvas.grabFramebuffer()
        taken.append(time.process_time() - before)
        assert controller.state.shown.gene == gene
    return float(np.median(taken))
