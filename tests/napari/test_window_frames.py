"""Docks that come empty and are filled in turns, and where they stand."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from napari._app_model import get_app_model
from qtpy.QtWidgets import QDockWidget
from window_builders import holder_of, open_dock

from gr2st_napari._frames import FRAMES, WORDS, DockFrame, show_genes
from gr2st_napari._loading import DOCKS, Loading
from gr2st_napari._opening import opened_of
from gr2st_napari._show import First, _fill

pytestmark = pytest.mark.window

HELD_S = 0.1
DOCK_NAMES = tuple(FRAMES)

FIRST_DOCK = """
import os, sys, time
from gr2st_napari._display import ensure_display
ensure_display()
import napari
from qtpy.QtCore import QEventLoop, QTimer
viewer = napari.Viewer(show=True)
early = [name for name in ("pandas", "zarr", "gr2st_napari._controller") if name in sys.modules]
held, last, loop = [], time.thread_time(), QEventLoop()
frames = []

def tick():
    global last
    now = time.thread_time()
    held.append(now - last)
    last = now
    if all(frame._dock is not None and frame._dock.isVisible() for frame in frames):
        loop.quit()

timer = QTimer(interval=2)
timer.timeout.connect(tick)
QTimer.singleShot(60_000, loop.quit)
for _ in range(50):
    viewer.window._qt_window.repaint()
last = time.thread_time()
timer.start()
frames.append(viewer.window.add_plugin_dock_widget("gr2st-napari", "Genes")[1])
print(frames[0]._dock, early, flush=True)
loop.exec()
print(frames[0]._dock is not None, max(held), flush=True)
viewer.close()
os._exit(0)
"""


def test_the_first_dock_of_a_process_is_there_at_once_and_filled_without_holding_the_window():
    done = subprocess.run(
        [sys.executable, "-c", FIRST_DOCK], capture_output=True, text=True, timeout=200, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    at_once, in_the_end = done.stdout.splitlines()[-2:]
    assert at_once == "None []", "nothing heavy is read before the first dock, and it is empty then"
    is_filled, held = in_the_end.split()
    assert is_filled == "True"
    assert float(held) < HELD_S


@pytest.mark.parametrize("name", DOCK_NAMES)
def test_a_dock_says_that_it_gets_ready_and_is_filled_by_itself(viewer, qtbot, name):
    frame = viewer.window.add_plugin_dock_widget("gr2st-napari", name)[1]
    assert isinstance(frame, DockFrame)
    assert frame._words.text() == WORDS
    assert not frame._words.isHidden()
    qtbot.waitUntil(lambda: frame._dock is not None and frame._dock.isVisible())
    assert not frame._words.isVisible()
    assert frame.filled() is frame._dock


def test_a_dock_that_is_closed_before_it_is_filled_does_no_harm(viewer, qtbot):
    frame = viewer.window.add_plugin_dock_widget("gr2st-napari", "Train")[1]
    viewer.window.remove_dock_widget(frame)
    qtbot.wait(100)
    qtbot.waitUntil(open_dock(viewer, "Train").isVisible)


def test_docks_that_do_not_fit_below_each_other_stand_behind_each_other_and_the_window_keeps_its_size(viewer, qtbot):
    viewer.window.resize(1000, 900)
    qtbot.wait(50)
    height = viewer.window._qt_window.height()
    docks = [open_dock(viewer, name) for name in DOCK_NAMES]
    qtbot.wait(50)
    main = viewer.window._qt_window
    assert main.height() < height + 50
    assert set(main.tabifiedDockWidgets(holder_of(docks[-1]))) == {holder_of(dock) for dock in docks[:-1]}
    assert [dock.visibleRegion().isEmpty() for dock in docks] == [True] * 6 + [False]


def test_docks_that_fit_stand_below_each_other(viewer, qtbot):
    viewer.window.resize(800, 950)
    qtbot.wait(50)
    docks = [open_dock(viewer, name) for name in ("Genes", "Study")]
    qtbot.waitUntil(lambda: not any(dock.visibleRegion().isEmpty() for dock in docks))
    assert docks[0].mapToGlobal(docks[0].rect().bottomLeft()).y() < docks[1].mapToGlobal(docks[1].rect().topLeft()).y()


def test_the_lower_dock_stands_behind_the_highest(viewer, qtbot):
    viewer.window.resize(1000, 1000)
    qtbot.wait(50)
    genes, evaluate = open_dock(viewer, "Genes"), open_dock(viewer, "Evaluate")
    study = open_dock(viewer, "Study")
    main = viewer.window._qt_window
    assert main.tabifiedDockWidgets(holder_of(genes)) == []
    assert main.tabifiedDockWidgets(holder_of(study)) == [holder_of(evaluate)]


def test_docks_under_the_slide_stay_beside_each_other(viewer, qtbot):
    under = [
        viewer.window.add_dock_widget(FRAMES[name](viewer), name=name, area="bottom") for name in ("Spot", "Train")
    ]
    for holder in under:
        holder.widget().filled()
    assert viewer.window._qt_window.tabifiedDockWidgets(under[0]) == []


def test_a_dock_that_the_menu_opened_is_not_opened_again_by_us(viewer, qtbot):
    [submenu] = [action.menu() for action in viewer.window.plugins_menu.actions() if "GR2ST" in action.text()]
    submenu.aboutToShow.emit()
    next(action for action in submenu.actions() if action.text().startswith("Genes")).trigger()
    show_genes(viewer)
    get_app_model().commands.execute_command("gr2st-napari.all_docks").result()
    assert sorted(viewer.window.dock_widgets) == sorted(f"{name} (GR2ST)" for name in DOCK_NAMES)


def test_the_dock_of_a_window_that_gr2st_view_opened_is_the_one_of_the_menu(viewer, section):
    _fill(viewer, opened_of(section, None), First(None, None, None))
    assert list(viewer.window.dock_widgets) == ["Genes (GR2ST)"]


def test_a_dock_of_others_is_left_where_it_is(viewer, qtbot):
    from qtpy.QtWidgets import QTextEdit

    theirs = viewer.window.add_dock_widget(QTextEdit(), name="theirs")
    dock = open_dock(viewer, "Evaluate")
    assert isinstance(theirs, QDockWidget)
    assert viewer.window._qt_window.tabifiedDockWidgets(holder_of(dock)) == []


def test_every_dock_of_the_manifest_is_read_beside_the_window():
    assert {frame.module for frame in DockFrame.__subclasses__()} == set(DOCKS)


def test_what_waits_for_the_loading_is_done_once_and_in_the_thread_of_the_window(qapp, qtbot):
    done: list[str] = []
    loading = Loading(lambda: done.append("read"))
    loading.then(lambda: done.append("first"))
    qtbot.waitUntil(lambda: loading.is_done)
    loading.then(lambda: done.append("second"))
    assert done == ["read", "first", "second"]


def test_what_cannot_be_read_beside_the_window_stops_nothing(qapp, qtbot):
    def fails() -> None:
        raise OSError("no room")

    loading = Loading(fails)
    loading.wait()
    assert loading.is_done


def test_who_waited_for_the_loading_finds_it_done_and_it_is_told_once(qapp, qtbot):
    told: list[str] = []
    loading = Loading(lambda: None)
    loading.finished.connect(lambda: told.append("finished"))
    loading.wait()
    assert loading.is_done
    qtbot.wait(50)
    assert told == ["finished"]
