"""GR2ST: a graph network over expression and a network over the picture meet in one embedding.

Prediction looks up the training spots whose expression embedding is nearest to the picture's, and blends their
expression with the answer of a regression head. Both published versions are settings of `Gr2stConfig`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from gr2st.errors import DataError
from gr2st.graph.functional import threshold_graph, top_k_graph
from gr2st.graph.masks import edges_of
from gr2st.graph.spatial import nearest_graph, no_graph, radius_graph
from gr2st.models import losses
from gr2st.models.attention import Graph
from gr2st.models.base import Answer, Batch, Loss, SpotModel
from gr2st.models.blocks import CELL_TYPES, ExpertHead, GraphAttention, ProjectionHead
from gr2st.models.dropout import Dropout
from gr2st.models.fields import expression_field, required
from gr2st.models.footprint import step_bytes
from gr2st.models.kernel import KernelBranch
from gr2st.models.retrieval import appended, filled, retrieve
from gr2st.models.scaling import GeneScale, notes_on_scale, on_common_scale

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig

REMEMBERED_GRAPHS = 64
"""Spatial graphs kept between epochs, one per section."""


class Gr2st(SpotModel):
    """GR2ST as a spot model.

    Parameters
    ----------
    config : Gr2stConfig
    n_genes, n_features : int
        Columns of expression and of patch features.
    grid_size : int
        Rows of each position table: every grid coordinate must be below it.
    """

    needs = frozenset({"features"})

    def __init__(self, config: Gr2stConfig, *, n_genes: int, n_features: int, grid_size: int) -> None:
        super().__init__()
        _check(config)
        width, share = config.projection, config.dropout
        self.config = config
        if config.kernel_share and config.context_radius:
            self.needs = self.needs | {"position"}
        self.learns_from = frozenset({"grid", "position", "cell_type"} | {self._input_field, self._bank_field})
        self.x_embed = nn.Embedding(grid_size, n_genes)
        self.y_embed = nn.Embedding(grid_size, n_genes)
        self.cell_type_embed = nn.Sequential(
            nn.Embedding(CELL_TYPES, n_genes // 2),
            nn.Linear(n_genes // 2, n_genes),
            nn.ReLU(),
            nn.LayerNorm(n_genes),
            Dropout(share),
        )
        self.image_projection = ProjectionHead(n_features, width, share)
        self.dynamic_head_proj = nn.Linear(n_genes, width)
        self.dynamic_tail_proj = nn.Linear(n_genes, width)
        self.spatial_proj = nn.Linear(n_genes, width)
        self.dynamic_gat = GraphAttention(width, config.heads, share)
        self.spatial_gat = GraphAttention(width, config.heads, share)
        joined = config.heads * width * (2 if config.fusion == "concat" else 1)
        self.fusion_layer = nn.Sequential(nn.Linear(joined, width), nn.ReLU(), nn.LayerNorm(width), Dropout(share))
        self.spot_projection = ProjectionHead(width, width, share)
        self.moe_head = ExpertHead(width, n_genes, config.experts, share) if config.experts else None
        self.kernel = KernelBranch(config, n_genes=n_genes, n_features=n_features) if config.kernel_share else None
        self.gene_scale = GeneScale(n_genes) if config.expression_scale == "section" else None
        self._spatial_graphs: dict[str, tuple[Tensor, int, Graph]] = {}

    # ------------------------------------------------------------------------------------------------- contract

    def loss(self, batch: Batch) -> Loss:
        """Weighted sum of contrast, and with experts of regression, gate and attention entropy."""
        batch = on_common_scale(batch, self.config)
        features, expression = required(batch, "features", self._input_field)
        config = self.config
        image = self.image_projection(features)
        spot, entropy = self.embed_spots(batch, with_entropy=self.moe_head is not None)
        parts = {"contrastive": losses.contrastive(spot, image, temperature=config.temperature)}
        if self.moe_head is None:
            return Loss(parts["contrastive"], parts)
        predicted, logits = self.moe_head(image)
        parts["mse"] = losses.regression(predicted, expression)
        parts["gate"] = losses.gate(logits, _cell_types(batch, features))
        parts["entropy"] = entropy
        weighted = config.mse_weight * parts["mse"] + config.gate_weight * parts["gate"]
        return Loss(parts["contrastive"] + weighted + config.entropy_weight * entropy, parts)

    def step_bytes(self, n_spots: int) -> int:
        """Estimated from the settings; with dense graphs it grows with the square of the spots."""
        return step_bytes(n_spots, self.config, n_genes=self.x_embed.embedding_dim)

    @torch.no_grad()
    def remember(self, batch: Batch) -> None:
        """Append the spots of a training section to the bank: key = spot embedding, value = expression."""
        (value,) = required(batch, self._bank_field)
        if self.gene_scale is not None:
            self.gene_scale.remember(value)
        batch = on_common_scale(batch, self.config)
        (value,) = required(batch, self._bank_field)
        if self.kernel is not None:
            self.kernel.remember(batch, value)
        key, _ = self.embed_spots(batch, with_entropy=False)
        self.bank = appended(self.bank, batch, key, value)

    @torch.no_grad()
    def conclude(self) -> None:
        """Solve the kernel branch, where there is one."""
        if self.kernel is not None:
            self.kernel.conclude()

    @torch.no_grad()
    def predict(self, batch: Batch) -> Answer:
        """Blend of retrieval, regression and the kernel branch from patch features alone.

        Confidence is the weighted mean cosine similarity between the picture's embedding and the training spots
        behind the prediction, 0 where it is negative.
        """
        batch = on_common_scale(batch, self.config)
        (features,) = required(batch, "features")
        config = self.config
        bank = filled(self.bank, "GR2ST")
        image = self.image_projection(features)
        found = retrieve(
            bank, image, k=config.retrieval_k, distance=config.retrieval_distance, epsilon=config.retrieval_epsilon
        )
        expression = found.value
        if self.moe_head is not None:
            expression = torch.lerp(self.moe_head(image)[0], found.value, config.blend)
        if self.kernel is not None:
            expression = torch.lerp(expression, self.kernel.predict(batch), config.kernel_share)
        if self.gene_scale is not None:
            expression = self.gene_scale.restore(expression)
        return Answer(
            expression,
            self._space,
            reference=found.row,
            reference_weight=found.weight,
            confidence=found.confidence(),
            notes=notes_on_scale(batch, config),
        )

    @torch.no_grad()
    def edges(self, batch: Batch) -> dict[str, Tensor]:
        """Functional and spatial edges (2, e) of a batch with expression, source above target."""
        batch = on_common_scale(batch, self.config)
        (position,) = required(batch, "position")
        state = self._state(batch)
        functional = self._functional_mask(self.dynamic_head_proj(state), state, _cell_types(batch, state))
        return {"functional": edges_of(functional), "spatial": edges_of(self._spatial_mask(position))}

    # -------------------------------------------------------------------------------------------------- network

    def embed_spots(self, batch: Batch, *, with_entropy: bool) -> tuple[Tensor, Tensor]:
        """Spot embedding (n, width) of a batch with expression; entropy of both attentions, 0 where not asked for."""
        state = self._state(batch)
        head, near = self.dynamic_head_proj(state), self.spatial_proj(state)
        functional = self._functional_mask(head, state, _cell_types(batch, state))
        by_function, entropy = self.dynamic_gat(
            head, Graph.of(functional, heads=self.config.heads), with_entropy=with_entropy
        )
        by_place, spatial_entropy = self.spatial_gat(near, self._spatial_graph(batch), with_entropy=with_entropy)
        fused = self.fusion_layer(self._fuse(by_function, by_place))
        return self.spot_projection(fused), entropy + spatial_entropy

    def _state(self, batch: Batch) -> Tensor:
        """Expression plus what the tables say about place and cell type: (n, genes)."""
        expression, grid = required(batch, self._input_field, "grid")
        self._check_grid(batch.section, grid)
        x, y = grid.long().unbind(dim=1)
        embed, *layers, dropout = self.cell_type_embed
        # Six types, hundreds of spots: the layers see each type once.
        types = nn.Sequential(*layers)(embed.weight)
        by_type = dropout(nn.functional.embedding(_cell_types(batch, expression), types))
        state: Tensor = expression + self.x_embed(x) + self.y_embed(y) + by_type
        return state

    def _check_grid(self, section: str, grid: Tensor) -> None:
        size = self.x_embed.num_embeddings
        low, high = (int(bound) for bound in grid.aminmax())
        if low < 0 or high >= size:
            raise DataError(
                f"Section {section!r} has grid coordinates from {low} to {high}, but this model's position tables "
                f"hold 0 to {size - 1}; train with a grid_size above {high}, or shift the coordinates to start at 0."
            )

    def _functional_mask(self, head: Tensor, state: Tensor, cell_type: Tensor) -> Tensor:
        config = self.config
        if config.functional == "none":
            return no_graph(len(state), device=state.device)
        with torch.no_grad():
            tail = self.dynamic_tail_proj(state)
        scored = {"temperature": config.temperature, "type_share": config.type_share}
        if config.functional == "threshold":
            return threshold_graph(head, tail, cell_type, threshold=config.functional_threshold, **scored)
        return top_k_graph(head, tail, cell_type, k=config.functional_k, **scored)

    def _spatial_mask(self, position: Tensor) -> Tensor:
        if self.config.spatial == "none":
            return no_graph(len(position), device=position.device)
        if self.config.spatial == "radius":
            return radius_graph(position, radius=self.config.spatial_radius)
        return nearest_graph(position, k=self.config.spatial_k)

    def _spatial_graph(self, batch: Batch) -> Graph:
        """The spatial graph of a section; spots do not move, so it is kept while the position tensor is the same."""
        (position,) = required(batch, "position")
        known = self._spatial_graphs.get(batch.section)
        if known is not None and known[0] is position and known[1] == position._version:
            return known[2]
        graph = Graph.of(self._spatial_mask(position), heads=self.config.heads)
        while len(self._spatial_graphs) >= REMEMBERED_GRAPHS:
            self._spatial_graphs.pop(next(iter(self._spatial_graphs)))
        self._spatial_graphs[batch.section] = (position, position._version, graph)
        return graph

    def _fuse(self, by_function: Tensor, by_place: Tensor) -> Tensor:
        match self.config.fusion:
            case "sum":
                return by_function + by_place
            case "mean":
                return (by_function + by_place) / 2
            case "max":
                return torch.maximum(by_function, by_place)
            case "concat":
                return torch.cat([by_function, by_place], dim=1)

    @property
    def _input_field(self) -> str:
        return expression_field(self.config.input_space)

    @property
    def _bank_field(self) -> str:
        return expression_field(self.config.bank_space)

    @property
    def _space(self) -> str:
        spaces = {self.config.bank_space} if self.config.blend > 0 else set()
        if self.config.blend < 1:
            spaces.add(self.config.input_space)
        return spaces.pop() if len(spaces) == 1 else "mixed"


def _cell_types(batch: Batch, like: Tensor) -> Tensor:
    """Cell types of the spots; all 0, the id of "unlabelled", where none are known."""
    if batch.cell_type is not None:
        return batch.cell_type
    return torch.zeros(len(like), dtype=torch.int64, device=like.device)


def _check(config: Gr2stConfig) -> None:
    if 0 < config.experts < CELL_TYPES:
        raise DataError(f"GR2ST needs no expert or one for each of the {CELL_TYPES} cell types, not {config.experts}.")
    if not config.experts and config.blend != 1:
        raise DataError(f"GR2ST without experts predicts by retrieval alone: blend must be 1, not {config.blend}.")
