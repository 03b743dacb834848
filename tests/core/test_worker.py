"""The worker process, spoken to as a window does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gr2st


class Talk:
    """A running worker and its lines."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def say(self, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def hear(self, *events: str) -> dict[str, Any]:
        """The next event of one of these kinds."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] in events:
                return event
        raise AssertionError(f"the worker ended without {events}")


@contextmanager
def worker(*arguments: str) -> Iterator[Talk]:
    command = [sys.executable, *(arguments or ("-m", "gr2st.worker"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Talk(process)
        finally:
            process.kill()


@pytest.fixture
def talk() -> Iterator[Talk]:
    with worker() as talk:
        assert talk.hear("ready")["version"]
        yield talk


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(120, 220, (900, 1100, 3)).astype(np.uint8)
    path = tmp_path / "slide.jpg"
    Image.fromarray(pixels).save(path)
    return path


def test_a_result_names_the_files_written(talk: Talk, picture: Path) -> None:
    talk.say(id=1, do="pyramid", image=str(picture))
    result = talk.hear("result", "error")
    assert result["id"] == 1
    assert Path(result["files"]["pyramid"]).is_file()


def test_an_error_is_a_sentence_with_its_kind_and_the_worker_lives_on(
    talk: Talk, picture: Path, tmp_path: Path
) -> None:
    talk.say(id=1, do="pyramid", image=str(tmp_path / "absent.jpg"))
    error = talk.hear("error", "result")
    assert (error["id"], error["kind"]) == (1, "DataError")
    assert "absent.jpg" in error["message"]
    assert "Traceback" in error["details"]
    talk.say(id=2, do="pyramid", image=str(picture))
    assert talk.hear("result", "error")["event"] == "result"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ({"id": 1, "do": "dance"}, "No request is called 'dance'"),
        ({"id": 1, "do": "predict"}, "The request 'predict' lacks"),
        ({"id": 1}, "JSON object with a 'do'"),
        ({"id": 1, "do": "train", "plan": {"model": "ridge"}, "run": "run"}, "study: field required"),
        ({"id": 1, "do": "train", "plan": [], "run": "run"}, "must be a JSON object, not list"),
        ({"id": 1, "do": "evaluate", "plan": {"models": ["ridge"]}, "out": "out"}, "genes: field required"),
    ],
)
def test_a_request_that_makes_no_sense_is_answered(talk: Talk, line: dict[str, Any], sentence: str) -> None:
    talk.say(**line)
    assert sentence in talk.hear("error")["message"]


def test_a_cancelled_request_is_answered_and_leaves_no_file(talk: Talk, picture: Path) -> None:
    talk.say(id=8, do="cancel", target=9)
    talk.say(id=9, do="pyramid", image=str(picture))
    assert talk.hear("cancelled", "result", "error") == {"id": 9, "event": "cancelled"}


def test_the_worker_ends_with_its_window(talk: Talk) -> None:
    assert talk.process.stdin is not None
    talk.process.stdin.close()
    assert talk.process.wait(timeout=20) == 0


def test_the_worker_ends_when_asked(talk: Talk) -> None:
    talk.say(do="quit")
    assert talk.process.wait(timeout=20) == 0


OFTEN = "import gr2st.training.keeper as k; k.EVERY_S = 0.0; from gr2st.worker import main; main()"
"""The worker, keeping its trainings after every step and not every half minute."""
LONG = 300
"""Epochs; seconds of training, long enough to be met in the middle."""


def plan_of(epochs: int) -> dict[str, Any]:
    config = {"projection": 16, "heads": 2, "retrieval_k": 10}
    training = {"epochs": epochs, "device": "cpu", "threads": 1}
    genes = {"listed": ["ERBB2", "COL1A1", "GAPDH"]}
    study = str(gr2st.sample_study_path())
    asked = {"study": study, "model": "gr2st-v2", "genes": genes, "sections": ["A1"]}
    return {**asked, "config": config, "training": training}


def weights_of(run: Path) -> bytes:
    return (run / "model" / "model.safetensors").read_bytes()


def hear_epoch(talk: Talk, least: int) -> dict[str, Any]:
    """The first event of an epoch that is at least this one."""
    while True:
        event = talk.hear("progress", "error", "result")
        assert event["event"] == "progress", event
        if event["values"] and event["done"] >= least:
            return event


def test_a_training_tells_every_epoch_with_the_parts_of_its_loss(talk: Talk, tmp_path: Path) -> None:
    talk.say(id=1, do="train", plan=plan_of(12), run=str(tmp_path / "run"))
    epochs = [hear_epoch(talk, 1) for _ in range(12)]
    assert [event["done"] for event in epochs] == list(range(1, 13))
    assert [event["values"] for event in epochs] == [one.values for one in gr2st.read_curves(tmp_path / "run")]
    assert talk.hear("result", "error")["files"] == {
        "run": str(tmp_path / "run"),
        "model": str(tmp_path / "run" / "model"),
    }


def test_a_training_killed_in_the_middle_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, left = tmp_path / "whole", tmp_path / "left"
    with worker("-c", OFTEN) as talk:
        talk.say(id=1, do="train", plan=plan_of(LONG), run=str(left))
        hear_epoch(talk, 20)
        talk.process.kill()
        talk.process.wait()
    interrupted = gr2st.read_run(left)
    assert interrupted.state == "interrupted"
    assert not interrupted.model.exists()
    reached = len(gr2st.read_curves(left))
    assert 20 <= reached < LONG
    with worker("-c", OFTEN) as talk:
        talk.say(id=1, do="train", plan=plan_of(LONG), run=str(left))
        assert hear_epoch(talk, 1)["done"] >= reached
        assert talk.hear("result", "error")["event"] == "result"
        talk.say(id=2, do="train", plan=plan_of(LONG), run=str(whole))
        assert talk.hear("result", "error")["event"] == "result"
    assert weights_of(left) == weights_of(whole)
    assert gr2st.read_curves(left) == gr2st.read_curves(whole)
    assert gr2st.read_run(left).state == "finished"


def test_a_paused_training_rests_and_is_cancelled_or_gone_on_with(talk: Talk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    talk.say(id=1, do="train", plan=plan_of(LONG), run=str(run))
    hear_epoch(talk, 5)
    asked = time.monotonic()
    talk.say(do="pause", target=1)
    assert talk.hear("paused", "result", "error") == {"id": 1, "event": "paused"}
    assert time.monotonic() - asked < 1.0
    reached = gr2st.read_curves(run)
    time.sleep(0.3)
    assert gr2st.read_curves(run) == reached
    assert gr2st.read_run(run).state == "running"
    talk.say(do="resume", target=1)
    assert talk.hear("progress", "resumed")["event"] == "resumed"
    assert hear_epoch(talk, 1)["done"] == len(reached) + 1
    talk.say(do="pause", target=1)
    talk.hear("paused")
    talk.say(do="cancel", target=1)
    assert talk.hear("cancelled", "result", "error", "progress") == {"id": 1, "event": "cancelled"}
    assert gr2st.read_run(run).state == "stopped"
    talk.say(id=2, do="train", plan=plan_of(LONG), run=str(run))
    assert hear_epoch(talk, 1)["done"] > len(reached)


def test_an_evaluation_is_asked_for_by_its_plan(talk: Talk, tmp_path: Path) -> None:
    plan = {"models": ["ridge", "mean"], "genes": {"listed": ["ERBB2", "COL1A1"]}, "sections": ["A1", "B1"]}
    talk.say(id=1, do="evaluate", study=str(gr2st.sample_study_path()), plan=plan, out=str(tmp_path / "out"))
    files = talk.hear("result", "error")["files"]
    summary = json.loads(Path(files["summary"]).read_text())
    assert Path(files["evaluation"]) == tmp_path / "out"
    assert set(summary["models"]) == {"ridge", "mean"}
    talk.say(id=2, do="report", evaluation=files["evaluation"], out=str(tmp_path / "page.html"))
    assert talk.hear("result", "error")["files"] == {"report": str(tmp_path / "page.html")}
    assert (tmp_path / "page.html").is_file()
