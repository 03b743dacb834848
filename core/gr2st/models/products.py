"""Matrix products of float32 on a CPU, by the library that uses all of its vector unit.

torch multiplies such matrices with MKL, which on processors of another make than its own keeps to half of the vector
unit: with AVX-512 on an AMD processor, oneDNN took less than half of the time. oneDNN is part of torch, but torch
gives it whole networks only, after compiling them; here it is asked directly. Sums are taken in another order, so the
last digits differ, as they do with another number of threads. Whatever is not float32 on such a CPU is torch's own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from gr2st.models.plain import plain


def product(left: Tensor, right: Tensor) -> Tensor:
    """(m, k) times (k, n), where no gradient is asked for: (m, n)."""
    return _by_onednn(left, right) if _suits_onednn(left, right) else left @ right


def product_added(total: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """`total` (m, n) plus (m, k) times (k, n), where no gradient is asked for."""
    if not _suits_onednn(left, right):
        return torch.addmm(total, left, right)
    out: Tensor = torch.ops.mkldnn._linear_pointwise.binary(left, total, _as_weight(right), None, "add")
    return out


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The values times W^T, plus b, with gradient.

    Parameters
    ----------
    values : (m, k)
    weight : (n, k)
    bias : (n,), optional

    Returns
    -------
    (m, n)
    """
    if not _suits_onednn(values, weight):
        return F.linear(values, weight, bias)
    out: Tensor = _Linear.apply(values, weight, bias)  # type: ignore[no-untyped-call]
    return out


def linear_by_head(values: Tensor, weight: Tensor) -> Tensor:
    """Each head's values times its own weight, with gradient.

    Parameters
    ----------
    values : (m, heads, k)
    weight : (heads, n, k)

    Returns
    -------
    (m, heads, n)
    """
    if not _suits_onednn(values, weight):
        return torch.bmm(values.transpose(0, 1), weight.transpose(1, 2)).transpose(0, 1)
    out: Tensor = _LinearByHead.apply(values, weight)  # type: ignore[no-untyped-call]
    return out


class Linear(nn.Linear):
    """torch's linear layer by `linear`: the same parameters under the same names."""

    def forward(self, values: Tensor) -> Tensor:
        """(m, k) -> (m, n)."""
        return linear(values, self.weight, self.bias)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values, weight)
        return _by_onednn(values, weight.T, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        values, weight = ctx.saved_tensors
        for_values, for_weight, for_bias = ctx.needs_input_grad
        return (
            _by_onednn(grad, weight) if for_values else None,
            _by_onednn(grad.T, values) if for_weight else None,
            grad.sum(dim=0) if for_bias else None,
        )


class _LinearByHead(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor) -> Tensor:
        by_head = values.transpose(0, 1).contiguous()
        ctx.save_for_backward(by_head, weight)
        return torch.stack([_by_onednn(own, to.T) for own, to in zip(by_head, weight, strict=True)], dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        by_head, weight = ctx.saved_tensors
        flows = grad.transpose(0, 1).contiguous()
        for_values = torch.stack([_by_onednn(flow, to) for flow, to in zip(flows, weight, strict=True)], dim=1)
        for_weight = torch.stack([_by_onednn(flow.T, own) for flow, own in zip(flows, by_head, strict=True)])
        return for_values, for_weight


def _by_onednn(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(left, _as_weight(right), bias, "none", [], "")
    return out


def _as_weight(right: Tensor) -> Tensor:
    # Rows or columns that do not lie side by side would send oneDNN to its slow reference code.
    return right.T if right.is_contiguous() or right.T.is_contiguous() else right.T.contiguous()


def _suits_onednn(*values: Tensor) -> bool:
    if plain() or not has_wide_onednn() or torch.is_autocast_enabled("cpu"):
        return False
    return all(value.dtype == torch.float32 and value.device.type == "cpu" for value in values)


@cache
def has_wide_onednn() -> bool:
    """Whether this CPU has AVX-512 and this torch has oneDNN, with the product that is asked for here."""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    asked_for = available and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return asked_for and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
