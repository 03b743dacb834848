"""WorkerProcess: one long-lived child process, JSON lines in and out. The only file that knows processes."""

from __future__ import annotations

import json
import sys
from itertools import count
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gr2st import SlidePlan, TrainPlan

MODULE = ("-m", "gr2st.worker")
POLITE_MS = 1500
"""How long a cancelled request may take to end by itself before the process is ended."""
STOP_MS = 1000
LOG_LINES = 40
KILLED = 9
"""Signal of a system that ends a process without asking."""
_NUMBERS = count(1)
"""Ids of requests: no two workers of a window have the same."""


class WorkerProcess(QObject):
    """Sends requests to the child and turns its lines into signals; starts it on the first request.

    Every request ends in exactly one of `finished`, `failed` and `cancelled`, also when the child dies.

    Parameters
    ----------
    rests : bool
        Whether the child ends when nothing more is asked of it, and gives its memory back.
    """

    progressed = Signal(int, object)
    finished = Signal(int, object)
    failed = Signal(int, str, str)
    cancelled = Signal(int)
    paused = Signal(int)
    resumed = Signal(int)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        program: str = sys.executable,
        arguments: Sequence[str] = MODULE,
        rests: bool = False,
    ) -> None:
        super().__init__(parent)
        self._rests = rests
        self._command = (program, list(arguments))
        self._process: Any = None
        self._open: dict[int, dict[str, Any]] = {}
        self._stopping: set[int] = set()
        self._paused: set[int] = set()
        self._log: list[str] = []
        self._was_told = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.timeout.connect(self._insist)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.state() != QProcess.ProcessState.NotRunning

    @property
    def process_id(self) -> int:
        """System id of the child, 0 where none runs."""
        return int(self._process.processId()) if self._process is not None else 0

    def predict(self, *, model: Path, study: Path, section: str, out: Path) -> int:
        """Predict a section of a study with a model folder into `out` (.h5ad); returns the request's id."""
        return self._ask("predict", model=str(model), study=str(study), section=section, out=str(out))

    def predict_slide(self, plan: SlidePlan, out: Path) -> int:
        """Predict a slide without spots into `out` (.h5ad); returns the request's id.

        It takes turns with trainings and evaluations; asked for again, it goes on where it was left.
        """
        return self._ask("predict_slide", plan=plan.model_dump(mode="json"), out=str(out))

    def check_slide(self, plan: SlidePlan, out: Path) -> int:
        """Look ahead at the prediction of a slide; `finished` brings what `gr2st.Preflight.of_json` takes."""
        return self._ask("check_slide", plan=plan.model_dump(mode="json"), out=str(out))

    def build_pyramid(self, image: Path) -> int:
        """Make the tiled pyramid of an image; returns the request's id."""
        return self._ask("pyramid", image=str(image))

    def train(self, plan: TrainPlan, run: Path) -> int:
        """Train in the folder of a run, or go on with the run there; returns the request's id.

        A run that was cancelled can be asked for again.
        """
        return self._ask("train", plan=plan.model_dump(mode="json"), run=str(run))

    def evaluate(
        self, study: Path, plan: Mapping[str, Any], out: Path, *, workers: int = 1, scheduler: str = ""
    ) -> int:
        """Evaluate a study; `plan` holds fields of `gr2st.Plan` as JSON. Returns the request's id.

        Folds run one after the other, in several processes of this machine, or on a cluster with a scheduler's address.
        """
        return self._ask(
            "evaluate", study=str(study), plan=dict(plan), out=str(out), workers=workers, scheduler=scheduler
        )

    def check_training(self, plan: TrainPlan, run: Path) -> int:
        """Look what would stand in the way of a training; `finished` brings what `gr2st.Preflight.of_json` takes."""
        return self._ask("check_training", plan=plan.model_dump(mode="json"), run=str(run))

    def check_evaluation(self, study: Path, plan: Mapping[str, Any], out: Path, *, workers: int = 1) -> int:
        """Look what would stand in the way of an evaluation; `finished` brings what `gr2st.Preflight.of_json` takes."""
        return self._ask("check_evaluation", study=str(study), plan=dict(plan), out=str(out), workers=workers)

    def report(self, evaluation: Path, out: Path) -> int:
        """Write what an evaluation found as a document for people; returns the request's id."""
        return self._ask("report", evaluation=str(evaluation), out=str(out))

    def report_section(
        self, study: Path, section: str, prediction: Path | None, out: Path, genes: Sequence[str] = ()
    ) -> int:
        """Write the page of a section: maps of these genes, or of the best and worst predicted."""
        stored = None if prediction is None else str(prediction)
        return self._ask(
            "report_section",
            study=str(study),
            section=section,
            prediction=stored,
            out=str(out),
            genes=list(genes),
        )

    def pause(self, request: int) -> None:
        """Let a request rest before its next step; `paused` tells when it does.

        While a training or an evaluation rests, or is at work, the others are served, but no second one of these.
        """
        if request in self._open and request not in self._paused:
            self._paused.add(request)
            self._send(self._steering("pause", request))

    def resume(self, request: int) -> None:
        """Let a paused request go on."""
        if request in self._open and request in self._paused:
            self._paused.discard(request)
            self._send(self._steering("resume", request))

    def cancel(self, request: int, *, patience_ms: int = POLITE_MS) -> None:
        """Ask for an end; a child that does not answer in time is ended."""
        if request not in self._open or request in self._stopping:
            return
        self._stopping.add(request)
        self._send(self._steering("cancel", request))
        self._patience.start(patience_ms)

    def stop(self) -> None:
        """End the child and wait for its end; every open request is cancelled."""
        process, self._process = self._process, None
        requests = self._forget()
        self._patience.stop()
        if process is not None and process.state() != QProcess.ProcessState.NotRunning:
            process.blockSignals(True)
            process.write(b'{"do": "quit"}\n')
            process.closeWriteChannel()
            if not process.waitForFinished(STOP_MS):
                process.kill()
                process.waitForFinished(STOP_MS)
        if process is not None:
            process.deleteLater()
        for request in requests:
            self.cancelled.emit(request)

    def _ask(self, do: str, **details: Any) -> int:
        number = next(_NUMBERS)
        self._open[number] = {"id": number, "do": do, **details}
        if not self.is_running:
            self._start()
        self._send(self._open[number])
        return number

    def _steering(self, do: str, request: int) -> dict[str, Any]:
        return {"id": next(_NUMBERS), "do": do, "target": request}

    def _send(self, request: dict[str, Any]) -> None:
        if self._process is not None:
            self._process.write(json.dumps(request).encode() + b"\n")

    def _start(self) -> None:
        self._log, self._was_told = [], False
        process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        environment.insert("PYTHONUNBUFFERED", "1")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_log)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        self._process = process
        process.start(*self._command)

    def _on_output(self) -> None:
        # A line may lead to the end of the process: look again before each.
        while self._process is not None and self._process.canReadLine():
            self._on_line(bytes(self._process.readLine().data()).decode(errors="replace").strip())

    def _on_line(self, line: str) -> None:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            self._keep(line)
            return
        request = event.get("id") if isinstance(event, dict) else None
        if request in self._open:
            self._on_event(int(request), event)

    def _on_event(self, request: int, event: dict[str, Any]) -> None:
        kind = event.get("event")
        if kind == "progress":
            self.progressed.emit(request, event)
            return
        if kind in ("paused", "resumed"):
            (self.paused if kind == "paused" else self.resumed).emit(request)
            return
        if kind not in ("result", "error", "cancelled"):
            return
        del self._open[request]
        self._stopping.discard(request)
        self._paused.discard(request)
        if kind == "result":
            self.finished.emit(request, event.get("files") or event)
        elif kind == "error":
            self.failed.emit(request, str(event.get("message", "")), str(event.get("details", "")))
        else:
            self.cancelled.emit(request)
        if self._rests and not self._open:
            self._let_go()

    def _let_go(self) -> None:
        """Let the idle child end by itself: nobody waits for it, and the next request starts another."""
        process, self._process = self._process, None
        self._patience.stop()
        if process is not None:
            process.disconnect()
            process.finished.connect(process.deleteLater)
            process.write(b'{"do": "quit"}\n')
            process.closeWriteChannel()

    def _on_log(self) -> None:
        if self._process is not None:
            for line in bytes(self._process.readAllStandardError().data()).decode(errors="replace").splitlines():
                self._keep(line)

    def _keep(self, line: str) -> None:
        self._log = [*self._log, line][-LOG_LINES:]

    def _insist(self) -> None:
        """End a child that did not listen: first with a request of the system, then without asking."""
        if self._process is None or not self._stopping:
            return
        if self._was_told:
            self._process.kill()
        else:
            self._was_told = True
            self._process.terminate()
            self._patience.start(STOP_MS)

    def _on_finished(self, code: int, status: QProcess.ExitStatus) -> None:
        self._on_output()
        self._on_log()
        how = f"exit code {code}"
        if status == QProcess.ExitStatus.CrashExit and code == KILLED:
            how = "the system ended it, perhaps for want of memory"
        self._end(f"The worker process ended unexpectedly ({how}). The window is fine: try again.")

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        # Only this error comes without `finished`.
        if error == QProcess.ProcessError.FailedToStart:
            self._end(f"The worker process could not be started with {self._command[0]}: is Python still there?")

    def _end(self, sentence: str) -> None:
        """The child is gone: open requests were cancelled where that was asked for, and have failed otherwise."""
        process, self._process = self._process, None
        if process is not None:
            process.deleteLater()
        stopping, log = set(self._stopping), self._log or ["It said nothing before."]
        requests = self._forget()
        if stopping:
            # We ended the child for the sake of these: what else it had to do is asked again.
            self._ask_again([asked for number, asked in requests.items() if number not in stopping])
        for request in requests:
            if request in stopping:
                self.cancelled.emit(request)
            elif not stopping:
                self.failed.emit(request, sentence, "\n".join([f"It was asked to {requests[request]['do']}.", *log]))

    def _ask_again(self, requests: list[dict[str, Any]]) -> None:
        if requests:
            self._start()
        for request in requests:
            self._open[request["id"]] = request
            if request["id"] in self._paused:
                self._send(self._steering("pause", request["id"]))
            self._send(request)

    def _forget(self) -> dict[int, dict[str, Any]]:
        requests = dict(self._open)
        self._open.clear()
        self._stopping.clear()
        return requests
