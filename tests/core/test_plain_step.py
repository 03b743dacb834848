"""What our speed is measured against computes what we compute: same loss, same gradients for the same weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.bench_step import section
from benchmarks.published import Published
from gr2st.models.gr2st import Gr2st
from gr2st.registry import V1, V2

if TYPE_CHECKING:
    from gr2st.models.base import Batch

SIZES = {"n_genes": 40, "n_features": 24}


def in_double(batch: Batch) -> Batch:
    """Numbers in float64; positions off the grid, so that no two neighbours are equally far."""
    made = torch.Generator().manual_seed(5)
    return replace(
        batch,
        features=batch.features.double(),
        spot_expression=batch.spot_expression[:, : SIZES["n_genes"]].double(),
        gene_expression=None,
        position=batch.position + torch.rand(batch.position.shape, generator=made) * 0.01,
    )


@pytest.mark.parametrize("config", [V1, V2], ids=["v1", "v2"])
def test_the_plain_way_has_the_loss_and_gradients_of_our_step(config):
    torch.manual_seed(0)
    batch = in_double(section(90, n_features=SIZES["n_features"]))
    settings = config.model_copy(update={"dropout": 0.0, "projection": 16, "heads": 2})
    ours = Gr2st(settings, **SIZES, grid_size=64).double()
    plain = Published(settings, **SIZES, table_rows=64).double()
    plain.load_state_dict(ours.state_dict(), strict=True)
    loss, expected = ours.loss(batch).total, plain.loss(batch)
    torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
    loss.backward()
    expected.backward()
    found = dict(ours.named_parameters())
    for name, parameter in plain.named_parameters():
        if parameter.grad is None:
            assert found[name].grad is None, name
        else:
            torch.testing.assert_close(found[name].grad, parameter.grad, rtol=0, atol=1e-11, msg=name)


def test_the_plain_way_has_the_published_number_of_parameters():
    with torch.device("meta"):
        model = Published(V2, n_genes=785, n_features=1024)
    assert sum(parameter.numel() for parameter in model.parameters()) == 107_493_207
