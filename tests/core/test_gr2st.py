"""GR2ST beyond the recorded numbers: sizes, forms of attention, dropout, predictions, errors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from gr2st.errors import DataError
from gr2st.graph.masks import edges_of, sparse_mask
from gr2st.models.attention import Graph, Part, attend
from gr2st.models.dropout import Dropout, keep_mask
from gr2st.models.gr2st import Gr2st
from gr2st.models.listening import heard_over
from gr2st.models.losses import contrastive
from gr2st.models.spot_graphs import SpotGraphs
from gr2st.registry import OURS, V1, V2
from tests.contracts import GRID, N_FEATURES, N_GENES, shown, toy_batch

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig

SMALL = {"projection": 8, "heads": 2}
DOUBLE = torch.float64


def built(config: Gr2stConfig = V2, **update: object) -> Gr2st:
    torch.manual_seed(0)
    settings = config.model_copy(update={**SMALL, **update})
    return Gr2st(settings, n_genes=N_GENES, n_features=N_FEATURES, grid_size=GRID)


def parameters(config: Gr2stConfig, n_genes: int, *, tables: bool = True) -> int:
    with torch.device("meta"):
        model = Gr2st(config, n_genes=n_genes, n_features=1024, grid_size=65_536)
    counted = sum(parameter.numel() for parameter in model.parameters())
    return counted if tables else counted - 2 * 65_536 * n_genes


@pytest.mark.parametrize(
    ("config", "n_genes", "expected"),
    [
        (V1, 785, 105_854_315),
        (V1, 171, 24_607_686),
        (V2, 785, 107_493_207),
        (V2, 171, 25_299_790),
        (V2, 50, 9_146_560),
    ],
)
def test_the_network_has_the_published_number_of_parameters(config: Gr2stConfig, n_genes: int, expected: int):
    assert parameters(config, n_genes) == expected


def test_without_the_position_tables_the_network_has_the_published_size():
    assert [parameters(V2, n, tables=False) for n in (785, 171, 50)] == [4_601_687, 2_886_478, 2_592_960]


# ------------------------------------------------------------------------------------------------------- attention


def attention_input(n: int = 37, heads: int = 3, width: int = 5) -> tuple[list[Tensor], Tensor]:
    made = torch.Generator().manual_seed(1)
    tensors = [torch.randn(n, size, generator=made, dtype=DOUBLE) for size in (width, heads, heads)]
    return [tensor.requires_grad_() for tensor in tensors], torch.rand(n, n, generator=made) < 0.3


def textbook(state: Tensor, source: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Attention as the definition writes it, with all weights at once."""
    joined = mask | torch.eye(len(mask), dtype=torch.bool)
    logits = nn.functional.leaky_relu(source[:, None] + target[None, :], 0.2)
    weight = logits.masked_fill(~joined[:, :, None], -torch.inf).softmax(dim=0)
    entropy = -(weight * (weight + 1e-9).log()).sum() / joined.sum()
    return torch.einsum("ijh,ic->jhc", weight, state), entropy


def gradients(outcome: tuple[Tensor, Tensor], tensors: list[Tensor]) -> tuple[Tensor, ...]:
    gathered, entropy = outcome
    shape = torch.arange(gathered.numel(), dtype=gathered.dtype).view_as(gathered).sin()
    return torch.autograd.grad((gathered * shape).sum() + 3 * entropy, tensors)


@pytest.mark.parametrize("kept", [0, 400, 10**9], ids=["computed-again", "some-kept", "kept"])
@pytest.mark.parametrize(("sparse_below", "piece"), [(1.1, 1), (0, 10**9), (0, 300)], ids=["sparse", "whole", "pieces"])
def test_every_form_of_attention_is_the_textbook_one(sparse_below: float, piece: int, kept: int):
    tensors, mask = attention_input()
    graph = Graph.of(mask, heads=3, sparse_below=sparse_below, piece=piece)
    assert (len(graph.parts) > 1) == (piece < 10**9)
    found = attend(*tensors, graph, dropout=0.0, with_entropy=True, kept=kept)
    expected = textbook(*tensors, mask)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradients(found, tensors), gradients(expected, tensors), rtol=0, atol=1e-8)


def test_a_sparse_mask_gives_the_attention_of_the_dense_one_to_the_bit():
    tensors, mask = attention_input()
    dense = Graph.of(mask, heads=3, sparse_below=1.1)
    sparse = Graph.of(sparse_mask(edges_of(mask), len(mask)), heads=3)
    assert sparse.n_edges == dense.n_edges == int((mask | torch.eye(len(mask), dtype=torch.bool)).sum())
    found, expected = (attend(*tensors, graph, dropout=0.0, with_entropy=True) for graph in (sparse, dense))
    assert all(map(torch.equal, found, expected))
    assert all(map(torch.equal, gradients(found, tensors), gradients(expected, tensors)))


@pytest.mark.parametrize("sparse_below", [0, 1.1], ids=["dense", "sparse"])
def test_what_edges_add_to_their_logits_shifts_the_weights_and_gets_its_gradient(sparse_below: float):
    tensors, mask = attention_input(n=9, heads=2, width=3)
    added = torch.randn(9, 9, dtype=DOUBLE).requires_grad_()
    graph = Graph.of(mask, heads=2, sparse_below=sparse_below, piece=40)

    def on_part(part: Part) -> Tensor:
        inward = added.T[part.target]
        return (inward if part.source is None else inward.gather(1, part.source))[:, None, :]

    state, source, target = tensors
    found = attend(*tensors, graph.with_added(on_part), dropout=0.0, with_entropy=True)
    joined = (mask | torch.eye(9, dtype=torch.bool))[:, :, None]
    logits = nn.functional.leaky_relu(source[:, None] + target[None, :], 0.2) + added[:, :, None]
    weight = logits.masked_fill(~joined, -torch.inf).softmax(dim=0)
    expected = torch.einsum("ijh,ic->jhc", weight, state), -(weight * (weight + 1e-9).log()).sum() / joined.sum()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    inputs = [*tensors, added]
    torch.testing.assert_close(gradients(found, inputs), gradients(expected, inputs), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kept", [0, 10**9])
@pytest.mark.parametrize("sparse_below", [0, 1.1], ids=["dense", "sparse"])
def test_attention_with_dropout_has_the_gradient_of_its_own_forward_pass(sparse_below: float, kept: int):
    tensors, mask = attention_input(n=7, heads=2, width=2)
    graph = Graph.of(mask, heads=2, sparse_below=sparse_below, piece=42)

    def run(*inputs: Tensor) -> tuple[Tensor, Tensor]:
        torch.manual_seed(7)
        return attend(*inputs, graph, dropout=0.4, with_entropy=True, kept=kept)

    assert torch.autograd.gradcheck(run, tensors, atol=1e-6)


@pytest.mark.parametrize("sparse_below", [0, 1.1], ids=["dense", "sparse"])
def test_dropped_attention_is_the_attention_on_average(sparse_below: float):
    tensors, mask = attention_input()
    inputs = [tensor.detach() for tensor in tensors]
    graph = Graph.of(mask, heads=3, sparse_below=sparse_below)
    expected, _ = attend(*inputs, graph, dropout=0.0, with_entropy=False)
    torch.manual_seed(0)
    runs = torch.stack([attend(*inputs, graph, dropout=0.1, with_entropy=False)[0] for _ in range(200)])
    error = (runs.mean(dim=0) - expected) / (runs.std(dim=0) / 200**0.5)
    assert runs.std(dim=0).mean() > 0.01
    assert error.abs().mean() < 1.0
    assert error.abs().max() < 5.0


def test_far_apart_logits_give_finite_weights_and_gradients():
    tensors, mask = attention_input()
    far = [tensors[0], (tensors[1] * 200).detach().requires_grad_(), tensors[2]]
    for sparse_below in (0, 1.1):
        graph = Graph.of(mask, heads=3, sparse_below=sparse_below)
        found = attend(*far, graph, dropout=0.0, with_entropy=True)
        torch.testing.assert_close(found, textbook(*far, mask))
        assert all(gradient.isfinite().all() for gradient in gradients(found, far))


# --------------------------------------------------------------------------------------------------------- dropout


def test_dropout_drops_its_share_and_keeps_the_mean():
    mask = keep_mask(torch.empty(1001, 999), 0.1, generator=torch.Generator().manual_seed(0))
    assert mask.shape == (1001, 999)
    assert float((mask == 0).double().mean()) == pytest.approx(0.1, abs=1e-3)
    assert sorted(mask.unique().tolist()) == pytest.approx([0.0, 1 / 0.9])


def test_dropout_draws_every_value_on_its_own():
    mask = (keep_mask(torch.empty(200_000), 0.5, generator=torch.Generator().manual_seed(0)) > 0).double()
    for shift in (1, 2, 3, 4):
        assert abs(float(torch.corrcoef(torch.stack([mask[:-shift], mask[shift:]]))[0, 1])) < 0.01


def test_dropout_is_the_identity_outside_training():
    values = torch.randn(5, 3)
    assert Dropout(0.5).eval()(values) is values


# ---------------------------------------------------------------------------------------------------- losses, loops


@pytest.mark.parametrize("n", [20, 2_300], ids=["whole", "in-blocks"])
def test_contrast_is_the_mean_of_both_cross_entropies(n: int):
    spot, image = (
        torch.randn(n, 6, dtype=DOUBLE, generator=torch.Generator().manual_seed(s)).requires_grad_() for s in (0, 1)
    )
    similarity, own = spot @ image.T / 0.5, torch.arange(n)
    expected = (nn.functional.cross_entropy(similarity, own) + nn.functional.cross_entropy(similarity.T, own)) / 2
    found = contrastive(spot, image, temperature=0.5)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, (spot, image)) for value in (found, expected)))


def test_unknown_cell_types_count_as_unlabelled():
    batch = toy_batch("A1")
    model = built(dropout=0.0)
    unknown = model.loss(replace(batch, cell_type=None)).total
    torch.testing.assert_close(unknown, model.loss(replace(batch, cell_type=torch.zeros(30, dtype=torch.int64))).total)
    assert not torch.isclose(unknown, model.loss(batch).total)


def test_a_section_whose_spots_moved_gets_a_new_graph():
    batch, model = toy_batch("A1"), built(dropout=0.0).eval()
    first, _ = model.embed_spots(batch, with_entropy=False)
    moved = replace(batch, position=batch.position * 100)
    second, _ = model.embed_spots(moved, with_entropy=False)
    assert not torch.allclose(first, second)
    batch.position.mul_(100)
    torch.testing.assert_close(model.embed_spots(batch, with_entropy=False)[0], second)


def test_a_grid_beyond_the_tables_is_refused_with_both_sizes():
    batch = toy_batch("A1")
    with pytest.raises(DataError, match=r"'A1'.*0 to 40.*0 to 15"):
        built().loss(replace(batch, grid=torch.cat([batch.grid[:-1], torch.tensor([[0, 40]])])))


def test_the_loss_names_all_fields_that_are_missing():
    with pytest.raises(DataError, match="features, spot_expression are not there"):
        built().loss(shown(toy_batch("A1"), frozenset({"grid", "position"})))


def test_a_head_without_an_expert_for_each_type_is_refused():
    with pytest.raises(DataError, match="6 cell types, not 3"):
        built(experts=3)


def test_without_experts_a_blend_is_refused():
    with pytest.raises(DataError, match=r"blend must be 1, not 0\.4"):
        built(experts=0)


# -------------------------------------------------------------------------------------------------------- predict


def remembered(config: Gr2stConfig = V2, **update: object) -> Gr2st:
    model = built(config, **update).eval()
    for name in ("A1", "A2"):
        model.remember(toy_batch(name, seed=int(name[1])))
    return model


def test_the_prediction_is_the_stated_blend():
    batch = toy_batch("B1", seed=9)
    alone, head, both = (remembered(blend=blend).predict(batch) for blend in (1.0, 0.0, 0.4))
    torch.testing.assert_close(both.expression, 0.4 * alone.expression + 0.6 * head.expression)
    assert (alone.space, head.space, both.space) == ("gene", "spot", "mixed")


def test_a_blend_of_one_space_is_in_that_space():
    assert remembered(bank_space="spot").predict(toy_batch("B1")).space == "spot"
    assert remembered(V1).predict(toy_batch("B1")).space == "gene"


def test_the_bank_holds_eval_mode_embeddings_and_the_chosen_expression():
    model, batch = remembered(dropout=0.5), toy_batch("A1", seed=1)
    torch.testing.assert_close(model.bank.key[:30], model.embed_spots(batch, with_entropy=False)[0].detach())
    assert torch.equal(model.bank.value[:30], batch.gene_expression)
    assert not model.bank.key.requires_grad


def test_the_fields_a_model_learns_from_follow_its_spaces():
    assert {"spot_expression", "gene_expression"} <= built().learns_from
    assert "gene_expression" not in built(bank_space="spot").learns_from
    assert built().needs == {"features"}


def test_attention_of_a_trained_model_is_told_for_any_expression():
    batch = toy_batch("B1")
    found = remembered().attention(shown(batch, frozenset({"grid", "position", "spot_expression"})))
    source, target = found["spatial"].source.long(), torch.arange(30).repeat_interleave(found["spatial"].first.diff())
    assert float((batch.position[source] - batch.position[target]).norm(dim=1).max()) < 3.0
    assert len(found["functional"].source) > 0


@pytest.mark.parametrize("sparse_below", [0.0, 1.0])
@pytest.mark.parametrize("score_bias", [0.0, 1.0])
def test_the_attention_told_is_the_one_that_the_state_is_gathered_with(sparse_below: float, score_bias: float):
    """Identity as the state: what attention gathers of it is the attention itself."""
    config = built(score_bias=score_bias, temperature=16.0).config
    graphs, made = SpotGraphs(config), torch.Generator().manual_seed(0)
    head, tail = torch.randn(2, 40, 8, generator=made)
    source, target = torch.randn(2, 40, 4, generator=made)
    kinds = torch.zeros(40, dtype=torch.int64)
    graph = Graph.of(graphs.functional_mask(head, tail, kinds), heads=4, sparse_below=sparse_below)
    added = graphs.bias(head, tail, kinds)
    weighed = graph if added is None else graph.with_added(added)
    gathered, _ = weighed.attend(torch.eye(40), source, target, dropout=0.0, with_entropy=False)
    heard = heard_over(graph, source, target, added)
    dense = torch.zeros(40, 40)
    dense[torch.arange(40).repeat_interleave(heard.first.diff()), heard.source.long()] = heard.weight
    expected = gathered.mean(dim=1).fill_diagonal_(0.0)
    assert 100 < len(heard.source) == int((expected > 0).sum())
    torch.testing.assert_close(dense, expected)


def test_an_edge_of_no_attention_that_float32_can_hold_is_still_an_edge():
    graph = Graph.of(torch.ones(3, 3, dtype=torch.bool), heads=1)
    heard = heard_over(graph, torch.tensor([[500.0], [0.0], [-900.0]]), torch.zeros(3, 1))
    assert len(heard.source) == 6 and float(heard.weight.min()) > 0


def test_disagreement_is_told_where_both_halves_answer_on_one_scale():
    model = remembered(bank_space="spot", blend=0.5)
    answer, batch = model.predict(toy_batch("B1")), toy_batch("B1")
    image = model.image_projection(batch.features)
    retrieved, (regressed, _) = model._retrieve(image, model.config.retrieval_k).value, model.moe_head(image, image)
    torch.testing.assert_close(answer.disagreement, (retrieved - regressed).abs().detach())
    assert remembered(bank_space="gene").predict(batch).disagreement is None
    assert remembered(bank_space="spot", blend=1.0).predict(batch).disagreement is None


def test_spread_and_disagreement_are_on_the_scale_of_the_prediction():
    one = remembered(OURS, kernel_share=0.0, programmes=0)
    answer = one.predict(toy_batch("B1"))
    one.gene_scale.spread *= 3
    other = one.predict(toy_batch("B1"))
    torch.testing.assert_close(other.spread, 3 * answer.spread)
    torch.testing.assert_close(other.disagreement, 3 * answer.disagreement)
