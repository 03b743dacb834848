"""Products by oneDNN are torch's products, gradients included, for every way a matrix can lie in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.models import products
from gr2st.models.products import has_wide_onednn, linear, linear_by_head, product

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def by_onednn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Products go to oneDNN here on any CPU that has it, wide or not."""
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(products, "has_wide_onednn", lambda: True)
    torch.manual_seed(0)
    yield


def lain(values: Tensor, how: str) -> Tensor:
    """The same numbers, lying otherwise in memory."""
    if how == "turned":
        return values.T.contiguous().T
    if how == "with gaps":
        return torch.stack([values, values], dim=1)[:, 0]
    return values


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected.to(found.dtype), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 7), (50, 1, 3), (33, 17, 65), (185, 256, 64)])
@pytest.mark.parametrize("left", ["plain", "turned", "with gaps"])
@pytest.mark.parametrize("right", ["plain", "turned", "with gaps"])
def test_a_product_is_that_of_torch(shape: tuple[int, int, int], left: str, right: str) -> None:
    m, k, n = shape
    one, other = torch.randn(m, k), torch.randn(k, n)
    close(product(lain(one, left), lain(other, right)), one.double() @ other.double())


def gradients(made: Callable[..., Tensor], *values: Tensor) -> tuple[Tensor, ...]:
    """What comes out, and the gradient of its weighted sum with respect to each of the values."""
    given = [value.clone().requires_grad_() for value in values]
    out = made(*given)
    weight = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype)
    return (out.detach(), *torch.autograd.grad((out * weight).sum(), given))


def test_a_linear_layer_has_the_gradients_of_torch() -> None:
    values = torch.randn(37, 20), torch.randn(11, 20), torch.randn(11)
    for found, expected in zip(
        gradients(linear, *values), gradients(F.linear, *(v.double() for v in values)), strict=True
    ):
        close(found, expected)


def test_products_head_by_head_have_the_gradients_of_torch() -> None:
    values = torch.randn(30, 4, 12), torch.randn(4, 9, 12)
    expected = gradients(lambda x, w: torch.einsum("mhk,hnk->mhn", x, w), *(v.double() for v in values))
    for found, wanted in zip(gradients(linear_by_head, *values), expected, strict=True):
        close(found, wanted)


def test_float64_and_half_precision_stay_with_torch() -> None:
    values, weight = torch.randn(5, 4), torch.randn(3, 4)
    assert torch.equal(linear(values.double(), weight.double()), F.linear(values.double(), weight.double()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(values, weight).dtype == torch.bfloat16


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
def test_onednn_is_asked_where_the_processor_is_wide_enough(monkeypatch: pytest.MonkeyPatch, capability: str) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    has_wide_onednn.cache_clear()
    assert has_wide_onednn() == (capability == "AVX512")
    has_wide_onednn.cache_clear()
