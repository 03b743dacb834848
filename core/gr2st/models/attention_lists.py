"""Attention over the edges of a sparse graph alone: no neighbour's state is copied, no edge is padded.

The edges of all targets stand in a row, one target after the other. What one head gathers is a sum of rows of the
state, which torch's embedding bags form where the rows lie; the gradient of the state is such a sum too, over the
edges of each source; the gradient of the weights is a product sampled at the edges. At 700 spots and 20 neighbours
copies took longer than the arithmetic.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.models.attention_weights import SLOPE, Plan, Weights, placed, sum_of_logs

CHUNK = 1 << 15
"""Edges worked on at once; with eight heads the weights take 1 MiB."""

REMEMBERED = 1 << 20
"""Edges of a graph that is remembered in the order of its sources too, which takes 16 bytes an edge."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """The edges of some targets: ``source`` (e,), and where those of each target begin, ``first`` (t + 1,)."""

    target: slice
    edges: slice
    source: Tensor
    first: Tensor

    @cached_property
    def row(self) -> Tensor:
        """(e,): which of the targets each edge goes to."""
        return torch.arange(len(self.first) - 1, device=self.first.device).repeat_interleave(self.first.diff())

    @cached_property
    def itself(self) -> Tensor:
        """(e,): the edges in their order."""
        return torch.arange(len(self.source), device=self.source.device)

    @cached_property
    def turned(self) -> tuple[Tensor, Tensor, Tensor]:
        """The edges ordered by source, the sources (s,) that there are, and where the edges of each begin (s,)."""
        order = self.source.argsort(stable=True)
        sources, counts = torch.unique_consecutive(self.source[order], return_counts=True)
        return order, sources, counts.cumsum(0) - counts


@dataclass(frozen=True, eq=False)
class Lists:
    """Sources (e,) of all edges, one target after the other, and where those of each target begin: (n + 1,)."""

    source: Tensor
    first: Tensor

    @classmethod
    def of(cls, source: Tensor, degree: Tensor) -> Lists:
        """From the number of sources of each target."""
        return cls(source, F.pad(degree.cumsum(0), (1, 0)))

    @property
    def chunks(self) -> Iterable[Chunk]:
        """All edges, in chunks of whole targets; those of many edges, with what they know, are made anew each time."""
        return self._kept_chunks if len(self.source) <= REMEMBERED else self._chunks()

    @cached_property
    def _kept_chunks(self) -> tuple[Chunk, ...]:
        return tuple(self._chunks())

    def _chunks(self) -> Iterator[Chunk]:
        start = 0
        for count in torch.unique_consecutive(self.first[:-1] // CHUNK, return_counts=True)[1].tolist():
            first = self.first[start : start + count + 1]
            edges = slice(int(first[0]), int(first[-1]))
            yield Chunk(slice(start, start + count), edges, self.source[edges], first - first[0])
            start += count


class ListAttention(torch.autograd.Function):
    """state (n, width), source and target (n, heads) -> (n, heads, width) and the summed entropy.

    ``added`` (e,) is what the edges add to their logits, or None. Inside, heads come first.
    """

    @staticmethod
    def forward(
        ctx: Any, state: Tensor, source: Tensor, target: Tensor, added: Tensor | None, lists: Lists, plan: Plan
    ) -> tuple[Tensor, Tensor]:
        plan = plan.seeded()
        scaled = state.detach() * plan.scale
        entropy, room, ctx.weights, whole = state.new_zeros(()), plan.kept, [], None
        for number, chunk in enumerate(lists.chunks):
            weights = _weights(chunk, source, target, added, plan, number)
            whole = placed(whole, _gathered(chunk, weights.thin, scaled), chunk.target, len(state))
            if weights.raised is not None:
                entropy -= sum_of_logs(weights.thin, weights.raised, plan.scale)
            room -= weights.size
            ctx.weights.append(weights if room >= 0 else None)
        ctx.save_for_backward(state, source, target, added)
        ctx.plan, ctx.lists = plan, lists
        return cast("Tensor", whole).transpose(0, 1), entropy

    @staticmethod
    def backward(ctx: Any, grad: Tensor, entropy_grad: Tensor) -> tuple[Tensor | None, ...]:
        state, source, target, added = ctx.saved_tensors
        plan: Plan = ctx.plan
        flow, scaled = grad.transpose(0, 1), state * plan.scale
        for_state, for_source, for_target = map(torch.zeros_like, (state, source, target))
        for_added = None if added is None else torch.empty_like(added)
        entropy_share = float(entropy_grad) * plan.scale if plan.with_entropy else 0.0
        for number, chunk in enumerate(ctx.lists.chunks):
            weights = ctx.weights[number] or _weights(chunk, source, target, added, plan, number)
            own_flow = flow[:, chunk.target].contiguous()
            # What flows back to the weights.
            slope = (sampled if _can_sample(state) else sampled_by_head)(chunk, own_flow, scaled)
            _spread(chunk, weights.thin, own_flow, for_state)
            if weights.raised is not None:
                slope.sub_(weights.raised, alpha=entropy_share)
            slope = slope.mul_(weights.thin).T.contiguous()
            slope.addcmul_(weights.soft, _per_edge(chunk, _summed(chunk, slope)), value=-1)
            if for_added is not None:
                for_added[chunk.edges] = slope.sum(dim=1)
            logits = _logits(chunk, source, target)
            torch.ops.aten.leaky_relu_backward.grad_input(slope, logits, SLOPE, False, grad_input=slope)
            for_target[chunk.target] = _summed(chunk, slope)
            order, sources, first = chunk.turned
            for_source.index_add_(0, sources, F.embedding_bag(order, slope, first, mode="sum"))
        return for_state.mul_(plan.scale), for_source, for_target, for_added, None, None


def _logits(chunk: Chunk, source: Tensor, target: Tensor) -> Tensor:
    """Logits (e, heads) before LeakyReLU."""
    return source.index_select(0, chunk.source).add_(_per_edge(chunk, target[chunk.target]))


def _weights(chunk: Chunk, source: Tensor, target: Tensor, added: Tensor | None, plan: Plan, number: int) -> Weights:
    logits = F.leaky_relu_(_logits(chunk, source, target), SLOPE)
    if added is not None:
        logits.add_(added.detach()[chunk.edges, None])
    highest = torch.segment_reduce(logits, "max", offsets=chunk.first, axis=0)
    soft = logits.sub_(_per_edge(chunk, highest)).exp_()
    soft.div_(_per_edge(chunk, _summed(chunk, soft)))
    return replace(plan.weights(soft.T.contiguous(), number), soft=soft)


def _per_edge(chunk: Chunk, values: Tensor) -> Tensor:
    """What belongs to the target of each edge, of values (t, heads): (e, heads)."""
    return values.index_select(0, chunk.row)


def _summed(chunk: Chunk, values: Tensor) -> Tensor:
    """Sums (t, heads) over the edges (e, heads) of each target; torch's own take five times as long."""
    return F.embedding_bag(chunk.itself, values, chunk.first[:-1], mode="sum")


def _gathered(chunk: Chunk, weight: Tensor, state: Tensor) -> Tensor:
    """Sums (heads, t, width) of the state weighted by (heads, e)."""
    heads, edges = weight.shape
    first = chunk.first[:-1] + _steps(heads, edges, chunk.first)[:, None]
    sums = _weighted_rows(state, chunk.source.repeat(heads), first.view(-1), weight.view(-1))
    return sums.view(heads, -1, state.shape[1])


def _spread(chunk: Chunk, weight: Tensor, flow: Tensor, for_state: Tensor) -> None:
    """Add the gradient of the state: what came back to each source from all its edges, by all heads."""
    heads, rows, width = flow.shape
    order, sources, first = chunk.turned
    looked_up = chunk.row[order][:, None] + _steps(heads, rows, chunk.row)
    by_source = weight.index_select(1, order).T.contiguous()
    sums = _weighted_rows(flow.view(-1, width), looked_up.view(-1), first * heads, by_source.view(-1))
    for_state.index_add_(0, sources, sums)


def _weighted_rows(table: Tensor, looked_up: Tensor, first: Tensor, weight: Tensor) -> Tensor:
    """Weighted sums of rows of a table, one for each of the runs that begin at `first`."""
    return F.embedding_bag(looked_up, table, first, mode="sum", per_sample_weights=weight)


def sampled(chunk: Chunk, flow: Tensor, state: Tensor) -> Tensor:
    """Products of `flow` (heads, t, width) with the state (n, width) at the edges alone: (heads, e)."""
    heads, rows, width = flow.shape
    edges = len(chunk.source)
    first = chunk.first[:-1] + _steps(heads, edges, chunk.first)[:, None]
    first = F.pad(first.view(-1), (0, 1), value=heads * edges)
    _hear_of_sparse_rows()
    size, nothing = (heads * rows, len(state)), flow.new_zeros(heads * edges)
    where = torch.sparse_csr_tensor(first, chunk.source.repeat(heads), nothing, size, check_invariants=False)
    values: Tensor = torch.sparse.sampled_addmm(where, flow.view(-1, width), state.T, beta=0.0).values()
    return values.view(heads, edges)


@cache
def _hear_of_sparse_rows() -> None:
    """Torch says once in a process that its sparse rows may still change: that is no news to the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.eye(1).to_sparse_csr()


def _can_sample(like: Tensor) -> bool:
    """Torch has such products on processors where it was built with MKL."""
    return like.device.type == "cpu" and bool(torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]


def sampled_by_head(chunk: Chunk, flow: Tensor, state: Tensor) -> Tensor:
    """The same by operations that every device has."""
    near = state.index_select(0, chunk.source)
    return torch.stack([(own.index_select(0, chunk.row) * near).sum(dim=1) for own in flow])


def _steps(heads: int, step: int, like: Tensor) -> Tensor:
    """0, step, 2 * step, ...: one for each head."""
    return torch.arange(heads, device=like.device) * step
