"""Common scales: features and expression standardised within their section, and the way back to expression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig
    from gr2st.models.base import Batch

CLIP = 4.0
"""Standardised features beyond this many standard deviations are cut: a fold or a pen mark must not steer a section."""


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """Mean and standard deviation (columns,) of the spots of a section."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Moments:
        """Those of all rows of (n, columns)."""
        return cls(values.mean(dim=0), values.std(dim=0, correction=0))


def standardised(values: Tensor, moments: Moments | None = None) -> Tensor:
    """Columns of (n, columns) with mean 0 and standard deviation 1 over the section; constant columns become 0.

    `moments` are those of the section where the rows are a part of it.
    """
    found = moments or Moments.of(values)
    mean, spread = found.mean.to(values), found.spread.to(values)
    return (values - mean) / torch.where(spread > 1e-6, spread, torch.ones_like(spread))


def on_common_scale(batch: Batch, config: Gr2stConfig) -> Batch:
    """The batch with features and expression on the scales the settings name; fields that are absent stay absent."""
    changes: dict[str, Any] = {}
    if config.feature_scale == "section" and batch.features is not None:
        moments = None if batch.scale is None else batch.scale.features
        changes["features"] = standardised(batch.features, moments).clamp(-CLIP, CLIP)
    if config.expression_scale == "section":
        for name in ("spot_expression", "gene_expression"):
            expression = getattr(batch, name)
            if expression is not None:
                changes[name] = standardised(expression)
    return replace(batch, **changes) if changes else batch


def notes_on_scale(batch: Batch, config: Gr2stConfig) -> tuple[str, ...]:
    """What features standardised over one or two spots still say; they are 0 for one spot and 1 or -1 for two."""
    n_spots = _standardised_over(batch, config)
    if n_spots == 1:
        return (
            f"Section {batch.section} has 1 spot: features are standardised over the spots of a section, so its "
            "picture has no say. The prediction is the same for any picture, near the mean of the training sections.",
        )
    if n_spots == 2:
        return (
            f"Section {batch.section} has 2 spots: features are standardised over the spots of a section, so the "
            "prediction knows which spot has more of a feature, not how much more.",
        )
    return ()


def _standardised_over(batch: Batch, config: Gr2stConfig) -> int:
    """Over how many spots features are standardised; 0: they are not."""
    if batch.features is None or config.feature_scale != "section":
        return 0
    return len(batch.features) if batch.scale is None else batch.scale.n_spots


class GeneScale(nn.Module):
    """Mean and spread of every gene over the training sections: from standardised values back to expression."""

    mean: Tensor
    spread: Tensor
    sections: Tensor

    def __init__(self, n_genes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_genes))
        self.register_buffer("spread", torch.zeros(n_genes))
        self.register_buffer("sections", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def remember(self, expression: Tensor) -> None:
        """Take in the expression (n, genes) of one more training section; every section counts alike."""
        self.sections += 1
        self.mean += (expression.mean(dim=0) - self.mean) / self.sections
        self.spread += (expression.std(dim=0, correction=0) - self.spread) / self.sections

    def restore(self, values: Tensor) -> Tensor:
        """Standardised values (n, genes) on the scale of the expression that was remembered."""
        return values * self.spread + self.mean
