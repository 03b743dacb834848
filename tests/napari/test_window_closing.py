"""Closing a window with unfinished work: the question, and what becomes of the work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest
from hands import choose_in_menu, click_cell, click_tab, press
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QMessageBox, QWidget
from window_builders import open_dock

from gr2st import (
    MODELS,
    GeneChoice,
    Plan,
    TrainPlan,
    data_dir,
    evaluate,
    read_evaluation,
    read_run,
    read_study,
    sample_study_path,
)
from gr2st.io.run_writer import begin_run
from gr2st_napari import _closing
from gr2st_napari._closing import Closing, go_on_alone
from gr2st_napari._controller import controller_of
from gr2st_napari._state import Unfinished
from gr2st_napari._training import Training
from gr2st_napari.views.evaluate import TRAININGS
from gr2st_napari.views.train import RUNS

pytestmark = pytest.mark.window

LONG_MS = 120_000


@pytest.fixture
def happened(monkeypatch) -> list[str]:
    """What closing did, in order; no process is started."""
    told: list[str] = []
    monkeypatch.setattr(_closing, "go_on_alone", lambda work: told.append(f"goes on: {work.name}"))
    return told


@pytest.fixture
def work(tmp_path) -> list[Unfinished]:
    """What is at work in the window."""
    return [Unfinished("The training first", tmp_path / "first"), Unfinished("The evaluation all", tmp_path / "all")]


@pytest.fixture
def leaving(qapp, happened, work):
    """A window in which two things are at work."""
    made = QWidget()
    made.show()
    made.closing = Closing(made, lambda: work, lambda: happened.append("worker ended"))
    yield made
    made.closing.rest()
    made.close()


@pytest.fixture
def answer(leaving):
    """Press a button of the question that is about to come; gives what it said."""
    timer = QTimer(leaving, interval=50)

    def answer(label: str) -> list[str]:
        said: list[str] = []

        def press() -> None:
            box = QApplication.activeModalWidget()
            if isinstance(box, QMessageBox):
                timer.stop()
                said.extend([box.text(), box.informativeText(), *(button.text() for button in box.buttons())])
                next(button for button in box.buttons() if button.text() == label).click()

        timer.timeout.connect(press)
        timer.start()
        return said

    return answer


def test_a_window_with_work_asks_and_stays_open_where_the_user_wants_to_stay(leaving, happened, answer):
    said = answer("Keep the window open")
    assert not leaving.close()
    assert leaving.isVisible()
    assert said[0] == "The training first and The evaluation all are still at work."
    assert "Continue in the background" in said
    assert happened == []


def test_work_goes_on_in_the_background_once_the_worker_has_ended(leaving, happened, answer):
    answer("Continue in the background")
    assert leaving.close()
    assert happened == ["worker ended", "goes on: The training first", "goes on: The evaluation all"]


def test_the_prediction_of_a_slide_ends_with_the_window_and_the_question_says_that_nothing_is_lost(
    leaving, happened, work, answer
):
    work[:] = [Unfinished("The prediction of S1.svs")]
    said = answer("Stop and close")
    assert leaving.close()
    assert said[0] == "The prediction of S1.svs is still at work."
    assert said[1].startswith("The prediction of S1.svs ends with the window, and nothing is lost:")
    assert "it goes on where it was" in said[1]
    assert "Continue in the background" not in said
    assert happened == []


def test_beside_a_training_in_the_background_the_prediction_of_a_slide_starts_nothing(leaving, happened, work, answer):
    work[1] = Unfinished("The prediction of S1.svs")
    said = answer("Continue in the background")
    assert leaving.close()
    assert "the next window finds it again" in said[1]
    assert "The prediction of S1.svs ends with the window" in said[1]
    assert happened == ["worker ended", "goes on: The training first"]


def test_stopped_work_starts_nothing_new(leaving, happened, answer):
    answer("Stop and close")
    assert leaving.close()
    assert happened == []


def test_a_window_at_rest_closes_unasked(qtbot, happened):
    made = QWidget()
    qtbot.addWidget(made)
    made.show()
    closing = Closing(made, list, lambda: happened.append("worker ended"))
    assert made.close()
    assert happened == []
    closing.rest()


def test_a_training_at_work_is_what_closing_asks_about(viewer, tmp_path):
    open_dock(viewer, "Train")
    controller = controller_of(viewer)
    assert controller._unfinished() == []
    controller.trainer._asked = "train"
    controller.state.training = Training("paused", tmp_path / "first", request=7)
    assert controller._unfinished() == [Unfinished("The training first", tmp_path / "first")]
    controller.state.training = Training()


def test_work_left_alone_is_finished_by_a_process_without_a_window(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    plan = TrainPlan.of(study=sample_study_path(), model="mean", genes=GeneChoice(listed=("ERBB2",)), sections=("A1",))
    begin_run(tmp_path / "run", plan, device="cpu", versions={})
    go_on_alone(Unfinished("The training run", tmp_path / "run"))
    qtbot.waitUntil(lambda: read_run(tmp_path / "run").state == "finished", timeout=LONG_MS)
    assert (tmp_path / "run" / "model" / "model.json").is_file()


LONG = {"epochs": 20_000, "inner_folds": 0, "device": "cpu", "threads": 1}
SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10}


@pytest.fixture
def own_data(tmp_path, monkeypatch) -> None:
    """Runs and evaluations of the test's own, seen by its child processes too."""
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def alone(own_data) -> Iterator[Callable[[Unfinished], None]]:
    """Let work go on without a window; what a test does not stop is ended with it."""
    folders: list[str] = []

    def begin(work: Unfinished) -> None:
        folders.append(str(work.folder))
        go_on_alone(work)

    yield begin
    for process in psutil.process_iter(["cmdline"]):
        if set(folders) & set(process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def test_a_training_in_the_background_is_found_and_stopped_from_a_new_window(viewer, qtbot, alone):
    run = data_dir("runs") / "alone"
    genes = GeneChoice(listed=("ERBB2", "COL1A1"))
    asked = {"study": sample_study_path(), "model": "gr2st-v2", "genes": genes, "sections": ("A1",)}
    begin_run(run, TrainPlan.of(**asked, training=LONG, config=SMALL), device="cpu", versions={})
    alone(Unfinished("The training alone", run))
    qtbot.waitUntil(lambda: read_run(run).progress.done > 0, timeout=LONG_MS)
    dock = open_dock(viewer, "Train")
    click_tab(qtbot, dock.pages, RUNS)
    table = dock.runs.table
    qtbot.waitUntil(lambda: table.rowCount() == 1 and table.item(0, 1).text() == "training", timeout=LONG_MS)
    click_cell(qtbot, table, 0, 0)
    press(qtbot, dock.runs.stop)
    qtbot.waitUntil(lambda: table.item(0, 1).text() == "stopped", timeout=LONG_MS)
    assert read_run(run).can_go_on


def test_an_evaluation_in_the_background_is_told_of_followed_and_stopped_from_a_new_window(viewer, qtbot, alone):
    out = data_dir("evaluations") / "alone"
    plan = Plan(
        models=("mean", "gr2st-v2"),
        genes=GeneChoice(listed=("ERBB2", "COL1A1")),
        sections=("A1", "B1"),
        training={"gr2st-v2": MODELS["gr2st-v2"].training.model_copy(update=LONG)},
        config={"gr2st-v2": MODELS["gr2st-v2"].config.model_copy(update=SMALL)},
    )
    begun = evaluate(read_study(sample_study_path()), plan, out)
    next(begun)
    begun.close()
    alone(Unfinished("The evaluation alone", out))
    qtbot.waitUntil(lambda: read_evaluation(out).state == "running", timeout=LONG_MS)
    dock = open_dock(viewer, "Evaluate")
    qtbot.waitUntil(lambda: "alone goes on in the background: " in dock.card.sentence.text(), timeout=LONG_MS)
    qtbot.waitUntil(lambda: dock.card.button("follow").isVisible(), timeout=LONG_MS)
    choose_in_menu(qtbot, dock.more, "alone: ")
    qtbot.waitUntil(lambda: dock.name.text() == "alone", timeout=LONG_MS)
    assert "alone goes on in the background: " in dock.card.sentence.text()
    click_tab(qtbot, dock.pages, TRAININGS)
    qtbot.waitUntil(lambda: dock.trainings.lines.rowCount() == 4, timeout=LONG_MS)
    press(qtbot, dock.trainings.stop)
    qtbot.waitUntil(lambda: read_evaluation(out).state == "stopped", timeout=LONG_MS)
    qtbot.waitUntil(dock.trainings.resume.isVisible, timeout=LONG_MS)
