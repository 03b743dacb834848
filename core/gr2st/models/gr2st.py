"""GR2ST: a graph network over expression and a network over the picture meet in one embedding.

Prediction looks up the training spots whose expression embedding is nearest to the picture's, and blends their
expression with the answer of a regression head. Both published versions are settings of `Gr2stConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from gr2st.errors import DataError
from gr2st.graph.spatial import Neighbours
from gr2st.models import losses
from gr2st.models.base import Answer, Batch, Loss, SpotModel
from gr2st.models.blocks import CELL_TYPES, ExpertHead, GraphAttention, ProjectionHead
from gr2st.models.choices import blend_scores, candidates, shares_of
from gr2st.models.dropout import Dropout
from gr2st.models.fields import expression_field, required
from gr2st.models.footprint import step_bytes
from gr2st.models.heads import heads_through
from gr2st.models.kernel import KernelBranch
from gr2st.models.memory import PerSection
from gr2st.models.picture import width_seen, with_surroundings
from gr2st.models.plain import plain
from gr2st.models.precision import in_full_precision
from gr2st.models.products import Linear
from gr2st.models.programmes import Programmes
from gr2st.models.retrieval import Retrieved, appended, filled, retrieve
from gr2st.models.scaling import GeneScale, notes_on_scale, on_common_scale
from gr2st.models.spot_graphs import SpotGraphs
from gr2st.models.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st.config import Gr2stConfig, Settings
    from gr2st.models.base import Attention


FOLDED_ABOVE = 2
"""Spots per number of the embedding above which projections of the heads are multiplied with the layer that follows,
which costs the same for any number of spots, rather than with the spots."""


@dataclass(frozen=True, eq=False)
class _View:
    """A batch on the network's scales, and what its picture side sees: (n, features), surroundings beside them."""

    batch: Batch
    picture: Tensor


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
    learns_from = frozenset({"cell_type"})

    def __init__(self, config: Gr2stConfig, *, n_genes: int, n_features: int, grid_size: int) -> None:
        super().__init__()
        _check(config)
        width, share = config.projection, config.dropout
        self.config = config
        self.reach = max(_context_radius(config), _gate_radius(config) + config.picture_radius)
        if self.reach:
            self.needs = self.needs | {"position"}
        measured = {self._input_field, self._bank_field}
        self.learns_from = frozenset({"grid", "position", "cell_type", "cell_share"} | measured)
        self.x_embed = nn.Embedding(grid_size, n_genes)
        self.y_embed = nn.Embedding(grid_size, n_genes)
        self.cell_type_embed = nn.Sequential(
            nn.Embedding(CELL_TYPES, n_genes // 2),
            nn.Linear(n_genes // 2, n_genes),
            nn.ReLU(),
            nn.LayerNorm(n_genes),
            Dropout(share),
        )
        self.image_projection = ProjectionHead(width_seen(n_features, config.picture_radius), width, share)
        self.dynamic_head_proj = Linear(n_genes, width)
        self.dynamic_tail_proj = Linear(n_genes, width).requires_grad_(config.score_bias > 0)
        self.spatial_proj = Linear(n_genes, width)
        self.dynamic_gat = GraphAttention(width, config.heads, share)
        self.spatial_gat = GraphAttention(width, config.heads, share)
        joined = config.heads * width * (2 if config.fusion == "concat" else 1)
        self.fusion_layer = nn.Sequential(Linear(joined, width), nn.ReLU(), nn.LayerNorm(width), Dropout(share))
        self.spot_projection = ProjectionHead(width, width, share)
        gate_width = 2 * width if config.gate_sees == "surroundings" else width
        self.moe_head = (
            ExpertHead(width, n_genes, config.experts, share, gate_width=gate_width) if config.experts else None
        )
        self.kernel = KernelBranch(config, n_genes=n_genes, n_features=n_features) if config.kernel_share else None
        self.programmes = Programmes(config.programmes, n_genes) if config.programmes else None
        self.gene_scale = GeneScale(n_genes) if config.expression_scale == "section" else None
        self._graphs = SpotGraphs(config)
        self._views: PerSection[_View] = PerSection()
        self._averages: PerSection[Neighbours | Tensor] = PerSection()
        self._checked: PerSection[None] = PerSection()

    def keep_with(self, other: SpotModel) -> None:
        """Share views, graphs and surroundings of sections: other parameters see the same."""
        assert isinstance(other, Gr2st)
        self._views, self._graphs = other._views, other._graphs
        self._averages, self._checked = other._averages, other._checked
        if self.kernel is not None and other.kernel is not None:
            self.kernel.keep_with(other.kernel)

    # ------------------------------------------------------------------------------------------------- contract

    def loss(self, batch: Batch) -> Loss:
        """Weighted sum of contrast, and with experts of regression, gate and attention entropy."""
        required(batch, "features", self._input_field)
        view, config = self._view(batch), self.config
        batch = view.batch
        (expression,) = required(batch, self._input_field)
        image = self.image_projection(view.picture)
        spot, entropy = self.embed_spots(batch, with_entropy=self.moe_head is not None)
        parts = {"contrastive": losses.contrastive(spot, image, temperature=config.temperature)}
        if self.moe_head is None:
            return Loss(parts["contrastive"], parts, chance=losses.chance(len(spot)))
        predicted, logits = self.moe_head(image, self._seen_by_gate(batch, image))
        parts["mse"] = losses.regression(predicted, expression)
        parts["gate"] = self._gate_loss(logits, batch)
        parts["entropy"] = entropy
        weighted = config.mse_weight * parts["mse"] + config.gate_weight * parts["gate"]
        total = parts["contrastive"] + weighted + config.entropy_weight * entropy
        return Loss(total, parts, chance=losses.chance(len(spot)))

    def step_bytes(self, n_spots: int) -> int:
        """Estimated from the settings; with dense graphs it grows with the square of the spots."""
        return step_bytes(n_spots, self.config, n_genes=self.x_embed.embedding_dim)

    @torch.no_grad()
    def remember(self, batch: Batch) -> None:
        """Append the spots of a training section to the bank: key = spot embedding, value = expression."""
        (value,) = required(batch, self._bank_field)
        if self.gene_scale is not None:
            self.gene_scale.remember(value)
        batch = self._view(batch).batch
        (value,) = required(batch, self._bank_field)
        if self.kernel is not None:
            self.kernel.remember(batch, value)
        key, _ = self.embed_spots(batch, with_entropy=False)
        self.bank = appended(self.bank, batch, key, value)

    @torch.no_grad()
    def conclude(self) -> None:
        """Find the programmes and solve the kernel branch, where there are any."""
        if self.programmes is not None:
            self.programmes.learn(filled(self.bank, "GR2ST").value)
        if self.kernel is not None:
            self.kernel.conclude()

    @torch.no_grad()
    def renew(self, batch: Batch) -> None:
        """Embed the spots of a section anew; scales, programmes and the kernel branch follow from no parameter."""
        bank = filled(self.bank, "GR2ST")
        key, _ = self.embed_spots(self._view(batch).batch, with_entropy=False)
        first = bank.section.index(batch.section)
        bank.key[first : first + len(key)] = key

    def survey(self) -> Survey | None:
        """Scales of the features and of their surroundings, where they are those of the section."""
        radii = sorted({_context_radius(self.config), self.config.picture_radius} - {0.0})
        return Survey(self.config, radii) if radii or self.config.feature_scale == "section" else None

    @torch.no_grad()
    def predict(self, batch: Batch) -> Answer:
        """Blend of retrieval, regression and the kernel branch from patch features alone.

        Confidence is the weighted mean cosine similarity between the picture's embedding and the training spots
        behind the prediction, 0 where it is negative.
        """
        view, config = self._view(batch), self.config
        image = self.image_projection(view.picture)
        asked = _asked(image, batch)
        found = self._retrieve(asked, config.retrieval_k)
        expression, regressed, logits = found.value, None, None
        if self.moe_head is not None:
            regressed, logits = self.moe_head(asked, self._seen_by_gate(view.batch, image))
            expression = torch.lerp(regressed, found.value, config.blend)
        expression = self._kept(expression)
        if self.kernel is not None:
            expression = torch.lerp(expression, self.kernel.predict(view.batch), config.kernel_share)
        if self.gene_scale is not None:
            expression = self.gene_scale.restore(expression)
        return Answer(
            expression,
            self._space,
            reference=found.row,
            reference_weight=found.weight,
            reference_distance=found.distance,
            reference_similarity=found.similarity,
            spread=self._restored(found.spread(filled(self.bank, "GR2ST"))),
            disagreement=self._disagreement(found.value, regressed),
            shares=shares_of(config),
            experts=None if logits is None else logits.softmax(dim=1),
            confidence=found.confidence(),
            notes=notes_on_scale(batch, config),
        )

    @torch.no_grad()
    def choices(self, batch: Batch) -> Mapping[Settings, float]:
        """Scores of other blends and numbers of retrieved spots, against both expression spaces."""
        targets = required(batch, "spot_expression", "gene_expression")
        view, configs = self._view(batch), candidates(self.config)
        image = self.image_projection(view.picture)
        retrieved = {k: self._kept(self._retrieve(image, k).value) for k in {c.retrieval_k for c in configs}}
        regressed = by_kernel = torch.zeros_like(targets[0])
        if self.moe_head is not None:
            regressed = self._kept(self.moe_head(image, self._seen_by_gate(view.batch, image))[0])
        if self.kernel is not None:
            by_kernel = self.kernel.predict(view.batch)
        return blend_scores(configs, retrieved, regressed, by_kernel, targets)

    @torch.no_grad()
    def attention(self, batch: Batch) -> dict[str, Attention]:
        """What the spots of a batch with expression listen to over both graphs."""
        batch = on_common_scale(batch, self.config)
        (position,) = required(batch, "position")
        state = self._state(batch)
        head, tail, near = self.dynamic_head_proj(state), self.dynamic_tail_proj(state), self.spatial_proj(state)
        cell_type = _cell_types(batch, state)
        functional = self._graphs.functional_mask(head, tail, cell_type)
        return {
            "functional": self.dynamic_gat.heard(head, functional, self._graphs.bias(head, tail, cell_type)),
            "spatial": self.spatial_gat.heard(near, self._graphs.spatial_mask(position)),
        }

    def looks_at(self, batch: Batch) -> Tensor:
        """The features of the spots asked for, standardised within the section where the settings say so."""
        (features,) = required(on_common_scale(batch, self.config), "features")
        return _asked(features, batch)

    # -------------------------------------------------------------------------------------------------- network

    def embed_spots(self, batch: Batch, *, with_entropy: bool) -> tuple[Tensor, Tensor]:
        """Spot embedding (n, width) of a batch with expression; entropy of both attentions, 0 where not asked for."""
        state = self._state(batch)
        head, near = self.dynamic_head_proj(state), self.spatial_proj(state)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.config.score_bias > 0):
            tail = self.dynamic_tail_proj(state)
        functional = self._graphs.functional(head, tail, _cell_types(batch, state))
        by_function, entropy = self.dynamic_gat(head, functional, with_entropy=with_entropy)
        spatial = self._graphs.spatial(batch)
        by_place, spatial_entropy = self.spatial_gat(near, spatial, with_entropy=with_entropy)
        fused = self.fusion_layer[1:](self._fused(by_function, by_place))
        return self.spot_projection(fused), entropy + spatial_entropy

    def _state(self, batch: Batch) -> Tensor:
        """Expression plus what the tables say about place and cell type: (n, genes)."""
        expression, grid = required(batch, self._input_field, "grid")
        self._checked.of(batch.section, (grid,), lambda: self._check_grid(batch.section, grid))
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

    def _view(self, batch: Batch) -> _View:
        """The batch as the network sees it; remembered, for it is the same in every epoch."""
        sources = tuple(getattr(batch, field.name) for field in fields(batch) if field.name not in ("section", "scale"))
        return self._views.of(batch.section, sources, lambda: self._new_view(batch))

    def _new_view(self, batch: Batch) -> _View:
        batch = on_common_scale(batch, self.config)
        return _View(batch, with_surroundings(batch, self.config.picture_radius))

    def _retrieve(self, image: Tensor, k: int) -> Retrieved:
        config = self.config
        bank = filled(self.bank, "GR2ST")
        return retrieve(bank, image, k=k, distance=config.retrieval_distance, epsilon=config.retrieval_epsilon)

    def _kept(self, expression: Tensor) -> Tensor:
        """What the programmes leave of an answer of the network."""
        return expression if self.programmes is None else self.programmes.projected(expression)

    def _restored(self, difference: Tensor) -> Tensor:
        """A difference of expressions on the scale of the answer."""
        return difference if self.gene_scale is None else difference * self.gene_scale.spread

    def _disagreement(self, retrieved: Tensor, regressed: Tensor | None) -> Tensor | None:
        """How far retrieval and regression are apart; None where one has no say, or they answer on two scales."""
        config = self.config
        is_one_scale = config.expression_scale == "section" or config.bank_space == config.input_space
        if regressed is None or config.blend in (0, 1) or not is_one_scale:
            return None
        return self._restored((self._kept(retrieved) - self._kept(regressed)).abs())

    def _seen_by_gate(self, batch: Batch, image: Tensor) -> Tensor:
        """The picture embedding (m, width) of the spots asked for, with surroundings beside it their mean."""
        own = _asked(image, batch)
        if self.config.gate_sees == "spot":
            return own
        (position,) = required(batch, "position")
        sources = (position, batch.asked)
        dtype = torch.promote_types(image.dtype, torch.float32)
        near = self._averages.of(batch.section, sources, lambda: self._near(position, batch.asked, dtype))
        return torch.cat([own, _averaged(image, near)], dim=1)

    def _near(self, position: Tensor, asked: Tensor | None, dtype: torch.dtype) -> Neighbours | Tensor:
        """The neighbours whose mean the gate sees; what takes that of many networks at once is a matrix."""
        near = Neighbours.within(position, radius=self.config.spatial_radius, asked=asked)
        return near.matrix(dtype) if plain() else near

    def _gate_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        if self.config.gate_target == "majority":
            return losses.gate(logits, _cell_types(batch, logits))
        if batch.cell_share is None:
            return logits.new_zeros(())
        return losses.soft_gate(logits, batch.cell_share)

    def _fused(self, by_function: Tensor, by_place: Tensor) -> Tensor:
        """What both graphs gathered (n, heads, width), projected, fused and through the first layer: (n, width)."""
        layer, fusion = cast("Linear", self.fusion_layer[0]), self.config.fusion
        folded = len(by_function) > FOLDED_ABOVE * self.config.projection
        gathered, attentions = (by_function, by_place), (self.dynamic_gat, self.spatial_gat)
        if fusion == "max":
            out: Tensor = layer(torch.maximum(*(gat.project(x) for gat, x in zip(attentions, gathered, strict=True))))
            return out
        if fusion == "concat":
            shares = zip(gathered, attentions, layer.weight.chunk(2, dim=1), strict=True)
            return sum((_through([x], [gat], share, folded=folded) for x, gat, share in shares), start=layer.bias)
        summed = _through(gathered, attentions, layer.weight, folded=folded)
        return summed / (2 if fusion == "mean" else 1) + layer.bias

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


def _through(
    gathered: Sequence[Tensor], attentions: Sequence[GraphAttention], weight: Tensor, *, folded: bool
) -> Tensor:
    """What the heads gathered over some graphs, projected, summed and times W^T: (n, out)."""
    out = heads_through(gathered, [gat.projections for gat in attentions], weight, folded=folded)
    return out + weight @ sum(gat.bias for gat in attentions)


@in_full_precision
def _averaged(image: Tensor, near: Neighbours | Tensor) -> Tensor:
    return near.mean(image) if isinstance(near, Neighbours) else near @ image


def _cell_types(batch: Batch, like: Tensor) -> Tensor:
    """Cell types of the spots; all 0, the id of "unlabelled", where none are known."""
    if batch.cell_type is not None:
        return batch.cell_type
    return torch.zeros(len(like), dtype=torch.int64, device=like.device)


def _asked(rows: Tensor, batch: Batch) -> Tensor:
    """The rows of the spots that are to be answered."""
    return rows if batch.asked is None else rows[batch.asked]


def _context_radius(config: Gr2stConfig) -> float:
    """How far the kernel branch sees, in array steps."""
    return config.context_radius if config.kernel_share > 0 else 0.0


def _gate_radius(config: Gr2stConfig) -> float:
    """How far the gate of the experts sees, in array steps."""
    return config.spatial_radius if config.experts > 0 and config.gate_sees == "surroundings" else 0.0


def _check(config: Gr2stConfig) -> None:
    if 0 < config.experts < CELL_TYPES:
        raise DataError(f"GR2ST needs no expert or one for each of the {CELL_TYPES} cell types, not {config.experts}.")
    if not config.experts and config.blend != 1:
        raise DataError(f"GR2ST without experts predicts by retrieval alone: blend must be 1, not {config.blend}.")
