"""How many networks fit on a GPU: measured on one of them, told by the free memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from gr2st.registry import MODELS
from gr2st.training import capacity
from gr2st.training.capacity import COPIES, SHARE, bytes_per_network, networks_that_fit
from gr2st.training.loop import build
from tests.toys import toy_recipe, toy_section

if TYPE_CHECKING:
    from gr2st.types import Prepared

SPEC = MODELS["gr2st-v2"]
CONFIG = SPEC.config.model_copy(update={"projection": 16, "heads": 4})


def needed(*sides: int) -> int:
    sections = [toy_section(f"S{side}", side=side) for side in sides]
    return bytes_per_network("gr2st-v2", sections, toy_recipe(), CONFIG)


def fitting(sections: list[Prepared], **changes: Any) -> int:
    training = SPEC.training.model_copy(update=changes)
    return networks_that_fit("gr2st-v2", sections, toy_recipe(), training=training, config=CONFIG)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> int:
    """A GPU with some memory left, as torch would tell of it."""
    free = 1 << 30
    monkeypatch.setattr(capacity, "pick_device", lambda _: torch.device("cuda"))
    monkeypatch.setattr(capacity, "free_bytes", lambda _: free)
    return free


def test_a_network_needs_its_parameters_several_times_and_more_the_larger_the_section() -> None:
    network = build(SPEC, CONFIG, [toy_section(side=6)], toy_recipe())
    parameters = sum(value.nbytes for value in network.parameters() if value.requires_grad)
    small, large = needed(6), needed(12)
    assert small > COPIES * parameters
    assert large > 4 * small
    assert needed(6, 12) == large, "the largest section counts"


def test_a_gpu_takes_what_its_free_memory_holds(gpu: int) -> None:
    sections = [toy_section(side=12)]
    each = bytes_per_network("gr2st-v2", sections, toy_recipe(), CONFIG)
    assert fitting(sections) == int(SHARE * gpu) // each > 10


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_is_full_takes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "free_bytes", lambda _: 1000)
    assert fitting([toy_section()]) == 1


@pytest.mark.usefixtures("gpu")
def test_very_large_sections_are_trained_one_after_the_other() -> None:
    section = toy_section()
    assert fitting([replace(section, spots=tuple(map(str, range(2049))))]) == 1


def test_a_cpu_takes_one() -> None:
    assert fitting([toy_section()], device="cpu") == 1
