"""`python -m gr2st.worker`: requests in, progress out, results as files: where a window has its torch.

One JSON object per line. Requests on standard input::

    {"id": 1, "do": "predict", "model": DIR, "study": PATH, "section": NAME, "out": FILE.h5ad}
    {"id": 2, "do": "pyramid", "image": FILE}
    {"id": 3, "do": "train", "plan": {...}, "run": DIR}
    {"id": 4, "do": "evaluate", "study": PATH, "plan": {...}, "out": DIR, "workers": 1, "scheduler": ""}
    {"id": 5, "do": "check_training", "plan": {...}, "run": DIR}
    {"id": 6, "do": "check_evaluation", "study": PATH, "plan": {...}, "out": DIR, "workers": 1}
    {"id": 7, "do": "report", "evaluation": DIR, "out": FILE.html}
    {"id": 8, "do": "cancel", "target": 1}      also "pause" and "resume"
    {"do": "quit"}

Events on standard output: ``ready``, ``progress`` (at most ten a second, and every one that brings values),
``paused``, ``resumed``, ``result`` (under ``files`` the files written, or what a look ahead found), ``error`` (kind,
sentence, details) and ``cancelled``.
A training or an evaluation takes long: all other requests are served between two of its steps, or while it rests.
Cancelled, it goes on where it was when it is asked for again. The end of standard input ends the worker. Plans are
those of `gr2st.plans.TrainPlan` and `gr2st.evaluation.plan.Plan`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from gr2st import __version__
from gr2st.acts import ACTS, LONG, folder_of
from gr2st.errors import Cancelled, DataError, Gr2stError, UnknownName
from gr2st.io.run_writer import tell_again
from gr2st.io.stop import EVERY_S, is_asked_to_stop
from gr2st.processes import leave_room_for_a_window, share_the_cores

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.io.runs import Told
    from gr2st.types import Progress, Steps

Request = Mapping[str, Any]

INTERVAL = 0.1
"""Seconds between two progress events; a window needs no more."""
GRACE = 3.0
"""Seconds a running step has to end once the window is gone."""
FAULTS = (Gr2stError, OSError, RuntimeError, ValueError, ArithmeticError, MemoryError)
"""Errors that end a request, not the worker."""


def main() -> None:
    """Serve requests until standard input ends or asks for it."""
    share_the_cores()
    leave_room_for_a_window()
    events = _take_stdout()
    worker = Worker(lambda event: _send(events, event))
    threading.Thread(target=_listen, args=(worker,), daemon=True).start()
    worker.serve()
    os._exit(0)


def _listen(worker: Worker) -> None:
    worker.listen(sys.stdin)
    threading.Timer(GRACE, os._exit, (0,)).start()


@dataclass(eq=False)
class _Task:
    """A request that has been begun: its steps, when it last told of one, whether it rests; how to end its shelter."""

    request: Request
    steps: Steps[dict[str, Any]]
    leave: Callable[[], None]
    told: float = 0.0
    rests: bool = False

    @property
    def identity(self) -> Any:
        return self.request.get("id")

    @property
    def folder(self) -> Path | None:
        """Where a long one tells how far it is."""
        return folder_of(self.request)

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether another process wants it to end."""
        return self.folder is not None and is_asked_to_stop(self.folder)


class Worker:
    """Takes the steps of at most one long request, and between two of them whole short ones, first come first served.

    A second thread listens, so that a cancel is heard while a step runs.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._waiting: deque[Request] = deque()
        self._long: _Task | None = None
        self._short: _Task | None = None
        self._cancelled: set[Any] = set()
        self._paused: set[Any] = set()
        self._has_ended = False
        self._heard = threading.Condition()

    def listen(self, lines: IO[str]) -> None:
        """Take requests from `lines` until they end; then what is at work ends too."""
        for line in lines:
            if line.strip() and not self.hear(line):
                break
        with self._heard:
            self._has_ended = True
            self._heard.notify_all()

    def hear(self, line: str) -> bool:
        """Take one request; False where it is the last."""
        try:
            request = json.loads(line)
            act = request["do"]
        except (ValueError, KeyError, TypeError) as error:
            self._send(_error(None, DataError(f"A request must be a JSON object with a 'do': {error}")))
            return True
        with self._heard:
            if act == "cancel":
                self._cancelled.add(request.get("target"))
            elif act == "pause":
                self._paused.add(request.get("target"))
            elif act == "resume":
                self._paused.discard(request.get("target"))
            elif act != "quit":
                self._waiting.append(request)
            self._heard.notify_all()
        return bool(act != "quit")

    def serve(self) -> None:
        """Do what is asked until nothing more can come."""
        self._send({"event": "ready", "version": __version__, "pid": os.getpid()})
        while (task := self._next()) is not None:
            self._step(task)

    def _next(self) -> _Task | None:
        """Whose step is next, waited for; None at the end."""
        with self._heard:
            while True:
                self._take_in()
                task = self._turn()
                if task is not None or self._has_ended:
                    return task
                # What rests takes no steps, between which it would be heard that another process wants it to stop.
                self._heard.wait(EVERY_S if self._long is not None and self._long.rests else None)

    def _take_in(self) -> None:
        """Begin what need not wait, in the order it came; what was cancelled while it waited is answered at once."""
        for request in list(self._waiting):
            if self._is_over(request.get("id")):
                self._send({"id": request.get("id"), "event": "cancelled"})
            elif request["do"] in LONG and self._long is None:
                self._long = _Task(request, _steps_of(request), leave=lambda: None)
            elif request["do"] not in LONG and self._short is None:
                self._short = _Task(request, _steps_of(request), leave=_shelter_of_random_numbers())
            else:
                continue
            self._waiting.remove(request)

    def _turn(self) -> _Task | None:
        """The task that may take a step now. A short one is not parted from its end by steps of the long one."""
        if self._long is not None and self._long.rests and self._long.is_asked_to_stop:
            self._cancelled.add(self._long.identity)
        if self._long is not None and self._is_over(self._long.identity):
            return self._long
        task = self._short or self._long
        if task is None:
            return None
        self._rest_or_wake(task)
        return None if task.rests else task

    def _rest_or_wake(self, task: _Task) -> None:
        rests = task.identity in self._paused and not self._is_over(task.identity)
        if rests == task.rests:
            return
        task.rests = rests
        _tell_in_folder(task, "paused" if rests else "running")
        if rests or not self._is_over(task.identity):
            self._send({"id": task.identity, "event": "paused" if rests else "resumed"})

    def _step(self, task: _Task) -> None:
        if self._is_over(task.identity):
            self._end(task, {"event": "cancelled"})
            return
        try:
            progress = next(task.steps)
        except StopIteration as stop:
            self._end(task, {"event": "result", "files": stop.value})
        except Cancelled:
            self._end(task, {"event": "cancelled"})
        except KeyError as error:
            self._end(task, _error(task.identity, DataError(f"The request {task.request['do']!r} lacks {error}.")))
        except FAULTS as error:
            self._end(task, _error(task.identity, error))
        else:
            self._tell(task, progress)

    def _tell(self, task: _Task, progress: Progress) -> None:
        if progress.values or time.monotonic() - task.told >= INTERVAL:
            task.told = time.monotonic()
            self._send({"id": task.identity, "event": "progress", **_shown(progress)})

    def _end(self, task: _Task, event: dict[str, Any]) -> None:
        """Close the steps, which keeps what is unfinished, and say how the request ended."""
        try:
            task.steps.close()
        except FAULTS as error:
            event = _error(task.identity, error)
        task.leave()
        with self._heard:
            self._cancelled.discard(task.identity)
            self._paused.discard(task.identity)
            self._long, self._short = (None if one is task else one for one in (self._long, self._short))
        self._send({"id": task.identity, **event})

    def _is_over(self, identity: Any) -> bool:
        return identity in self._cancelled or self._has_ended


def _steps_of(request: Request) -> Steps[dict[str, Any]]:
    if request["do"] not in ACTS:
        raise UnknownName.of("request", str(request["do"]), ACTS)
    return (yield from ACTS[request["do"]](request))


def _shelter_of_random_numbers() -> Callable[[], None]:
    """Keep the random numbers of a training that is at work; what is given back puts them where they were."""
    torch = sys.modules.get("torch")
    if torch is None:
        return lambda: None
    on_cpu = torch.get_rng_state()
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def leave() -> None:
        torch.set_rng_state(on_cpu)
        if on_gpu:
            torch.cuda.set_rng_state_all(on_gpu)

    return leave


def _tell_in_folder(task: _Task, state: Told) -> None:
    """Let others see in the folder of a long request that it rests, or goes on."""
    if task.folder is not None:
        # The window hears of it anyhow; a folder that cannot be written to is told of at the next step.
        with suppress(Gr2stError):
            tell_again(task.folder, state)


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
