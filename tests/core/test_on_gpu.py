"""What runs on a GPU computes what runs on a CPU, and the same again when asked again; skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from gr2st import keys
from gr2st.config import Gr2stConfig, TrainConfig
from gr2st.encoders.timm_vit import TimmVit
from gr2st.evaluation.metrics import gene_pcc, mean_score
from gr2st.models.attention import Graph, attend
from gr2st.models.losses import contrastive
from gr2st.prediction import predict
from gr2st.registry import MODELS
from gr2st.training.batches import to_batch
from gr2st.training.capacity import networks_that_fit
from gr2st.training.checkpoint import TrainedModel, load_model, save_model
from gr2st.training.fit import adam
from gr2st.training.loop import build, train
from gr2st.training.stack import Stack
from gr2st.training.together import Lesson, train_together
from gr2st.types import Prepared, finish
from tests.tiny_vit import SIDE, TINY, write_weights
from tests.toys import toy_recipe, toy_section

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")

GPU = "cuda"
NETWORKS = ("gr2st", "gr2st-v2", "gr2st-v1")
SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10}


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    return [toy_section(f"A{seed}", seed=seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def held_out() -> Prepared:
    return toy_section("B1", seed=4, side=9, patient="B")


def settings(model: str, device: str, *, dropout: float, **changes: object) -> tuple[Gr2stConfig, TrainConfig]:
    spec = MODELS[model]
    assert isinstance(spec.config, Gr2stConfig)
    config = spec.config.model_copy(update=SMALL | {"dropout": dropout})
    fast = {"epochs": 3, "learning_rate": 1e-3, "device": device, "threads": 1}
    return config, spec.training.model_copy(update=fast | changes)


def trained(
    model: str, sections: list[Prepared], device: str, *, dropout: float = 0.0, **changes: object
) -> TrainedModel:
    config, training = settings(model, device, dropout=dropout, **changes)
    return finish(train(model, sections, toy_recipe(), training=training, config=config))


def taught(model: str, lessons: list[Lesson], device: str, *, dropout: float = 0.0) -> list[TrainedModel]:
    config, training = settings(model, device, dropout=dropout)
    steps = train_together(model, lessons, toy_recipe(), at_once=9, training=training, config=config)
    outcomes = finish(steps)
    assert all(isinstance(outcome, TrainedModel) for outcome in outcomes)
    return [outcome for outcome in outcomes if isinstance(outcome, TrainedModel)]


def predicted(model: TrainedModel, section: Prepared) -> np.ndarray:
    return np.asarray(finish(predict(model, section)).table.layers[keys.PREDICTED])


def weights_of(model: TrainedModel) -> dict[str, torch.Tensor]:
    return {name: value.cpu() for name, value in model.module.state_dict().items()}


def assert_alike(one: TrainedModel, other: TrainedModel, held_out: Prepared, *, within: float) -> None:
    assert one.config == other.config
    np.testing.assert_allclose(predicted(one, held_out), predicted(other, held_out), atol=within)


@pytest.mark.parametrize("model", NETWORKS)
def test_a_training_comes_to_what_it_comes_to_on_a_cpu(model, sections, held_out) -> None:
    assert_alike(trained(model, sections, GPU), trained(model, sections, "cpu"), held_out, within=2e-3)


@pytest.mark.parametrize("model", NETWORKS)
def test_networks_trained_together_learn_what_one_learns_alone(model, sections, held_out) -> None:
    # One section each: nothing depends on the order in which they are shown.
    lessons = [Lesson((section,), seed) for seed, section in enumerate(sections)]
    for outcome, lesson in zip(taught(model, lessons, GPU), lessons, strict=True):
        alone = trained(model, list(lesson.sections), GPU, seed=lesson.seed)
        assert_alike(outcome, alone, held_out, within=2e-3)


@pytest.mark.parametrize("model", NETWORKS)
def test_one_seed_gives_one_model(model, sections) -> None:
    one, again = (weights_of(trained(model, sections, GPU, dropout=0.1)) for _ in range(2))
    for name, value in one.items():
        assert torch.equal(value, again[name]), name


@pytest.mark.parametrize("model", NETWORKS)
def test_one_seed_gives_one_group_of_models(model, sections) -> None:
    lessons = [Lesson(tuple(sections[:2])), Lesson(tuple(sections[1:]))]
    one, again = ([weights_of(each) for each in taught(model, lessons, GPU, dropout=0.1)] for _ in range(2))
    for first, second in zip(one, again, strict=True):
        for name, value in first.items():
            assert torch.equal(value, second[name]), name


def test_a_training_left_goes_on_to_the_same_model(sections, tmp_path) -> None:
    config, training = settings("gr2st", GPU, dropout=0.1, epochs=6)
    arguments = {"training": training, "config": config}
    steps = train("gr2st", sections, toy_recipe(), keep_in=tmp_path / "kept", **arguments)
    for _ in range(9):
        next(steps)
    steps.close()
    resumed = finish(train("gr2st", sections, toy_recipe(), keep_in=tmp_path / "kept", **arguments))
    whole = finish(train("gr2st", sections, toy_recipe(), **arguments))
    for name, value in weights_of(whole).items():
        assert torch.equal(value, weights_of(resumed)[name]), name


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("together", [False, True])
def test_coarser_arithmetic_trains_to_about_the_same(precision, together, sections, held_out) -> None:
    def predicted_in(precision: str) -> np.ndarray:
        config, training = settings("gr2st", GPU, dropout=0.0, epochs=20, precision=precision)
        if not together:
            return predicted(finish(train("gr2st", sections, toy_recipe(), training=training, config=config)), held_out)
        lessons = [Lesson(tuple(sections)), Lesson(tuple(sections[:2]))]
        steps = train_together("gr2st", lessons, toy_recipe(), at_once=9, training=training, config=config)
        outcome = finish(steps)[0]
        assert isinstance(outcome, TrainedModel)
        return predicted(outcome, held_out)

    likeness = mean_score(gene_pcc(predicted_in(precision), predicted_in("float32")))
    assert likeness is not None
    assert likeness > 0.98


def test_a_model_trained_on_a_gpu_predicts_on_a_cpu(sections, held_out, tmp_path) -> None:
    model = trained("gr2st", sections, GPU)
    save_model(model, tmp_path / "model")
    assert_alike(load_model(tmp_path / "model", device="cpu"), model, held_out, within=1e-4)


def gradients(graph: Graph, tensors: list[torch.Tensor], dropout: float = 0.0) -> Iterator[torch.Tensor]:
    own = [tensor.to(graph_device(graph)).clone().requires_grad_() for tensor in tensors]
    gathered, entropy = attend(*own, graph, dropout=dropout, with_entropy=True)
    (gathered.square().sum() + entropy).backward()
    return (value.detach().cpu() for value in (gathered, entropy, *(tensor.grad for tensor in own)))


def graph_device(graph: Graph) -> torch.device:
    return graph.lists.source.device if graph.lists is not None else graph.parts[0].is_edge.device


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_attention_is_that_of_the_cpu(share: float) -> None:
    made = torch.Generator().manual_seed(0)
    mask = torch.rand(300, 300, generator=made) < share
    tensors = [torch.randn(300, width, generator=made) for width in (32, 8, 8)]
    found, wanted = (gradients(Graph.of(mask.to(device), heads=8), tensors) for device in (GPU, "cpu"))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_attention_draws_its_lots_alike_when_asked_again(share: float) -> None:
    made = torch.Generator().manual_seed(0)
    graph = Graph.of((torch.rand(300, 300, generator=made) < share).to(GPU), heads=8)
    tensors = [torch.randn(300, width, generator=made) for width in (32, 8, 8)]

    def drawn() -> list[torch.Tensor]:
        torch.manual_seed(1)
        return list(gradients(graph, tensors, dropout=0.3))

    for one, again in zip(drawn(), drawn(), strict=True):
        assert torch.equal(one, again)


def test_contrast_of_many_spots_is_that_of_the_cpu() -> None:
    made = torch.Generator().manual_seed(0)
    spot, image = (torch.randn(2100, 16, generator=made) for _ in range(2))
    there, here = (contrastive(spot.to(to), image.to(to), temperature=1.0).cpu() for to in (GPU, "cpu"))
    torch.testing.assert_close(there, here, rtol=1e-4, atol=0)


def test_a_section_of_many_spots_is_learned_from_by_its_edges() -> None:
    section = toy_section("A1", side=48, seed=1)
    config, training = settings("gr2st", GPU, dropout=0.1, epochs=2, inner_folds=0)
    model = finish(train("gr2st", [section], toy_recipe(), training=training, config=config))
    assert np.isfinite(predicted(model, toy_section("B1", seed=4, patient="B"))).all()


def test_as_many_networks_fit_as_are_said_to(sections) -> None:
    config, training = settings("gr2st", GPU, dropout=0.1, epochs=1, inner_folds=0)
    count = networks_that_fit("gr2st", sections, toy_recipe(), training=training, config=config)
    assert count > 100
    lessons = [Lesson(tuple(sections), seed) for seed in range(100)]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    finish(train_together("gr2st", lessons, toy_recipe(), at_once=100, training=training, config=config))
    taken = torch.cuda.max_memory_allocated() - before
    free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()
    assert taken / 100 * count < free


@pytest.mark.filterwarnings("ignore:Synchronization debug mode:UserWarning")
def test_a_loss_and_its_gradient_need_no_number_of_the_gpu(sections) -> None:
    config, training = settings("gr2st", GPU, dropout=0.1)
    network = build(MODELS["gr2st"], config, sections, toy_recipe()).to(GPU)
    stack = Stack(network, [network])
    optimiser = adam(stack.rows, training, epoch=0)
    batch = to_batch(sections[0], network.needs | network.learns_from, torch.device(GPU))
    stack.step(batch, [True], optimiser)
    torch.cuda.set_sync_debug_mode("error")
    try:
        stack.step(batch, [True], optimiser)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_an_encoder_halves_its_batch_once_where_the_memory_does_not_do(timm, weights) -> None:
    write_weights(TINY, weights)
    encoder = TimmVit(TINY, device=GPU)
    patches = np.random.default_rng(0).integers(0, 256, (encoder.batch, SIDE, SIDE, 3), dtype=np.uint8)
    wanted, whole = encoder.encode(patches), encoder.batch
    forward = encoder._features

    def forward_of_little_memory(patches: np.ndarray) -> np.ndarray:
        if len(patches) > whole // 2:
            torch.empty(2**50, dtype=torch.uint8, device=GPU)
        return forward(patches)

    encoder._features = forward_of_little_memory  # type: ignore[method-assign]
    np.testing.assert_allclose(encoder.encode(patches), wanted, atol=0.02 * np.abs(wanted).max())
    assert encoder.batch == whole // 2
