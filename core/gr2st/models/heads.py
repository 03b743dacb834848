"""Many small linear maps at once: the heads of attention with the layer that follows, and the experts.

The numbers of one head lie side by side, as attention leaves them, and so do their gradients, as attention takes them:
what all heads gathered, the largest thing in a training step, is copied once where autograd would copy it six times.
Weights of experts are used where they are, and their gradients arrive where they belong: joined, both would be copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gr2st.models.plain import plain
from gr2st.models.products import product, product_added


def heads_through(gathered: Sequence[Tensor], weights: Sequence[Tensor], last: Tensor, *, folded: bool) -> Tensor:
    """Each head's values times its own weight, summed over the graphs; then the heads side by side, times `last`.

    Parameters
    ----------
    gathered : of each graph (n, heads, k)
    weights : of each graph (heads, c, k)
    last : (out, heads * c)
    folded : bool
        Multiply both maps first: what costs n * heads * c * k less costs heads * c * k * out more.

    Returns
    -------
    (n, out)
    """
    values = [value.transpose(0, 1) for value in gathered]
    if _is_left_to_torch(last):
        return _by_torch(values, weights, last, folded=folded)
    made = _Folded if folded else _SideBySide
    out: Tensor = made.apply(last, len(values), *values, *weights)  # type: ignore[no-untyped-call]
    return out


def each_linear(values: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """The same values (n, k) through several layers, weights (c, k) and biases (c,): (layers, n, c)."""
    if _is_left_to_torch(values):
        joined = F.linear(values, torch.cat(list(weights)), torch.cat(list(biases)))
        return joined.view(len(values), len(weights), -1).transpose(0, 1)
    projected: Tensor = _Each.apply(values, *weights)  # type: ignore[no-untyped-call]
    return projected + torch.stack(list(biases))[:, None]


def summed_linear(values: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Values (layers, n, c), each through its own layer, weights (out, c), summed over the layers: (n, out)."""
    if _is_left_to_torch(values):
        return F.linear(values.transpose(0, 1).flatten(1), torch.cat(list(weights), dim=1))
    out: Tensor = _Sum.apply(values, *weights)  # type: ignore[no-untyped-call]
    return out


def _is_left_to_torch(like: Tensor) -> bool:
    """Where one large product is better than several, or a backward pass of our own is in the way."""
    return plain() or like.device.type != "cpu" or torch.is_autocast_enabled("cpu")


def _by_torch(values: Sequence[Tensor], weights: Sequence[Tensor], last: Tensor, *, folded: bool) -> Tensor:
    if folded:
        value, weight = torch.cat(list(values), dim=2), torch.cat(list(weights), dim=2)
        both = torch.bmm(weight.transpose(1, 2), _by_head(last, len(weight)).transpose(1, 2))
        return value.transpose(0, 1).flatten(1) @ both.flatten(0, 1)
    total = torch.bmm(values[0], weights[0].transpose(1, 2))
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = total + torch.bmm(value, weight.transpose(1, 2))
    return F.linear(total.transpose(0, 1).flatten(1), last)


class _SideBySide(torch.autograd.Function):
    """`last` (out, heads * c), the number of graphs, their values (heads, n, k) and their weights (heads, c, k)."""

    @staticmethod
    def forward(ctx: Any, last: Tensor, graphs: int, *given: Tensor) -> Tensor:
        given = tuple(tensor.contiguous() for tensor in given)
        values, weights = given[:graphs], given[graphs:]
        of_heads = zip(*values, *(weight.transpose(1, 2) for weight in weights), strict=True)
        projected = torch.cat([_summed(one[:graphs], one[graphs:]) for one in of_heads], dim=1)
        ctx.save_for_backward(last, projected, *given)
        return product(projected, last.T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        last, projected, *given = ctx.saved_tensors
        values, weights = given[: len(given) // 2], given[len(given) // 2 :]
        flow = product(grad, last).view(len(grad), len(weights[0]), -1).transpose(0, 1).contiguous()
        turned = flow.transpose(1, 2).contiguous()
        for_values = (_per_head(flow, weight) for weight in weights)
        for_weights = (_per_head(turned, value) for value in values)
        return product(grad.T, projected), None, *for_values, *for_weights


class _Folded(torch.autograd.Function):
    """The same, both maps multiplied first."""

    @staticmethod
    def forward(ctx: Any, last: Tensor, graphs: int, *given: Tensor) -> Tensor:
        given = tuple(tensor.contiguous() for tensor in given)
        values, weights = given[:graphs], given[graphs:]
        by_head = _by_head(last, len(weights[0])).contiguous()
        both = [_per_head(by_head, weight) for weight in weights]
        ctx.save_for_backward(by_head, *given, *both)
        left, right = (tuple(head for tensor in tensors for head in tensor) for tensors in (values, both))
        return _summed(left, tuple(map_.T for map_ in right))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        by_head, *rest = ctx.saved_tensors
        third = len(rest) // 3
        values, weights, both = rest[:third], rest[third : 2 * third], rest[2 * third :]
        turned, heads = grad.T.contiguous(), len(by_head)
        by_head_turned = by_head.transpose(1, 2).contiguous()
        for_both = [_per_head([turned] * heads, value) for value in values]
        for_last = torch.stack(
            [
                _summed([flow[head] for flow in for_both], [weight[head].T for weight in weights])
                for head in range(heads)
            ],
            dim=1,
        )
        for_values = (_per_head([grad] * heads, map_) for map_ in both)
        for_weights = (_per_head(by_head_turned, flow) for flow in for_both)
        return for_last.flatten(1), None, *for_values, *for_weights


class _Each(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(values, *weights)
        return torch.stack([product(values, weight.T) for weight in weights])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        values, *weights = ctx.saved_tensors
        return _summed(grad.contiguous(), weights), *(product(flow.T, values) for flow in grad)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, *weights: Tensor) -> Tensor:
        values = values.contiguous()
        ctx.save_for_backward(values, *weights)
        return _summed(values, [weight.T for weight in weights])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        values, *weights = ctx.saved_tensors
        turned = grad.T.contiguous()
        for_values = torch.stack([product(grad, weight) for weight in weights])
        return for_values, *(product(turned, own) for own in values)


def _by_head(last: Tensor, heads: int) -> Tensor:
    """The linear map's share of each head: (heads, out, c)."""
    return last.view(len(last), heads, -1).transpose(0, 1)


def _summed(left: Sequence[Tensor] | Tensor, right: Sequence[Tensor]) -> Tensor:
    """Sum of the products of matrices, two and two."""
    total = product(left[0], right[0])
    for one, other in zip(left[1:], right[1:], strict=True):
        total = product_added(total, one, other)
    return total


def _per_head(left: Sequence[Tensor] | Tensor, right: Tensor) -> Tensor:
    """Product of each head's two matrices, one head after the other."""
    return torch.stack([product(one, other) for one, other in zip(left, right, strict=True)])
