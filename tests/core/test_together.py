"""Many networks trained as one computation: the same numbers as one after the other, and nothing seen that is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gr2st import keys
from gr2st.config import Gr2stConfig, TrainConfig
from gr2st.errors import DataError, TrainingFailed
from gr2st.prediction import predict
from gr2st.registry import MODELS
from gr2st.training import fit, together
from gr2st.training.batches import to_batch
from gr2st.training.checkpoint import TrainedModel
from gr2st.training.loop import build, train
from gr2st.training.stack import Stack
from gr2st.training.together import Lesson, train_together
from gr2st.types import Prepared, finish
from tests.toys import toy_recipe, toy_section

NETWORKS = ("gr2st", "gr2st-v2", "gr2st-v1")
STILL = {"projection": 16, "heads": 2, "retrieval_k": 10, "dropout": 0.0}


def settings(model: str, **changes: object) -> tuple[Gr2stConfig, TrainConfig]:
    """Small settings without dropout, and three epochs on the CPU."""
    spec = MODELS[model]
    assert isinstance(spec.config, Gr2stConfig)
    fast = {"epochs": 3, "device": "cpu", "threads": 1, "learning_rate": 1e-3} | changes
    return spec.config.model_copy(update=STILL), spec.training.model_copy(update=fast)


def taught(
    model: str, lessons: Sequence[Lesson], *, at_once: int = 99, **changes: object
) -> list[TrainedModel | TrainingFailed]:
    config, training = settings(model, **changes)
    steps = train_together(model, lessons, toy_recipe(), at_once=at_once, training=training, config=config)
    return finish(steps)


def taught_well(model: str, lessons: Sequence[Lesson], **changes: object) -> list[TrainedModel]:
    outcomes = taught(model, lessons, **changes)  # type: ignore[arg-type]
    return [outcome for outcome in outcomes if isinstance(outcome, TrainedModel)]


def alone(model: str, lesson: Lesson, **changes: object) -> TrainedModel:
    config, training = settings(model, seed=lesson.seed, **changes)
    return finish(train(model, lesson.sections, toy_recipe(), training=training, config=config))


def predicted(trained: TrainedModel, section: Prepared) -> np.ndarray:
    return np.asarray(finish(predict(trained, section)).table.layers[keys.PREDICTED])


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    """Four sections of four patients; the second has the largest grid."""
    sides = (5, 7, 6, 5)
    return [toy_section(f"S{n}", side=side, seed=n, patient=f"P{n}") for n, side in enumerate(sides)]


@pytest.fixture
def lessons(sections: list[Prepared]) -> list[Lesson]:
    """Each section but the last held out in turn, with seeds of their own."""
    return [
        Lesson(tuple(section for section in sections if section is not held_out), seed)
        for seed, held_out in enumerate(sections[:3])
    ]


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sections in the order of their names, in every epoch: lots would be drawn otherwise for one and for many."""
    for module in (fit, together):
        monkeypatch.setattr(module, "order_of", lambda count: list(range(count)))


def assert_same(one: TrainedModel, other: TrainedModel) -> None:
    assert one.config == other.config
    assert one.training == other.training
    assert (one.sections, one.patients, one.grid_size) == (other.sections, other.patients, other.grid_size)
    theirs = other.module.state_dict()
    for name, value in one.module.state_dict().items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-5, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("at_once", [99, 2])
def test_folds_trained_at_once_are_the_folds_trained_one_after_the_other(
    model: str, at_once: int, lessons: list[Lesson], sections: list[Prepared]
) -> None:
    for lesson, together_trained in zip(lessons, taught_well(model, lessons, at_once=at_once), strict=True):
        single = alone(model, lesson)
        assert_same(together_trained, single)
        for section in sections:
            np.testing.assert_allclose(
                predicted(together_trained, section), predicted(single, section), rtol=1e-5, atol=1e-5
            )


@pytest.mark.usefixtures("in_order")
def test_inner_folds_choose_the_same_together(lessons: list[Lesson], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gr2st.training.inner.MARGIN", -1.0)
    given, _ = settings("gr2st")
    (trained,) = taught_well("gr2st", lessons[:1])
    assert trained.config != given
    assert_same(trained, alone("gr2st", lessons[0]))


@pytest.mark.usefixtures("in_order")
@pytest.mark.parametrize("model", NETWORKS)
def test_a_network_never_sees_the_section_it_holds_out(
    model: str, lessons: list[Lesson], sections: list[Prepared]
) -> None:
    first = taught_well(model, lessons)
    broken = replace(
        sections[0],
        features=sections[0].features[::-1] * 50,
        spot_expression=sections[0].spot_expression[::-1] + 3,
        gene_expression=np.full_like(sections[0].gene_expression, np.nan),
    )
    changed = [
        replace(lesson, sections=tuple(broken if s is sections[0] else s for s in lesson.sections))
        for lesson in lessons
    ]
    second = taught(model, changed)
    held_out = second[0]
    assert isinstance(held_out, TrainedModel)
    for name, value in first[0].module.state_dict().items():
        assert torch.equal(value, held_out.module.state_dict()[name]), name
    other = second[1]
    assert isinstance(other, TrainingFailed) or any(
        not torch.equal(value, other.module.state_dict()[name]) for name, value in first[1].module.state_dict().items()
    )


def test_a_network_whose_loss_is_not_finite_fails_alone(lessons: list[Lesson], sections: list[Prepared]) -> None:
    broken = replace(sections[0], features=np.full_like(sections[0].features, np.inf))
    changed = [
        replace(lesson, sections=tuple(broken if s is sections[0] else s for s in lesson.sections))
        for lesson in lessons
    ]
    sound, *failed = taught("gr2st-v2", changed)
    assert isinstance(sound, TrainedModel)
    assert all("not finite in epoch 1 on section S0" in str(outcome) for outcome in failed)
    assert len(failed) == 2


def test_where_all_fail_the_training_ends_at_once(lessons: list[Lesson]) -> None:
    config, training = settings("gr2st-v2", epochs=50, learning_rate=1e18)
    steps = train_together("gr2st-v2", lessons, toy_recipe(), at_once=9, training=training, config=config)
    shown = []
    while True:
        try:
            shown.append(next(steps))
        except StopIteration as stop:
            outcomes = stop.value
            break
    assert all(isinstance(outcome, TrainingFailed) for outcome in outcomes)
    assert len(shown) < 5


def test_one_seed_gives_one_model_with_dropout_too(lessons: list[Lesson]) -> None:
    config, training = settings("gr2st-v2")
    config = config.model_copy(update={"dropout": 0.2})
    models = [
        finish(train_together("gr2st-v2", lessons, toy_recipe(), at_once=9, training=training, config=config))[0]
        for _ in range(2)
    ]
    assert all(isinstance(model, TrainedModel) for model in models)
    first, second = (model.module.state_dict() for model in models)  # type: ignore[union-attr]
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_dropout_differs_from_network_to_network(sections: list[Prepared]) -> None:
    config, training = settings("gr2st-v2", epochs=1)
    config = config.model_copy(update={"dropout": 0.5})
    twins = [Lesson(tuple(sections)), Lesson(tuple(sections))]
    one, other = finish(train_together("gr2st-v2", twins, toy_recipe(), at_once=2, training=training, config=config))
    assert isinstance(one, TrainedModel)
    assert isinstance(other, TrainedModel)
    weights = [model.module.get_parameter("spatial_proj.weight") for model in (one, other)]
    assert not torch.equal(*weights)


def test_progress_counts_epochs_and_shows_the_mean_loss(lessons: list[Lesson]) -> None:
    config, training = settings("gr2st-v2", epochs=2)
    steps = train_together("gr2st-v2", lessons, toy_recipe(), at_once=9, training=training, config=config)
    shown = [progress for progress in steps if progress.stage == "Training 3 networks together" and progress.values]
    assert [(progress.done, progress.total) for progress in shown] == [(1, 2), (2, 2)]
    assert all(np.isfinite(progress.values["loss"]) for progress in shown)


def test_the_callers_random_numbers_are_left_alone(lessons: list[Lesson]) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    taught("gr2st-v2", lessons, epochs=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_lessons_that_do_not_fit_together_are_refused(sections: list[Prepared]) -> None:
    other = toy_section("S0", seed=9)
    with pytest.raises(DataError, match="Two different sections are called 'S0'"):
        taught("gr2st-v2", [Lesson((sections[0],)), Lesson((other,))])
    with pytest.raises(DataError, match="at least one section"):
        taught("gr2st-v2", [Lesson(())])
    with pytest.raises(DataError, match="at least one lesson"):
        taught("gr2st-v2", [])
    with pytest.raises(DataError, match="by whole sections"):
        taught("gr2st-v2", [Lesson((sections[0],))], batch_spots=10)
    vast = replace(sections[0], spots=tuple(map(str, range(3000))))
    with pytest.raises(DataError, match="S0 has 3,000 spots; networks are trained together on sections of up to 2,048"):
        taught("gr2st-v2", [Lesson((vast,))])


class NothingRead(TorchDispatchMode):
    """Refuses operations that read a value back from the device, or whose result's size depends on values."""

    FORBIDDEN = (
        "_local_scalar_dense",
        "nonzero",
        "unique",
        "masked_select",
        "is_nonzero",
        "equal",
        "repeat_interleave",
    )

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        assert not any(name in str(func) for name in self.FORBIDDEN), f"{func} waits for the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("model", NETWORKS)
def test_a_step_reads_nothing_back_from_the_device(model: str, sections: list[Prepared]) -> None:
    config, training = settings(model)
    config = config.model_copy(update={"dropout": 0.1})
    spec = MODELS[model]
    networks = [build(spec, config, sections, toy_recipe()) for _ in range(3)]
    batch = together.to_batch(sections[0], networks[0].needs | networks[0].learns_from, torch.device("cpu"))
    stack = Stack(networks[0], networks[1:])
    optimiser = together.adam(stack.rows, training, 0)
    stack.step(batch, [True, True], optimiser)
    with NothingRead():
        stack.step(batch, [True, False], optimiser)


def test_a_section_held_out_is_not_shown(sections: list[Prepared]) -> None:
    config, training = settings("gr2st")
    networks = [build(MODELS["gr2st"], config, sections, toy_recipe()) for _ in range(2)]
    stack = Stack(networks[0], networks)
    before = [row.clone() for row in stack.rows]
    batch = to_batch(sections[0], networks[0].needs | networks[0].learns_from, torch.device("cpu"))
    losses = stack.step(batch, [False, True], fit.adam(stack.rows, training, epoch=0))
    assert all(values.isnan().tolist() == [True, False] for values in losses.values())
    assert [torch.equal(*pair) for pair in zip(before, stack.rows, strict=True)] == [True, False]
