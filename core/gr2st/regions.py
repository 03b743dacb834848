"""Regions drawn on a slide: which spots lie in them, and how genes differ between two of them. No files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from gr2st.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

Ring: TypeAlias = npt.NDArray[np.float64]
Polygon: TypeAlias = tuple[Ring, ...]
Bool: TypeAlias = npt.NDArray[np.bool_]
Float64: TypeAlias = npt.NDArray[np.float64]

FEWEST_SPOTS = 5
"""Spots each side needs for a p value: with fewer the normal approximation says nothing."""
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Region:
    """An area of a slide.

    Attributes
    ----------
    name, kind : str
        What it is called, and its class ("Tumor"); empty where it has none.
    polygons : tuple of tuples of (k, 2) float64
        Polygons, each a tuple of rings in level-0 pixels x, y: the outline, then its holes. A ring closes by itself.
    colour : (red, green, blue) or None
        0 to 255.
    """

    name: str
    kind: str
    polygons: tuple[Polygon, ...]
    colour: tuple[int, int, int] | None = None


def spots_inside(region: Region, xy: npt.ArrayLike) -> Bool:
    """Which spots have their centre in a region.

    Within a polygon the even-odd rule holds, so that holes are outside; a spot in any polygon is inside. A spot on the
    border that two regions share is in exactly one of them.

    Parameters
    ----------
    xy : (n, 2)
        Spot centres in level-0 pixels x, y.

    Returns
    -------
    (n,) bool
    """
    points = np.asarray(xy, np.float64).reshape(-1, 2)
    inside = np.zeros(len(points), bool)
    for polygon in region.polygons:
        odd = np.zeros(len(points), bool)
        for ring in polygon:
            odd ^= _crossed_oddly(ring, points)
        inside |= odd
    return inside


def compare_regions(values: npt.ArrayLike, names: Sequence[str], inside_a: Bool, inside_b: Bool) -> pd.DataFrame:
    """Compare every gene between the spots of two regions.

    The spots of one section are neighbours, not independent samples: the p values rank genes, they prove nothing.

    Parameters
    ----------
    values : (n, genes)
        Expression; NaN where a gene was not measured in a spot, which is then left out for this gene.
    names : sequence of str
        The genes.
    inside_a, inside_b : (n,) bool
        The spots of each region.

    Returns
    -------
    DataFrame
        One row per gene: ``gene``, ``n_a``, ``n_b`` (spots with a value), ``mean_a``, ``mean_b``, ``difference``
        (a minus b), ``detected_a``, ``detected_b`` (share of the spots above zero), ``p`` (Mann-Whitney U, two-sided,
        normal approximation with ties), ``q`` (Benjamini-Hochberg over the genes that have a p) and ``reason`` (why
        there is no p, else empty).

    Raises
    ------
    DataError
        Shapes do not match, or a spot lies in both regions.
    """
    import pandas as pd

    matrix = np.asarray(values)
    _check(matrix, names, inside_a, inside_b)
    a, b = np.asarray(matrix[inside_a], np.float64), np.asarray(matrix[inside_b], np.float64)
    n_a, n_b = (np.isfinite(side).sum(axis=0) for side in (a, b))
    enough = np.minimum(n_a, n_b) >= FEWEST_SPOTS
    p = _p_values(a, b, enough)
    mean_a, mean_b = _per_spot(np.nan_to_num(a), n_a), _per_spot(np.nan_to_num(b), n_b)
    columns: dict[str, Any] = {
        "gene": list(names),
        "n_a": n_a,
        "n_b": n_b,
        "mean_a": mean_a,
        "mean_b": mean_b,
        "difference": mean_a - mean_b,
        "detected_a": _per_spot(a > 0, n_a),
        "detected_b": _per_spot(b > 0, n_b),
        "p": p,
        "q": benjamini_hochberg(p),
        "reason": np.where(enough, "", f"fewer than {FEWEST_SPOTS} spots with a value in one of the regions"),
    }
    return pd.DataFrame(columns)


def benjamini_hochberg(p: npt.ArrayLike) -> Float64:
    """Correct p values by Benjamini and Hochberg; q values; NaN stays NaN and counts as no test."""
    from scipy.stats import false_discovery_control

    given = np.asarray(p, np.float64)
    q = np.full(given.shape, np.nan)
    known = np.isfinite(given)
    if known.any():
        q[known] = false_discovery_control(given[known])
    return q


def _check(matrix: npt.NDArray[Any], names: Sequence[str], inside_a: Bool, inside_b: Bool) -> None:
    wanted = (len(inside_a), len(names))
    if matrix.shape != wanted or len(inside_b) != len(inside_a):
        raise DataError(
            f"Values of {wanted[0]} spots x {wanted[1]} genes and a mark per spot for both regions were wanted, "
            f"found {matrix.shape} and marks for {len(inside_a)} and {len(inside_b)} spots."
        )
    both = int(np.count_nonzero(np.asarray(inside_a) & np.asarray(inside_b)))
    if both:
        raise DataError(
            f"The two regions overlap: {both} of their spots {'lies' if both == 1 else 'lie'} in both. "
            "Redraw one of them, or choose another."
        )


def _crossed_oddly(ring: Ring, points: Float64) -> Bool:
    """Whether a ray from each point to the right crosses the ring an odd number of times."""
    x, y = points.T
    odd = np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        # One end of each edge counts and the other does not, so that a corner is crossed once.
        spans = (y0 > y) != (y1 > y)
        odd[spans] ^= x[spans] < x0 + (y[spans] - y0) * (x1 - x0) / (y1 - y0)
    return odd


def _p_values(a: Float64, b: Float64, enough: Bool) -> Float64:
    """Test each gene; genes that lack a value in the same spots are tested together."""
    p = np.full(a.shape[1], np.nan)
    for start in range(0, a.shape[1], _BLOCK):
        columns = start + np.flatnonzero(enough[start : start + _BLOCK])
        if columns.size:
            p[columns] = _p_of_block(a[:, columns], b[:, columns])
    return p


def _p_of_block(a: Float64, b: Float64) -> Float64:
    from scipy.stats import mannwhitneyu

    p = np.full(a.shape[1], np.nan)
    known = np.isfinite(np.concatenate([a, b]))
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for number, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(which.ravel() == number)
        in_a, in_b = a[pattern[: len(a)]][:, columns], b[pattern[len(a) :]][:, columns]
        with np.errstate(divide="ignore", invalid="ignore"):
            p[columns] = mannwhitneyu(in_a, in_b, axis=0, method="asymptotic").pvalue
        # Where every spot has the same value nothing differs, and the statistic is 0 / 0.
        p[columns[np.ptp(np.concatenate([in_a, in_b]), axis=0) == 0]] = 1.0
    return p


def _per_spot(side: npt.NDArray[Any], count: npt.NDArray[Any]) -> Float64:
    return np.asarray(side.sum(axis=0), np.float64) / np.where(count > 0, count, np.nan)
