"""Spatial graph: which spots lie near each other on the tissue, as a mask (`gr2st.graph.masks`).

Distances are compared squared and in float64, so that spots exactly on the radius of a grid fall on the same side on
every machine.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.spatial import cKDTree
from torch import Tensor

from gr2st.graph.masks import mask_of, sparse_mask


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


@torch.no_grad()
def neighbourhood_mean(values: Tensor, position: Tensor, *, radius: float, asked: Tensor | None = None) -> Tensor:
    """Mean over each spot and all spots strictly closer than a radius.

    Neighbours are found with a tree, so that memory grows with their number and not with the square of the spots.

    Parameters
    ----------
    values : (n, columns)
    position : (n, 2)
        x, y in units of the array step.
    radius : float
        In the same units.
    asked : (n,) bool, optional
        The spots whose mean is wanted; all where none are named.

    Returns
    -------
    (m, columns)
        Of the m spots asked for, on the device of `values`.
    """
    near = _pairs_within(position, radius, asked)
    summed = near @ values.double().cpu().numpy()
    return torch.from_numpy(summed / near.sum(axis=1)[:, None]).to(values)


def averaging_matrix(position: Tensor, *, radius: float, dtype: torch.dtype, asked: Tensor | None = None) -> Tensor:
    """Sparse (m, n) whose product with values (n, columns) is their `neighbourhood_mean`, with gradient.

    Parameters
    ----------
    position : (n, 2)
        x, y in units of the array step.
    radius : float
        In the same units.
    dtype : torch.dtype
    asked : (n,) bool, optional
        The m spots whose mean is wanted; all n where none are named.
    """
    near = _pairs_within(position, radius, asked)
    shares = (near / near.sum(axis=1)[:, None]).tocoo()
    place = torch.from_numpy(np.stack(shares.coords).astype(np.int64))
    matrix = torch.sparse_coo_tensor(place, torch.from_numpy(shares.data), shares.shape, check_invariants=False)
    return matrix.to(dtype=dtype, device=position.device).coalesce()


def _pairs_within(position: Tensor, radius: float, asked: Tensor | None) -> csr_array:
    """Sparse (m, n) of ones where a spot asked for and another are strictly closer than a radius, or are the same."""
    closer = np.nextafter(radius, 0)
    tree = cKDTree(position.double().cpu().numpy())
    if asked is not None:
        centres = cKDTree(tree.data[asked.cpu().numpy()])
        near = centres.sparse_distance_matrix(tree, closer, output_type="ndarray")
        return csr_array((np.ones(len(near)), (near["i"], near["j"])), shape=(centres.n, tree.n))
    one, other = tree.query_pairs(closer, output_type="ndarray").T
    itself = np.arange(len(position))
    pairs = np.concatenate([one, other, itself]), np.concatenate([other, one, itself])
    return csr_array((np.ones(len(pairs[0])), pairs), shape=(len(itself), len(itself)))


def no_graph(n: int, *, device: torch.device) -> Tensor:
    """Every one of `n` spots alone with itself: what is left of a graph that an ablation takes away."""
    return sparse_mask(torch.arange(n, device=device).expand(2, n), n)


def _squared_distances(position: Tensor, rows: slice) -> Tensor:
    x, y = position.double().unbind(dim=1)
    across = (x[rows, None] - x[None, :]).square_()
    return across.add_((y[rows, None] - y[None, :]).square_())
