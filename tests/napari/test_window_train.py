"""The Train dock in a real window: planning, checking, training, stopping, going on, comparing."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QFileDialog, QMessageBox
from window_builders import close_dock, open_dock

from gr2st import MODELS, Progress, TrainPlan, data_dir, read_run, sample_study_path
from gr2st.io.run_writer import RunWriter, begin_run
from gr2st_napari import _training
from gr2st_napari._controller import controller_of
from gr2st_napari.views.plan_choices import NAME
from gr2st_napari.views.train import PROGRESS, RUNS

pytestmark = pytest.mark.window

LONG_MS = 120_000
FAKE = r'''
"""Checks and trains as the name of the run says."""
import json, os, sys

def say(**event):
    print(json.dumps(event), flush=True)

say(event="ready", version="0")
for line in sys.stdin:
    request = json.loads(line)
    number, act, run = request.get("id"), request["do"], request.get("run", "")
    if act == "quit":
        break
    if act in ("cancel", "pause", "resume"):
        say(id=request["target"], event="cancelled" if act == "cancel" else act + "d")
    elif act == "check_training":
        kind = "fault" if run.endswith("hopeless") else "warning"
        found = [{"kind": "good", "subject": "genes", "sentence": "All 100 genes are in every section."}]
        found += [{"kind": kind, "subject": "memory", "sentence": "Memory: 20 GB are needed, 16 GB are free."}]
        found += [{"kind": "good", "subject": "time", "sentence": "It will take about a minute."}]
        say(id=number, event="result", files={"findings": found, "seconds": 60.0, "trainings": 1})
    elif act == "train" and run.endswith("memory"):
        text = "Not enough memory for a section of 9000 spots: 2100 spots fit."
        say(id=number, event="error", kind="TrainingFailed", message=text, details="Traceback: out of memory")
    elif act == "train":
        os.makedirs(run, exist_ok=True)
        open(os.path.join(run, "run.json"), "w").close()
        for epoch in range(1, 4):
            values = {"loss": 9.0 / epoch, "contrastive": 4.0 / epoch, "chance": 5.0, "pcc": 0.1 * epoch}
            say(id=number, event="progress", stage="Training", done=epoch, total=9, note="", values=values)
'''


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch) -> Path:
    """A folder of runs of each test's own."""
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "data"))
    return data_dir("runs")


@pytest.fixture
def train(viewer, qtbot):
    """The Train dock, opened as napari's menu does."""
    return open_dock(viewer, "Train")


@pytest.fixture
def state(viewer, train):
    return controller_of(viewer).state


@pytest.fixture
def ready(viewer, train, state, qtbot, tmp_path):
    """The dock with the sample study, and a worker that only pretends."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    controller_of(viewer).worker._command = (sys.executable, [str(script)])
    train.card.button("open-sample").click()
    qtbot.waitUntil(lambda: state.train_draft.study is not None, timeout=LONG_MS)
    return train


def test_who_turns_to_the_progress_of_nothing_reads_at_once_that_nothing_is_being_trained(train):
    train.show_page(PROGRESS)
    assert train.progress.hint.text().startswith("Nothing is being trained.")
    assert not train.progress.curves.isVisible()
    assert not train.progress.findings.isVisible()


def _type(form, qtbot, **texts: str) -> None:
    for name, text in texts.items():
        entry = form.editors[name].entry
        entry.selectAll()
        qtbot.keyClicks(entry, text)


def _choose(option_box, name: str) -> None:
    at = option_box.box.findData(name, NAME)
    option_box.box.setCurrentIndex(at)
    option_box.box.activated.emit(at)


def _name(train, qtbot, name: str) -> None:
    train.plan.name.clear()
    qtbot.keyClicks(train.plan.name, name)
    qtbot.keyClick(train.plan.name, Qt.Key.Key_Return)


def _cells(train, column: int) -> list[str]:
    return [train.runs.table.item(row, column).text() for row in range(train.runs.table.rowCount())]


def _wait_card(train, qtbot, words: str) -> None:
    qtbot.waitUntil(lambda: words in train.card.sentence.text(), timeout=LONG_MS)


def _tiny(train, qtbot, tmp_path, monkeypatch, epochs: int) -> None:
    """By clicks: two genes of a file, one section, the smallest network, another section watched."""
    (tmp_path / "panel.txt").write_text("ERBB2\nCOL1A1\n")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "panel.txt"), ""))
    plan = train.plan
    plan.genes.way.activated.emit(1)
    _choose(plan.model, "gr2st-v2")
    plan.sections.none.click()
    plan.sections.list.item(0).setCheckState(Qt.CheckState.Checked)
    _choose(plan.watch, "A2")
    _choose(plan.device, "cpu")
    plan.more.button.click()
    plan.training.editors["threads"].given.click()
    _type(plan.training, qtbot, epochs=str(epochs), threads="1")
    _type(plan.config, qtbot, projection="16", heads="2", retrieval_k="10")
    qtbot.waitUntil(lambda: plan.genes.told.text() == "2 genes of panel.txt", timeout=LONG_MS)


def test_the_dock_opened_first_asks_for_a_study(train):
    assert train.card.sentence.text().startswith("No study to learn from yet.")
    assert not train.start.isEnabled()
    assert train.start.toolTip() == "Choose a study first."
    assert not train.plan.sections.isVisible()


def test_a_study_opened_in_the_viewer_is_what_is_trained_on(viewer, train, state, qtbot):
    controller_of(viewer).open(sample_study_path())
    qtbot.waitUntil(lambda: state.train_draft.study is not None, timeout=LONG_MS)
    words = [train.plan.sections.list.item(at).text() for at in range(4)]
    assert words[:2] == ["A1 · patient A · 141 spots", "A2 · patient A"]
    assert train.card.sentence.text().startswith("Ready: gr2st learns 100 genes from 4 sections of 2 patients.")


def test_what_is_typed_goes_into_the_plan_and_a_fault_hinders_the_start(ready, state, qtbot):
    ready.plan.more.button.click()
    _type(ready.plan.training, qtbot, learning_rate="3e-4")
    assert state.train_draft.training == MODELS["gr2st"].training.model_copy(update={"learning_rate": 3e-4})
    ready.plan.training.editors["epochs"].entry.clear()
    qtbot.keyClicks(ready.plan.training.editors["epochs"].entry, "x")
    assert ready.start.toolTip() == "Mend this under More: Epochs: 'x' is not a whole number."
    assert not ready.start.isEnabled()
    ready.plan.training.reset.click()
    assert ready.start.isEnabled()
    assert state.train_draft.training == MODELS["gr2st"].training


def test_a_check_says_what_it_found_and_starts_nothing(ready, state, qtbot):
    ready.check.click()
    qtbot.waitUntil(lambda: ready.progress.findings.count() == 3, timeout=LONG_MS)
    found = [ready.progress.findings.item(at).text() for at in range(3)]
    assert found == [
        "Memory: 20 GB are needed, 16 GB are free.",
        "All 100 genes are in every section.",
        "It will take about a minute.",
    ]
    assert ready.pages.currentIndex() == PROGRESS
    assert state.training.phase == "idle"
    assert ready.start.isEnabled()
    assert ready.card.sentence.text() == "Checked: nothing stands in the way. It will take about a minute."
    _choose(ready.plan.model, "ridge")
    assert ready.card.sentence.text().startswith("Ready: ridge learns 100 genes")


def test_a_fault_found_before_the_start_hinders_it(ready, state, qtbot):
    _name(ready, qtbot, "hopeless")
    ready.start.click()
    _wait_card(ready, qtbot, "Memory: 20 GB are needed")
    assert (state.training.phase, state.training.epochs) == ("idle", ())


def test_an_error_of_the_training_is_a_sentence_with_details(ready, state, qtbot):
    _name(ready, qtbot, "memory")
    ready.start.click()
    _wait_card(ready, qtbot, "Not enough memory for a section of 9000 spots: 2100 spots fit.")
    ready.card.findChild(type(ready.start), "gr2st_details").click()
    assert ready.card.details.isVisible()
    assert "Traceback: out of memory" in ready.card.details.toPlainText()
    ready.card.button("dismiss").click()
    assert ready.start.isEnabled()


def test_curves_grow_and_what_may_be_pressed_follows(ready, state, qtbot):
    ready.start.click()
    qtbot.waitUntil(lambda: len(state.training.epochs) == 3, timeout=LONG_MS)
    curves = ready.progress.curves
    qtbot.waitUntil(lambda: "contrastive" in curves.legend.text() and "chance" in curves.legend.text(), timeout=2000)
    qtbot.waitUntil(lambda: curves.score_title.text() == "Correlation on slides held out: 0.300", timeout=2000)
    assert curves.scores.isVisible()
    assert not ready.start.isEnabled()
    ready.rest.click()
    qtbot.waitUntil(lambda: ready.rest.text() == "Resume" and ready.rest.isEnabled(), timeout=2000)
    assert ready.card.sentence.text().startswith("Paused after 3 of 150 epochs.")
    ready.stop.click()
    _wait_card(ready, qtbot, "Stopped: ")
    assert ready.stop.toolTip() == "Nothing is being trained."


def test_a_run_of_another_process_is_followed_and_asked_to_stop(train, state, runs, qtbot):
    plan = TrainPlan.of(study=sample_study_path(), model="gr2st", genes={"n_variable": 5})
    folder = runs / "elsewhere"
    begin_run(folder, plan, device="cpu", versions={})
    writer = RunWriter(folder)
    writer.hear(Progress("Training", 1, 9, values={"loss": 3.0, "pcc": 0.1}))
    controller_of(train._viewer).trainer.runs.look()
    qtbot.waitUntil(lambda: _cells(train, 1) == ["training"], timeout=LONG_MS)
    train.show_page(RUNS)
    train.runs.table.selectRow(0)
    assert not train.runs.resume.isEnabled()
    assert not train.runs.delete.isEnabled()
    writer.hear(Progress("Training", 2, 9, values={"loss": 2.0, "pcc": 0.2}))
    # The dock looks by itself.
    train._looks.setInterval(200)
    qtbot.waitUntil(lambda: (_cells(train, 2), _cells(train, 3)) == (["0.200"], ["2"]), timeout=LONG_MS)
    train.runs.stop.click()
    qtbot.waitUntil(lambda: _cells(train, 1) == ["stopping…"], timeout=LONG_MS)
    writer.end("stopped")
    qtbot.waitUntil(lambda: _cells(train, 1) == ["stopped"], timeout=LONG_MS)
    assert train.runs.resume.isEnabled()


def test_runs_are_compared_and_deleted_only_when_that_is_confirmed(train, runs, qtbot, monkeypatch):
    for number, rate in enumerate((1e-4, 3e-4)):
        training = {**MODELS["gr2st"].training.model_dump(), "learning_rate": rate}
        plan = TrainPlan.of(study=sample_study_path(), model="gr2st", genes={"n_variable": 5}, training=training)
        begin_run(runs / f"run-{number}", plan, device="cpu", versions={})
        writer = RunWriter(runs / f"run-{number}")
        for epoch in (1, 2):
            writer.hear(Progress("Training", epoch, 2, values={"loss": 3.0 - epoch * (1 + number), "mse": 1.0}))
        writer.end("finished")
    train.show_page(RUNS)
    qtbot.waitUntil(lambda: train.runs.table.rowCount() == 2, timeout=LONG_MS)
    train.runs.table.selectAll()
    differences = train.runs.differences
    assert [differences.horizontalHeaderItem(at).text() for at in range(3)] == [
        "Setting",
        *sorted(("0", "1"), key=lambda number: _cells(train, 0).index(f"run-{number}")),
    ]
    assert differences.rowCount() == 1
    assert differences.item(0, 0).text() == "Learning rate"
    assert {differences.item(0, at).text() for at in (1, 2)} == {"0.0001", "0.0003"}
    assert [line.label for line in train.runs.curves._shown.losses] == [
        differences.horizontalHeaderItem(at).text() for at in (1, 2)
    ]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    train.runs.delete.click()
    assert len(list(runs.iterdir())) == 2
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    train.runs.delete.click()
    qtbot.waitUntil(lambda: train.runs.table.rowCount() == 0, timeout=LONG_MS)
    assert list(runs.iterdir()) == []


def test_the_settings_of_a_run_come_back_into_the_plan(train, state, runs, qtbot):
    plan = TrainPlan.of(
        study=sample_study_path(), model="gr2st-v1", genes={"n_variable": 7}, sections=["B1"], held_out="A1"
    )
    begin_run(runs / "old", plan, device="cpu", versions={})
    train.show_page(RUNS)
    qtbot.waitUntil(lambda: train.runs.table.rowCount() == 1, timeout=LONG_MS)
    assert _cells(train, 1) == ["interrupted"]
    train.runs.table.selectRow(0)
    train.runs.settings.click()
    qtbot.waitUntil(lambda: state.train_draft.study is not None, timeout=LONG_MS)
    assert _training.plan_of(state.train_draft) == plan.model_copy(update={"study": state.train_draft.study.path})
    assert train.plan.model.current == "gr2st-v1"
    assert train.plan.sections.names == ["B1"]


def test_a_closed_dock_comes_back_with_the_plan(viewer, ready, state, qtbot):
    _choose(ready.plan.model, "ridge")
    close_dock(viewer, ready)
    QApplication.processEvents()
    again = open_dock(viewer, "Train")
    assert again.plan.model.current == "ridge"
    assert state.train_draft.model == "ridge"


def test_the_story_of_a_training(viewer, train, state, runs, qtbot, tmp_path, monkeypatch):
    """Start, pause, go on, stop, go on, lose the worker, go on to the end, predict: by clicks, with the real worker."""
    train.card.button("open-sample").click()
    qtbot.waitUntil(lambda: state.train_draft.study is not None, timeout=LONG_MS)
    # So many that a fast machine is still at it when its worker is killed.
    _tiny(train, qtbot, tmp_path, monkeypatch, epochs=150)
    _name(train, qtbot, "story")
    spent = _busy_times()
    train.start.click()
    _wait_epochs(state, qtbot, 3)
    assert {finding.subject for finding in state.training.preflight.findings} >= {"files", "genes", "memory", "time"}
    train.rest.click()
    qtbot.waitUntil(lambda: state.training.phase == "paused", timeout=LONG_MS)
    assert read_run(runs / "story").state == "paused"
    train.rest.click()
    _wait_epochs(state, qtbot, 6)
    train.stop.click()
    _wait_card(train, qtbot, "Stopped: story.")
    assert max(spent) < 0.15
    assert read_run(runs / "story").state == "stopped"
    before = len(state.training.epochs)
    train.rest.click()
    _wait_epochs(state, qtbot, before + 4)
    os.kill(controller_of(viewer).worker.process_id, signal.SIGKILL)
    _wait_card(train, qtbot, "The worker process ended unexpectedly")
    train.show_page(RUNS)
    qtbot.waitUntil(lambda: _cells(train, 1) == ["interrupted"], timeout=LONG_MS)
    train.runs.table.selectRow(0)
    train.runs.resume.click()
    _wait_card(train, qtbot, "Trained: story. Correlation")
    assert [one.epoch for one in state.training.epochs] == list(range(1, 151))
    qtbot.waitUntil(lambda: _cells(train, 1) == ["finished"], timeout=LONG_MS)
    assert train.runs.predict.toolTip() == "Open a slide first, in the Genes dock."
    controller_of(viewer).open(sample_study_path() / "study.csv")
    qtbot.waitUntil(lambda: train.card.button("predict") is not None, timeout=LONG_MS)
    train.card.button("predict").click()
    qtbot.waitUntil(lambda: state.opened.prediction is not None, timeout=LONG_MS)
    assert set(state.opened.prediction.genes) == {"ERBB2", "COL1A1"}


def _wait_epochs(state, qtbot, count: int) -> None:
    qtbot.waitUntil(lambda: len(state.training.epochs) >= count, timeout=LONG_MS)


def _busy_times() -> list[float]:
    """Seconds of its own that the window's thread spends between two turns of its events, while the list is kept."""
    spent: list[float] = [0.0]
    last = time.thread_time()

    def tick() -> None:
        nonlocal last
        now = time.thread_time()
        spent.append(now - last)
        last = now

    timer = QTimer(QApplication.instance(), interval=5)
    timer.timeout.connect(tick)
    timer.start()
    QTimer.singleShot(60_000, timer.stop)
    return spent
