"""The child process: answers, errors, cancel, death."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import gr2st
from gr2st_napari import _worker
from gr2st_napari._worker import WorkerProcess


@pytest.fixture
def worker(qtbot, fake_worker, tmp_path):
    (tmp_path / "answer.h5ad").write_bytes(b"a prediction")
    made = WorkerProcess(program=sys.executable, arguments=fake_worker)
    yield made
    made.stop()
    assert not made.is_running


def _ask(worker: WorkerProcess, folder: Path, section: str = "C4") -> int:
    return worker.predict(model=folder / "model", study=folder, section=section, out=folder / "out.h5ad")


def test_a_request_is_answered_with_its_files(worker, qtbot, tmp_path):
    progress = []
    worker.progressed.connect(lambda request, event: progress.append((request, event["stage"], event["done"])))
    with qtbot.waitSignal(worker.finished, timeout=20_000) as answer:
        request = _ask(worker, tmp_path)
    assert answer.args == [request, {"prediction": str(tmp_path / "out.h5ad")}]
    assert progress == [(request, "Encoding patches", 3)]
    assert worker.is_running


def test_the_child_serves_one_request_after_the_other(worker, qtbot, tmp_path):
    with qtbot.waitSignal(worker.finished, timeout=20_000):
        _ask(worker, tmp_path)
    process = worker.process_id
    with qtbot.waitSignal(worker.finished, timeout=20_000):
        worker.build_pyramid(tmp_path / "slide.jpg")
    assert worker.process_id == process


def test_an_error_arrives_as_a_sentence_and_the_child_lives_on(worker, qtbot, tmp_path):
    with qtbot.waitSignal(worker.failed, timeout=20_000) as answer:
        request = _ask(worker, tmp_path, "fails")
    assert answer.args == [request, "The model reads 9 genes.", "Traceback ..."]
    assert worker.is_running


def test_a_dead_child_is_an_error_with_its_last_words_and_the_next_request_starts_another(worker, qtbot, tmp_path):
    with qtbot.waitSignal(worker.failed, timeout=20_000) as answer:
        _ask(worker, tmp_path, "dies")
    assert answer.args[1].startswith("The worker process ended unexpectedly (exit code 11).")
    assert "out of luck" in answer.args[2]
    assert not worker.is_running
    with qtbot.waitSignal(worker.finished, timeout=20_000):
        _ask(worker, tmp_path)


def test_an_interpreter_that_is_not_there_is_a_sentence(qtbot, tmp_path):
    worker = WorkerProcess(program=str(tmp_path / "no-python"), arguments=[])
    with qtbot.waitSignal(worker.failed, timeout=20_000) as answer:
        _ask(worker, tmp_path)
    assert "could not be started" in answer.args[1]
    assert "no-python" in answer.args[1]
    worker.stop()


def test_a_cancel_is_asked_for_politely(worker, qtbot, tmp_path):
    with qtbot.waitSignal(worker.progressed, timeout=20_000):
        request = _ask(worker, tmp_path, "waits")
    process = worker.process_id
    with qtbot.waitSignal(worker.cancelled, timeout=1_000) as answer:
        worker.cancel(request)
    assert answer.args == [request]
    assert worker.process_id == process


def test_a_child_that_does_not_listen_is_ended_and_other_work_is_asked_again(worker, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(_worker, "POLITE_MS", 100)
    failures: list[str] = []
    worker.failed.connect(lambda _request, sentence, _details: failures.append(sentence))
    with qtbot.waitSignal(worker.progressed, timeout=20_000):
        request = _ask(worker, tmp_path, "deaf")
    waiting = worker.build_pyramid(tmp_path / "slide.jpg")
    with qtbot.waitSignals([worker.cancelled, worker.finished], timeout=20_000):
        worker.cancel(request)
    assert failures == []
    assert waiting not in worker._open


def test_stopping_leaves_no_process_and_cancels_what_was_open(worker, qtbot, tmp_path):
    with qtbot.waitSignal(worker.progressed, timeout=20_000):
        request = _ask(worker, tmp_path, "waits")
    process = worker.process_id
    with qtbot.waitSignal(worker.cancelled) as answer:
        worker.stop()
    assert answer.args == [request]
    assert not _is_alive(process)


def test_the_real_worker_refuses_a_model_that_is_not_there_in_a_sentence(qtbot, tmp_path):
    worker = WorkerProcess()
    try:
        with qtbot.waitSignal(worker.failed, timeout=60_000) as answer:
            _ask(worker, tmp_path)
        assert "model" in answer.args[1]
        assert "Traceback" not in answer.args[1]
    finally:
        worker.stop()


def test_the_real_worker_trains_rests_and_goes_on_after_a_cancel(qtbot, tmp_path):
    asked = {"study": gr2st.sample_study_path(), "model": "gr2st-v2", "genes": {"listed": ["ERBB2", "COL1A1"]}}
    small = {"projection": 16, "heads": 2, "retrieval_k": 10}
    training = {"epochs": 100, "device": "cpu", "threads": 1}
    plan = gr2st.TrainPlan.of(**asked, sections=["A1"], config=small, training=training)
    run, worker, epochs = tmp_path / "run", WorkerProcess(), []
    worker.progressed.connect(lambda _request, event: epochs.append(event["done"]) if event["values"] else None)
    try:
        request = worker.train(plan, run)
        qtbot.waitUntil(lambda: len(epochs) >= 5, timeout=60_000)
        with qtbot.waitSignal(worker.paused, timeout=1_000) as rested:
            worker.pause(request)
        assert rested.args == [request]
        with qtbot.waitSignal(worker.resumed, timeout=1_000):
            worker.resume(request)
        with qtbot.waitSignal(worker.paused, timeout=1_000):
            worker.pause(request)
        process = worker.process_id
        with qtbot.waitSignal(worker.cancelled, timeout=5_000):
            worker.cancel(request)
        assert (worker.process_id, gr2st.read_run(run).state) == (process, "stopped")
        with qtbot.waitSignal(worker.finished, timeout=60_000) as answer:
            request = worker.train(plan, run)
    finally:
        worker.stop()
    assert answer.args == [request, {"run": str(run), "model": str(run / "model")}]
    assert epochs == list(range(1, 101))
    assert gr2st.read_run(run).state == "finished"


def test_the_real_worker_evaluates(qtbot, tmp_path):
    plan = {"models": ["mean"], "genes": {"listed": ["ERBB2", "COL1A1"]}, "sections": ["A1", "B1"]}
    worker = WorkerProcess()
    try:
        with qtbot.waitSignal(worker.finished, timeout=60_000) as answer:
            worker.evaluate(gr2st.sample_study_path(), plan, tmp_path / "out")
    finally:
        worker.stop()
    assert answer.args[1]["summary"] == str(tmp_path / "out" / "summary.json")
    assert (tmp_path / "out" / "summary.json").is_file()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
