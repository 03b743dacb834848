"""Vision transformers small enough for a test, specified and built as the published ones are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from gr2st.encoder_specs import SAFETENSORS, EncoderSpec, TimmFacts
from gr2st.encoders.timm_vit import build_vit

SIDE = 32
WIDTH = 16
SIZES = {"img_size": SIDE, "patch_size": 8, "embed_dim": WIDTH, "depth": 2, "num_heads": 2}
FACTS = TimmFacts(
    hub="nobody/tiny", files=(SAFETENSORS,), architecture="vit_tiny_patch16_224", options={**SIZES, "init_values": 1e-5}
)
TINY = EncoderSpec(
    name="tiny",
    title="A transformer for tests",
    factory="gr2st.encoders.timm_vit:TimmVit",
    width=WIDTH,
    input_px=SIDE,
    um_per_px=1.0,
    licence="none",
    gated=True,
    version="1",
    timm=FACTS,
)


def tiny(**facts: object) -> EncoderSpec:
    """The tiny encoder with other facts."""
    return replace(TINY, timm=replace(FACTS, **facts))


def random_state(spec: EncoderSpec, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random parameters, large enough that every one of them shows in the features."""
    made = torch.Generator().manual_seed(seed)
    assert spec.timm is not None
    wanted = build_vit(spec.timm).state_dict()
    return {name: torch.randn(value.shape, generator=made) * 0.3 for name, value in wanted.items()}


def write_weights(spec: EncoderSpec, folder: Path, seed: int = 0) -> Path:
    """Random weights where `GR2ST_WEIGHTS=folder` finds them."""
    path = folder / spec.name / SAFETENSORS
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(random_state(spec, seed), path)
    return path
