"""Attention read off a trained network: which spots each spot listens to, and how much.

Read a few targets at a time: a dense graph of thousands of spots takes the room of its edges, not that of all heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from gr2st.models.attention import Graph, Part, soft_weights
from gr2st.models.base import Attention

Heard = tuple[Tensor, Tensor, Tensor, Tensor]
"""Rows of some targets (t,), how many sources each has (t,), and the sources and weights of all of them in a row."""


@torch.no_grad()
def heard_over(
    graph: Graph, source: Tensor, target: Tensor, added: Callable[[Part], Tensor] | None = None
) -> Attention:
    """Mean attention over the heads along the edges of a graph.

    Parameters
    ----------
    graph : Graph
    source, target : (n, heads)
        The two parts of the logits.
    added : function, optional
        What the edges of a part add to their logits.
    """
    parts = (part if added is None else replace(part, added=added(part)) for part in graph.parts)
    rows, degree, others, weight = map(torch.cat, zip(*(_of_part(p, source, target) for p in parts), strict=True))
    if not bool((rows.diff() > 0).all()):
        order = rows.repeat_interleave(degree).argsort(stable=True)
        others, weight = others[order], weight[order]
    count = degree.new_zeros(len(source) + 1)
    count[rows + 1] = degree
    return Attention(count.cumsum(0), others, weight)


def _of_part(part: Part, source: Tensor, target: Tensor) -> Heard:
    every = torch.arange(len(source), device=source.device)
    rows = every[part.target]
    others = every.expand_as(part.is_edge) if part.source is None else part.source
    is_heard = part.is_edge & (others != rows[:, None])
    # The softmax of a far lower logit is 0 in float32, but an edge is an edge.
    least = torch.finfo(torch.float32).tiny
    weight = soft_weights(part, source, target).mean(dim=1)[is_heard].float().clamp(min=least)
    return rows, is_heard.sum(dim=1), others[is_heard].int(), weight
