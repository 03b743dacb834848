"""What both forms of attention, over a matrix and over lists of edges, do with their weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gr2st.models.dropout import keep_mask

SLOPE = 0.2
TINY = 1e-9
"""Inside the logarithm of the entropy, as published."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Softmax weights of some targets, and what follows from them.

    ``thin`` is thinned by dropout, not yet scaled; ``raised`` is 1 + log(w + tiny) of the scaled ones, where entropy is
    asked for.
    """

    soft: Tensor
    thin: Tensor
    raised: Tensor | None

    @property
    def size(self) -> int:
        """Numbers held, of weights that were thinned."""
        return self.soft.numel() * (2 if self.raised is None else 3)


@dataclass(frozen=True)
class Plan:
    """How weights are made: the share dropped, whether entropy is asked for, and how many numbers may be kept."""

    dropout: float
    with_entropy: bool
    kept: int
    seed: int = 0

    def seeded(self) -> Plan:
        """The same with a new lot, from which weights that were not kept are drawn again."""
        return replace(self, seed=int(torch.randint(2**62, ()))) if self.dropout else self

    @property
    def scale(self) -> float:
        """What the weights that dropout leaves are scaled up by."""
        return 1 / (1 - self.dropout)

    def weights(self, soft: Tensor, number: int) -> Weights:
        """Thinned by the lots of the part of that number."""
        thin = soft
        if self.dropout:
            generator = torch.Generator(soft.device).manual_seed(self.seed + number)
            thin = keep_mask(soft, self.dropout, generator=generator, scaled=False).mul_(soft)
        return Weights(soft, thin, raised_logs(thin, self.scale) if self.with_entropy else None)


def raised_logs(thin: Tensor, scale: float) -> Tensor:
    """1 + log(w + tiny) of the scaled weights w, in two passes."""
    return torch.add(thin.new_tensor(math.e * TINY), thin, alpha=math.e * scale).log_()


def sum_of_logs(thin: Tensor, raised: Tensor, scale: float) -> Tensor:
    """Sum of w log(w + tiny) over the scaled weights w."""
    return scale * (torch.dot(thin.view(-1), raised.view(-1)) - thin.sum())


def placed(whole: Tensor | None, gathered: Tensor, target: slice, n: int) -> Tensor:
    """What some targets gathered, (heads, t, width), in its place among all `n`; what all gathered is the whole."""
    if gathered.shape[1] == n:
        return gathered
    if whole is None:
        whole = gathered.new_empty(len(gathered), n, gathered.shape[2])
    whole[:, target] = gathered
    return whole
