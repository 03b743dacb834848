"""What our GR2ST adds to the published method: each setting does what its name says, and nothing when it is off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from gr2st.config import Gr2stConfig, TrainConfig
from gr2st.graph.functional import threshold_graph
from gr2st.graph.masks import edges_of, sparse_mask, transposed
from gr2st.graph.spatial import Neighbours, neighbourhood_mean
from gr2st.models.base import Attention, Batch
from gr2st.models.choices import blend_scores, candidates
from gr2st.models.gr2st import Gr2st
from gr2st.models.losses import gate, soft_gate
from gr2st.models.memory import PerSection
from gr2st.models.programmes import Programmes
from gr2st.models.spot_graphs import SpotGraphs
from gr2st.registry import MODELS, V2
from gr2st.training.inner import MARGIN, best_choice, inner_folds
from tests.contracts import GRID, N_FEATURES, N_GENES, toy_batch
from tests.toys import toy_section

SMALL = {"projection": 8, "heads": 2, "kernel_landmarks": 64}
OURS = MODELS["gr2st"].config


def built(config: Gr2stConfig = OURS, **changes: object) -> Gr2st:
    torch.manual_seed(0)
    settings = Gr2stConfig.model_validate(config.model_dump() | SMALL | changes)
    return Gr2st(settings, n_genes=N_GENES, n_features=N_FEATURES, grid_size=GRID)


def shares(n: int) -> Tensor:
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(3)).softmax(dim=1)


# ------------------------------------------------------------------------------------------------ functional graph


def test_with_a_bias_the_untrained_projection_of_the_published_code_learns():
    for bias, learns in ((0.0, False), (1.0, True)):
        model = built(score_bias=bias)
        model.loss(toy_batch("A1")).total.backward()
        gradient = model.dynamic_tail_proj.weight.grad
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) is learns


def test_a_spread_gives_each_spot_a_threshold_of_its_own_above_the_fixed_one():
    random = torch.Generator().manual_seed(0)
    head, tail = torch.randn(2, 30, 4, generator=random)
    kind = torch.randint(0, 6, (30,), generator=random)
    scored = {"temperature": 1.0, "type_share": 0.3}
    fixed = threshold_graph(head, tail, kind, threshold=0.4, **scored)
    own = threshold_graph(head, tail, kind, threshold=0.4, spread=0.5, **scored)
    score = 0.7 * torch.sigmoid(head @ tail.T) + 0.3 * (kind[:, None] == kind)
    expected = score > (score.mean(1) + 0.5 * score.std(1, correction=0)).clamp(min=0.4)[:, None]
    assert torch.equal(own, expected.fill_diagonal_(True))
    assert own.sum() < fixed.sum()


def pairs(heard: Attention) -> set[tuple[int, int]]:
    """Source and target of every edge."""
    target = torch.arange(len(heard.first) - 1).repeat_interleave(heard.first.diff())
    return set(zip(heard.source.tolist(), target.tolist(), strict=True))


@pytest.mark.parametrize("functional", ["threshold", "top-k"])
def test_edges_turned_round_join_the_same_pairs_the_other_way(functional: str):
    settings = {"functional": functional, "functional_k": 3, "spatial": "nearest", "spatial_k": 3}
    told = [built(edge_direction=way, **settings).attention(toy_batch("A1")) for way in ("chosen", "chooser")]
    for graph in ("functional", "spatial"):
        there, back = (pairs(attention[graph]) for attention in told)
        assert there == {(target, source) for source, target in back}
        assert there != back


def test_a_score_bias_follows_the_edge_it_belongs_to():
    random = torch.Generator().manual_seed(0)
    head, tail = torch.randn(2, 12, 4, generator=random)
    kind = torch.zeros(12, dtype=torch.int64)
    every_pair = {"functional_threshold": -1.0, "functional_spread": None}
    ways = [OURS.model_copy(update=every_pair | {"edge_direction": way}) for way in ("chosen", "chooser")]
    [chosen], [chooser] = (SpotGraphs(config).functional(head, tail, kind).parts for config in ways)
    assert chosen.added is not None
    assert chooser.added is not None
    assert torch.allclose(chosen.added[:, 0], chooser.added[:, 0].T)
    assert not torch.allclose(chosen.added, chooser.added)


def test_a_sparse_mask_is_turned_round_as_a_dense_one_is():
    mask = torch.rand(9, 9, generator=torch.Generator().manual_seed(1)) > 0.8
    turned = transposed(sparse_mask(edges_of(mask), 9))
    assert turned.is_sparse
    assert torch.equal(edges_of(turned), edges_of(mask.T))


# ------------------------------------------------------------------------------------------------------------ gate


def test_the_mean_over_the_neighbourhood_has_a_gradient_and_a_matrix():
    batch = toy_batch("A1")
    values = torch.randn(len(batch.position), 3, requires_grad=True)
    near = Neighbours.within(batch.position, radius=2.5)
    matrix = near.matrix(values.dtype)
    torch.testing.assert_close(near.mean(values), matrix @ values)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(len(matrix)))
    flow = torch.randn(len(matrix), 3)
    (near.mean(values) * flow).sum().backward()
    torch.testing.assert_close(values.grad, matrix.T @ flow)


def test_the_mean_of_the_spots_asked_for_is_theirs_to_the_bit():
    batch = toy_batch("A1")
    asked = torch.arange(len(batch.position)) % 3 == 1
    found = neighbourhood_mean(batch.features, batch.position, radius=2.5, asked=asked)
    assert torch.equal(found, neighbourhood_mean(batch.features, batch.position, radius=2.5)[asked])


def test_the_gate_that_sees_the_surroundings_judges_a_spot_by_where_it_lies():
    apart = replace(toy_batch("A1"), position=toy_batch("A1").position * 100)
    for sees, depends in (("spot", False), ("surroundings", True)):
        model = built(gate_sees=sees, kernel_share=0.0, programmes=0, blend=0.0).eval()
        model.remember(toy_batch("A1"))
        answers = [
            model.predict(Batch("T", features=b.features, position=b.position)) for b in (toy_batch("A1"), apart)
        ]
        assert (not torch.equal(answers[0].expression, answers[1].expression)) is depends
        assert ("position" in model.needs) is depends


def test_shares_of_one_type_alone_teach_the_gate_what_the_majority_teaches():
    logits, kind = torch.randn(20, 6), torch.randint(0, 6, (20,))
    torch.testing.assert_close(soft_gate(logits, torch.eye(6)[kind]), gate(logits, kind))


def test_spots_without_nuclei_have_no_say_in_the_gate():
    logits, share = torch.randn(20, 6), shares(20)
    share[5:] = 0
    torch.testing.assert_close(soft_gate(logits, share), soft_gate(logits[:5], share[:5]))
    assert float(soft_gate(logits, torch.zeros(20, 6))) == 0


def test_the_gate_is_taught_shares_where_there_are_any():
    batch = toy_batch("A1")
    model = built(gate_target="shares")
    typed = replace(batch, cell_share=shares(len(batch.features)))
    assert model.loss(batch).numbers()["gate"] == 0
    assert model.loss(typed).numbers()["gate"] > 0


# ------------------------------------------------------------------------------------------- programmes and memory


def test_programmes_keep_what_follows_the_leading_components_and_cut_the_rest():
    random = torch.Generator().manual_seed(0)
    expression = torch.randn(50, 3, generator=random) @ torch.randn(3, 20, generator=random) + 5
    noisy = expression + 0.1 * torch.randn(50, 20, generator=random)
    programmes = Programmes(3, 20)
    scores = programmes.learn(noisy)
    torch.testing.assert_close(programmes.restored(scores), programmes.projected(noisy), rtol=0, atol=1e-5)
    assert (programmes.projected(noisy) - expression).norm() < 0.5 * (noisy - expression).norm()


def test_fewer_spots_than_programmes_are_no_error():
    expression = torch.randn(4, 20)
    programmes = Programmes(10, 20)
    programmes.learn(expression)
    torch.testing.assert_close(programmes.projected(expression), expression, rtol=0, atol=1e-4)


def test_what_is_remembered_of_a_section_follows_its_tensors():
    memory: PerSection[float] = PerSection()
    tensor, calls = torch.ones(3), []

    def asked(source: Tensor) -> float:
        return memory.of("A1", (source, None), lambda: calls.append(1) or float(source.sum()))

    assert [asked(tensor), asked(tensor)] == [3, 3]
    assert len(calls) == 1
    tensor.add_(1)
    assert asked(tensor) == 6
    assert asked(torch.zeros(3)) == 0


# --------------------------------------------------------------------------------------------------------- choices


def test_blends_are_scored_as_if_each_had_been_computed():
    random = torch.Generator().manual_seed(0)
    target, found, regressed, by_kernel = torch.randn(4, 30, 6, generator=random)
    configs = candidates(OURS.model_copy(update={"retrieval_k": 40}))
    k40 = [config for config in configs if config.retrieval_k == 40]
    scores = blend_scores(configs, {40: found}, regressed, by_kernel, [target])
    assert set(scores) == set(k40)
    for config in k40[::17]:
        network = torch.lerp(regressed, found, config.blend)
        whole = torch.lerp(network, by_kernel, config.kernel_share).numpy()
        expected = np.mean([np.corrcoef(whole[:, g], target[:, g].numpy())[0, 1] for g in range(6)])
        assert scores[config] == pytest.approx(expected, abs=1e-6)


def test_a_part_that_is_left_out_stays_out_of_the_choice():
    assert {config.kernel_share for config in candidates(OURS.model_copy(update={"kernel_share": 0.0}))} == {0.0}
    alone = candidates(OURS.model_copy(update={"blend": 0.0}))
    assert {(config.blend, config.retrieval_k) for config in alone} == {(0.0, OURS.retrieval_k)}
    assert OURS in candidates(OURS)


def test_a_model_scores_its_choices_as_its_own_predictions_would():
    batch, other = toy_batch("A1"), toy_batch("B1", seed=5)
    model = built().eval()
    model.remember(batch)
    model.conclude()
    given = model.choices(other)[model.config]
    predicted = model.predict(Batch("B1", features=other.features, position=other.position)).expression.numpy()
    measured = [other.spot_expression.numpy(), other.gene_expression.numpy()]
    expected = np.mean([[np.corrcoef(predicted[:, g], m[:, g])[0, 1] for g in range(N_GENES)] for m in measured])
    assert given == pytest.approx(expected, abs=1e-5)


def test_other_settings_are_taken_for_more_than_noise_alone():
    better = V2.model_copy(update={"blend": 0.7})
    assert best_choice([], V2) is V2
    assert best_choice([{}], V2) is V2
    assert best_choice([{V2: 0.3, better: 0.3 + MARGIN / 2}], V2) == V2
    assert best_choice([{V2: 0.3, better: 0.4}, {V2: 0.3, better: 0.25}], V2) == better


def test_inner_folds_hold_out_patients_where_there_are_several_else_sections():
    a1, a2, b1 = toy_section("A1"), toy_section("A2"), toy_section("B1", patient="B")
    assert [[s.section for s in held] for _, held in inner_folds([a1, a2, b1], 5)] == [["A1", "A2"], ["B1"]]
    assert [[s.section for s in held] for _, held in inner_folds([a1, a2], 5)] == [["A1"], ["A2"]]
    assert [[s.section for s in rest] for rest, _ in inner_folds([a1, a2], 1)] == [["A2"]]
    assert inner_folds([a1], 3) == ()
    assert TrainConfig().inner_folds == 0
