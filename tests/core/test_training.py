"""Training, storing and predicting on toy sections, for every registered model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import SafetensorError

from gr2st import keys
from gr2st.config import Gr2stConfig
from gr2st.errors import DataError, RecipeMismatch, StorageError, TrainingFailed
from gr2st.evaluation.metrics import gene_pcc, mean_score
from gr2st.prediction import predict
from gr2st.registry import MODELS
from gr2st.training.checkpoint import TrainedModel, load_model, save_model
from gr2st.training.fit import learning_rate
from gr2st.training.loop import build, pick_device, train
from gr2st.training.memory import free_bytes, refuse_too_large
from gr2st.types import Prediction, Prepared, finish
from tests.toys import toy_recipe, toy_section

SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10}


def trained_on(sections: list[Prepared], model: str, *, epochs: int = 3, seed: int = 0) -> TrainedModel:
    spec = MODELS[model]
    config = spec.config.model_copy(update=SMALL) if isinstance(spec.config, Gr2stConfig) else spec.config
    changes = {"seed": seed, "device": "cpu", "threads": 1} | ({"epochs": epochs} if spec.training.epochs else {})
    return finish(
        train(model, sections, toy_recipe(), config=config, training=spec.training.model_copy(update=changes))
    )


def predicted(trained: TrainedModel, section: Prepared) -> np.ndarray:
    return np.asarray(finish(predict(trained, section)).table.layers[keys.PREDICTED])


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    return [toy_section("A1", seed=1), toy_section("A2", seed=2)]


@pytest.fixture(scope="module", params=list(MODELS))
def trained(request: pytest.FixtureRequest, sections: list[Prepared]) -> TrainedModel:
    return trained_on(sections, request.param)


@pytest.fixture(scope="module")
def held_out() -> Prepared:
    return toy_section("B1", seed=3, patient="B")


def test_a_prediction_has_spots_and_genes_of_the_section(trained: TrainedModel, held_out: Prepared) -> None:
    prediction = finish(predict(trained, held_out))
    assert isinstance(prediction, Prediction)
    assert tuple(prediction.table.obs_names) == held_out.spots
    assert prediction.genes == toy_recipe().genes
    assert prediction.table.layers[keys.PREDICTED].dtype == np.float32
    assert np.isfinite(prediction.table.layers[keys.PREDICTED]).all()


def test_other_counts_of_the_held_out_section_change_no_bit(trained: TrainedModel, held_out: Prepared) -> None:
    if MODELS[trained.name].is_oracle:
        pytest.skip("the oracle reads the depth of the held-out section, and says so")
    other = replace(
        held_out,
        spot_expression=held_out.spot_expression[::-1].copy() * 5,
        gene_expression=held_out.gene_expression[::-1].copy() + 1,
        depth=held_out.depth[::-1].copy(),
    )
    np.testing.assert_array_equal(predicted(trained, held_out), predicted(trained, other))


def test_a_section_without_counts_can_be_predicted(trained: TrainedModel, held_out: Prepared) -> None:
    if MODELS[trained.name].is_oracle:
        pytest.skip("the oracle reads the depth of the held-out section, and says so")
    np.testing.assert_array_equal(predicted(trained, held_out), predicted(trained, held_out.blind()))


def test_a_stored_model_predicts_the_same(trained: TrainedModel, held_out: Prepared, tmp_path: Path) -> None:
    again = load_model(save_model(trained, tmp_path / "model"))
    np.testing.assert_array_equal(predicted(trained, held_out), predicted(again, held_out))
    assert again.recipe == trained.recipe
    assert again.training == trained.training
    assert again.sections == ("A1", "A2")


def test_one_seed_gives_one_model(sections: list[Prepared], held_out: Prepared) -> None:
    first, second = (predicted(trained_on(sections, "gr2st", seed=5), held_out) for _ in range(2))
    other = predicted(trained_on(sections, "gr2st", seed=6), held_out)
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 0


def test_training_leaves_the_callers_random_numbers_alone(sections: list[Prepared]) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    trained_on(sections, "gr2st", epochs=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_ridge_finds_the_relation_between_features_and_expression(sections: list[Prepared]) -> None:
    held_out = toy_section("B1", seed=4, side=10)
    score = mean_score(gene_pcc(predicted(trained_on(sections, "ridge"), held_out), held_out.gene_expression))
    assert score is not None
    assert score > 0.3


def test_progress_counts_epochs_and_shows_the_loss(sections: list[Prepared], monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine a step may take so long that a word from within an epoch is due.
    monkeypatch.setattr("gr2st.training.fit.INTERVAL", float("inf"))
    spec = MODELS["gr2st-v2"]
    steps = train(
        "gr2st-v2",
        sections,
        toy_recipe(),
        config=spec.config.model_copy(update=SMALL),
        training=spec.training.model_copy(update={"epochs": 2, "device": "cpu"}),
    )
    shown = [progress for progress in steps if progress.stage == "Training"]
    assert [(progress.done, progress.total) for progress in shown] == [(1, 2), (2, 2)]
    assert all(np.isfinite(progress.values["loss"]) for progress in shown)


def test_the_rate_falls_to_a_tenth_from_the_drop_on() -> None:
    training = MODELS["gr2st-v2"].training
    assert [learning_rate(training, epoch) for epoch in (0, 149, 150, 199)] == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5])


def test_no_section_is_refused() -> None:
    with pytest.raises(DataError, match="at least one section"):
        trained_on([], "ridge")


def test_sections_of_another_recipe_are_refused(sections: list[Prepared]) -> None:
    other = replace(sections[0], digests={"recipe": "0" * 16})
    with pytest.raises(DataError, match="A1 were prepared with another recipe"):
        trained_on([other], "ridge")
    with pytest.raises(RecipeMismatch, match="prepared with 0000"):
        finish(predict(trained_on(sections, "ridge"), other))


def test_features_of_another_width_are_refused(sections: list[Prepared]) -> None:
    narrow = replace(sections[0], features=sections[0].features[:, :5])
    with pytest.raises(RecipeMismatch, match="reads 12 features per spot, section A1 has 5"):
        finish(predict(trained_on(sections, "ridge"), narrow))


def test_a_loss_that_is_not_finite_names_epoch_and_section(sections: list[Prepared]) -> None:
    broken = replace(sections[0], features=np.full_like(sections[0].features, np.inf))
    with pytest.raises(TrainingFailed, match="not finite in epoch 1 on section A1"):
        trained_on([broken], "gr2st-v2")


def test_a_section_too_large_for_the_memory_is_refused_with_the_size_that_fits(sections: list[Prepared]) -> None:
    spec = MODELS["gr2st"]
    module = build(spec, spec.config, sections, toy_recipe())
    needed = module.step_bytes(36)
    assert module.step_bytes(37) > needed
    refuse_too_large(module, sections, free=needed)
    with pytest.raises(TrainingFailed, match=r"section A1 with its 36 spots needs .* enough for about 35 spots"):
        refuse_too_large(module, sections, free=needed - 1)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
def test_memory_that_runs_out_in_a_step_is_a_sentence_with_the_size_that_fits(
    sections: list[Prepared], monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def loss(*_: object) -> None:
        raise error("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("gr2st.models.gr2st.Gr2st.loss", loss)
    with pytest.raises(TrainingFailed, match=r"ran out in a training step on section A\d with 36 spots") as told:
        trained_on(sections, "gr2st-v2")
    assert "enough for about 35 spots" in str(told.value)
    assert isinstance(told.value.__cause__, error)


def test_memory_for_the_square_of_the_spots_is_asked_of_large_sections(sections: list[Prepared]) -> None:
    spec = MODELS["gr2st"]
    module = build(spec, spec.config, sections, toy_recipe())
    assert module.step_bytes(1_000_000) > 10**12
    assert 0 < free_bytes(torch.device("cpu")) < 10**15


def test_an_unknown_device_is_a_sentence() -> None:
    with pytest.raises(DataError, match="no device of torch"):
        pick_device("toaster")


@pytest.fixture
def stored(sections: list[Prepared], tmp_path: Path) -> Path:
    return save_model(trained_on(sections, "knn"), tmp_path / "model")


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no model folder: model\.json"):
        load_model(tmp_path)


def test_an_edited_recipe_is_refused(stored: Path) -> None:
    card = json.loads((stored / keys.MODEL_CARD).read_text())
    card["recipe"]["genes"][0] = "OTHER"
    (stored / keys.MODEL_CARD).write_text(json.dumps(card))
    with pytest.raises(RecipeMismatch, match="the card was edited"):
        load_model(stored)


def test_weights_of_another_model_are_refused(stored: Path, sections: list[Prepared], tmp_path: Path) -> None:
    other = save_model(trained_on(sections, "ridge"), tmp_path / "other")
    (stored / keys.MODEL_WEIGHTS).write_bytes((other / keys.MODEL_WEIGHTS).read_bytes())
    with pytest.raises(RecipeMismatch, match="belongs to another model"):
        load_model(stored)


def test_a_missing_bank_is_named(stored: Path) -> None:
    (stored / keys.MODEL_BANK).unlink()
    with pytest.raises(DataError, match=r"incomplete: bank\.h5ad is missing"):
        load_model(stored)


def test_a_newer_format_is_refused(stored: Path) -> None:
    card = json.loads((stored / keys.MODEL_CARD).read_text())
    (stored / keys.MODEL_CARD).write_text(json.dumps(card | {"format": keys.FORMAT + 1}))
    with pytest.raises(RecipeMismatch, match="update gr2st"):
        load_model(stored)


def test_another_encoder_version_is_refused(stored: Path) -> None:
    card = json.loads((stored / keys.MODEL_CARD).read_text())
    (stored / keys.MODEL_CARD).write_text(json.dumps(card | {"encoder": "handcrafted/0"}))
    with pytest.raises(RecipeMismatch, match="trained on features of handcrafted/0"):
        load_model(stored)


def test_a_truncated_card_is_refused(stored: Path) -> None:
    (stored / keys.MODEL_CARD).write_text('{"format": 1')
    with pytest.raises(DataError, match="not readable as JSON"):
        load_model(stored)


def test_a_folder_of_something_else_is_not_replaced_by_a_model(trained: TrainedModel, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="not a model folder"):
        save_model(trained, tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_features": "many"}, "n_features"),
        ({"files": ["model.safetensors"]}, "files"),
        ({"sections": None}, "sections"),
        ({"format": "one"}, "format"),
    ],
)
def test_a_damaged_card_is_one_sentence(stored: Path, change: dict[str, object], sentence: str) -> None:
    card = json.loads((stored / keys.MODEL_CARD).read_text())
    (stored / keys.MODEL_CARD).write_text(json.dumps(card | change))
    with pytest.raises(DataError, match=sentence) as refused:
        load_model(stored)
    assert "\n" not in str(refused.value)


def test_a_card_that_is_a_list_is_refused(stored: Path) -> None:
    (stored / keys.MODEL_CARD).write_text("[]")
    with pytest.raises(DataError, match="no model card"):
        load_model(stored)


def test_a_disk_that_is_full_of_weights_leaves_the_old_model(stored: Path, trained: TrainedModel, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    before = {path.name: path.read_bytes() for path in stored.iterdir()}
    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(StorageError, match=r"could not be written: .*No space left on device"):
        save_model(trained, stored)
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == before
    assert [path.name for path in stored.parent.iterdir()] == [stored.name]


def test_who_may_read_a_model_may_read_its_weights(stored: Path) -> None:
    modes = {path.name: path.stat().st_mode for path in stored.iterdir()}
    assert modes[keys.MODEL_WEIGHTS] == modes[keys.MODEL_CARD]


def test_what_inner_folds_choose_is_trained_as_if_it_had_been_given(
    sections: list[Prepared], held_out: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gr2st.training.inner.MARGIN", -1.0)
    chosen = trained_on(sections, "gr2st")
    spec = MODELS["gr2st"]
    assert chosen.config != spec.config.model_copy(update=SMALL)
    plain = spec.training.model_copy(update={"epochs": 3, "device": "cpu", "threads": 1, "inner_folds": 0})
    given = finish(train("gr2st", sections, toy_recipe(), config=chosen.config, training=plain))
    np.testing.assert_array_equal(predicted(given, held_out), predicted(chosen, held_out))


def test_inner_folds_say_that_they_are_choosing(sections: list[Prepared]) -> None:
    spec = MODELS["gr2st"]
    training = spec.training.model_copy(update={"epochs": 1, "device": "cpu", "threads": 1})
    steps = train("gr2st", sections, toy_recipe(), config=spec.config.model_copy(update=SMALL), training=training)
    stages = list(dict.fromkeys(progress.stage for progress in steps))
    assert stages[:2] == [f"Choosing blend and k, trial {number} of 2" for number in (1, 2)]
    assert stages[2:] == ["Training", "Filling the reference bank"]
