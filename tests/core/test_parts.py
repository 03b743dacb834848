"""A section predicted in parts comes out as the section seen at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gr2st.models.base import Batch
from gr2st.registry import MODELS
from gr2st.training.batches import to_batch
from gr2st.training.loop import train
from gr2st.types import finish
from tests.toys import toy_recipe, toy_section

CPU = torch.device("cpu")
SIDE = 20


def trained_on_toys(model: str, **config):
    spec = MODELS[model]
    training = spec.training.model_copy(update={"epochs": min(2, spec.training.epochs), "inner_folds": 0})
    sections = [toy_section("A1", seed=1), toy_section("A2", seed=2)]
    settings = spec.config.model_copy(update=config)
    return finish(train(model, sections, toy_recipe(), training=training, config=settings)).module


def parts_of(batch: Batch, reach: float) -> list[Batch]:
    """Four strips of the section, each with the spots within `reach` of it."""
    found = []
    for low in range(0, SIDE, 5):
        row = batch.position[:, 1]
        near = (row > low - 0.5 - reach) & (row < low + 4.5 + reach)
        asked = ((row >= low) & (row < low + 5))[near]
        found.append(
            Batch(
                section=batch.section,
                features=batch.features[near],
                position=batch.position[near],
                asked=asked if reach else None,
            )
        )
    return found


def in_parts(module, batch: Batch) -> torch.Tensor:
    parts = parts_of(batch, module.reach)
    survey, scale = module.survey(), None
    if survey is not None:
        for number in range(survey.rounds):
            for part in parts:
                survey.see(part, number)
        scale = survey.scale()
    return torch.cat([module.predict(replace(part, scale=scale)).expression for part in parts])


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("gr2st", {}),
        ("gr2st", {"picture_radius": 2.0}),
        ("gr2st", {"feature_scale": "as given"}),
        ("gr2st", {"kernel_share": 0.0, "gate_sees": "spot"}),
        ("gr2st-v2", {}),
        ("ridge", {}),
        ("knn", {"k": 5}),
        ("mean", {}),
    ],
)
def test_parts_say_what_the_whole_says(model, config) -> None:
    module = trained_on_toys(model, **config)
    batch = to_batch(toy_section("B1", side=SIDE, seed=3), frozenset({"features", "position"}), CPU)
    order = torch.argsort(batch.position[:, 1] * SIDE + batch.position[:, 0])
    whole = module.predict(batch).expression[order]
    torch.testing.assert_close(in_parts(module, batch), whole, rtol=1e-4, atol=1e-4)


def test_a_part_alone_would_say_something_else() -> None:
    module = trained_on_toys("gr2st")
    batch = to_batch(toy_section("B1", side=SIDE, seed=3), frozenset({"features", "position"}), CPU)
    alone = torch.cat([module.predict(part).expression for part in parts_of(batch, module.reach)])
    order = torch.argsort(batch.position[:, 1] * SIDE + batch.position[:, 0])
    assert not torch.allclose(alone, module.predict(batch).expression[order], atol=1e-2)


def test_how_far_a_model_sees_follows_from_its_settings() -> None:
    assert trained_on_toys("gr2st").reach == 3
    assert trained_on_toys("gr2st", picture_radius=2.0).reach == 5
    assert trained_on_toys("gr2st", kernel_share=0.0, gate_sees="spot").reach == 0
    assert trained_on_toys("gr2st-v2").reach == 0
    assert trained_on_toys("gr2st-v2").survey() is None
