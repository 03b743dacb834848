"""Graphs between spots: rules, directions, ties."""

from __future__ import annotations

import pytest
import torch

from gr2st.graph.functional import threshold_graph, top_k_graph
from gr2st.graph.masks import edges_of
from gr2st.graph.spatial import nearest_graph, neighbourhood_mean, radius_graph

ONE = torch.ones(4, 1, dtype=torch.float64)
SCORES = torch.tensor([[9.0, 0.0, 1.7, 1.9], [-0.2, 9.0, -0.4, 0.0], [0.0, 0.0, 9.0, 0.0], [0.0, 0.0, 0.0, -9.0]])
"""head_i . tail_j of four spots, made with an identity as tail."""

TYPES = torch.tensor([0, 1, 1, 2])


def square(side: int) -> torch.Tensor:
    return torch.cartesian_prod(torch.arange(side), torch.arange(side)).double()


def threshold(**other: float) -> torch.Tensor:
    settings = {"temperature": 1.0, "type_share": 0.3, "threshold": 0.6} | other
    return threshold_graph(SCORES, torch.eye(4), TYPES, **settings)


def test_the_threshold_is_lower_between_spots_of_one_type():
    # Different types need a score above 1.792, equal ones a score above -0.288.
    mask = threshold()
    assert mask[0].tolist() == [True, False, False, True]
    assert mask[1].tolist() == [False, True, False, False]
    assert mask[2].tolist() == [False, True, True, False]


def test_every_spot_is_joined_to_itself_by_the_threshold_rule():
    assert bool(threshold(threshold=2.0).eq(torch.eye(4, dtype=torch.bool)).all())


def test_temperature_divides_the_score():
    assert not threshold(temperature=1.1)[0, 3]


def test_top_k_edges_leave_from_the_spot_that_chose():
    mask = top_k_graph(SCORES, torch.eye(4), TYPES, temperature=1.0, type_share=0.3, k=1)
    assert edges_of(mask).tolist()[0] == [0, 1, 2, 3]
    assert edges_of(mask).tolist()[1][:3] == [0, 1, 2]
    assert not mask[3, 3]


def test_a_shared_type_decides_between_close_scores():
    score = torch.tensor([[0.0, 1.0, 1.2]])
    mask = top_k_graph(score.repeat(3, 1), torch.eye(3), torch.tensor([0, 0, 1]), temperature=1.0, type_share=0.3, k=1)
    assert mask[0].tolist() == [False, True, False]


def test_top_k_of_a_small_section_joins_all():
    assert bool(top_k_graph(SCORES, torch.eye(4), TYPES, temperature=1.0, type_share=0.3, k=20).all())


def test_a_radius_of_three_steps_excludes_the_spot_three_steps_away():
    mask = radius_graph(square(7), radius=3.0)
    middle = 3 * 7 + 3
    assert int(mask[middle].sum()) == 25
    assert not mask[middle, middle + 3]
    assert mask[middle, middle + 2 * 7 + 2]


def test_the_radius_graph_is_symmetric_and_holds_every_spot_itself():
    mask = radius_graph(torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) * 9, radius=3.0)
    assert torch.equal(mask, mask.T)
    assert bool(mask.diagonal().all())


def test_the_neighbourhood_mean_is_that_of_the_radius_graph():
    made = torch.Generator().manual_seed(0)
    grid = torch.stack(torch.meshgrid(torch.arange(9.0), torch.arange(7.0), indexing="ij"), -1).reshape(-1, 2)
    values = torch.randn(len(grid), 4, generator=made)
    near = radius_graph(grid, radius=3.0).double()
    expected = (near @ values.double()) / near.sum(dim=1, keepdim=True)
    torch.testing.assert_close(neighbourhood_mean(values, grid, radius=3.0), expected.float())
    torch.testing.assert_close(neighbourhood_mean(values[:1], grid[:1], radius=3.0), values[:1])


def test_nearest_takes_exactly_k_where_spots_tie_and_the_earlier_rows_first():
    mask = nearest_graph(square(5), k=3)
    assert mask.sum(dim=1).tolist() == [3] * 25
    middle = 2 * 5 + 2
    # Four neighbours are one step away; the first two rows among them are taken.
    assert mask[middle].nonzero()[:, 0].tolist() == [middle - 5, middle - 1, middle]


def test_nearest_of_a_small_section_joins_all():
    assert bool(nearest_graph(square(2), k=20).all())


@pytest.mark.parametrize("k", [1, 5, 20])
def test_nearest_agrees_with_sorting_where_nothing_ties(k: int):
    position = torch.rand(60, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.cdist(position, position).argsort(dim=1)[:, :k].sort(dim=1).values
    found = nearest_graph(position, k=k).nonzero()[:, 1].view(60, k)
    assert torch.equal(found, expected)


def test_edges_are_listed_by_source_then_target():
    mask = torch.tensor([[False, True], [True, True]])
    assert edges_of(mask).tolist() == [[0, 1, 1], [1, 0, 1]]
