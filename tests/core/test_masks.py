"""Graphs of sections too large for one block: the edges of the dense rule, in the smaller of two forms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gr2st.graph.functional import threshold_graph, top_k_graph
from gr2st.graph.masks import PAIRS_AT_ONCE, SPARSE_BELOW, blocks, edges_of, mask_of, sparse_mask
from gr2st.graph.spatial import nearest_graph, no_graph, radius_graph
from gr2st.models.spot_graphs import EPSILON, SpotGraphs
from gr2st.registry import V2

LARGE = 2_300
"""More spots than fit in one block."""

SCORED = {"temperature": 1.0, "type_share": 0.3}


def spots(n: int = LARGE) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    made = torch.Generator().manual_seed(3)
    head, tail = (torch.randn(n, 4, generator=made, dtype=torch.float64) for _ in range(2))
    position = torch.randint(0, 50, (n, 2), generator=made).double()
    return head, tail, torch.randint(0, 6, (n,), generator=made), position


def scores(head: Tensor, tail: Tensor, cell_type: Tensor) -> tuple[Tensor, Tensor]:
    """The product of all pairs, and whether they share a type."""
    return head @ tail.T, (cell_type[:, None] == cell_type).double()


@pytest.mark.parametrize(("threshold", "is_sparse"), [(0.6, False), (0.98, True)])
def test_the_threshold_graph_of_a_large_section_has_the_edges_of_the_dense_rule(threshold: float, is_sparse: bool):
    head, tail, cell_type, _ = spots()
    product, same = scores(head, tail, cell_type)
    expected = ((0.7 * product.sigmoid() + 0.3 * same) > threshold) | torch.eye(LARGE, dtype=torch.bool)
    found = threshold_graph(head, tail, cell_type, threshold=threshold, **SCORED)
    assert found.is_sparse == is_sparse == (expected.double().mean() < SPARSE_BELOW)
    assert torch.equal(edges_of(found), edges_of(expected))


def test_the_top_k_graph_of_a_large_section_has_the_edges_of_the_dense_rule():
    head, tail, cell_type, _ = spots()
    product, same = scores(head, tail, cell_type)
    best = (product + 0.3 * same).topk(20, dim=1).indices
    expected = torch.zeros(LARGE, LARGE, dtype=torch.bool).scatter_(1, best, value=True)
    found = top_k_graph(head, tail, cell_type, k=20, **SCORED)
    assert found.is_sparse
    assert torch.equal(edges_of(found), edges_of(expected))


def test_the_spatial_graphs_of_a_large_section_have_the_edges_of_the_dense_rule():
    position = spots()[3]
    apart = (position[:, None] - position).square().sum(dim=2)
    found = radius_graph(position, radius=3.0)
    assert found.is_sparse
    assert torch.equal(edges_of(found), edges_of(apart < 9))
    nearest = apart.argsort(dim=1, stable=True)[:, :20].sort(dim=1).values
    found = nearest_graph(position, k=20)
    assert found.is_sparse
    assert torch.equal(edges_of(found)[1].view(LARGE, 20), nearest)


def test_a_graph_found_dense_half_way_through_keeps_the_rows_before():
    density = torch.linspace(0.0, 0.6, LARGE)[:, None]
    expected = torch.rand(LARGE, LARGE, generator=torch.Generator().manual_seed(0)) < density
    judged: list[slice] = []

    def judge(rows: slice) -> Tensor:
        judged.append(rows)
        return expected[rows]

    found = mask_of(LARGE, judge)
    assert not found.is_sparse
    assert torch.equal(found, expected)
    assert judged == blocks(LARGE)


def test_blocks_cover_every_row_once_and_stay_below_the_limit():
    rows = blocks(9_000)
    assert [row for part in rows for row in range(part.start, part.stop)] == list(range(9_000))
    assert max(part.stop - part.start for part in rows) * 9_000 <= PAIRS_AT_ONCE


def test_without_a_graph_every_spot_is_alone_with_itself():
    assert torch.equal(no_graph(5, device=torch.device("cpu")).to_dense(), torch.eye(5, dtype=torch.bool))


def test_a_sparse_mask_gives_its_edges_back():
    mask = torch.rand(7, 7, generator=torch.Generator().manual_seed(0)) < 0.4
    assert torch.equal(edges_of(sparse_mask(edges_of(mask), 7)), edges_of(mask))


def test_the_scores_of_a_large_section_get_the_gradient_of_what_their_edges_add():
    head, tail, cell_type, _ = spots()
    given = [tensor.requires_grad_() for tensor in (head, tail)]
    settings = V2.model_copy(update={"score_bias": 0.5, "functional_threshold": 0.9})
    graph = SpotGraphs(settings).functional(*given, cell_type)
    added = sum((part.added[:, 0] * part.is_edge).sum() for part in graph.parts)
    product, same = scores(*given, cell_type)
    score = 0.7 * product.sigmoid() + 0.3 * same
    joined = (score > 0.9) | torch.eye(LARGE, dtype=torch.bool)
    expected = 0.5 * torch.log(score[joined] + EPSILON).sum()
    torch.testing.assert_close(added, expected)
    torch.testing.assert_close(torch.autograd.grad(added, given), torch.autograd.grad(expected, given))
