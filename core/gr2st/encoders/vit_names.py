"""Parameter names of vision transformers: those of the transformers library put into timm's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

State = dict[str, Tensor]

_RENAMED = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^layernorm\.", "norm."),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
)
_UNUSED = re.compile(r"^(embeddings\.mask_token$|pooler\.)")
_PART = re.compile(r"\.attention\.attention\.(query|key|value)\.")


def transformers_to_timm(state: Mapping[str, Tensor]) -> State:
    """Parameters of a ViTModel or Dinov2Model, as published, under timm's names.

    Query, key and value are laid over one another into timm's one matrix. The mask token and the pooler, which have no
    part in the tokens, are left out; names of no known form stay, for strict loading to find.
    """
    renamed = {_renamed(name): value for name, value in state.items() if not _UNUSED.match(name)}
    parts = {name: value for name, value in renamed.items() if _PART.search(name)}
    whole = {name: value for name, value in renamed.items() if name not in parts}
    queries = [name for name in parts if ".query." in name]
    joined = {_PART.sub(".attn.qkv.", name): _joined(name, parts) for name in queries if _is_complete(name, parts)}
    left = {name: value for name, value in parts.items() if _PART.sub(".attn.qkv.", name) not in joined}
    return whole | joined | left


def _renamed(name: str) -> str:
    for pattern, timm_name in _RENAMED:
        name = re.sub(pattern, timm_name, name)
    return name


def _three(query: str) -> list[str]:
    return [query.replace(".query.", f".{part}.") for part in ("query", "key", "value")]


def _is_complete(query: str, parts: Mapping[str, Tensor]) -> bool:
    return all(name in parts for name in _three(query))


def _joined(query: str, parts: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([parts[name] for name in _three(query)])


TO_TIMM: dict[str, Callable[[Mapping[str, Tensor]], State]] = {
    "timm": dict,
    "transformers": transformers_to_timm,
}
