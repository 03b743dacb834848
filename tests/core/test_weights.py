"""Weights of encoders: where they are looked for, what is said where there are none, how they are downloaded."""

from __future__ import annotations

import sys
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError

import gr2st
from gr2st.config import GeneChoice, Recipe
from gr2st.encoders.base import load_encoder
from gr2st.encoders.cache import FeatureKey
from gr2st.encoders.weights import download_weights, encoder_version, find_weights, need_weights, weights_dir
from gr2st.errors import Cancelled, DataError, RecipeMismatch, StorageError, WeightsMissing
from gr2st.evaluation.fold import training_sections
from gr2st.evaluation.measured import predict_section
from gr2st.io.array_slide import ArraySlide
from gr2st.preparation import encoder_identity
from gr2st.registry import ENCODERS
from gr2st.types import finish
from tests.tiny_vit import TINY, write_weights

UNI, PHIKON = ENCODERS["uni"], ENCODERS["phikon"]


@pytest.fixture
def registered(monkeypatch, timm, weights):
    """The tiny encoder in the registry, with its weights here."""
    monkeypatch.setitem(ENCODERS._entries, TINY.name, TINY)
    return write_weights(TINY, weights)


def put(path: Path, content: bytes = b"weights") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def cached_by_the_hub(hub: Path, repository: str, name: str) -> Path:
    """A file as the hub's own library keeps it."""
    folder = hub / f"models--{repository.replace('/', '--')}"
    put(folder / "refs" / "main", b"abc")
    return put(folder / "snapshots" / "abc" / name)


def test_weights_lie_in_the_folder_that_the_user_names(weights, monkeypatch) -> None:
    assert weights_dir() == weights
    monkeypatch.delenv("GR2ST_WEIGHTS")
    assert weights_dir().name == "weights"
    assert "gr2st" in weights_dir().parts


def test_the_users_own_file_comes_before_the_hubs_cache(weights, tmp_path) -> None:
    assert find_weights(UNI) is None
    cached = cached_by_the_hub(tmp_path / "hub", "MahmoodLab/UNI", "pytorch_model.bin")
    assert find_weights(UNI) == cached
    own = put(weights / "uni" / "pytorch_model.bin")
    assert find_weights(UNI) == own
    safe = put(weights / "uni" / "model.safetensors")
    assert find_weights(UNI) == safe


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_any_published_file_in_the_hubs_cache_counts(weights, tmp_path, name: str) -> None:
    cached = cached_by_the_hub(tmp_path / "hub", "owkin/phikon", name)
    assert need_weights(PHIKON) == cached


def test_missing_weights_of_a_gated_encoder_are_told_with_every_step(weights) -> None:
    with pytest.raises(WeightsMissing) as error:
        load_encoder("uni")
    assert str(error.value) == (
        "The weights of the encoder 'uni' are not on this machine (licence: CC-BY-NC-ND-4.0).\n"
        f"Looked for model.safetensors or pytorch_model.bin in {weights / 'uni'}, and for MahmoodLab/UNI in the hub's "
        "cache; found neither. To get them:\n"
        "  1. accept the licence at https://huggingface.co/MahmoodLab/UNI\n"
        "  2. hf auth login\n"
        "  3. gr2st encoders --download uni\n"
        f"Or put pytorch_model.bin of that page into {weights / 'uni'}."
    )


def test_an_encoder_that_is_not_gated_needs_no_login(weights) -> None:
    with pytest.raises(WeightsMissing) as error:
        need_weights(PHIKON)
    assert "1. read the licence" in str(error.value)
    assert "2. gr2st encoders --download phikon" in str(error.value)
    assert "login" not in str(error.value)


@pytest.mark.parametrize("name", [spec.name for spec in ENCODERS.values() if spec.needs_weights])
def test_no_registered_encoder_works_without_its_weights(name: str, weights) -> None:
    with pytest.raises(WeightsMissing, match=f"--download {name}"):
        encoder_identity(name)


def test_an_encoder_without_weights_has_none_to_find() -> None:
    with pytest.raises(DataError, match="'handcrafted' is built without weights"):
        find_weights(ENCODERS["handcrafted"])
    assert encoder_version(ENCODERS["handcrafted"]) == "1"
    assert encoder_identity("handcrafted") == "handcrafted/1"


def test_other_weights_are_another_encoder(registered, weights, rng) -> None:
    slide = ArraySlide(Path("a.png"), rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    recipe = Recipe(genes=("A",), encoder="tiny")

    def key() -> str:
        return FeatureKey.of(slide, np.array([[32.0, 32.0]]), recipe, 1.0).digest()

    before = encoder_identity("tiny"), key(), load_encoder("tiny").encode(np.zeros((1, 32, 32, 3), np.uint8))
    assert before[0].startswith("tiny/1-")
    write_weights(TINY, weights, seed=1)
    assert encoder_identity("tiny") != before[0]
    assert key() != before[1]
    assert not np.array_equal(load_encoder("tiny").encode(np.zeros((1, 32, 32, 3), np.uint8)), before[2])


def test_features_of_a_gpu_have_a_key_of_their_own(registered, rng) -> None:
    slide = ArraySlide(Path("a.png"), rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    recipe, xy = Recipe(genes=("A",), encoder="tiny"), np.array([[32.0, 32.0]])
    keys = [FeatureKey.of(slide, xy, recipe, 1.0, device=device).version for device in ("cpu", "cuda", "cuda:1")]
    assert keys[1] == keys[2] == f"{keys[0]}-bf16"


def test_the_encoder_stays_loaded_from_section_to_section(registered) -> None:
    assert load_encoder("tiny") is load_encoder("tiny")


def test_a_model_is_refused_where_its_encoder_has_other_weights(registered, weights, tmp_path) -> None:
    study = gr2st.read_study(gr2st.sample_study_path())
    recipe = {"encoder": "tiny", "patch": {"size_px": TINY.input_px, "um_per_px": 4.0}}
    genes = GeneChoice(listed=("ERBB2", "COL1A1", "GAPDH"))
    sections, full = finish(training_sections([study.entry("A1")], "ridge", genes, recipe))
    assert sections[0].features.shape[1] == TINY.width
    trained = finish(gr2st.train("ridge", sections, full))
    gr2st.save_model(trained, tmp_path / "model")
    read = gr2st.load_model(tmp_path / "model")
    prediction = finish(predict_section(read, gr2st.read_section(study.entry("B1"))))
    assert np.isfinite(prediction.table.layers["predicted"]).all()
    write_weights(TINY, weights, seed=1)
    with pytest.raises(RecipeMismatch, match="was trained on features of tiny/1-[0-9a-f]{16}, here is tiny/1-"):
        gr2st.load_model(tmp_path / "model")


def test_an_evaluation_without_weights_ends_before_anything_runs(weights, tmp_path) -> None:
    study = gr2st.read_study(gr2st.sample_study_path())
    plan = gr2st.Plan(models=("ridge",), genes=GeneChoice(n_variable=3), recipe={"encoder": "uni"})
    with pytest.raises(WeightsMissing, match="--download uni"):
        next(gr2st.evaluate(study, plan, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_download_asks_the_hub_for_the_first_file(weights, tmp_path, monkeypatch) -> None:
    asked = []

    def give(repository, name):
        asked.append((repository, name))
        return str(put(tmp_path / name))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", give)
    assert finish(download_weights(PHIKON)) == tmp_path / "model.safetensors"
    assert asked == [("owkin/phikon", "model.safetensors")]


def test_without_the_hubs_library_own_files_count_and_a_download_is_refused(weights, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(WeightsMissing):
        need_weights(PHIKON)
    with pytest.raises(DataError, match=r"needs huggingface_hub.*pip install 'gr2st-napari\[encoders\]'"):
        finish(download_weights(PHIKON))
    own = put(weights / "phikon" / "model.safetensors")
    assert need_weights(PHIKON) == own


def test_what_is_here_is_not_downloaded_again(weights, monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)
    own = put(weights / "uni" / "pytorch_model.bin")
    assert finish(download_weights(UNI)) == own


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (GatedRepoError, WeightsMissing, "refused MahmoodLab/UNI to this login.\n.*accept the licence"),
        (LocalEntryNotFoundError, DataError, r"could not be downloaded: no way out\. Try again"),
        (ConnectionError, DataError, r"could not be downloaded: no way out\. Try again"),
        (RuntimeError, DataError, r"could not be downloaded: no way out\. Try again"),
        (PermissionError, StorageError, "could not be written"),
        (Cancelled, Cancelled, "no way out"),
    ],
)
def test_a_download_that_fails_is_a_sentence(weights, monkeypatch, failure, kind, told: str) -> None:
    def fail(repository, name):
        raise failure.__new__(failure, "no way out") if failure is GatedRepoError else failure("no way out.\nmore")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(kind, match=f"(?s){told}"):
        finish(download_weights(UNI))
