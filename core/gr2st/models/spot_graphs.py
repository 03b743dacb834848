"""The two graphs of GR2ST over the spots of one section, as its settings draw them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gr2st.graph.functional import pair_scores, threshold_graph, top_k_graph
from gr2st.graph.masks import PAIRS_AT_ONCE, transposed
from gr2st.graph.spatial import nearest_graph, no_graph, radius_graph
from gr2st.models.attention import Graph
from gr2st.models.attention_plain import PlainGraph
from gr2st.models.fields import required
from gr2st.models.memory import PerSection
from gr2st.models.plain import plain
from gr2st.models.precision import in_full_precision
from gr2st.models.products import linear, product

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig
    from gr2st.models.attention import Part
    from gr2st.models.base import Batch

EPSILON = 1e-6
"""Inside the logarithm of a score."""


class SpotGraphs:
    """Functional and spatial graph of a section.

    Parameters
    ----------
    config : Gr2stConfig
        Its ``functional...``, ``spatial...``, `temperature`, `type_share` and `score_bias`.
    """

    def __init__(self, config: Gr2stConfig) -> None:
        self.config = config
        self._spatial: PerSection[Graph | PlainGraph] = PerSection()

    def functional_mask(self, head: Tensor, tail: Tensor, cell_type: Tensor) -> Tensor:
        """Source by target (n, n) from both projections (n, width) of the spots."""
        if self.config.functional == "none":
            return no_graph(len(head), device=head.device)
        return self._directed(self._chosen_by_function(head, tail, cell_type))

    def _chosen_by_function(self, head: Tensor, tail: Tensor, cell_type: Tensor) -> Tensor:
        """Choosing spot by chosen spot (n, n)."""
        config = self.config
        scored = {"temperature": config.temperature, "type_share": config.type_share}
        if config.functional == "top-k":
            return top_k_graph(head, tail, cell_type, k=config.functional_k, product=product, **scored)
        return threshold_graph(
            head,
            tail,
            cell_type,
            threshold=config.functional_threshold,
            spread=config.functional_spread,
            **scored,
        )

    def spatial_mask(self, position: Tensor) -> Tensor:
        """Source by target (n, n)."""
        if self.config.spatial == "none":
            return no_graph(len(position), device=position.device)
        if self.config.spatial == "radius":
            return radius_graph(position, radius=self.config.spatial_radius)
        return self._directed(nearest_graph(position, k=self.config.spatial_k))

    def _directed(self, chosen: Tensor) -> Tensor:
        """Choosing by chosen spot -> source by target: who hears whom."""
        return chosen if self.config.edge_direction == "chosen" else transposed(chosen)

    @in_full_precision
    def functional(self, head: Tensor, tail: Tensor, cell_type: Tensor) -> Graph | PlainGraph:
        """The functional graph; with a `score_bias` an edge of score c adds `score_bias` * log(c) to its logits.

        That is the way a gradient takes to the scores: the choice of edges itself is a hard cut.
        """
        graph = self._graph(self.functional_mask(head, tail, cell_type))
        if not self.config.score_bias:
            return graph
        if len(head) ** 2 <= PAIRS_AT_ONCE:
            return graph.with_added(lambda part: self._bias(part, head, tail, cell_type))
        return graph.with_added(lambda part: self._bias_again(part, head, tail, cell_type))

    def bias(self, head: Tensor, tail: Tensor, cell_type: Tensor) -> Callable[[Part], Tensor] | None:
        """What the functional edges of a part add to their logits; None where they add nothing."""
        return partial(self._bias, head=head, tail=tail, cell_type=cell_type) if self.config.score_bias else None

    def _bias_again(self, part: Part, head: Tensor, tail: Tensor, cell_type: Tensor) -> Tensor:
        """`_bias` made again in the backward pass: its steps, if kept, would each take 4 bytes a pair."""
        bias: Tensor = checkpoint(
            self._bias, part, head, tail, cell_type, use_reentrant=False, preserve_rng_state=False
        )
        return bias

    def spatial(self, batch: Batch) -> Graph | PlainGraph:
        """The spatial graph of a section; spots do not move, so it is remembered."""
        (position,) = required(batch, "position")
        return self._spatial.of(batch.section, (position,), lambda: self._graph(self.spatial_mask(position)))

    def _graph(self, mask: Tensor) -> Graph | PlainGraph:
        return PlainGraph.of(mask) if plain() else Graph.of(mask, heads=self.config.heads)

    def _bias(self, part: Part, head: Tensor, tail: Tensor, cell_type: Tensor) -> Tensor:
        """(t, 1, d) for the targets and sources of one part."""
        config = self.config
        if config.edge_direction == "chooser":
            # The score is the choosing spot's, which is now the target.
            head, tail = tail, head
        kind = cell_type[part.target, None]
        if part.source is None:
            likeness, same = linear(tail[part.target], head), kind == cell_type
        else:
            likeness = torch.einsum("tdw,tw->td", head[part.source], tail[part.target])
            same = kind == cell_type[part.source]
        score = pair_scores(likeness, same, temperature=config.temperature, type_share=config.type_share)
        return config.score_bias * torch.log(score + EPSILON)[:, None, :]
