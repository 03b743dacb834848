"""Reference rows every evaluation shows beside GR2ST: simple, honest, solved in closed form.

All state lies in buffers whose sizes are known when the model is built, and in the bank, so that a stored model loads
into a fresh one. What is collected between `remember` and `conclude` is dropped once the answer is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from gr2st.errors import DataError
from gr2st.models.base import Answer, Bank, Batch, SpotModel
from gr2st.models.fields import expression_field, required
from gr2st.models.retrieval import Retrieved, appended, filled, similarities

if TYPE_CHECKING:
    from gr2st.config import ConstantConfig, NeighboursConfig, RidgeConfig

CHUNK = 512
"""Spots compared with the whole bank at once."""


class Ridge(SpotModel):
    """Linear regression with a penalty on the weights, from features standardised over the training spots.

    Solved in float64: minimises |Y - X W|^2 + penalty * n |W|^2 over the n training spots, X standardised, Y centred,
    in the smaller of the two equivalent systems (features x features or spots x spots).
    """

    needs = frozenset({"features"})
    centre: Tensor
    scale: Tensor
    weight: Tensor
    intercept: Tensor
    solved: Tensor

    def __init__(self, config: RidgeConfig, *, n_genes: int, n_features: int, grid_size: int) -> None:
        super().__init__()
        self.config = config
        self.learns_from = frozenset({expression_field(config.target)})
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self.register_buffer("weight", torch.zeros(n_features, n_genes))
        self.register_buffer("intercept", torch.zeros(n_genes))
        self.register_buffer("solved", torch.tensor(False))
        self._collected: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def remember(self, batch: Batch) -> None:
        """Keep the features and expression of a training section until `conclude`."""
        features, expression = required(batch, "features", expression_field(self.config.target))
        self._collected.append((features, expression))

    @torch.no_grad()
    def conclude(self) -> None:
        """Solve for the weights from all sections remembered."""
        _check_remembered(self._collected, "Ridge")
        features = torch.cat([pair[0] for pair in self._collected]).double()
        target = torch.cat([pair[1] for pair in self._collected]).double()
        centre, scale = _standard(features)
        intercept = target.mean(dim=0)
        penalty = self.config.penalty * len(features)
        self.weight.copy_(_ridge_weight((features - centre) / scale, target - intercept, penalty))
        self.centre.copy_(centre)
        self.scale.copy_(scale)
        self.intercept.copy_(intercept)
        self.solved.fill_(True)
        self._collected.clear()

    @torch.no_grad()
    def predict(self, batch: Batch) -> Answer:
        """Expression in the target space, linear in the features."""
        _check_solved(self.solved, "Ridge")
        return Answer(torch.addmm(self.intercept, self.looks_at(batch), self.weight), self.config.target)

    def looks_at(self, batch: Batch) -> Tensor:
        """Features standardised over the training spots."""
        (features,) = required(batch, "features")
        return (features - self.centre) / self.scale


class NearestPatches(SpotModel):
    """Plain mean of the `k` training spots whose standardised patch features are nearest by Euclidean distance.

    A bank with fewer than `k` spots gives all of them.
    """

    needs = frozenset({"features"})
    centre: Tensor
    scale: Tensor

    def __init__(self, config: NeighboursConfig, *, n_genes: int, n_features: int, grid_size: int) -> None:
        super().__init__()
        self.config = config
        self.learns_from = frozenset({expression_field(config.target)})
        self.register_buffer("centre", torch.zeros(n_features))
        self.register_buffer("scale", torch.ones(n_features))
        self._collected: Bank | None = None

    @torch.no_grad()
    def remember(self, batch: Batch) -> None:
        """Collect the spots of a training section."""
        features, expression = required(batch, "features", expression_field(self.config.target))
        self._collected = appended(self._collected, batch, features, expression)

    @torch.no_grad()
    def conclude(self) -> None:
        """Standardise what was collected and make it the bank."""
        raw = filled(self._collected, "The nearest-patches model")
        centre, scale = _standard(raw.key.double())
        self.centre.copy_(centre)
        self.scale.copy_(scale)
        self.bank = Bank(self._standardised(raw.key), raw.value, raw.section, raw.spot)
        self._collected = None

    @torch.no_grad()
    def predict(self, batch: Batch) -> Answer:
        """Mean expression of the nearest training spots, in the target space."""
        bank = filled(self.bank, "The nearest-patches model")
        k = min(self.config.k, len(bank.key))
        query = self.looks_at(batch)
        nearest = [torch.cdist(part, bank.key).topk(k, largest=False) for part in torch.split(query, CHUNK)]
        distance, row = (torch.cat(parts) for parts in zip(*nearest, strict=True))
        expression = torch.stack([bank.value[rows].mean(dim=0) for rows in row])
        weight = torch.full_like(query[:, :1], 1 / k).expand(-1, k)
        found = Retrieved(expression, row, weight, similarities(query, bank.key, row), distance)
        return Answer(
            expression,
            self.config.target,
            reference=row,
            reference_weight=weight,
            reference_distance=distance,
            reference_similarity=found.similarity,
            spread=found.spread(bank),
            shares={"retrieval": 1.0, "regression": 0.0, "kernel": 0.0},
        )

    def looks_at(self, batch: Batch) -> Tensor:
        """Features standardised over the training spots."""
        (features,) = required(batch, "features")
        return self._standardised(features)

    def _standardised(self, features: Tensor) -> Tensor:
        return (features - self.centre) / self.scale


class TrainingMean(SpotModel):
    """The mean of each gene over all training spots, the same for every spot."""

    needs = frozenset({"features"})
    mean: Tensor
    solved: Tensor

    def __init__(self, config: ConstantConfig, *, n_genes: int, n_features: int, grid_size: int) -> None:
        super().__init__()
        self.config = config
        self.learns_from = frozenset({expression_field(config.target)})
        self.register_buffer("mean", torch.zeros(n_genes))
        self.register_buffer("solved", torch.tensor(False))
        self._collected: list[tuple[Tensor, int]] = []

    @torch.no_grad()
    def remember(self, batch: Batch) -> None:
        """Add the spots of a training section to the sums."""
        (expression,) = required(batch, expression_field(self.config.target))
        self._collected.append((expression.double().sum(dim=0), len(expression)))

    @torch.no_grad()
    def conclude(self) -> None:
        """Divide the sums by the number of spots."""
        _check_remembered(self._collected, "The training mean")
        total = torch.stack([pair[0] for pair in self._collected]).sum(dim=0)
        self.mean.copy_(total / sum(pair[1] for pair in self._collected))
        self.solved.fill_(True)
        self._collected.clear()

    @torch.no_grad()
    def predict(self, batch: Batch) -> Answer:
        """The same row for every spot; the features are only counted."""
        (features,) = required(batch, "features")
        _check_solved(self.solved, "The training mean")
        return Answer(self.mean.repeat(len(features), 1), self.config.target)


class DepthOracle(SpotModel):
    """log10(1 + depth of the spot) for every gene: reads the test section, learns nothing.

    Its correlation says how much of a score can be had from sequencing depth alone. The values are on no expression
    scale: the answer's space is "mixed".
    """

    needs = frozenset({"depth"})

    def __init__(self, config: ConstantConfig, *, n_genes: int, n_features: int, grid_size: int) -> None:
        super().__init__()
        self.n_genes = n_genes

    @torch.no_grad()
    def predict(self, batch: Batch) -> Answer:
        """The logarithm of the depth, once per gene."""
        (depth,) = required(batch, "depth")
        return Answer(torch.log10(1 + depth)[:, None].repeat(1, self.n_genes), "mixed")


def _standard(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each feature; 1 where a feature never varies, so that it has no say."""
    centre = features.mean(dim=0)
    spread = features.std(dim=0, correction=0)
    varies = spread > 1e-9 * features.abs().amax(dim=0)
    return centre, torch.where(varies, spread, 1.0)


def _ridge_weight(features: Tensor, target: Tensor, penalty: float) -> Tensor:
    """Weights (features, genes) of standardised features and centred targets."""
    n, width = features.shape
    if width <= n:
        gram = features.T @ features
        gram.diagonal().add_(penalty)
        return torch.cholesky_solve(features.T @ target, torch.linalg.cholesky(gram))
    gram = features @ features.T
    gram.diagonal().add_(penalty)
    return features.T @ torch.cholesky_solve(target, torch.linalg.cholesky(gram))


def _check_remembered(collected: list[tuple[Tensor, Tensor]] | list[tuple[Tensor, int]], model: str) -> None:
    if not collected:
        raise DataError(f"{model} has nothing to learn from: it must remember its training sections first.")


def _check_solved(solved: Tensor, model: str) -> None:
    if not solved:
        raise DataError(f"{model} has not been fitted: remember the training sections, then conclude.")
