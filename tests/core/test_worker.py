"""The worker process, spoken to as a window does."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import gr2st
from gr2st.types import Progress, Steps
from gr2st.worker import Worker


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
        while (event := self.hear_any())["event"] not in events:
            pass
        return event

    def hear_any(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            return event
        raise AssertionError("the worker ended without a word")


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


@pytest.fixture(scope="module")
def one() -> Iterator[Talk]:
    """One worker for all tests that leave it at rest: a process that loads torch takes seconds to start."""
    with worker() as talk:
        assert talk.hear("ready")["version"]
        yield talk


@pytest.fixture
def talk(one: Talk) -> Iterator[Talk]:
    """The common worker; a test that leaves it at work, or something unheard, is told."""
    yield one
    one.say(id="rest", do="nothing")
    assert one.hear_any()["id"] == "rest"


@pytest.fixture
def own() -> Iterator[Talk]:
    """A worker of the test's own, which may be ended, or left at work."""
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


def test_the_worker_ends_with_its_window(own: Talk) -> None:
    assert own.process.stdin is not None
    own.process.stdin.close()
    assert own.process.wait(timeout=20) == 0


def test_the_worker_ends_when_asked(own: Talk) -> None:
    own.say(do="quit")
    assert own.process.wait(timeout=20) == 0


OFTEN = "import gr2st.training.keeper as k; k.EVERY_S = 0.0; from gr2st.worker import main; main()"
"""The worker, keeping its trainings after every step and not every half minute."""
LONG = 150
"""Epochs; a second of training and more, long enough to be met in the middle."""


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
    whole, left, plan = tmp_path / "whole", tmp_path / "left", plan_of(80)
    with worker("-c", OFTEN) as talk:
        talk.say(id=1, do="train", plan=plan, run=str(left))
        hear_epoch(talk, 20)
        talk.process.kill()
        talk.process.wait()
    interrupted = gr2st.read_run(left)
    assert interrupted.state == "interrupted"
    assert not interrupted.model.exists()
    reached = len(gr2st.read_curves(left))
    assert 20 <= reached < 80
    with worker("-c", OFTEN) as talk:
        talk.say(id=1, do="train", plan=plan, run=str(left))
        assert hear_epoch(talk, 1)["done"] >= reached
        assert talk.hear("result", "error")["event"] == "result"
        talk.say(id=2, do="train", plan=plan, run=str(whole))
        assert talk.hear("result", "error")["event"] == "result"
    assert weights_of(left) == weights_of(whole)
    assert gr2st.read_curves(left) == gr2st.read_curves(whole)
    assert gr2st.read_run(left).state == "finished"


def test_a_paused_training_rests_and_is_cancelled_or_gone_on_with(own: Talk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    own.say(id=1, do="train", plan=plan_of(LONG), run=str(run))
    hear_epoch(own, 5)
    asked = time.monotonic()
    own.say(do="pause", target=1)
    assert own.hear("paused", "result", "error") == {"id": 1, "event": "paused"}
    assert time.monotonic() - asked < 1.0
    reached = gr2st.read_curves(run)
    time.sleep(0.3)
    assert gr2st.read_curves(run) == reached
    assert gr2st.read_run(run).state == "paused"
    own.say(do="resume", target=1)
    assert own.hear("progress", "resumed")["event"] == "resumed"
    assert hear_epoch(own, 1)["done"] == len(reached) + 1
    own.say(do="pause", target=1)
    own.hear("paused")
    own.say(do="cancel", target=1)
    assert own.hear("cancelled", "result", "error", "progress") == {"id": 1, "event": "cancelled"}
    assert gr2st.read_run(run).state == "stopped"
    own.say(id=2, do="train", plan=plan_of(LONG), run=str(run))
    assert hear_epoch(own, 1)["done"] > len(reached)


def test_a_training_that_rests_hears_that_another_window_wants_it_to_stop(talk: Talk, tmp_path: Path) -> None:
    run = tmp_path / "run"
    talk.say(id=1, do="train", plan=plan_of(LONG), run=str(run))
    hear_epoch(talk, 2)
    talk.say(do="pause", target=1)
    talk.hear("paused")
    gr2st.ask_to_stop(run)
    assert talk.hear("cancelled", "result", "error", "progress") == {"id": 1, "event": "cancelled"}
    assert gr2st.read_run(run).state == "stopped"
    assert not (run / "stop").exists()


# Short requests between the steps of a long one


class Script:
    """A worker in this process, whose requests are told by what happens at each of their steps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events: list[tuple[Any, str]] = []
        self.acts: dict[str, Callable[[Any], Steps[dict[str, str]]]] = {}
        self.worker = Worker(lambda event: self.events.append((event.get("id"), event["event"])))
        monkeypatch.setattr("gr2st.worker.ACTS", self.acts)
        monkeypatch.setattr("gr2st.worker.INTERVAL", -1.0)

    def does(self, act: str, *steps: Callable[[], object] | None) -> None:
        def taken(_: Any) -> Steps[dict[str, str]]:
            for step in steps:
                if step is not None:
                    step()
                yield Progress("Step")
            return {}

        self.acts[act] = taken

    def ask(self, **request: Any) -> Callable[[], object]:
        """Say it when the step is taken."""
        return lambda: self.worker.hear(json.dumps(request))

    def end(self) -> None:
        self.worker.listen(io.StringIO(""))

    def served(self, *acts: str) -> list[tuple[Any, str]]:
        """All events after the first one, where these are asked for, numbered from 1."""
        for number, act in enumerate(acts, start=1):
            self.ask(id=number, do=act)()
        self.worker.serve()
        return self.events[1:]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    return Script(monkeypatch)


def test_a_short_request_is_served_whole_between_two_steps_of_a_long_one(script: Script) -> None:
    script.does("train", script.ask(id=2, do="predict"), None, script.end)
    script.does("predict", None, None)
    assert script.served("train") == [
        (1, "progress"),
        *[(2, "progress")] * 2,
        (2, "result"),
        *[(1, "progress")] * 2,
        (1, "cancelled"),
    ]


def test_a_second_long_request_waits_and_is_cancelled_while_it_waits(script: Script) -> None:
    script.does("train", script.ask(id=3, do="train"), script.ask(do="cancel", target=3), None)
    script.does("evaluate", script.end)
    assert script.served("train", "evaluate") == [
        *[(1, "progress")] * 2,
        (3, "cancelled"),
        (1, "progress"),
        (1, "result"),
        (2, "progress"),
        (2, "cancelled"),
    ]


def test_a_long_request_is_cancelled_at_once_while_a_short_one_is_served(script: Script) -> None:
    script.does("train", script.ask(id=2, do="predict"), None)
    script.does("predict", script.ask(do="cancel", target=1), None, script.end)
    assert script.served("train") == [
        (1, "progress"),
        (2, "progress"),
        (1, "cancelled"),
        *[(2, "progress")] * 2,
        (2, "cancelled"),
    ]


def test_a_short_request_is_cancelled_while_a_long_one_waits_for_it(script: Script) -> None:
    script.does("train", script.ask(id=2, do="predict"), script.end)
    script.does("predict", None, script.ask(do="cancel", target=2), None)
    assert script.served("train") == [
        (1, "progress"),
        *[(2, "progress")] * 2,
        (2, "cancelled"),
        (1, "progress"),
        (1, "cancelled"),
    ]


def test_a_long_request_that_rests_lets_short_ones_through(script: Script) -> None:
    # Both the pause and what ends it are asked for while a short request is served.
    script.does("train", script.ask(id=2, do="predict"), script.end)
    script.does("predict", script.ask(do="pause", target=1), lambda: threading.Timer(0.05, later).start())
    script.does("pyramid", script.ask(do="resume", target=1))
    later = script.ask(id=3, do="pyramid")
    assert script.served("train") == [
        (1, "progress"),
        *[(2, "progress")] * 2,
        (2, "result"),
        (1, "paused"),
        (3, "progress"),
        (3, "result"),
        (1, "resumed"),
        (1, "progress"),
        (1, "cancelled"),
    ]


def test_random_numbers_of_a_short_request_are_its_own(script: Script) -> None:
    drawn: list[float] = []

    def draw() -> None:
        drawn.append(float(torch.rand(())))

    torch.manual_seed(1)
    expected = [float(torch.rand(())) for _ in range(2)]
    torch.manual_seed(1)
    script.does("train", draw, script.ask(id=2, do="predict"), draw, script.end)
    script.does("predict", lambda: torch.manual_seed(7))
    script.served("train")
    assert drawn == expected


def test_predictions_in_the_middle_of_a_training_and_in_its_rest_change_nothing_in_it(
    talk: Talk, tmp_path: Path
) -> None:
    study = str(gr2st.sample_study_path())
    asked = {"do": "predict", "model": str(tmp_path / "whole" / "model"), "study": study, "section": "A1"}
    talk.say(id=1, do="train", plan=plan_of(40), run=str(tmp_path / "whole"))
    assert talk.hear("result", "error")["event"] == "result"
    talk.say(id=2, do="train", plan=plan_of(40), run=str(tmp_path / "asked"))
    hear_epoch(talk, 3)
    talk.say(id=3, out=str(tmp_path / "middle.h5ad"), **asked)
    assert talk.hear("result", "error")["id"] == 3
    talk.say(do="pause", target=2)
    talk.hear("paused")
    talk.say(id=4, out=str(tmp_path / "rest.h5ad"), **asked)
    assert talk.hear("result", "error")["id"] == 4
    talk.say(do="resume", target=2)
    assert talk.hear("result", "error")["id"] == 2
    assert weights_of(tmp_path / "asked") == weights_of(tmp_path / "whole")
    assert gr2st.read_curves(tmp_path / "asked") == gr2st.read_curves(tmp_path / "whole")


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
