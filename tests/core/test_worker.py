"""The worker process, spoken to as a window does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


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
def worker() -> Iterator[Talk]:
    command = [sys.executable, "-m", "gr2st.worker"]
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
