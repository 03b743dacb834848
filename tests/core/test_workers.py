"""Folds in processes of this machine that are killed, as a system without memory kills them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

import gr2st
from gr2st.config import GeneChoice
from gr2st.errors import WorkerLost
from gr2st.evaluation.crossval import Evaluation, evaluate
from gr2st.evaluation.fold import FoldJob, FoldResult, run_fold
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.workers import TRIES, Workers
from gr2st.types import finish
from tests.core.doomed import die, work_on

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be killed by a signal there")

PLAN = Plan(models=("ridge", "mean"), genes=GeneChoice(listed=("ERBB2", "KRT19", "COL1A1")), sections=("A1", "B1"))


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(2) as made:
        yield made


def run_or_die(job: FoldJob, victim: str, log: Path, times: int) -> FoldResult:
    """A fold whose process is killed the first `times` times, where it is the victim."""
    if job.name == victim:
        die(log, times)
    return run_fold(job)


class Deadly(Executor):
    """Hands folds on to another executor, one of them poisoned."""

    def __init__(self, inner: Executor, victim: str, log: Path, times: int) -> None:
        self._inner = inner
        self._poison = victim, log, times

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert fn is run_fold
        return self._inner.submit(run_or_die, *args, *self._poison)


def evaluated(workers: Workers, out: Path, log: Path, times: int) -> Evaluation:
    study = gr2st.read_study(gr2st.sample_study_path())
    return finish(evaluate(study, PLAN, out, executor=Deadly(workers, "ridge, A held out", log, times)))


def test_a_call_whose_process_is_killed_is_made_again_in_another(workers: Workers, tmp_path: Path) -> None:
    survivor = workers.submit(die, tmp_path / "log", 1).result()
    first, second = map(int, (tmp_path / "log").read_text().split())
    assert first != second == survivor


def test_a_call_that_kills_every_process_ends_in_a_sentence_and_the_others_are_answered(
    workers: Workers, tmp_path: Path
) -> None:
    deadly = workers.submit(die, tmp_path / "log", 99)
    harmless = [workers.submit(abs, number) for number in range(-8, 0)]
    with pytest.raises(WorkerLost, match="killed 2 times, most likely because memory ran out. Use fewer --workers"):
        deadly.result()
    assert [future.result() for future in harmless] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert len((tmp_path / "log").read_text().split()) == TRIES


def test_an_error_of_a_call_is_no_killed_process(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        workers.submit(divmod, 1, 0).result()


def test_a_fold_that_is_killed_once_costs_nothing_but_time(workers: Workers, tmp_path: Path) -> None:
    found = evaluated(workers, tmp_path / "out", tmp_path / "log", times=1)
    assert found.failures == ()
    assert found.summary["models"]["ridge"]["pcc_spot"] is not None


def test_a_fold_that_is_always_killed_fails_with_its_cause_and_the_others_go_on(
    workers: Workers, tmp_path: Path
) -> None:
    found = evaluated(workers, tmp_path / "out", tmp_path / "log", times=99)
    (failure,) = found.failures
    assert (failure.model, failure.fold) == ("ridge", "A")
    assert "its process was killed 2 times" in failure.message
    assert set(found.summary["models"]["ridge"]["sections"]) == {"B1"}
    assert set(found.summary["models"]["mean"]["sections"]) == {"A1", "B1"}


def begun(log: Path) -> int:
    """Number of the process that is at work."""
    while not (log.is_file() and log.read_text().endswith("\n")):
        time.sleep(0.05)
    return int(log.read_text())


def has_ended(number: int, *, within_s: float) -> bool:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(number)
        end = time.monotonic() + within_s
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
    return True


def test_what_is_stopped_leaves_no_process_at_work(tmp_path: Path) -> None:
    asked = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Workers(2) as made:
        answer = made.submit(work_on, tmp_path / "log")
        number, asked = begun(tmp_path / "log"), time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - asked < 2.0
    assert isinstance(answer.exception(), WorkerLost)
    assert has_ended(number, within_s=1.0)


OWNER = """
from pathlib import Path
from gr2st.evaluation.workers import Workers
from tests.core.doomed import work_on

if __name__ == "__main__":
    with Workers(1) as made:
        made.submit(work_on, Path(LOG)).result()
"""


def test_the_processes_of_one_that_is_killed_end_too(tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER.replace("LOG", repr(str(tmp_path / "log"))))
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "core"), str(root)])}
    with subprocess.Popen([sys.executable, str(script)], env=environment) as owner:
        number = begun(tmp_path / "log")
        owner.kill()
    assert has_ended(number, within_s=5.0)
