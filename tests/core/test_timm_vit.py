"""Pathology encoders: the network timm builds, the weights it is given, what it does when the memory does not suffice."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gr2st.encoder_specs import PATHOLOGY_ENCODERS
from gr2st.encoders import timm_vit
from gr2st.encoders.timm_vit import TimmVit, build_vit
from gr2st.errors import DataError, TrainingFailed
from tests.tiny_vit import SIDE, TINY, random_state, tiny, write_weights

MILLIONS = {
    "phikon": 85.8,
    "phikon-v2": 303.4,
    "uni": 303.4,
    "uni2-h": 681.4,
    "virchow2": 631.2,
    "h-optimus-0": 1134.8,
    "prov-gigapath": 1135.0,
}
"""Parameters of the published networks; the two of 1.13 billion to the digits of the network built here."""


@pytest.fixture
def encoder(weights, timm):
    write_weights(TINY, weights)
    return TimmVit(TINY)


@pytest.fixture
def patches(rng):
    return rng.integers(0, 256, (11, SIDE, SIDE, 3)).astype(np.uint8)


def normalised(patches, spec=TINY) -> torch.Tensor:
    mean, std = (np.array(values, np.float32) for values in (spec.timm.mean, spec.timm.std))
    return torch.from_numpy(((patches.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("spec", PATHOLOGY_ENCODERS, ids=lambda spec: spec.name)
def test_a_published_network_has_the_width_and_the_parameters_that_are_stated(spec, timm) -> None:
    model = build_vit(spec.timm)
    assert sum(value.numel() for value in model.parameters()) / 1e6 == pytest.approx(MILLIONS[spec.name], abs=0.05)
    tokens = model.forward_features(torch.empty(1, 3, spec.input_px, spec.input_px, device="meta"))
    pooled = timm_vit.POOLINGS[spec.timm.pooling](tokens, model.num_prefix_tokens)
    assert pooled.shape == (1, spec.width)


def test_features_are_the_class_token_of_normalised_patches(encoder, patches, timm, weights) -> None:
    model = timm.create_model(TINY.timm.architecture, num_classes=0, **TINY.timm.options).eval()
    model.load_state_dict(load_file(weights / "tiny" / "model.safetensors"))
    with torch.inference_mode():
        wanted = model(normalised(patches)).numpy()
    np.testing.assert_allclose(encoder.encode(patches), wanted, rtol=1e-5, atol=1e-5)


def test_the_mean_is_of_patch_tokens_alone_where_there_are_registers(patches, timm, weights) -> None:
    spec = replace(tiny(pooling="class and mean", options={**TINY.timm.options, "reg_tokens": 3}), width=2 * TINY.width)
    write_weights(spec, weights)
    encoder = TimmVit(spec)
    with torch.inference_mode():
        tokens = encoder._model.forward_features(normalised(patches))
    assert tokens.shape[1] == 1 + 3 + 16
    wanted = np.concatenate([tokens[:, 0].numpy(), tokens[:, 4:].mean(dim=1).numpy()], axis=1)
    np.testing.assert_allclose(encoder.encode(patches), wanted, rtol=1e-5, atol=1e-5)


def test_a_file_that_torch_wrote_gives_the_same_features(encoder, patches, weights) -> None:
    path = weights / "tiny" / "model.safetensors"
    wanted = encoder.encode(patches)
    torch.save(load_file(path), weights / "tiny" / "pytorch_model.bin")
    path.unlink()
    np.testing.assert_array_equal(TimmVit(TINY).encode(patches), wanted)


def test_weights_in_half_precision_are_read_as_float32(patches, timm, weights) -> None:
    state = {name: value.half() for name, value in random_state(TINY).items()}
    path = write_weights(TINY, weights)
    save_file(state, path)
    assert TimmVit(TINY).encode(patches).dtype == np.float32


def spoiled(state: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    if how == "missing":
        return {name: value for name, value in state.items() if not name.startswith("blocks.1.")}
    if how == "unexpected":
        return state | {"head.weight": torch.zeros(2, 2)}
    return state | {"pos_embed": torch.zeros(1, 5, 16)}


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("missing", r"14 missing \(blocks\.1\.attn\.proj\.bias, blocks\.1\.attn\.proj\.weight, .*, \.\.\.\)"),
        ("unexpected", r"1 unexpected \(head\.weight\)"),
        ("shape", r"1 of another shape \(pos_embed \(1, 5, 16\) for \(1, 17, 16\)\)"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(timm, weights, how: str, told: str) -> None:
    save_file(spoiled(random_state(TINY), how), write_weights(TINY, weights))
    with pytest.raises(DataError, match=rf"does not hold the weights of 'tiny': of \d+ parameters wanted, {told}"):
        TimmVit(TINY)


def scarce(encoder: TimmVit, monkeypatch, room: int) -> list[int]:
    """Let the encoder run out of memory above `room` patches; the sizes it tried."""
    tried: list[int] = []
    whole = encoder._features

    def features(patches):
        tried.append(len(patches))
        if len(patches) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(patches)

    monkeypatch.setattr(encoder, "_features", features)
    return tried


def test_out_of_memory_halves_the_batch_once_and_for_good(encoder, patches, monkeypatch) -> None:
    wanted = encoder.encode(patches)
    tried = scarce(encoder, monkeypatch, room=4)
    np.testing.assert_allclose(encoder.encode(patches), wanted, rtol=1e-5, atol=1e-6)
    assert tried == [8, 4, 4, 3]
    assert encoder.batch == 4


def test_out_of_memory_for_half_a_batch_is_an_error(encoder, patches, monkeypatch) -> None:
    tried = scarce(encoder, monkeypatch, room=3)
    with pytest.raises(TrainingFailed, match="'tiny' needs more memory than cpu has free, for 4 patches at once too"):
        encoder.encode(patches)
    assert tried == [8, 4]


def test_a_network_that_does_not_fit_into_the_memory_is_an_error(encoder, monkeypatch) -> None:
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(TrainingFailed, match="'tiny' needs more memory than cpu has free, for the network alone"):
        TimmVit(TINY)


def test_a_missing_timm_is_told_with_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(DataError, match=r"need timm.*pip install 'gr2st-napari\[encoders\]'"):
        build_vit(TINY.timm)


def test_a_torchvision_that_does_not_fit_torch_is_told_as_such(tmp_path, monkeypatch) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(DataError, match="torchvision, which timm needs, does not fit torch .* from the same index"):
        build_vit(TINY.timm)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_on_a_gpu_features_differ_by_no_more_than_bfloat16_drops(encoder, patches) -> None:
    there = TimmVit(TINY, device="cuda")
    assert there.batch == TINY.timm.batch
    wanted, found = encoder.encode(patches), there.encode(patches)
    assert np.abs(found - wanted).max() < 0.05 * np.abs(wanted).max()
