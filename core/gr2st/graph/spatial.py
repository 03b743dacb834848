"""Spatial graph: which spots lie near each other on the tissue, as a mask (`gr2st.graph.masks`).

Distances are compared squared and in float64, so that spots exactly on the radius of a grid fall on the same side on
every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from gr2st.graph.masks import mask_of, sparse_mask

if TYPE_CHECKING:
    import numpy.typing as npt


@torch.no_grad()
def radius_graph(position: Tensor, *, radius: float) -> Tensor:
    """Pairs of spots strictly closer than a radius, each spot with itself.

    Parameters
    ----------
    position : (n, 2)
        x, y in units of the array step.
    radius : float
        In the same units.

    Returns
    -------
    (n, n) bool
        Symmetric.
    """
    return mask_of(len(position), lambda rows: _squared_distances(position, rows) < radius**2)


@torch.no_grad()
def nearest_graph(position: Tensor, *, k: int) -> Tensor:
    """Edges from every spot to its `k` nearest, itself among them; of equally far spots the earlier rows are taken.

    Parameters
    ----------
    position : (n, 2)
        x, y in any unit.
    k : int

    Returns
    -------
    (n, n) bool
        Source by target; min(k, n) targets per source.
    """
    k = min(k, len(position))
    return mask_of(len(position), lambda rows: _nearest(_squared_distances(position, rows), k))


def _nearest(distance: Tensor, k: int) -> Tensor:
    """The `k` smallest of each row, of equal ones the first."""
    furthest = distance.topk(k, dim=1, largest=False).values.amax(dim=1, keepdim=True)
    closer = distance < furthest
    tied = distance == furthest
    vacant = k - closer.sum(dim=1, keepdim=True)
    return closer | (tied & (tied.cumsum(dim=1, dtype=torch.int32) <= vacant))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The spots within a radius of each spot that was asked for, itself among them, in lists.

    ``row`` (e,) int64: rows of the neighbours, one spot after the other, each list in ascending order; ``first`` (m,)
    int64: where those of each of the m spots begin; ``n``: spots of the section.
    """

    row: Tensor
    first: Tensor
    n: int

    @classmethod
    @torch.no_grad()
    def within(cls, position: Tensor, *, radius: float, asked: Tensor | None = None) -> Neighbours:
        """All spots strictly closer than a radius, found with a tree: memory grows with their number.

        Parameters
        ----------
        position : (n, 2)
            x, y in units of the array step.
        radius : float
            In the same units.
        asked : (n,) bool, optional
            The spots whose neighbours are wanted; all where none are named.
        """
        near = _pairs_within(position, radius, asked)
        row, first = (torch.from_numpy(part.astype(np.int64)) for part in (near.indices, near.indptr[:-1]))
        return cls(row.to(position.device), first.to(position.device), len(position))

    @property
    def count(self) -> Tensor:
        """How many each spot has: (m,)."""
        return torch.diff(self.first, append=self.first.new_tensor([len(self.row)]))

    def mean(self, values: Tensor) -> Tensor:
        """Mean (m, columns) of values (n, columns) over the neighbours of each spot.

        With gradient where all spots were asked for: each is then a neighbour of its own neighbours.
        """
        mean: Tensor = _Mean.apply(values, self)  # type: ignore[no-untyped-call]
        return mean

    def matrix(self, dtype: torch.dtype) -> Tensor:
        """The same as a dense matrix (m, n) to multiply values with."""
        shares = torch.zeros(len(self.first), self.n, dtype=dtype, device=self.row.device)
        owner = torch.arange(len(self.first), device=self.row.device).repeat_interleave(self.count)
        shares[owner, self.row] = self.count.to(dtype).reciprocal()[owner]
        return shares


class _Mean(torch.autograd.Function):
    """Sums over lists, on their way back too: in a fixed order on every device, which sparse matrices are not."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, near: Neighbours) -> Tensor:
        ctx.near = near
        return functional.embedding_bag(near.row, values, near.first, mode="mean")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        near: Neighbours = ctx.near
        return functional.embedding_bag(near.row, grad / near.count[:, None], near.first, mode="sum"), None


@torch.no_grad()
def neighbourhood_mean(values: Tensor, position: Tensor, *, radius: float, asked: Tensor | None = None) -> Tensor:
    """Mean over each spot and all spots strictly closer than a radius, summed in float64.

    Parameters
    ----------
    values : (n, columns)
    position, radius, asked
        As for `Neighbours.within`.

    Returns
    -------
    (m, columns)
        Of the m spots asked for, on the device of `values`.
    """
    return Neighbours.within(position, radius=radius, asked=asked).mean(values.double()).to(values.dtype)


def _pairs_within(position: Tensor, radius: float, asked: Tensor | None) -> csr_array:
    """Sparse (m, n), ordered, of ones where a spot asked for and another are strictly closer, or are the same."""
    closer = np.nextafter(radius, 0)
    tree = cKDTree(position.double().cpu().numpy())
    if asked is not None:
        centres = cKDTree(tree.data[asked.cpu().numpy()])
        near = centres.sparse_distance_matrix(tree, closer, output_type="ndarray")
        return _ordered(near["i"], near["j"], (centres.n, tree.n))
    one, other = tree.query_pairs(closer, output_type="ndarray").T
    itself = np.arange(len(position))
    return _ordered(np.concatenate([one, other, itself]), np.concatenate([other, one, itself]), (tree.n, tree.n))


def _ordered(row: npt.NDArray[np.int64], column: npt.NDArray[np.int64], shape: tuple[int, int]) -> csr_array:
    near = csr_array((np.ones(len(row)), (row, column)), shape=shape)
    near.sort_indices()
    return near


def no_graph(n: int, *, device: torch.device) -> Tensor:
    """Every one of `n` spots alone with itself: what is left of a graph that an ablation takes away."""
    return sparse_mask(torch.arange(n, device=device).expand(2, n), n)


def _squared_distances(position: Tensor, rows: slice) -> Tensor:
    x, y = position.double().unbind(dim=1)
    across = (x[rows, None] - x[None, :]).square_()
    return across.add_((y[rows, None] - y[None, :]).square_())
