"""Retrieval: the bank of training spots, and the weighted mean of those most similar to a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from gr2st.errors import DataError
from gr2st.models.base import Bank

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.models.base import Batch

CHUNK = 64
"""Queries compared at once: (64, k, width) differences stay in the cache."""

FEW = 8
"""The same of values: there are more genes than numbers in a key."""


@dataclass(frozen=True, eq=False)
class Retrieved:
    """What the bank says about some queries.

    Attributes
    ----------
    value : (n, genes)
        Weighted mean of the values of the rows found.
    row, weight : (n, k)
        Rows of the bank, most similar first, and their weights (each line sums to 1).
    similarity : (n, k)
        Cosine similarity of query and key.
    distance : (n, k)
        Distance of query and key.
    """

    value: Tensor
    row: Tensor
    weight: Tensor
    similarity: Tensor
    distance: Tensor

    def confidence(self) -> Tensor:
        """Weighted mean cosine similarity of the rows found, negative means cut to 0: (n,), 0 to 1."""
        return (self.weight * self.similarity).sum(dim=1).clamp(0, 1)

    def spread(self, bank: Bank) -> Tensor:
        """Weighted standard deviation of the values of the rows found: (n, genes)."""
        square = torch.empty_like(self.value)
        parts = (torch.split(tensor, FEW) for tensor in (square, self.row, self.weight, self.value))
        for out, row, weight, value in zip(*parts, strict=True):
            out.copy_(torch.einsum("nk,nkg->ng", weight, (bank.value[row] - value[:, None]).square_()))
        return square.sqrt_()


@torch.no_grad()
def retrieve(bank: Bank, query: Tensor, *, k: int, distance: Literal["l1", "l2"], epsilon: float) -> Retrieved:
    """Mean value of the `k` bank rows of highest cosine similarity, weighted by 1 / (d^2 + epsilon).

    The search is by cosine, the weight by the distance d of the vectors as they are: the published evaluation does
    both. Where d is 0 and epsilon too, the exact matches share the whole weight. A bank with fewer than `k` rows
    gives all of them.

    Parameters
    ----------
    bank : Bank
        ``key`` (m, width), ``value`` (m, genes).
    query : (n, width)
    k : int
    distance : "l1" or "l2"
    epsilon : float

    Returns
    -------
    Retrieved
    """
    cosine = F.normalize(query, dim=1) @ F.normalize(bank.key, dim=1).T
    similarity, row = cosine.topk(min(k, len(bank.key)), dim=1)
    apart = _by_chunk(lambda q, r: _distances(q, bank.key[r], distance), query, row)
    weight = _shares(apart.square().add_(epsilon))
    value = F.embedding_bag(row, bank.value.to(weight.dtype), mode="sum", per_sample_weights=weight)
    return Retrieved(value, row, weight, similarity, apart)


def similarities(query: Tensor, key: Tensor, row: Tensor) -> Tensor:
    """Cosine similarity (n, k) of each query (n, width) and its own rows (n, k) of the keys (m, width)."""
    return _by_chunk(lambda q, r: F.cosine_similarity(q[:, None], key[r], dim=2), query, row)


def appended(bank: Bank | None, batch: Batch, key: Tensor, value: Tensor) -> Bank:
    """A bank with the spots of one more training section at its end.

    Parameters
    ----------
    bank : Bank or None
        None where this is the first section.
    batch : Batch
        Names the section; its spots are numbered in row order.
    key, value : (n, width), (n, genes)

    Raises
    ------
    DataError
        If the section is in the bank already: its spots would count twice.
    """
    if bank is None:
        bank = Bank(key.new_empty(0, key.shape[1]), value.new_empty(0, value.shape[1]))
    if batch.section in bank.section:
        raise DataError(f"Section {batch.section!r} is in the bank already; remember each training section once.")
    return Bank(
        key=torch.cat([bank.key, key]),
        value=torch.cat([bank.value, value]),
        section=(*bank.section, *[batch.section] * len(key)),
        spot=(*bank.spot, *range(len(key))),
    )


def filled(bank: Bank | None, model: str) -> Bank:
    """The bank, or DataError where nothing has been remembered yet."""
    if bank is None or not len(bank.key):
        raise DataError(f"{model} has no training spots to look up: it must remember its training sections first.")
    return bank


def _by_chunk(compute: Callable[[Tensor, Tensor], Tensor], query: Tensor, row: Tensor) -> Tensor:
    """A number (n, k) for each query (n, width) and each of its rows (n, k), worked out by some queries at once.

    Each result goes to its place: kept until the end, in pieces, it would lie where the next chunk's differences fit.
    """
    out = query.new_empty(row.shape)
    for place, q, r in zip(*(torch.split(tensor, CHUNK) for tensor in (out, query, row)), strict=True):
        place.copy_(compute(q, r))
    return out


def _distances(query: Tensor, key: Tensor, distance: Literal["l1", "l2"]) -> Tensor:
    """Distance of each query (n, width) to its own keys (n, k, width): (n, k)."""
    order = 1 if distance == "l1" else 2
    apart: Tensor = torch.linalg.vector_norm(query[:, None] - key, ord=order, dim=2)
    return apart


def _shares(square: Tensor) -> Tensor:
    """Weights in proportion to 1 / square, lines summing to 1; zeros share everything."""
    exact = square == 0
    raw = torch.where(exact.any(dim=1, keepdim=True), exact.to(square.dtype), square.reciprocal())
    return raw / raw.sum(dim=1, keepdim=True)
