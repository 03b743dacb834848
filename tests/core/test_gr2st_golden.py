"""GR2ST gives the numbers of the published networks: edges exactly, outputs and gradients to 1e-8 in float64."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from gr2st.config import Gr2stConfig
from gr2st.models.base import Batch
from gr2st.models.gr2st import Gr2st
from gr2st.registry import V1
from tests.conftest import REAL_DATA

FOLDER = REAL_DATA.parent / "golden"
TINY = {"projection": 16, "heads": 2, "dropout": 0.0}
CASES = {
    **{f"gr2st_v2_{fusion}": Gr2stConfig(fusion=fusion, **TINY) for fusion in ("sum", "concat", "max", "mean")},
    "gr2st_v1_sum": V1.model_copy(update={"functional_k": 5, "spatial_k": 5, **TINY}),
}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no recorded numbers at {FOLDER}")


@cache
def recorded(name: str) -> dict[str, Tensor]:
    with np.load(FOLDER / f"{name}.npz") as stored:
        return {key: torch.from_numpy(stored[key]) for key in stored.files}


def network(name: str) -> Gr2st:
    model = Gr2st(CASES[name], n_genes=24, n_features=32, grid_size=64).double()
    published = {key.removeprefix("param/"): value for key, value in recorded(name).items() if key.startswith("param/")}
    model.load_state_dict(published, strict=True)
    return model


def batch(name: str) -> Batch:
    numbers = recorded(name)
    return Batch(
        "recorded",
        features=numbers["in/image_features"],
        grid=numbers["in/position"],
        position=numbers["in/position"],
        cell_type=numbers["in/cell_type"],
        spot_expression=numbers["in/expression"],
    )


def close(found: Tensor, expected: Tensor, what: str) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-8, msg=lambda text: f"{what}: {text}")


@pytest.mark.parametrize("name", CASES)
def test_both_graphs_have_the_recorded_edges(name: str):
    for graph, attention in network(name).attention(batch(name)).items():
        expected = set(zip(*recorded(name)[f"out/{graph}_edges"].tolist(), strict=True))
        target = torch.arange(len(attention.first) - 1).repeat_interleave(attention.first.diff())
        found = list(zip(attention.source.tolist(), target.tolist(), strict=True))
        assert set(found) == {(one, other) for one, other in expected if one != other}, graph
        assert len(found) == len(set(found)), graph


@pytest.mark.parametrize("name", CASES)
def test_every_loss_term_is_the_recorded_one(name: str):
    loss = network(name).loss(batch(name))
    close(loss.total, recorded(name)["out/total"], "total")
    for term, value in loss.parts.items():
        close(value, recorded(name).get(f"out/{term}", recorded(name)["out/total"]), term)


@pytest.mark.parametrize("name", CASES)
def test_every_gradient_is_the_recorded_one(name: str):
    model = network(name)
    model.loss(batch(name)).total.backward()
    for parameter, tensor in model.named_parameters():
        expected = recorded(name)[f"grad/{parameter}"]
        if expected.numel():
            close(tensor.grad, expected, parameter)
        else:
            assert tensor.grad is None, parameter


@pytest.mark.parametrize("name", CASES)
def test_embeddings_and_regression_are_the_recorded_ones(name: str):
    model, numbers = network(name), recorded(name)
    image = model.image_projection(numbers["in/image_features"])
    close(image, numbers["out/image_embedding"], "image embedding")
    close(model.embed_spots(batch(name), with_entropy=False)[0], numbers["out/spot_embedding"], "spot embedding")
    if model.moe_head is not None:
        expression, logits = model.moe_head(image, image)
        close(expression, numbers["out/regression"], "regression")
        close(logits, numbers["out/gate_logits"], "gate")
