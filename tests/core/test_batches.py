"""Steps of an epoch: whole sections, or spots drawn from all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from gr2st.errors import DataError
from gr2st.graph.spatial import nearest_graph, radius_graph
from gr2st.registry import MODELS
from gr2st.training.batches import Portions, to_batch
from gr2st.training.loop import train
from gr2st.types import finish
from tests.toys import toy_recipe, toy_section

if TYPE_CHECKING:
    from gr2st.models.base import Batch

FIELDS = frozenset({"features", "grid", "position", "spot_expression", "gene_expression"})
SIZES = {"A1": 36, "A2": 25}


@pytest.fixture
def batches() -> list[Batch]:
    sections = [toy_section("A1", side=6, seed=1), toy_section("A2", side=5, seed=2)]
    return [to_batch(section, FIELDS, torch.device("cpu")) for section in sections]


def epoch_of(batches: list[Batch], batch_spots: int | None) -> list[Batch]:
    portions = Portions.of(batches, batch_spots)
    order = torch.randperm(portions.units).tolist()
    return [portions.step(order, number) for number in range(len(portions))]


def test_a_step_is_a_whole_section_unless_told_otherwise(batches: list[Batch]) -> None:
    seen = [epoch_of(batches, None) for _ in range(20)]
    assert all({batch.section for batch in epoch} == set(SIZES) for epoch in seen)
    assert {epoch[0].section for epoch in seen} == set(SIZES)
    assert all(batch is batches[0] or batch is batches[1] for epoch in seen for batch in epoch)


def test_mixed_steps_see_every_spot_once_with_all_that_belongs_to_it(batches: list[Batch]) -> None:
    steps = epoch_of(batches, 16)
    assert [len(step.features) for step in steps] == [16, 16, 16, 13]
    every = torch.cat([batch.features for batch in batches])
    order = [int((every == row).all(dim=1).nonzero()) for step in steps for row in step.features]
    assert sorted(order) == list(range(sum(SIZES.values())))
    for name in ("grid", "spot_expression", "gene_expression"):
        whole = torch.cat([getattr(batch, name) for batch in batches])
        assert torch.equal(torch.cat([getattr(step, name) for step in steps]), whole[order])


def test_mixed_steps_hold_spots_of_several_sections(batches: list[Batch]) -> None:
    first = epoch_of(batches, 30)[0]
    known = {
        section: {tuple(row) for row in batch.features.tolist()} for section, batch in zip(SIZES, batches, strict=True)
    }
    drawn = {tuple(row) for row in first.features.tolist()}
    assert all(drawn & known[section] for section in SIZES)


def test_no_spatial_edge_joins_spots_of_two_sections(batches: list[Batch]) -> None:
    (everything,) = epoch_of(batches, 1000)
    first = {tuple(row) for row in batches[0].features.tolist()}
    of_first = np.array([tuple(row) in first for row in everything.features.tolist()])
    joined = of_first[:, None] != of_first[None, :]
    for graph in (radius_graph(everything.position, radius=3.0), nearest_graph(everything.position, k=20)):
        assert not (graph.numpy() & joined).any()
    edges = [int(radius_graph(batch.position, radius=3.0).sum()) for batch in batches]
    assert int(radius_graph(everything.position, radius=3.0).sum()) == sum(edges)


def test_fields_that_are_not_there_stay_away(batches: list[Batch]) -> None:
    step = epoch_of(batches, 8)[0]
    assert step.cell_type is None
    assert step.depth is None


def test_a_model_learns_from_mixed_steps_and_remembers_whole_sections() -> None:
    spec = MODELS["gr2st-v2"]
    small = spec.config.model_copy(update={"projection": 16, "heads": 2, "spatial": "none"})
    training = spec.training.model_copy(update={"epochs": 8, "batch_spots": 20, "device": "cpu", "threads": 1})
    sections = [toy_section("A1", seed=1), toy_section("A2", seed=2)]
    steps = train("gr2st-v2", sections, toy_recipe(), config=small, training=training)
    losses = []
    trained = None
    while trained is None:
        try:
            step = next(steps)
        except StopIteration as stop:
            trained = stop.value
        else:
            losses += [step.values["loss"]] if step.values else []
    assert losses[-1] < losses[0]
    assert trained.module.bank.section == ("A1",) * 36 + ("A2",) * 36


def test_what_only_some_sections_have_is_left_out_of_mixed_steps(batches: list[Batch]) -> None:
    shares = torch.ones(SIZES["A1"], 6)
    (everything,) = epoch_of([replace(batches[0], cell_share=shares), batches[1]], 1000)
    assert everything.cell_share is None
    assert len(everything.features) == sum(SIZES.values())


def test_a_model_that_sees_whole_sections_refuses_to_mix_them() -> None:
    training = MODELS["gr2st"].training.model_copy(update={"batch_spots": 20, "device": "cpu"})
    with pytest.raises(DataError, match="batch_spots=20 mixes .* as a whole \\(feature_scale 'section', "):
        finish(train("gr2st", [toy_section()], toy_recipe(), training=training))
