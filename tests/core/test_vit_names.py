"""Published checkpoints of the transformers library, read by timm: the same numbers as by transformers itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gr2st.encoders.timm_vit import TimmVit
from gr2st.encoders.vit_names import transformers_to_timm
from gr2st.errors import DataError
from tests.tiny_vit import SIDE, SIZES, WIDTH, tiny

SHAPE = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 8,
    "layer_norm_eps": 1e-6,
}
PHIKON_V2_NAMES = {
    "embeddings.mask_token",
    "encoder.layer.1.attention.attention.query.weight",
    "encoder.layer.1.attention.output.dense.bias",
    "encoder.layer.0.layer_scale1.lambda1",
    "encoder.layer.0.norm2.weight",
}
PHIKON_NAMES = {
    "encoder.layer.1.attention.attention.key.bias",
    "encoder.layer.1.attention.output.dense.weight",
    "encoder.layer.0.intermediate.dense.weight",
    "encoder.layer.0.output.dense.bias",
    "encoder.layer.0.layernorm_after.weight",
}


def published(model, folder, seed: int = 0):
    """Random weights as transformers publishes them; the model it reads back from that file."""
    made = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(torch.randn(value.shape, generator=made) * 0.3)
    model.save_pretrained(folder)
    return type(model).from_pretrained(folder).eval()


@pytest.fixture
def dinov2(timm, weights):
    from transformers import Dinov2Config, Dinov2Model

    return published(Dinov2Model(Dinov2Config(**SHAPE, mlp_ratio=4)), weights / "tiny")


@pytest.fixture
def vit(timm, weights):
    from transformers import ViTConfig, ViTModel

    return published(ViTModel(ViTConfig(**SHAPE, intermediate_size=4 * WIDTH)), weights / "tiny")


def features_of(model, spec, patches) -> np.ndarray:
    """Class tokens as the model cards compute them."""
    mean, std = (np.array(values, np.float32) for values in (spec.timm.mean, spec.timm.std))
    pixels = torch.from_numpy(((patches.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2))
    with torch.inference_mode():
        return model(pixel_values=pixels).last_hidden_state[:, 0].numpy()


@pytest.fixture
def patches(rng):
    return rng.integers(0, 256, (5, SIDE, SIDE, 3)).astype(np.uint8)


def test_phikon_v2_gives_the_features_that_transformers_gives(dinov2, weights, patches) -> None:
    spec = tiny(names="transformers")
    assert set(load_file(weights / "tiny" / "model.safetensors")) > PHIKON_V2_NAMES
    wanted = features_of(dinov2, spec, patches)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(TimmVit(spec).encode(patches), wanted, atol=1e-4)


def test_phikon_gives_the_features_that_transformers_gives(vit, weights, patches) -> None:
    spec = tiny(names="transformers", options=SIZES)
    assert set(load_file(weights / "tiny" / "model.safetensors")) > PHIKON_NAMES
    wanted = features_of(vit, spec, patches)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(TimmVit(spec).encode(patches), wanted, atol=1e-4)


def test_a_lost_key_matrix_is_named_and_not_made_up(dinov2, weights) -> None:
    path = weights / "tiny" / "model.safetensors"
    state = load_file(path)
    del state["encoder.layer.0.attention.attention.key.weight"]
    save_file(state, path)
    with pytest.raises(
        DataError, match=r"1 missing \(blocks\.0\.attn\.qkv\.weight\), 2 unexpected \(blocks\.0\.attention"
    ):
        TimmVit(tiny(names="transformers"))


def test_query_key_and_value_lie_over_one_another_in_this_order() -> None:
    name = "encoder.layer.3.attention.attention.{}.bias"
    state = {name.format(part): torch.full((2,), value) for part, value in (("value", 3), ("query", 1), ("key", 2))}
    assert {key: value.tolist() for key, value in transformers_to_timm(state).items()} == {
        "blocks.3.attn.qkv.bias": [1, 1, 2, 2, 3, 3]
    }


def test_the_mask_token_and_the_pooler_are_left_out_and_strange_names_stay() -> None:
    state = {name: torch.zeros(1) for name in ("embeddings.mask_token", "pooler.dense.bias", "classifier.bias")}
    assert set(transformers_to_timm(state)) == {"classifier.bias"}
