"""How the processes we start behave beside others."""

from __future__ import annotations

import os

import pytest

from gr2st import processes


@pytest.fixture
def niceness(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What this process was asked to step back to, in place of doing so."""
    asked = [0]
    monkeypatch.setattr(os, "getpriority", lambda *_: asked[-1])
    monkeypatch.setattr(os, "setpriority", lambda _which, _who, to: asked.append(to))
    return asked


pytestmark = pytest.mark.skipif(os.name == "nt", reason="niceness is that of POSIX")


@pytest.mark.parametrize(("cores", "threads"), [(1, "1"), (2, "1"), (8, "7")])
def test_work_behind_a_window_leaves_it_a_core(monkeypatch, niceness, cores, threads) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    processes.leave_room_for_a_window()
    assert os.environ["OMP_NUM_THREADS"] == threads


def test_threads_that_the_user_has_set_are_kept(monkeypatch, niceness) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    processes.leave_room_for_a_window()
    assert os.environ["OMP_NUM_THREADS"] == "5"


def test_work_behind_a_window_steps_back_and_never_forward(monkeypatch, niceness) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    processes.leave_room_for_a_window()
    assert niceness == [0, processes.NICE]
    niceness.append(15)
    processes.leave_room_for_a_window()
    assert niceness[-1] == 15
