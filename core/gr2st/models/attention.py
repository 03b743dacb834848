"""Graph attention weights of many heads over one graph: exact, in the form that the graph's density asks for.

For head h, the edge from source i to target j has the logit LeakyReLU(source_hi + target_hj); the softmax runs over
all sources of one target. All heads look at the same state: gathering it first and projecting afterwards costs
n * heads * width where the textbook order costs edges * heads * width.

A dense graph is a masked matrix, worked through in pieces (some targets) that stay in the cache; a large section is
computed again in the backward pass instead of kept. A sparse graph is a few tables of neighbours, one for the targets
of about the same degree. The density of the graph decides which; both give the same numbers, and both backward passes
are written out: left to autograd, the elementwise steps would cost more than the products.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import e as EULER
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.graph.masks import blocks, edges_of
from gr2st.models.dropout import keep_mask
from gr2st.models.precision import in_full_precision

SLOPE = 0.2
TINY = 1e-9
"""Inside the logarithm of the entropy, as published."""

SPARSE_BELOW = 0.15
"""Share of all pairs under which tables of neighbours are the faster form (measured on two cores)."""

PIECE = 1 << 19
"""Weights of a dense graph computed at once."""

TABLE = 1 << 13
"""Sources of a sparse graph looked up at once: with a state of 256 numbers 8 MiB."""

KEPT = 1 << 23
"""Weights kept for the backward pass (64 MiB with their thinned copies); of larger graphs they are computed again."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some targets of a graph and their sources.

    ``target`` (t,) rows; ``source`` (t, d) rows of their sources, or None where every spot is one; ``is_edge``
    (t, d) bool (a source that is no edge is row 0); ``added`` (t, 1, d) what each edge adds to its logits, all heads
    alike, with gradient, or None.
    """

    target: Tensor | slice
    source: Tensor | None
    is_edge: Tensor
    added: Tensor | None = None

    def bias(self, dtype: torch.dtype) -> Tensor:
        """(t, 1, d): 0 for an edge, -inf for none. Made when needed: it takes four times the room."""
        bias = torch.zeros(self.is_edge.shape, dtype=dtype, device=self.is_edge.device)
        return bias.masked_fill_(~self.is_edge, -torch.inf)[:, None, :]


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph in the parts it is computed in, and its number of edges, self-loops included."""

    n_edges: int
    parts: tuple[Part, ...]

    def with_added(self, added: Callable[[Part], Tensor]) -> Graph:
        """The same edges, each adding to its logits what `added` says for its part."""
        return Graph(self.n_edges, tuple(replace(part, added=added(part)) for part in self.parts))

    def attend(
        self, state: Tensor, source: Tensor, target: Tensor, *, dropout: float, with_entropy: bool
    ) -> tuple[Tensor, Tensor]:
        """As the function `attend`."""
        return attend(state, source, target, self, dropout=dropout, with_entropy=with_entropy)

    @classmethod
    def of(cls, mask: Tensor, *, heads: int, sparse_below: float = SPARSE_BELOW, piece: int = PIECE) -> Graph:
        """The graph of a mask (source, target), dense or sparse, every spot joined to itself as graph attention wants.

        A sparse mask becomes tables without ever being a matrix.
        """
        if mask.is_sparse:
            listed, degree = _inward_lists(edges_of(mask), len(mask))
            return cls(len(listed), _tables(listed, degree))
        inward = mask.T.contiguous().fill_diagonal_(True)
        # Sums of bool are made over a copy of eight bytes a value.
        degree = torch.cat([inward[rows].sum(dim=1) for rows in blocks(len(inward))])
        n_edges = int(degree.sum())
        if n_edges < sparse_below * inward.numel():
            return cls(n_edges, _tables(inward.nonzero()[:, 1], degree))
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
        Number of weights that may be kept for the backward pass.

    Returns
    -------
    gathered : (n, heads, width)
    entropy : scalar
        - mean over edges of the sum over heads of w log(w + 1e-9), w after dropout.
    """
    plan = _Plan(graph.parts, dropout, with_entropy, kept)
    gathered, total = _Attention.apply(state, source, target, plan, *plan.added)  # type: ignore[no-untyped-call]
    return gathered, total / graph.n_edges


def soft_weights(part: Part, source: Tensor, target: Tensor) -> Tensor:
    """Attention (t, heads, d) of the targets of one part, without dropout; 0 where there is no edge.

    ``source`` and ``target`` (n, heads) are the two parts of the logits.
    """
    scratch = source.new_empty(part.is_edge.numel() * source.shape[1])
    return _weights(part, source, target, 0.0, 0, scratch).soft


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


def _tables(listed: Tensor, degree: Tensor) -> tuple[Part, ...]:
    """One table of sources for all targets of at most 8, 16, 32, ... sources."""
    first = degree.cumsum(0) - degree
    size = degree.clamp(min=8).sub(1).double().log2().floor().long()
    shares = [
        share
        for bucket in torch.unique(size).tolist()
        for share in (size == bucket).nonzero()[:, 0].split(max(1, TABLE >> (bucket + 1)))
    ]
    return tuple(_table(listed, first, degree, target) for target in shares)


def _table(listed: Tensor, first: Tensor, degree: Tensor, target: Tensor) -> Part:
    own = degree[target]
    place = torch.arange(int(own.max()), device=target.device).expand(len(target), -1)
    is_edge = place < own[:, None]
    source = listed[torch.where(is_edge, first[target, None] + place, 0)].masked_fill_(~is_edge, 0)
    return Part(target, source, is_edge)


@dataclass(frozen=True, eq=False)
class _Plan:
    parts: tuple[Part, ...]
    dropout: float
    with_entropy: bool
    kept: int

    @property
    def scale(self) -> float:
        return 1 / (1 - self.dropout)

    @property
    def added(self) -> tuple[Tensor, ...]:
        """What the edges of every part add to their logits; empty where they add nothing."""
        return tuple(part.added for part in self.parts if part.added is not None)


@dataclass(frozen=True, eq=False)
class _Weights:
    """Softmax weights (t, heads, d) of one part, and the same thinned by dropout, not yet scaled."""

    soft: Tensor
    thin: Tensor


class _Attention(torch.autograd.Function):
    """state (n, width), source and target (n, heads) -> (n, heads, width) and the summed entropy."""

    @staticmethod
    def forward(
        ctx: Any, state: Tensor, source: Tensor, target: Tensor, plan: _Plan, *added: Tensor
    ) -> tuple[Tensor, Tensor]:
        seed = int(torch.randint(2**62, ())) if plan.dropout else 0
        gathered = state.new_empty(*source.shape, state.shape[1])
        entropy = state.new_zeros(())
        scratch = _scratch(plan, source)
        ctx.weights = []
        room = plan.kept
        for number, part in enumerate(plan.parts):
            weights = _weights(part, source, target, plan.dropout, seed + number, scratch)
            gathered[part.target] = _gather(part, weights.thin, state).mul_(plan.scale)
            if plan.with_entropy:
                entropy -= _sum_of_logs(weights.thin, plan.scale, scratch)
            room -= weights.soft.numel()
            ctx.weights.append(weights if room >= 0 else None)
        ctx.save_for_backward(state, source, target)
        ctx.plan, ctx.seed = plan, seed
        return gathered, entropy

    @staticmethod
    def backward(ctx: Any, grad: Tensor, entropy_grad: Tensor) -> tuple[Tensor | None, ...]:
        state, source, target = ctx.saved_tensors
        plan: _Plan = ctx.plan
        into = (torch.zeros_like(state), torch.zeros_like(source), torch.zeros_like(target))
        entropy_share = float(entropy_grad) * plan.scale if plan.with_entropy else 0.0
        scratch = _scratch(plan, source)
        into_added: list[Tensor] = []
        for number, part in enumerate(plan.parts):
            weights = ctx.weights[number]
            if weights is None:
                weights = _weights(part, source, target, plan.dropout, ctx.seed + number, scratch)
            flow = grad[part.target] * plan.scale
            slope = _spread(part, weights.thin, state, flow, into[0])
            if entropy_share:
                slope.sub_(_raised_logs(weights.thin, plan.scale, scratch), alpha=entropy_share)
            _through_softmax(weights, slope)
            if part.added is not None:
                into_added.append(slope.sum(dim=1, keepdim=True))
            _through_logits(part, slope, _logits(part, source, target, scratch), into)
        return *into, None, *into_added


def _scratch(plan: _Plan, source: Tensor) -> Tensor:
    """Room for the weights of the largest part: what is used again and again stays in the cache."""
    return source.new_empty(max(part.is_edge.numel() for part in plan.parts) * source.shape[1])


def _logits(part: Part, source: Tensor, target: Tensor, scratch: Tensor) -> Tensor:
    """Logits (t, heads, d) before LeakyReLU."""
    own = target[part.target][:, :, None]
    if part.source is None:
        other = source.T[None]
    else:
        other = source.index_select(0, part.source.view(-1)).view(*part.source.shape, -1).transpose(1, 2)
    shape = (*own.shape[:2], other.shape[2])
    return torch.add(own, other, out=scratch[: shape[0] * shape[1] * shape[2]].view(shape))


def _weights(part: Part, source: Tensor, target: Tensor, dropout: float, seed: int, scratch: Tensor) -> _Weights:
    logits = F.leaky_relu_(_logits(part, source, target, scratch), SLOPE).add_(part.bias(source.dtype))
    if part.added is not None:
        logits.add_(part.added.detach())
    soft = torch.softmax(logits, dim=-1)
    if not dropout:
        return _Weights(soft, soft)
    generator = torch.Generator(soft.device).manual_seed(seed)
    return _Weights(soft, keep_mask(soft, dropout, generator=generator, scaled=False).mul_(soft))


def _gather(part: Part, weight: Tensor, state: Tensor) -> Tensor:
    """Sums (t, heads, width) of the state weighted by (t, heads, d)."""
    if part.source is None:
        return (weight.flatten(0, 1) @ state).view(*weight.shape[:2], -1)
    return torch.bmm(weight, _local(part.source, state))


def _spread(part: Part, weight: Tensor, state: Tensor, flow: Tensor, for_state: Tensor) -> Tensor:
    """Backward of `_gather`: gradient of the weights; that of the state is added to `for_state`."""
    if part.source is None:
        flow = flow.flatten(0, 1)
        for_state.addmm_(weight.flatten(0, 1).T, flow)
        return (flow @ state.T).view_as(weight)
    local = torch.bmm(weight.transpose(1, 2), flow)
    for_state.index_add_(0, part.source.view(-1), local.flatten(0, 1))
    return torch.bmm(flow, _local(part.source, state).transpose(1, 2))


def _local(source: Tensor, state: Tensor) -> Tensor:
    return state.index_select(0, source.view(-1)).view(*source.shape, -1)


def _raised_logs(thin: Tensor, scale: float, scratch: Tensor) -> Tensor:
    """1 + log(w + tiny) of the scaled weights w, in two passes."""
    raised = torch.mul(thin, EULER * scale, out=scratch[: thin.numel()].view(thin.shape))
    return raised.add_(EULER * TINY).log_()


def _sum_of_logs(thin: Tensor, scale: float, scratch: Tensor) -> Tensor:
    """Sum of w log(w + tiny) over the scaled weights w."""
    return scale * (torch.dot(thin.view(-1), _raised_logs(thin, scale, scratch).view(-1)) - thin.sum())


def _through_softmax(weights: _Weights, slope: Tensor) -> None:
    """Turn `slope`, the gradient of the thinned weights, into that of what the softmax was given.

    w log(w + tiny) is differentiated as 1 + log(w + tiny): what is left out is below tiny.
    """
    slope *= weights.thin
    slope.addcmul_(weights.soft, slope.sum(dim=-1, keepdim=True), value=-1)


def _through_logits(part: Part, slope: Tensor, logits: Tensor, into: tuple[Tensor, ...]) -> None:
    """Backward of LeakyReLU and `_logits`, to both parts of the logits."""
    torch.ops.aten.leaky_relu_backward.grad_input(slope, logits, SLOPE, False, grad_input=slope)
    into[2][part.target] = slope.sum(dim=2)
    if part.source is None:
        into[1].add_(slope.sum(dim=0).T)
    else:
        into[1].index_add_(0, part.source.view(-1), slope.transpose(1, 2).flatten(0, 1))
