"""A training that was left goes on to the same bits as one that never was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from gr2st.errors import DataError
from gr2st.registry import MODELS
from gr2st.training.loop import train
from gr2st.types import Prepared, Steps, finish
from tests.toys import toy_recipe, toy_section

if TYPE_CHECKING:
    from gr2st.training.checkpoint import TrainedModel

SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10, "kernel_landmarks": 64}


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    return [toy_section("A1", seed=1), toy_section("A2", seed=2)]


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gr2st.training.fit.INTERVAL", -1.0)


def training(sections: list[Prepared], model: str, keep_in: Path | None, **changes: object) -> Steps[TrainedModel]:
    spec = MODELS[model]
    settings = {"epochs": 3, "device": "cpu", "threads": 1, **changes}
    return train(
        model,
        sections,
        toy_recipe(),
        config=spec.config.model_copy(update=SMALL),
        training=spec.training.model_copy(update=settings),
        keep_in=keep_in,
    )


def weights(trained: TrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    assert trained.module.bank is not None
    yield "bank", trained.module.bank.key
    yield from trained.module.state_dict().items()


@pytest.mark.parametrize("model", ["gr2st", "gr2st-v2", "gr2st-v1"])
@pytest.mark.parametrize("left_after", [[1], [2, 3], [4, 1, 1], [8]])
def test_a_training_left_and_gone_on_with_is_the_one_never_left(
    sections: list[Prepared], tmp_path: Path, model: str, left_after: list[int]
) -> None:
    whole = finish(training(sections, model, None))
    for steps in left_after:
        with closing(training(sections, model, tmp_path)) as left:
            assert len(list(islice(left, steps))) == steps
        torch.rand(3)  # other things happen in between
    resumed = finish(training(sections, model, tmp_path))
    for (name, one), (_, other) in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(one, other), name


def test_mixed_steps_go_on_to_the_same_bits_too(sections: list[Prepared], tmp_path: Path) -> None:
    whole = finish(training(sections, "gr2st-v2", None, batch_spots=30))
    with closing(training(sections, "gr2st-v2", tmp_path, batch_spots=30)) as left:
        assert [progress.done for progress in islice(left, 5)] == [0, 0, 1, 1, 1]
    resumed = finish(training(sections, "gr2st-v2", tmp_path, batch_spots=30))
    for (name, one), (_, other) in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(one, other), name


def test_a_training_gone_on_with_does_not_begin_again(sections: list[Prepared], tmp_path: Path) -> None:
    with closing(training(sections, "gr2st-v2", tmp_path)) as left:
        before = [progress.done for progress in islice(left, 4)]
    after = [progress.done for progress in training(sections, "gr2st-v2", tmp_path) if progress.stage == "Training"]
    assert before[-1] == 2
    assert min(after) >= 2


def test_a_crash_loses_what_was_done_since_the_last_writing_and_no_more(
    sections: list[Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gr2st.training.keeper.EVERY_S", 0.0)
    steps = training(sections, "gr2st-v2", tmp_path)
    list(islice(steps, 4))
    kept = json.loads((tmp_path / "whole" / "state.json").read_text())
    assert kept["epoch"] == 1
    assert len(kept["seen"]) == 2


def test_another_training_does_not_go_on_in_the_same_folder(sections: list[Prepared], tmp_path: Path) -> None:
    with closing(training(sections, "gr2st-v2", tmp_path)) as left:
        next(left)
    for other in (training(sections, "gr2st-v2", tmp_path, seed=1), training(sections[:1], "gr2st-v2", tmp_path)):
        with pytest.raises(DataError, match="unfinished training with other settings or other data"):
            finish(other)


def test_inner_folds_that_have_ended_are_not_trained_again(sections: list[Prepared], tmp_path: Path) -> None:
    with closing(training(sections, "gr2st", tmp_path)) as left:
        for progress in left:
            if progress.stage == "Training":
                break
    stages = {progress.stage for progress in training(sections, "gr2st", tmp_path)}
    assert stages == {"Training", "Filling the reference bank"}
