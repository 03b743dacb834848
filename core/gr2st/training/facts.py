"""What a model knows of its training spots beside what it learned: where they lie, how they look, how genes vary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from gr2st.training.batches import to_batch

if TYPE_CHECKING:
    from torch import Tensor

    from gr2st.models.base import SpotModel
    from gr2st.types import Float64, Int64, Prepared

NEAREST = 10
"""Training spots whose mean distance says how far a picture is."""

MOST = 4096
"""Training spots whose features are kept."""

BEYOND = 0.99
"""Share of the training spots that are not outside."""

SPACES = ("spot", "gene")

CHUNK = 512
"""Spots compared with all kept ones at once."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where the training spots lie, in the order of the bank.

    ``name`` (m,) and ``patient`` (m,), "" where it is not known; ``xy`` (m, 2) float64, level-0 pixels of the picture
    of the spot's section.
    """

    name: tuple[str, ...]
    patient: tuple[str, ...]
    xy: Float64

    @classmethod
    def of(cls, sections: Sequence[Prepared]) -> Places:
        """Of all spots of the training sections, section after section."""
        return cls(
            name=tuple(spot for section in sections for spot in section.spots),
            patient=tuple(section.patient or "" for section in sections for _ in section.spots),
            xy=np.concatenate([section.pixel for section in sections]),
        )


@dataclass(frozen=True, eq=False)
class Pictures:
    """Features of some training spots as the model sees them, and how far these spots lie from each other.

    Attributes
    ----------
    features : (m, width)
    usual : float
        Median over these spots of the mean distance to the nearest others.
    beyond : float
        What 99 of 100 of them do not exceed, in units of ``usual``.
    """

    features: Tensor
    usual: float
    beyond: float

    @classmethod
    def of(cls, features: Tensor) -> Pictures:
        """Of these features (m, width), at least two spots."""
        own = _mean_distance(features, features, is_itself=True)
        usual = float(own.median()) or 1.0
        return cls(features.cpu(), usual, float(torch.quantile(own, BEYOND)) / usual)

    def distance(self, features: Tensor) -> Tensor:
        """Mean distance of each spot (n, width) to the `NEAREST` of these, in units of ``usual``: (n,)."""
        return _mean_distance(features, self.features.to(features.device), is_itself=False) / self.usual


@dataclass(frozen=True, eq=False)
class Facts:
    """What is stored of the training spots.

    Attributes
    ----------
    spread : mapping
        Space ("spot", "gene") to the standard deviation of each gene within a training section, mean over these.
    pictures : Pictures or None
        None where the model does not look at pictures, or there is but one training spot.
    """

    spread: Mapping[str, Tensor]
    pictures: Pictures | None

    @classmethod
    def of(cls, module: SpotModel, sections: Sequence[Prepared], device: torch.device) -> Facts:
        """Of a trained module, in eval mode, and the sections that it learned from."""
        spread = {space: _spread(sections, f"{space}_expression") for space in SPACES}
        features = list(_seen_features(module, sections, device))
        pooled = torch.cat(features) if features else None
        return cls(
            spread={space: values for space, values in spread.items() if values is not None},
            pictures=None if pooled is None or len(pooled) < 2 else Pictures.of(pooled),
        )


def tensors_of(facts: Facts) -> dict[str, Tensor]:
    """Facts as tensors by name, for a file."""
    tensors = {f"spread_{space}": values for space, values in facts.spread.items()}
    if facts.pictures is not None:
        tensors["features"] = facts.pictures.features
        tensors["distances"] = torch.tensor([facts.pictures.usual, facts.pictures.beyond], dtype=torch.float64)
    return tensors


def facts_from(tensors: Mapping[str, Tensor]) -> Facts:
    """Facts as `tensors_of` tells them."""
    spread = {space: tensors[name] for space in SPACES for name in [f"spread_{space}"] if name in tensors}
    if "features" not in tensors:
        return Facts(spread, None)
    usual, beyond = tensors["distances"].tolist()
    return Facts(spread, Pictures(tensors["features"], usual, beyond))


@torch.no_grad()
def _seen_features(module: SpotModel, sections: Sequence[Prepared], device: torch.device) -> Iterator[Tensor]:
    """Features of the kept spots of each section, as the module sees them; nothing where it does not look."""
    kept = _kept_rows([len(section.spots) for section in sections])
    for section, rows in zip(sections, kept, strict=True):
        seen = module.looks_at(to_batch(section.blind(), module.needs - {"depth"}, device))
        if seen is None:
            return
        yield seen[torch.from_numpy(rows).to(device)]


def _kept_rows(sizes: Sequence[int]) -> list[Int64]:
    """Rows of each section whose features are kept: all, or `MOST` of all sections drawn with a fixed seed."""
    total = sum(sizes)
    lot = np.random.default_rng(0)
    chosen = np.arange(total) if total <= MOST else np.sort(lot.choice(total, MOST, replace=False))
    ends = np.cumsum(sizes)
    return [
        chosen[(chosen >= end - size) & (chosen < end)] - (end - size) for size, end in zip(sizes, ends, strict=True)
    ]


def _spread(sections: Sequence[Prepared], field: str) -> Tensor | None:
    values = [getattr(section, field) for section in sections]
    if any(value is None for value in values):
        return None
    return torch.from_numpy(np.mean([np.std(value, axis=0, dtype=np.float64) for value in values], axis=0)).float()


def _mean_distance(features: Tensor, others: Tensor, *, is_itself: bool) -> Tensor:
    """Mean Euclidean distance (n,) to the `NEAREST` others; of a set and itself each spot is left out of its own."""
    found = []
    for start in range(0, len(features), CHUNK):
        apart = torch.cdist(features[start : start + CHUNK], others)
        if is_itself:
            apart.diagonal(start).fill_(torch.inf)
        k = min(NEAREST, len(others) - is_itself)
        found.append(apart.topk(k, dim=1, largest=False).values.mean(dim=1))
    return torch.cat(found)
