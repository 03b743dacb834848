"""Small linear maps at once: the numbers and gradients of one large map, by every way they are computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.models import products
from gr2st.models.attention import Graph, attend
from gr2st.models.attention_lists import CHUNK, Lists, sampled, sampled_by_head
from gr2st.models.heads import each_linear, heads_through, summed_linear
from gr2st.models.plain import plain_operations
from gr2st.models.products import product_added

if TYPE_CHECKING:
    from collections.abc import Sequence

N, HEADS, WIDTH, OUT = 5, 3, 4, 2


def given(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    made = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=made, dtype=dtype, requires_grad=True) for shape in shapes]


def of_two_graphs(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """What both gathered, the projections of both, and the layer that follows."""
    return given(*[(N, HEADS, WIDTH)] * 2, *[(HEADS, WIDTH, WIDTH)] * 2, (OUT, HEADS * WIDTH), dtype=dtype)


def through(*tensors: Tensor, folded: bool) -> Tensor:
    return heads_through(tensors[:2], tensors[2:4], tensors[4], folded=folded)


def textbook(*tensors: Tensor) -> Tensor:
    one, other, weight, other_weight, last = tensors
    projected = torch.einsum("nhk,hck->nhc", one, weight) + torch.einsum("nhk,hck->nhc", other, other_weight)
    return F.linear(projected.flatten(1), last)


def by_experts(image: Tensor, *layers: Tensor) -> Tensor:
    return summed_linear(each_linear(image, layers[:2], layers[2:4]).tanh(), layers[4:])


def joined(image: Tensor, *layers: Tensor) -> Tensor:
    hidden = F.linear(image, torch.cat(layers[:2]), torch.cat(layers[2:4])).tanh()
    return F.linear(hidden, torch.cat(layers[4:], dim=1))


EXPERTS = [(N, WIDTH), *[(WIDTH, WIDTH)] * 2, *[(WIDTH,)] * 2, *[(OUT, WIDTH)] * 2]


def gradients(out: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad((out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum(), tensors)


@pytest.mark.parametrize("folded", [False, True])
def test_heads_through_a_layer_have_the_gradient_of_their_values(folded: bool) -> None:
    tensors = of_two_graphs()
    torch.testing.assert_close(through(*tensors, folded=folded), textbook(*tensors))
    assert torch.autograd.gradcheck(lambda *given: through(*given, folded=folded), tensors)


def test_experts_have_the_gradient_of_their_values() -> None:
    tensors = given(*EXPERTS)
    torch.testing.assert_close(by_experts(*tensors), joined(*tensors))
    assert torch.autograd.gradcheck(by_experts, tensors)


@pytest.mark.parametrize("folded", [False, True])
def test_plain_operations_give_the_same_numbers_and_gradients(folded: bool) -> None:
    heads, experts = of_two_graphs(), given(*EXPERTS)
    found = through(*heads, folded=folded), by_experts(*experts)
    with plain_operations():
        expected = through(*heads, folded=folded), by_experts(*experts)
    torch.testing.assert_close(found, expected)
    for one, other, tensors in zip(found, expected, (heads, experts), strict=True):
        torch.testing.assert_close(gradients(one, tensors), gradients(other, tensors))


@pytest.mark.parametrize("folded", [False, True])
def test_half_precision_stays_with_torch(folded: bool) -> None:
    heads = of_two_graphs(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = through(*heads, folded=folded)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), textbook(*heads), rtol=0.1, atol=0.2)
    assert all(gradient.isfinite().all() for gradient in gradients(found, heads))


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_onednn_gives_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "has_wide_onednn", lambda: True)
    total, left, right = (tensor.detach() for tensor in given((N, OUT), (N, WIDTH), (WIDTH, OUT), dtype=torch.float32))
    torch.testing.assert_close(product_added(total, left, right), total + left @ right, rtol=1e-5, atol=1e-5)
    for folded in (False, True):
        heads = of_two_graphs(torch.float32)
        found, expected = through(*heads, folded=folded), textbook(*heads)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(gradients(found, heads), gradients(expected, heads), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("remembered", [0, 10**6])
def test_lists_in_chunks_of_targets_give_the_attention_of_the_matrix(
    remembered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = torch.Generator().manual_seed(1)
    mask = torch.rand(30, 30, generator=made) < 0.2
    tensors = given((30, 6), (30, 2), (30, 2))
    monkeypatch.setattr("gr2st.models.attention_lists.CHUNK", 40)
    monkeypatch.setattr("gr2st.models.attention_lists.REMEMBERED", remembered)
    listed, dense = (Graph.of(mask, heads=2, sparse_below=share) for share in (1.1, 0.0))
    assert listed.lists is not None and len(list(listed.lists.chunks)) > 3
    results = (attend(*tensors, graph, dropout=0.0, with_entropy=True) for graph in (listed, dense))
    found, expected = (torch.cat([gathered.flatten(), entropy[None]]) for gathered, entropy in results)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients(found, tensors), gradients(expected, tensors))


def test_products_at_the_edges_are_the_same_with_and_without_sparse_rows() -> None:
    made = torch.Generator().manual_seed(2)
    flow, state = torch.randn(2, 3, 4, generator=made), torch.randn(5, 4, generator=made)
    (chunk,) = Lists.of(torch.tensor([0, 4, 2, 1, 2, 3]), torch.tensor([2, 1, 3])).chunks
    expected = torch.einsum("hew,ew->he", flow[:, [0, 0, 1, 2, 2, 2]], state[chunk.source])
    torch.testing.assert_close(sampled(chunk, flow, state), expected)
    torch.testing.assert_close(sampled_by_head(chunk, flow, state), expected)


def test_chunks_hold_every_edge_once_and_whole_targets() -> None:
    degree = torch.tensor([1, CHUNK, 3, 2 * CHUNK, 1])
    lists = Lists.of(torch.zeros(int(degree.sum()), dtype=torch.int64), degree)
    chunks = list(lists.chunks)
    assert [row for chunk in chunks for row in range(chunk.target.start, chunk.target.stop)] == [0, 1, 2, 3, 4]
    assert sum(len(chunk.source) for chunk in chunks) == len(lists.source)
    assert torch.equal(torch.cat([chunk.first.diff() for chunk in chunks]), degree)
