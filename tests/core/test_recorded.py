"""When a step is done, recorded and replayed; the recordings themselves need a GPU (`test_on_gpu.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from gr2st.models.base import Batch
from gr2st.training import recorded as recorded_module
from gr2st.training.recorded import Recordings, recorded


class FakeGraph:
    """Tells what is done with it."""

    def __init__(self, told: list[str]) -> None:
        self.told, self.name = told, ""

    def replay(self) -> None:
        self.told.append(f"replay {self.name}")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []

    @contextmanager
    def recording(graph: FakeGraph, pool: object) -> Iterator[None]:
        told.append("record")
        yield
        graph.name = told[-1].removeprefix("step ")

    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: FakeGraph(told))
    monkeypatch.setattr(torch.cuda, "graph", recording)
    return told


def batch(name: str, spots: int) -> Batch:
    return Batch(section=name, features=torch.zeros(spots, 2))


def stepper(told: list[str]) -> Recordings:
    def step(batch: Batch, learns: object) -> dict[str, torch.Tensor]:
        told.append(f"step {batch.section}")
        return {"loss": torch.zeros(1)}

    return Recordings(step)


def test_a_step_is_done_once_then_recorded_and_replayed_the_largest_section_first(told) -> None:
    step, small, large = stepper(told), batch("small", 3), batch("large", 9)
    for _ in range(3):
        step(small, [True])
        step(large, [True])
    first = ["step small", "step large"]
    recordings = ["record", "step large", "record", "step small"]
    assert told == [*first, *recordings, *["replay small", "replay large"] * 2]


def test_other_networks_that_learn_are_another_step(told) -> None:
    step, section = stepper(told), batch("A1", 3)
    step(section, [True, True])
    step(section, [True, False])
    assert told == ["step A1", "step A1"]
    step(section, [True, False])
    assert told[2:] == ["record", "step A1", "record", "step A1", "replay A1"]


def test_more_sections_than_are_remembered_are_never_recorded(told, monkeypatch) -> None:
    monkeypatch.setattr(recorded_module, "SECTIONS", 1)
    step = stepper(told)
    for _ in range(2):
        for name in ("A1", "A2"):
            step(batch(name, 3), [True])
    assert told == ["step A1", "step A2"] * 2


def test_on_a_cpu_nothing_is_recorded() -> None:
    def step(batch: Batch, learns: object) -> dict[str, torch.Tensor]:
        return {}

    assert recorded(step, torch.device("cpu")) is step
