"""The closed-form branch of our GR2ST: kernel regression from a patch and its surroundings onto the main programmes.

Counts of one gene in one spot are mostly noise, but genes vary together: the branch predicts the leading principal
components of the training expression, and each gene follows its components. The kernel compares patches together with
the mean of their surroundings. Solved in float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gr2st.errors import DataError
from gr2st.models.memory import PerSection
from gr2st.models.picture import width_seen, with_surroundings
from gr2st.models.programmes import Programmes

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig
    from gr2st.models.base import Batch

JITTER = 1e-9
"""Added to the diagonal, relative to its mean, where training spots are fewer than they are many."""


class KernelBranch(nn.Module):
    """Reduced-rank kernel ridge regression.

    Minimises ``|Z - K w|^2 + penalty * w' K w`` for the scores Z of the training spots on the leading `kernel_rank`
    components, with the exponential kernel ``K = exp(-gamma * d / median d)``. With a small gamma it has no scale of
    its own: far from all training spots, as on another patient's slide, it does not forget them as a Gaussian does.
    Beyond `kernel_landmarks` training spots, as many of them, evenly spaced in their order, span the kernel (subset of
    regressors, Rasmussen and Williams 2006, 8.3.1). Sizes are fixed, so that a stored branch loads into a fresh one;
    rows beyond `used` are empty.

    Parameters
    ----------
    config : Gr2stConfig
        Its ``kernel_...`` settings and ``context_radius``.
    n_genes, n_features : int
    """

    landmarks: Tensor
    weight: Tensor
    bandwidth: Tensor
    used: Tensor

    def __init__(self, config: Gr2stConfig, *, n_genes: int, n_features: int) -> None:
        super().__init__()
        self.config = config
        rank = min(config.kernel_rank, n_genes)
        width = width_seen(n_features, config.context_radius)
        self.register_buffer("landmarks", torch.zeros(config.kernel_landmarks, width))
        self.register_buffer("weight", torch.zeros(config.kernel_landmarks, rank))
        self.programmes = Programmes(rank, n_genes)
        self.register_buffer("bandwidth", torch.zeros(()))
        self.register_buffer("used", torch.zeros((), dtype=torch.int64))
        self._collected: list[tuple[Tensor, Tensor]] = []
        self._predicted: PerSection[Tensor] = PerSection()
        self._described: PerSection[Tensor] | None = None

    def keep_with(self, other: KernelBranch) -> None:
        """Describe every training section once for all branches that keep with each other."""
        other._described = other._described or PerSection()
        self._described = other._described

    @torch.no_grad()
    def remember(self, batch: Batch, expression: Tensor) -> None:
        """Keep a training section, features and expression (n, genes) on common scales, until `conclude`."""
        self._collected.append((self._description(batch), expression))

    def _description(self, batch: Batch) -> Tensor:
        if self._described is None:
            return with_surroundings(batch, self.config.context_radius)
        sources = (batch.features, batch.position)
        return self._described.of(batch.section, sources, lambda: with_surroundings(batch, self.config.context_radius))

    @torch.no_grad()
    def conclude(self) -> None:
        """Solve for the weights from all sections remembered."""
        if not self._collected:
            raise DataError("GR2ST has nothing to learn from: it must remember its training sections first.")
        described = torch.cat([pair[0] for pair in self._collected])
        scores = self.programmes.learn(torch.cat([pair[1] for pair in self._collected]))
        self._collected.clear()
        self._span(described)
        weight = self._solve(self._kernel(described), scores)
        self.weight[: len(weight)] = weight

    @torch.no_grad()
    def predict(self, batch: Batch) -> Tensor:
        """Expression (n, genes) of the spots asked for, on the scale of what was remembered."""
        if not self.used:
            raise DataError("GR2ST has not been fitted: remember the training sections, then conclude.")
        # A section that is watched is asked about many times in one training, and this branch learns but once.
        sources = (batch.features, batch.position, batch.asked, self.landmarks, self.weight)
        return self._predicted.of(batch.section, sources, lambda: self._predict(batch))

    def _predict(self, batch: Batch) -> Tensor:
        kernel = self._kernel(with_surroundings(batch, self.config.context_radius, asked=batch.asked))
        return self.programmes.restored(kernel @ self.weight[: int(self.used)].double())

    def _span(self, described: Tensor) -> None:
        """Choose the landmarks, and the median squared distance between them as bandwidth."""
        used = min(len(described), len(self.landmarks))
        chosen = described[torch.linspace(0, len(described) - 1, used, device=described.device).round().long()]
        self.landmarks.zero_()
        self.landmarks[:used] = chosen
        self.used.fill_(used)
        square = _squared_distances(chosen.double(), chosen.double())
        self.bandwidth.copy_(square.median().clamp(min=1e-12))

    def _kernel(self, described: Tensor) -> Tensor:
        """(n, used) float64."""
        square = _squared_distances(described.double(), self.landmarks[: int(self.used)].double())
        return torch.exp(-self.config.kernel_gamma * (square / self.bandwidth.double()).sqrt_())

    def _solve(self, kernel: Tensor, scores: Tensor) -> Tensor:
        """Weights (used, rank) of the landmarks."""
        penalty = self.config.kernel_penalty
        if len(kernel) == int(self.used):
            kernel.diagonal().add_(penalty)
            return torch.cholesky_solve(scores, torch.linalg.cholesky(kernel))
        among = self._kernel(self.landmarks[: int(self.used)])
        gram = kernel.T @ kernel + penalty * among
        gram.diagonal().add_(JITTER * gram.diagonal().mean())
        return torch.cholesky_solve(kernel.T @ scores, torch.linalg.cholesky(gram))


def _squared_distances(one: Tensor, other: Tensor) -> Tensor:
    square: Tensor = one.square().sum(dim=1)[:, None] + other.square().sum(dim=1) - 2 * one @ other.T
    return square.clamp_(min=0)
