"""`python -m gr2st.worker`: requests in, progress out, results as files: where a window has its torch.

One JSON object per line. Requests on standard input::

    {"id": 1, "do": "predict", "model": DIR, "study": PATH, "section": NAME, "out": FILE.h5ad}
    {"id": 2, "do": "pyramid", "image": FILE}
    {"id": 3, "do": "train", "plan": {...}, "run": DIR}
    {"id": 4, "do": "evaluate", "study": PATH, "plan": {...}, "out": DIR}
    {"id": 5, "do": "cancel", "target": 1}      also "pause" and "resume"
    {"do": "quit"}

Events on standard output: ``ready``, ``progress`` (at most ten a second, and every one that brings values),
``paused``, ``resumed``, ``result`` (with the files written), ``error`` (kind, sentence, details) and ``cancelled``.
A cancelled training or evaluation goes on where it was when it is asked for again. The end of standard input ends the
worker. Plans are those of `gr2st.plans.TrainPlan` and `gr2st.evaluation.plan.Plan`.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gr2st import __version__
from gr2st.errors import DataError, Gr2stError, UnknownName
from gr2st.processes import share_the_cores

if TYPE_CHECKING:
    from gr2st.types import Progress, Steps

Request = Mapping[str, Any]

INTERVAL = 0.1
"""Seconds between two progress events; a window needs no more."""
GRACE = 3.0
"""Seconds a running step has to end once the window is gone."""


def main() -> None:
    """Serve requests until standard input ends or asks for it."""
    share_the_cores()
    events = _take_stdout()
    worker = Worker(lambda event: _send(events, event))
    threading.Thread(target=worker.listen, args=(sys.stdin,), daemon=True).start()
    worker.serve()


class Worker:
    """Runs one request at a time; a second thread listens, so that a cancel is heard while a step runs."""

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._requests: queue.Queue[Request | None] = queue.Queue()
        self._cancelled: set[Any] = set()
        self._paused: set[Any] = set()
        self._ended = threading.Event()
        self._heard = threading.Condition()

    def listen(self, lines: IO[str]) -> None:
        """Take requests from `lines` until they end; then ask the running step to end too."""
        for line in lines:
            if line.strip() and not self._hear(line):
                break
        with self._heard:
            self._ended.set()
            self._heard.notify_all()
        self._requests.put(None)
        threading.Timer(GRACE, os._exit, (0,)).start()

    def serve(self) -> None:
        """Do what was asked, one request after the other."""
        self._send({"event": "ready", "version": __version__, "pid": os.getpid()})
        while (request := self._requests.get()) is not None:
            self._do(request)
        os._exit(0)

    def _hear(self, line: str) -> bool:
        try:
            request = json.loads(line)
            act = request["do"]
        except (ValueError, KeyError, TypeError) as error:
            self._send(_error(None, DataError(f"A request must be a JSON object with a 'do': {error}")))
            return True
        if act in ("cancel", "pause", "resume"):
            self._steer(act, request.get("target"))
        elif act != "quit":
            self._requests.put(request)
        return bool(act != "quit")

    def _steer(self, act: str, target: Any) -> None:
        """Note what is wanted of a request; it hears of it before its next step."""
        with self._heard:
            if act == "cancel":
                self._cancelled.add(target)
            elif act == "pause":
                self._paused.add(target)
            else:
                self._paused.discard(target)
            self._heard.notify_all()

    def _do(self, request: Request) -> None:
        identity = request.get("id")
        try:
            if request["do"] not in ACTS:
                raise UnknownName.of("request", str(request["do"]), ACTS)
            files = self._drain(identity, ACTS[request["do"]](request))
        except KeyError as error:
            self._send(_error(identity, DataError(f"The request {request['do']!r} lacks {error}.")))
        except (Gr2stError, OSError, RuntimeError, ValueError, ArithmeticError, MemoryError) as error:
            self._send(_error(identity, error))
        else:
            done = {"event": "cancelled"} if files is None else {"event": "result", "files": files}
            self._send({"id": identity, **done})

    def _drain(self, identity: Any, steps: Steps[dict[str, str]]) -> dict[str, str] | None:
        """Run the steps; None where the user cancelled, which closes them."""
        last = 0.0
        with closing(steps):
            while self._may_go_on(identity):
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    files: dict[str, str] = stop.value
                    return files
                if progress.values or time.monotonic() - last >= INTERVAL:
                    last = time.monotonic()
                    self._send({"id": identity, "event": "progress", **_shown(progress)})
        return None

    def _may_go_on(self, identity: Any) -> bool:
        """Wait here while the request is paused; False where it is to end."""
        with self._heard:
            was_paused = identity in self._paused and not self._is_over(identity)
            if was_paused:
                self._send({"id": identity, "event": "paused"})
            self._heard.wait_for(lambda: identity not in self._paused or self._is_over(identity))
            goes_on = not self._is_over(identity)
        if was_paused and goes_on:
            self._send({"id": identity, "event": "resumed"})
        return goes_on

    def _is_over(self, identity: Any) -> bool:
        return identity in self._cancelled or self._ended.is_set()


def predict_steps(request: Request) -> Steps[dict[str, str]]:
    """Predict one section with a stored model; the file appears under its name when it is complete."""
    from gr2st.evaluation.measured import predict_section
    from gr2st.io.prediction import save_prediction
    from gr2st.io.section import read_section
    from gr2st.io.study import read_study
    from gr2st.training.checkpoint import load_model
    from gr2st.training.loop import pick_device
    from gr2st.types import Progress

    model, study, section, out = (request[key] for key in ("model", "study", "section", "out"))
    yield Progress("Loading the model")
    trained = load_model(Path(model), device=str(pick_device("auto")))
    yield Progress(f"Reading section {section}")
    read = read_section(read_study(Path(study)).entry(section))
    prediction = yield from predict_section(trained, read)
    return {"prediction": str(save_prediction(prediction, Path(out)))}


def pyramid_steps(request: Request) -> Steps[dict[str, str]]:
    """Build the tiled pyramid of a large picture, for display."""
    from gr2st.io.pyramid import build_pyramid

    path = yield from build_pyramid(Path(request["image"]))
    return {"pyramid": str(path)}


def train_steps(request: Request) -> Steps[dict[str, str]]:
    """Train as planned in the folder of a run, or go on with the run that lies there."""
    from gr2st.plans import TrainPlan
    from gr2st.runs.training import run_training

    plan, folder = TrainPlan.of(**_plan(request)), Path(request["run"])
    model = yield from run_training(plan, folder)
    return {"run": str(folder), "model": str(model)}


def evaluate_steps(request: Request) -> Steps[dict[str, str]]:
    """Evaluate as planned; folds that are finished in the folder are not done again."""
    from gr2st import keys
    from gr2st.evaluation.crossval import evaluate
    from gr2st.evaluation.plan import plan_of_json
    from gr2st.io.study import read_study

    plan, study, out = plan_of_json(_plan(request)), Path(request["study"]), Path(request["out"])
    done = yield from evaluate(read_study(study), plan, out)
    return {"evaluation": str(done.out), "summary": str(done.out / keys.SUMMARY)}


ACTS: dict[str, Callable[[Request], Steps[dict[str, str]]]] = {
    "predict": predict_steps,
    "pyramid": pyramid_steps,
    "train": train_steps,
    "evaluate": evaluate_steps,
}


def _plan(request: Request) -> Mapping[str, Any]:
    plan = request["plan"]
    if not isinstance(plan, dict):
        raise DataError(f"The plan of a request must be a JSON object, not {type(plan).__name__}.")
    return plan


def _shown(progress: Progress) -> dict[str, Any]:
    return {
        "stage": progress.stage,
        "done": progress.done,
        "total": progress.total,
        "note": progress.note,
        "values": dict(progress.values),
    }


def _error(identity: Any, error: BaseException) -> dict[str, Any]:
    details = "".join(traceback.format_exception(error))
    message = str(error) or type(error).__name__
    return {"id": identity, "event": "error", "kind": type(error).__name__, "message": message, "details": details}


def _take_stdout() -> IO[str]:
    """Keep standard output for events; whatever a library prints goes to standard error."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return events


def _send(events: IO[str], event: dict[str, Any]) -> None:
    try:
        events.write(json.dumps(event) + "\n")
        events.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
