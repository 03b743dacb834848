"""The plain twin of `gr2st.models.attention`: one dense masked matrix, in operations that `vmap` can batch.

Nothing is read back from the device, the number of edges included: a GPU never has to be waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.models.attention import Part
from gr2st.models.attention_weights import SLOPE, TINY


@dataclass(frozen=True, eq=False)
class PlainGraph:
    """A graph as one part with all targets and all sources; ``n_edges`` a scalar tensor, self-loops included."""

    n_edges: Tensor
    part: Part

    @classmethod
    def of(cls, mask: Tensor) -> PlainGraph:
        """The graph of a mask (source, target), dense or sparse, every spot joined to itself."""
        dense = mask.to_dense() if mask.is_sparse else mask
        inward = dense.T | torch.eye(len(dense), dtype=torch.bool, device=mask.device)
        return cls(inward.sum(), Part(slice(None), None, inward))

    def with_added(self, added: Callable[[Part], Tensor]) -> PlainGraph:
        """The same edges, each adding to its logits what `added` says."""
        return PlainGraph(self.n_edges, replace(self.part, added=added(self.part)))

    def attend(
        self, state: Tensor, source: Tensor, target: Tensor, *, dropout: float, with_entropy: bool
    ) -> tuple[Tensor, Tensor]:
        """As `gr2st.models.attention.attend`."""
        logits = F.leaky_relu(target[:, :, None] + source.T[None], SLOPE)
        logits = logits.masked_fill(~self.part.is_edge[:, None, :], -torch.inf)
        if self.part.added is not None:
            logits = logits + self.part.added
        weight = logits.softmax(dim=-1)
        thin = F.dropout(weight, dropout) if dropout else weight
        gathered = (thin.flatten(0, 1) @ state).view(*source.shape, -1)
        if not with_entropy:
            return gathered, state.new_zeros(())
        return gathered, -(thin * (thin + TINY).log()).sum() / self.n_edges
