"""Graph attention weights of many heads over one graph: exact, in the form that the graph's density asks for.

For head h, the edge from source i to target j has the logit LeakyReLU(source_hi + target_hj); the softmax runs over
all sources of one target. All heads look at the same state: gathering it first and projecting afterwards costs
n * heads * width where the textbook order costs edges * heads * width.

A dense graph is a masked matrix, worked through in pieces (some targets) that stay in the cache; a large section is
computed again in the backward pass instead of kept. A sparse graph is lists of neighbours
(`gr2st.models.attention_lists`). The density of the graph decides which; both give the same numbers, and both backward
passes are written out: left to autograd, the elementwise steps would cost more than the products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.graph.masks import blocks, edges_of
from gr2st.models.attention_lists import ListAttention, Lists
from gr2st.models.attention_weights import SLOPE, Plan, Weights, placed, sum_of_logs
from gr2st.models.precision import in_full_precision
from gr2st.models.products import product

SPARSE_BELOW = 0.15
"""Share of all pairs under which lists of neighbours are the faster form (measured on two cores)."""

PIECE = 1 << 19
"""Weights of a dense graph computed at once."""

TABLE = 1 << 13
"""Edges of a sparse graph in one table."""

KEPT = 1 << 24
"""Numbers kept for the backward pass (64 MiB): weights, their thinned copies, and logarithms for the entropy. What does
not fit is computed again."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some targets of a graph and their sources.

    ``target`` (t,) rows; ``source`` (t, d) rows of their sources, or None where every spot is one; ``is_edge``
    (t, d) bool (a source that is no edge is row 0); ``added`` (t, 1, d) what each edge adds to its logits, all heads
    alike, with gradient, or None; ``first`` (t,) where the sources of each begin in the lists of the graph, if it has
    any.
    """

    target: Tensor | slice
    source: Tensor | None
    is_edge: Tensor
    added: Tensor | None = None
    first: Tensor | None = None

    def bias(self, dtype: torch.dtype) -> Tensor:
        """(t, 1, d): 0 for an edge, -inf for none. Made when needed: it takes four times the room."""
        bias = torch.zeros(self.is_edge.shape, dtype=dtype, device=self.is_edge.device)
        return bias.masked_fill_(~self.is_edge, -torch.inf)[:, None, :]


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph of `n_edges` edges, self-loops included: parts of a matrix, or lists, from which parts can be made."""

    n_edges: int
    given: tuple[Part, ...] | None = None
    lists: Lists | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        """All targets with their sources, each once: bands of a matrix, or tables of about the same degree."""
        if self.given is not None:
            return self.given
        assert self.lists is not None
        return _tables(self.lists)

    def with_added(self, added: Callable[[Part], Tensor]) -> Graph:
        """The same edges, each adding to its logits what `added` says for its part."""
        return replace(self, given=tuple(replace(part, added=added(part)) for part in self.parts))

    def attend(
        self, state: Tensor, source: Tensor, target: Tensor, *, dropout: float, with_entropy: bool
    ) -> tuple[Tensor, Tensor]:
        """As the function `attend`."""
        return attend(state, source, target, self, dropout=dropout, with_entropy=with_entropy)

    @classmethod
    def of(cls, mask: Tensor, *, heads: int, sparse_below: float = SPARSE_BELOW, piece: int = PIECE) -> Graph:
        """The graph of a mask (source, target), dense or sparse, every spot joined to itself as graph attention wants.

        A sparse mask becomes lists without ever being a matrix.
        """
        if mask.is_sparse:
            listed, degree = _inward_lists(edges_of(mask), len(mask))
            return cls(len(listed), lists=Lists.of(listed, degree))
        inward = mask.T.contiguous().fill_diagonal_(True)
        # Sums of bool are made over a copy of eight bytes a value.
        degree = torch.cat([inward[rows].sum(dim=1) for rows in blocks(len(inward))])
        n_edges = int(degree.sum())
        if n_edges < sparse_below * inward.numel():
            return cls(n_edges, lists=Lists.of(inward.nonzero()[:, 1].contiguous(), degree))
        return cls(n_edges, _bands(inward, max(1, piece // (heads * len(inward)))))


@in_full_precision
def attend(
    state: Tensor,
    source: Tensor,
    target: Tensor,
    graph: Graph,
    *,
    dropout: float,
    with_entropy: bool,
    kept: int = KEPT,
) -> tuple[Tensor, Tensor]:
    """Weighted sums of the state over the sources of each target, and the entropy of the weights.

    Parameters
    ----------
    state : (n, width)
    source, target : (n, heads)
        The two parts of the logits.
    graph : Graph
    dropout : float
        Share of the weights set to 0, the others scaled up; 0 outside training.
    with_entropy : bool
        Without it the entropy is 0.
    kept : int
        How many numbers may be kept for the backward pass.

    Returns
    -------
    gathered : (n, heads, width)
    entropy : scalar
        - mean over edges of the sum over heads of w log(w + 1e-9), w after dropout.
    """
    plan = Plan(dropout, with_entropy, kept)
    if graph.lists is None:
        added = [part.added for part in graph.parts if part.added is not None]
        gathered, total = _Attention.apply(state, source, target, graph.parts, plan, *added)  # type: ignore[no-untyped-call]
    else:
        listed = None if graph.given is None else _listed(graph.given, graph.n_edges)
        gathered, total = ListAttention.apply(state, source, target, listed, graph.lists, plan)  # type: ignore[no-untyped-call]
    return gathered, total / graph.n_edges


def soft_weights(part: Part, source: Tensor, target: Tensor) -> Tensor:
    """Attention (t, heads, d) of the targets of one part, without dropout; 0 where there is no edge.

    ``source`` and ``target`` (n, heads) are the two parts of the logits.
    """
    plan = Plan(dropout=0.0, with_entropy=False, kept=0)
    source, target = source.T.contiguous(), target.T.contiguous()
    return _weights(part, source, target, plan, 0, _scratch((part,), source)).soft.transpose(0, 1)


def _inward_lists(edges: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Sources of all targets, one target after the other, and how many each has, self-loops among them."""
    source, target = edges
    itself = torch.arange(n, device=edges.device)
    joined = source != target
    place = torch.cat([target[joined] * n + source[joined], itself * (n + 1)]).sort().values
    return place % n, torch.bincount(place // n, minlength=n)


def _bands(inward: Tensor, step: int) -> tuple[Part, ...]:
    """Parts of `step` targets with all spots as sources, from a mask (target, source)."""
    n = len(inward)
    bounds = [(start, min(start + step, n)) for start in range(0, n, step)]
    return tuple(Part(slice(a, b), None, inward[a:b]) for a, b in bounds)


def _tables(lists: Lists) -> tuple[Part, ...]:
    """One table of sources for all targets of at most 8, 16, 32, ... sources."""
    size = lists.first.diff().clamp(min=8).sub(1).double().log2().floor().long()
    shares = [
        share
        for bucket in torch.unique(size).tolist()
        for share in (size == bucket).nonzero()[:, 0].split(max(1, TABLE >> (bucket + 1)))
    ]
    return tuple(_table(lists, target) for target in shares)


def _table(lists: Lists, target: Tensor) -> Part:
    first, own = lists.first[target], lists.first.diff()[target]
    place = torch.arange(int(own.max()), device=target.device).expand(len(target), -1)
    is_edge = place < own[:, None]
    source = lists.source[torch.where(is_edge, first[:, None] + place, 0)].masked_fill_(~is_edge, 0)
    return Part(target, source, is_edge, first=first)


def _listed(tables: tuple[Part, ...], n_edges: int) -> Tensor:
    """What the edges add to their logits, in the order of the lists: (e,), with gradient."""
    values, places = [], []
    for part in tables:
        assert part.added is not None and part.first is not None
        place = torch.arange(part.is_edge.shape[1], device=part.first.device)
        places.append((part.first[:, None] + place)[part.is_edge])
        values.append(part.added[:, 0][part.is_edge])
    added = torch.cat(values)
    return added.new_empty(n_edges).index_copy(0, torch.cat(places), added)


class _Attention(torch.autograd.Function):
    """state (n, width), source and target (n, heads) -> (n, heads, width) and the summed entropy.

    Inside, heads come first: what one head gathers, or weighs with, lies side by side.
    """

    @staticmethod
    def forward(
        ctx: Any, state: Tensor, source: Tensor, target: Tensor, bands: tuple[Part, ...], plan: Plan, *added: Tensor
    ) -> tuple[Tensor, Tensor]:
        plan = plan.seeded()
        source, target, scaled = source.T.contiguous(), target.T.contiguous(), state * plan.scale
        whole: Tensor | None = None
        entropy = state.new_zeros(())
        scratch = _scratch(bands, source)
        ctx.weights = []
        room = plan.kept
        for number, part in enumerate(bands):
            weights = _weights(part, source, target, plan, number, scratch)
            gathered = product(weights.thin.flatten(0, 1), scaled).view(len(source), -1, state.shape[1])
            whole = placed(whole, gathered, cast("slice", part.target), len(state))
            if weights.raised is not None:
                entropy -= sum_of_logs(weights.thin, weights.raised, plan.scale)
            room -= weights.size
            ctx.weights.append(weights if room >= 0 else None)
        ctx.save_for_backward(state, source, target)
        ctx.plan, ctx.bands = plan, bands
        return cast("Tensor", whole).transpose(0, 1), entropy

    @staticmethod
    def backward(ctx: Any, grad: Tensor, entropy_grad: Tensor) -> tuple[Tensor | None, ...]:
        state, source, target = ctx.saved_tensors
        plan: Plan = ctx.plan
        into = (torch.zeros_like(state), torch.zeros_like(source), torch.zeros_like(target))
        entropy_share = float(entropy_grad) * plan.scale if plan.with_entropy else 0.0
        flow, scaled, scratch = grad.transpose(0, 1), state * plan.scale, _scratch(ctx.bands, source)
        into_added: list[Tensor] = []
        for number, part in enumerate(ctx.bands):
            weights = ctx.weights[number] or _weights(part, source, target, plan, number, scratch)
            slope = _spread(weights.thin, scaled, flow[:, part.target].flatten(0, 1), into[0])
            if weights.raised is not None:
                slope.sub_(weights.raised, alpha=entropy_share)
            _through_softmax(weights, slope)
            if part.added is not None:
                into_added.append(slope.sum(dim=0)[:, None])
            _through_logits(part, slope, _logits(part, source, target, scratch), into)
        return into[0].mul_(plan.scale), into[1].T, into[2].T, None, None, *into_added


def _scratch(bands: tuple[Part, ...], source: Tensor) -> Tensor:
    """Room for the weights of the largest band: what is used again and again stays in the cache."""
    return source.new_empty(max(part.is_edge.numel() for part in bands) * len(source))


def _logits(part: Part, source: Tensor, target: Tensor, scratch: Tensor) -> Tensor:
    """Logits (heads, t, d) before LeakyReLU."""
    own, other = target[:, part.target, None], source[:, None]
    if part.source is not None:
        other = source.index_select(1, part.source.view(-1)).view(-1, *part.source.shape)
    shape = (*own.shape[:2], other.shape[2])
    return torch.add(own, other, out=scratch[: math.prod(shape)].view(shape))


def _weights(part: Part, source: Tensor, target: Tensor, plan: Plan, number: int, scratch: Tensor) -> Weights:
    logits = F.leaky_relu_(_logits(part, source, target, scratch), SLOPE).add_(part.bias(source.dtype)[:, 0])
    if part.added is not None:
        logits.add_(part.added.detach()[:, 0])
    return plan.weights(torch.softmax(logits, dim=-1), number)


def _spread(weight: Tensor, state: Tensor, flow: Tensor, for_state: Tensor) -> Tensor:
    """Gradient of the weights (heads, t, n) from that of what they gathered; that of the state is added up."""
    for_state += product(weight.flatten(0, 1).T, flow)
    return product(flow, state.T).view_as(weight)


def _through_softmax(weights: Weights, slope: Tensor) -> None:
    """Turn `slope`, the gradient of the thinned weights, into that of what the softmax was given.

    w log(w + tiny) is differentiated as 1 + log(w + tiny): what is left out is below tiny.
    """
    slope *= weights.thin
    slope.addcmul_(weights.soft, slope.sum(dim=-1, keepdim=True), value=-1)


def _through_logits(part: Part, slope: Tensor, logits: Tensor, into: tuple[Tensor, ...]) -> None:
    """Backward of LeakyReLU and `_logits`, to both parts of the logits."""
    torch.ops.aten.leaky_relu_backward.grad_input(slope, logits, SLOPE, False, grad_input=slope)
    into[2][:, part.target] = slope.sum(dim=2)
    into[1].add_(slope.sum(dim=1))
