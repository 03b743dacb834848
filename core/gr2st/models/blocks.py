"""Building blocks of GR2ST; parameters carry the names of the published code, so that its weights load."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gr2st.models.attention import Graph
from gr2st.models.dropout import Dropout
from gr2st.models.heads import each_linear, summed_linear
from gr2st.models.listening import heard_over
from gr2st.models.products import Linear, linear, linear_by_head

if TYPE_CHECKING:
    from gr2st.models.attention import Part
    from gr2st.models.attention_plain import PlainGraph
    from gr2st.models.base import Attention

CELL_TYPES = 6
"""Unlabelled, necrotic, neoplastic, inflammatory, connective, non-neoplastic epithelial: ids 0 to 5."""


class ProjectionHead(nn.Module):
    """p = W1 x; LayerNorm(p + Dropout(W2 GELU(p))): (n, n_inputs) -> (n, width)."""

    def __init__(self, n_inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.projection = Linear(n_inputs, width)
        self.fc = Linear(width, width)
        self.dropout = Dropout(dropout)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, values: Tensor) -> Tensor:
        projected = self.projection(values)
        out: Tensor = self.layer_norm(projected + self.dropout(self.fc(F.gelu(projected))))
        return out


class GraphAttention(nn.Module):
    """Multi-head graph attention, parameters named as torch_geometric's GATConv.

    In two steps: what each head gathers from the neighbours, (n, width) -> (n, heads, width), and what its own
    projection makes of it, (n, heads, width) -> (n, heads * width).
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.share = dropout
        self.att_src = nn.Parameter(torch.empty(1, heads, width))
        self.att_dst = nn.Parameter(torch.empty(1, heads, width))
        self.bias = nn.Parameter(torch.zeros(heads * width))
        self.lin = nn.Linear(width, heads * width, bias=False)
        for weight in (self.att_src, self.att_dst, self.lin.weight):
            nn.init.xavier_uniform_(weight)

    def forward(self, state: Tensor, graph: Graph | PlainGraph, *, with_entropy: bool) -> tuple[Tensor, Tensor]:
        """What the heads gather, and the entropy of the attention per edge."""
        source, target = self._scores(state)
        share = self.share if self.training else 0.0
        return graph.attend(state, source, target, dropout=share, with_entropy=with_entropy)

    def project(self, gathered: Tensor) -> Tensor:
        """The heads side by side, each through its projection."""
        return linear_by_head(gathered, self.projections).reshape(len(gathered), -1).add_(self.bias)

    @property
    def projections(self) -> Tensor:
        """One for each head: (heads, width, width)."""
        return self.lin.weight.view(self.heads, -1, self.lin.in_features)

    def heard(self, state: Tensor, mask: Tensor, added: Callable[[Part], Tensor] | None = None) -> Attention:
        """The attention itself, mean over the heads, of states (n, width) over a graph's mask; `added` as `heard_over`.

        No state is gathered here, so the dense form of a graph is the quicker one until its mask is sparse.
        """
        graph = Graph.of(mask, heads=self.heads, sparse_below=0.0)
        return heard_over(graph, *self._scores(state), added)

    def _scores(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Both parts of the logits, each (n, heads): a . (Theta x) = (Theta^T a) . x."""
        vectors = torch.stack([self.att_src[0], self.att_dst[0]], dim=1)
        folded = torch.bmm(vectors, self.projections).transpose(0, 1).flatten(0, 1)
        source, target = torch.split(linear(state, folded), self.heads, dim=1)
        return source, target


class ExpertHead(nn.Module):
    """Regression by several small networks, mixed by a gate that is taught the cell type.

    The gate sees what it is given, `gate_width` numbers per spot.
    """

    def __init__(self, width: int, n_genes: int, experts: int, dropout: float, *, gate_width: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(Linear(width, width), nn.GELU(), Dropout(dropout), Linear(width, n_genes))
            for _ in range(experts)
        )
        self.gate = nn.Sequential(Linear(gate_width, width // 2), nn.ReLU(), Linear(width // 2, experts))
        self.dropout = Dropout(dropout)

    def forward(self, image: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Expression (n, genes) and gate logits (n, experts) from image embeddings (n, width) and what the gate sees.

        The gate is applied to the hidden layer: of sum_k g_k (W_k x_k + b_k) only the sum is formed, and the
        expressions of the single experts never exist.
        """
        logits = self.gate(seen)
        share = logits.softmax(dim=1)
        hidden = self.dropout(F.gelu(each_linear(image, *self._layers(0)))) * share.T[:, :, None]
        weights, biases = self._layers(3)
        return summed_linear(hidden, weights) + share @ torch.stack(biases), logits

    def _layers(self, layer: int) -> tuple[list[Tensor], list[Tensor]]:
        """Weights and biases of one layer of all experts."""
        layers = [expert[layer] for expert in self.experts]  # type: ignore[index]
        return [each.weight for each in layers], [each.bias for each in layers]
