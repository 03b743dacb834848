"""A run that another process begins, stops, or goes on with."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice
from gr2st.errors import Cancelled, DataError, StorageError
from gr2st.evaluation.crossval import evaluate
from gr2st.evaluation.plan import Plan
from gr2st.io.evaluations import read_evaluation
from gr2st.io.lock import Holder, held
from gr2st.io.run_writer import RunWriter, begin_run, tell_again
from gr2st.io.runs import read_run
from gr2st.io.stop import ask_to_stop, heeding
from gr2st.io.store import atomic_folder
from gr2st.plans import TrainPlan
from gr2st.runs.training import run_training
from gr2st.types import Progress, Steps, finish
from tests.builders import her2st_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.core.conftest import Command

ENDED = 2**22 + 1
"""A number that no process has."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return her2st_folder(tmp_path_factory.mktemp("processes") / "study", ("A1", "B1"))


@pytest.fixture
def plan(study: Path) -> TrainPlan:
    return TrainPlan.of(study=study, model="mean", genes={"listed": ["GENE1", "GENE2"]}, sections=["A1"])


def lock(folder: Path, **changes: Any) -> Path:
    """The lock of a process."""
    folder.mkdir(exist_ok=True)
    holder = {"pid": os.getpid(), "host": platform.node(), "at": time.time(), "token": "other"} | changes
    path = folder / keys.RUN_LOCK
    path.write_text(Holder(**holder).model_dump_json())
    return path


# One at a time


def test_a_folder_is_held_by_one_and_then_free(tmp_path: Path) -> None:
    with held(tmp_path / "run"):
        with pytest.raises(DataError, match=f"worked on by process {os.getpid()} of"), held(tmp_path / "run"):
            pass
        assert (tmp_path / "run" / keys.RUN_LOCK).is_file()
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    "gone",
    [{"pid": ENDED}, {"at": time.time() - 1e6}, {"host": "elsewhere", "at": time.time() - 3600}],
    ids=["no such process", "a process begun later has the number", "silent elsewhere"],
)
def test_what_a_process_left_that_is_gone_is_taken_over(tmp_path: Path, gone: dict[str, Any]) -> None:
    path = lock(tmp_path, **gone)
    with atomic_folder(tmp_path / "model") as part:
        (part / "bank.h5ad").touch()
        shutil.copytree(part, tmp_path / "left")
    shutil.rmtree(tmp_path / "model")
    (tmp_path / "left").rename(part)
    with held(tmp_path):
        assert Holder.model_validate_json(path.read_text()).pid == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_process_elsewhere_holds_as_long_as_it_says_something(tmp_path: Path) -> None:
    lock(tmp_path, host="elsewhere", at=time.time() - 3600)
    (tmp_path / keys.RUN_STATE).write_text("{}")
    with pytest.raises(DataError, match="of elsewhere"), held(tmp_path):
        pass


def test_a_lock_without_a_name_is_one_being_written_until_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / keys.RUN_LOCK
    path.write_text("")
    with pytest.raises(DataError, match="worked on by another process"), held(tmp_path):
        pass
    os.utime(path, (1, 1))
    with held(tmp_path):
        pass


def test_of_many_processes_one_takes_a_folder_over(tmp_path: Path) -> None:
    lock(tmp_path, pid=ENDED)
    code = (
        "import sys, time, pathlib\nfrom gr2st.io.lock import held\n"
        "sys.stdin.readline()\n"
        "try:\n    with held(pathlib.Path(sys.argv[1])): print('held'); sys.stdout.flush(); sys.stdin.readline()\n"
        "except Exception: print('refused')\n"
    )
    start = [sys.executable, "-c", code, str(tmp_path)]
    several = [subprocess.Popen(start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for one in several:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.stdout.readline().strip() for one in several if one.stdout is not None]
    for one in several:
        one.communicate("end\n")
    assert sorted(said) == ["held", "refused", "refused"]


def test_a_run_is_trained_by_one_process_at_a_time(plan: TrainPlan, tmp_path: Path) -> None:
    with closing(run_training(plan, tmp_path)) as steps:
        next(steps)
        with pytest.raises(DataError, match="is being worked on by process"):
            finish(run_training(plan, tmp_path))
    finish(run_training(plan, tmp_path))
    assert not (tmp_path / keys.RUN_LOCK).exists()


def test_an_evaluation_is_computed_by_one_process_at_a_time(study: Path, tmp_path: Path) -> None:
    asked = Plan(models=("mean",), genes=GeneChoice(listed=("GENE1",)))
    with closing(evaluate(gr2st.read_study(study), asked, tmp_path)) as steps:
        next(steps)
        with pytest.raises(DataError, match="is being worked on by process"):
            finish(evaluate(gr2st.read_study(study), asked, tmp_path))
        assert read_evaluation(tmp_path).state == "running"
    finish(evaluate(gr2st.read_study(study), asked, tmp_path))
    assert read_evaluation(tmp_path).state == "finished"
    assert not (tmp_path / keys.RUN_LOCK).exists()


# A full disk


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can be made while the block runs."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "touch", no_room)
        yield


def no_room(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_training_on_a_full_disk_does_not_count_as_at_work(plan: TrainPlan, tmp_path: Path) -> None:
    with closing(run_training(plan, tmp_path)) as steps:
        next(steps)
        with full_disk(), pytest.raises(StorageError, match=r"No space left on device\..*Free some space"):
            finish(steps)
    assert read_run(tmp_path).state == "interrupted"
    finish(run_training(plan, tmp_path))
    assert read_run(tmp_path).state == "finished"


def test_an_evaluation_on_a_full_disk_does_not_count_as_at_work(study: Path, tmp_path: Path) -> None:
    asked = Plan(models=("mean",), genes=GeneChoice(listed=("GENE1",)))
    with closing(evaluate(gr2st.read_study(study), asked, tmp_path)) as steps:
        next(steps)
        with full_disk(), pytest.raises(StorageError, match=r"No space left on device\..*Free some space"):
            finish(steps)
    assert read_evaluation(tmp_path).state == "interrupted"
    finish(evaluate(gr2st.read_study(study), asked, tmp_path))
    assert read_evaluation(tmp_path).state == "finished"


def test_a_lock_that_a_full_disk_did_not_take_keeps_nobody_out(tmp_path: Path, monkeypatch: Any) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Holder, "model_dump_json", no_room)
        with pytest.raises(StorageError, match="could not be written"), held(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


# Stopped from elsewhere


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gr2st.io.stop.EVERY_S", 0.0)


@pytest.mark.usefixtures("looks_often")
def test_a_training_that_is_asked_to_stop_ends_and_can_be_gone_on_with(plan: TrainPlan, tmp_path: Path) -> None:
    steps = run_training(plan, tmp_path)
    next(steps)
    ask_to_stop(tmp_path)
    with pytest.raises(Cancelled, match="goes on with it"):
        finish(steps)
    assert read_run(tmp_path).state == "stopped"
    assert not {keys.RUN_STOP, keys.RUN_LOCK} & {path.name for path in tmp_path.iterdir()}
    finish(run_training(plan, tmp_path))
    assert read_run(tmp_path).state == "finished"


@pytest.mark.usefixtures("looks_often")
def test_a_wish_to_stop_from_before_does_not_count(plan: TrainPlan, tmp_path: Path) -> None:
    begin_run(tmp_path, plan, device="cpu", versions={})
    ask_to_stop(tmp_path)
    finish(run_training(plan, tmp_path))
    assert read_run(tmp_path).state == "finished"


def test_the_folder_is_looked_at_now_and_then(tmp_path: Path) -> None:
    def steps() -> Steps[int]:
        yield Progress("One")
        yield Progress("Two")
        return 3

    heeded = heeding(tmp_path, steps())
    next(heeded)
    ask_to_stop(tmp_path)
    assert finish(heeded) == 3
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="nothing that could be stopped"):
        ask_to_stop(tmp_path / "nowhere")


@pytest.mark.usefixtures("looks_often")
def test_an_evaluation_that_is_asked_to_stop_ends_too(study: Path, tmp_path: Path) -> None:
    steps = evaluate(gr2st.read_study(study), Plan(models=("mean",), genes=GeneChoice(listed=("GENE1",))), tmp_path)
    next(steps)
    ask_to_stop(tmp_path)
    with pytest.raises(Cancelled):
        finish(steps)
    assert read_evaluation(tmp_path).state == "stopped"


def test_a_run_that_rests_says_so_and_is_still_at_work(plan: TrainPlan, tmp_path: Path) -> None:
    begin_run(tmp_path, plan, device="cpu", versions={})
    RunWriter(tmp_path).hear(Progress("Training", 3, 9, values={"loss": 2.0}))
    tell_again(tmp_path, "paused")
    run = read_run(tmp_path)
    assert (run.state, run.progress.done, run.can_go_on) == ("paused", 3, False)


# Gone on with


def test_resume_ends_what_was_begun(command: Command, plan: TrainPlan, study: Path, tmp_path: Path) -> None:
    with closing(run_training(plan, tmp_path / "run")) as left:
        next(left)
    code, printed = command("resume", tmp_path / "run")
    assert (code, read_run(tmp_path / "run").state) == (0, "finished")
    assert f"Model: {tmp_path / 'run' / 'model'}" in printed
    asked = Plan(models=("mean",), genes=GeneChoice(listed=("GENE1",)))
    with closing(evaluate(gr2st.read_study(study), asked, tmp_path / "evaluation")) as begun:
        next(begun)
    code, printed = command("resume", tmp_path / "evaluation")
    assert (code, read_evaluation(tmp_path / "evaluation").state) == (0, "finished")
    assert "Pearson r per gene" in printed


def test_resume_of_something_else_is_a_sentence(command: Command, tmp_path: Path) -> None:
    code, printed = command("resume", tmp_path)
    assert code == 2
    assert "holds neither a training (run.json) nor an evaluation (evaluation.json)" in printed
