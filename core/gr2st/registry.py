"""Registries: names to facts, readable without importing torch or any model."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from gr2st.config import ConstantConfig, Gr2stConfig, NeighboursConfig, RidgeConfig, Settings, TrainConfig
from gr2st.dataset_specs import HER2ST, DatasetSpec
from gr2st.encoder_specs import HANDCRAFTED, PATHOLOGY_ENCODERS, EncoderSpec
from gr2st.errors import UnknownName

__all__ = ["DATASETS", "ENCODERS", "MODELS", "DatasetSpec", "EncoderSpec", "ModelSpec", "Registry", "load"]

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping whose missing names raise UnknownName with the nearest known one."""

    def __init__(self, kind: str, entries: Mapping[str, T]) -> None:
        self._kind = kind
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> T:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName.of(self._kind, name, self._entries) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def load(factory: str) -> Any:
    """Import ``"package.module:attribute"`` and return the attribute."""
    module, _, attribute = factory.partition(":")
    return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Facts about a model: what builds it, its settings, how it is trained, what it may see.

    ``is_reference`` marks the honest rows every evaluation shows; ``is_oracle`` a row that reads the test section;
    ``is_published`` one whose weights its authors' code can have trained.
    """

    name: str
    title: str
    factory: str
    config: Settings
    training: TrainConfig
    is_reference: bool = False
    is_oracle: bool = False
    is_published: bool = False


ENCODERS: Registry[EncoderSpec] = Registry("encoder", {spec.name: spec for spec in (HANDCRAFTED, *PATHOLOGY_ENCODERS)})

DATASETS: Registry[DatasetSpec] = Registry("data set", {HER2ST.name: HER2ST})

V1 = Gr2stConfig(functional="top-k", spatial="nearest", experts=0, blend=1.0, retrieval_epsilon=0.0)
V2 = Gr2stConfig()
OURS = Gr2stConfig(
    temperature=16.0,
    type_share=0.0,
    functional_spread=1.0,
    score_bias=1.0,
    input_space="gene",
    gate_weight=0.1,
    gate_sees="surroundings",
    gate_target="shares",
    retrieval_k=60,
    blend=0.5,
    programmes=25,
    feature_scale="section",
    expression_scale="section",
    kernel_share=0.6,
)
"""What differs from the published settings, and why, stands in docs/method.md."""
CLOSED_FORM = TrainConfig(epochs=0)

MODELS: Registry[ModelSpec] = Registry(
    "model",
    {
        spec.name: spec
        for spec in (
            ModelSpec(
                name="gr2st",
                title="GR2ST, this project's preset",
                factory="gr2st.models.gr2st:Gr2st",
                config=OURS,
                training=TrainConfig(epochs=50, inner_folds=2),
            ),
            ModelSpec(
                name="gr2st-v2",
                title="GR2ST as published in 2026",
                factory="gr2st.models.gr2st:Gr2st",
                config=V2,
                training=TrainConfig(epochs=200, drop_epoch=150),
                is_published=True,
            ),
            ModelSpec(
                name="gr2st-v1",
                title="GR2ST as published in 2025",
                factory="gr2st.models.gr2st:Gr2st",
                config=V1,
                training=TrainConfig(epochs=100, reset_each_epoch=True),
                is_published=True,
            ),
            ModelSpec(
                name="ridge",
                title="Ridge regression on patch features",
                factory="gr2st.models.reference:Ridge",
                config=RidgeConfig(),
                training=CLOSED_FORM,
                is_reference=True,
            ),
            ModelSpec(
                name="knn",
                title="Nearest training patches",
                factory="gr2st.models.reference:NearestPatches",
                config=NeighboursConfig(),
                training=CLOSED_FORM,
                is_reference=True,
            ),
            ModelSpec(
                name="mean",
                title="Training mean of each gene",
                factory="gr2st.models.reference:TrainingMean",
                config=ConstantConfig(),
                training=CLOSED_FORM,
                is_reference=True,
            ),
            ModelSpec(
                name="depth-oracle",
                title="Depth oracle: reads the depth of the test spot",
                factory="gr2st.models.reference:DepthOracle",
                config=ConstantConfig(),
                training=CLOSED_FORM,
                is_reference=True,
                is_oracle=True,
            ),
        )
    },
)
