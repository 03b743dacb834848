"""The plain twin of `gr2st.models.attention`: one dense masked matrix, in operations that `vmap` can batch.

Nothing is read back from the device, the number of edges included: a GPU never has to be waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.models.attention import Part
from gr2st.models.attention_weights import SLOPE, TINY
from gr2st.models.dropout import dropped


@dataclass(frozen=True, eq=False)
class PlainGraph:
    """A graph as one part with all targets and all sources; ``n_edges`` a scalar tensor, self-loops included.

    ``bias`` (t, d) is added to the logits of all heads: -inf where there is no edge.
    """

    n_edges: Tensor
    part: Part
    bias: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> PlainGraph:
        """The graph of a mask (source, target), dense or sparse, every spot joined to itself."""
        dense = mask.to_dense() if mask.is_sparse else mask
        inward = dense.T | torch.eye(len(dense), dtype=torch.bool, device=mask.device)
        return cls(inward.sum(), Part(slice(None), None, inward), torch.where(inward, 0.0, -torch.inf))

    def with_added(self, added: Callable[[Part], Tensor]) -> PlainGraph:
        """The same edges, each adding to its logits what `added` says."""
        bias = added(self.part)[:, 0].masked_fill(~self.part.is_edge, -torch.inf)
        return PlainGraph(self.n_edges, self.part, bias)

    def attend(
        self, state: Tensor, source: Tensor, target: Tensor, *, dropout: float, with_entropy: bool
    ) -> tuple[Tensor, Tensor]:
        """As `gr2st.models.attention.attend`; inside, heads come first, as what follows takes them."""
        logits = F.leaky_relu(target.T[:, :, None] + source.T[:, None], SLOPE) + self.bias
        weight = logits.softmax(dim=-1)
        thin = dropped(weight, dropout) if dropout else weight
        gathered = (thin.flatten(0, 1) @ state).view(*thin.shape[:2], -1).transpose(0, 1)
        if not with_entropy:
            return gathered, state.new_zeros(())
        total: Tensor = _SumOfLogs.apply(thin, (thin.detach() + TINY).log_())  # type: ignore[no-untyped-call]
        return gathered, -total / self.n_edges


class _SumOfLogs(torch.autograd.Function):
    """Sum of w log(w + tiny) from both factors, differentiated as 1 + log(w + tiny): what is left out is below tiny."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, log: Tensor) -> Tensor:
        return (weight * log).sum()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (log,) = ctx.saved_tensors
        return (log + 1) * grad, None
