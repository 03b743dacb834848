"""GR2ST the plain way, as its description reads: what our training step is measured against.

The same network and loss as `gr2st.models.gr2st.Gr2st`, held together by ``tests/core/test_plain_step.py``, with
what makes the published step slow left as it is: position tables of 65,536 rows with dense gradients, graphs built
anew in every step and handed on as edge lists, one message of heads x width numbers per edge, six experts one after the
other, and Adam over all 107 million parameters. The graph attention is the textbook layer on an edge list: gather the
sources, weigh, scatter to the targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig, TrainConfig
    from gr2st.models.base import Batch

TABLE_ROWS = 65_536
TYPES = 6


class Head(nn.Module):
    def __init__(self, n_inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.projection = nn.Linear(n_inputs, width)
        self.fc = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.layer_norm = nn.LayerNorm(width)

    def forward(self, values: Tensor) -> Tensor:
        projected = self.projection(values)
        return self.layer_norm(projected + self.dropout(self.fc(F.gelu(projected))))


class EdgeListAttention(nn.Module):
    """Multi-head graph attention on an edge list (2, e); also gives the weights (e, heads) after dropout."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.share = heads, dropout
        self.lin = nn.Linear(width, heads * width, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, width))
        self.att_dst = nn.Parameter(torch.empty(1, heads, width))
        self.bias = nn.Parameter(torch.zeros(heads * width))
        for weight in (self.lin.weight, self.att_src, self.att_dst):
            nn.init.xavier_uniform_(weight)

    def forward(self, state: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        n = len(state)
        source, target = with_self_loops(edges, n)
        lifted = self.lin(state).view(n, self.heads, -1)
        score = (lifted * self.att_src).sum(dim=-1)[source] + (lifted * self.att_dst).sum(dim=-1)[target]
        weight = softmax_by_target(F.leaky_relu(score, 0.2), target, n)
        weight = F.dropout(weight, self.share, self.training)
        messages = lifted.index_select(0, source) * weight[:, :, None]
        gathered = summed_by_target(messages.flatten(1), target, n)
        return gathered + self.bias, weight


class Published(nn.Module):
    """Both published versions, told apart by the settings (`gr2st.registry.V1` and `V2`)."""

    def __init__(self, config: Gr2stConfig, *, n_genes: int, n_features: int, table_rows: int = TABLE_ROWS) -> None:
        super().__init__()
        width, share = config.projection, config.dropout
        self.config = config
        self.x_embed = nn.Embedding(table_rows, n_genes)
        self.y_embed = nn.Embedding(table_rows, n_genes)
        self.cell_type_embed = nn.Sequential(
            nn.Embedding(TYPES, n_genes // 2),
            nn.Linear(n_genes // 2, n_genes),
            nn.ReLU(),
            nn.LayerNorm(n_genes),
            nn.Dropout(share),
        )
        self.image_projection = Head(n_features, width, share)
        self.dynamic_head_proj = nn.Linear(n_genes, width)
        self.dynamic_tail_proj = nn.Linear(n_genes, width)
        self.spatial_proj = nn.Linear(n_genes, width)
        self.dynamic_gat = EdgeListAttention(width, config.heads, share)
        self.spatial_gat = EdgeListAttention(width, config.heads, share)
        self.fusion_layer = nn.Sequential(
            nn.Linear(config.heads * width, width), nn.ReLU(), nn.LayerNorm(width), nn.Dropout(share)
        )
        self.spot_projection = Head(width, width, share)
        self.moe_head = Experts(width, n_genes, share) if config.experts else None

    def loss(self, batch: Batch) -> Tensor:
        image = self.image_projection(batch.features)
        spot, weights = self.spots(batch)
        similarity = spot @ image.T / self.config.temperature
        own = torch.arange(len(spot))
        contrast = (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2
        if self.moe_head is None:
            return contrast
        predicted, logits = self.moe_head(image)
        squared = F.mse_loss(predicted, batch.spot_expression)
        gate = F.cross_entropy(logits, batch.cell_type)
        entropy = sum(-(weight * torch.log(weight + 1e-9)).sum(dim=1).mean() for weight in weights)
        return (
            contrast
            + self.config.mse_weight * squared
            + self.config.gate_weight * gate
            + self.config.entropy_weight * entropy
        )

    def spots(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        by_type = self.cell_type_embed(batch.cell_type)
        state = batch.spot_expression + self.x_embed(batch.grid[:, 0]) + self.y_embed(batch.grid[:, 1]) + by_type
        head, tail, near = self.dynamic_head_proj(state), self.dynamic_tail_proj(state), self.spatial_proj(state)
        by_function, one = self.dynamic_gat(head, self.functional_edges(head, tail, batch.cell_type))
        by_place, other = self.spatial_gat(near, self.spatial_edges(batch.position))
        return self.spot_projection(self.fusion_layer(by_function + by_place)), (one, other)

    def functional_edges(self, head: Tensor, tail: Tensor, cell_type: Tensor) -> Tensor:
        config, score = self.config, head @ tail.T / self.config.temperature
        same = (cell_type[:, None] == cell_type[None, :]).to(score.dtype)
        if config.functional == "threshold":
            combined = (1 - config.type_share) * torch.sigmoid(score) + config.type_share * same
            chosen = (combined > config.functional_threshold) | torch.eye(len(score), dtype=torch.bool)
            return chosen.nonzero().T
        best = torch.softmax(score + config.type_share * same, dim=1).topk(min(config.functional_k, len(score))).indices
        return torch.stack([torch.arange(len(score)).repeat_interleave(best.shape[1]), best.flatten()])

    def spatial_edges(self, position: Tensor) -> Tensor:
        config, apart = self.config, torch.cdist(position, position)
        if config.spatial == "radius":
            return (apart < config.spatial_radius).nonzero().T
        near = apart.topk(min(config.spatial_k, len(apart)), largest=False).indices
        return torch.stack([torch.arange(len(apart)).repeat_interleave(near.shape[1]), near.flatten()])


class Experts(nn.Module):
    """Six networks, each run over all spots, mixed by a gate."""

    def __init__(self, width: int, n_genes: int, dropout: float) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, n_genes))
            for _ in range(TYPES)
        )
        self.gate = nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, TYPES))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.gate(image)
        answers = torch.stack([expert(image) for expert in self.experts], dim=1)
        return (logits.softmax(dim=1)[:, :, None] * answers).sum(dim=1), logits


def optimiser(module: nn.Module, training: TrainConfig) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay)


def with_self_loops(edges: Tensor, n: int) -> Tensor:
    loops = torch.arange(n).expand(2, n)
    return torch.cat([edges[:, edges[0] != edges[1]], loops], dim=1)


def softmax_by_target(score: Tensor, target: Tensor, n: int) -> Tensor:
    place = target[:, None].expand_as(score)
    highest = score.new_full((n, score.shape[1]), -torch.inf).scatter_reduce(0, place, score.detach(), "amax")
    raised = (score - highest[target]).exp()
    return raised / (summed_by_target(raised, target, n)[target] + 1e-16)


def summed_by_target(values: Tensor, target: Tensor, n: int) -> Tensor:
    return values.new_zeros(n, values.shape[1]).scatter_add_(0, target[:, None].expand_as(values), values)
