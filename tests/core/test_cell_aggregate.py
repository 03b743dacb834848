"""From nuclei to spots: windows, majority and its tie order, proportions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gr2st.cells.aggregate import counts_in_windows, majority, shares, spot_cells
from gr2st.models.blocks import CELL_TYPES
from gr2st.types import CELL_CLASSES, Nuclei

COUNTS = arrays(np.int64, st.tuples(st.integers(1, 8), st.just(6)), elements=st.integers(0, 5))


def published_type(counts: np.ndarray) -> str:
    """The most frequent class, the first of the published order among equals: written as a loop."""
    best = CELL_CLASSES[0]
    most = counts[0]
    for name, count in zip(CELL_CLASSES, counts, strict=True):
        if count > most:
            best, most = name, count
    return best


def test_the_classes_stand_in_the_published_order() -> None:
    assert CELL_CLASSES == ("nolabe", "necros", "neopla", "inflam", "connec", "no-neo")
    assert len(CELL_CLASSES) == CELL_TYPES


@settings(deadline=None)
@given(COUNTS)
def test_the_majority_is_the_first_of_the_most_frequent(counts: np.ndarray) -> None:
    assert [CELL_CLASSES[kind] for kind in majority(counts)] == [published_type(row) for row in counts]


@settings(deadline=None)
@given(COUNTS)
def test_shares_sum_to_one_or_to_zero_where_a_spot_is_empty(counts: np.ndarray) -> None:
    total = shares(counts).sum(axis=1)
    np.testing.assert_allclose(total, counts.any(axis=1).astype(float), rtol=1e-6)


def test_an_empty_spot_is_nolabe_with_a_row_of_zeros() -> None:
    cells = spot_cells(np.zeros((1, 6), np.int64), "files")
    assert cells.cell_type.tolist() == [0]
    assert cells.cell_type.dtype == np.int64
    assert cells.cell_share.dtype == np.float32
    assert not cells.cell_share.any()


@pytest.mark.parametrize("side", [20.0, 21.0, 33.3])
def test_windows_hold_what_a_loop_over_all_nuclei_finds(rng: np.random.Generator, side: float) -> None:
    spots = rng.uniform(30, 170, (25, 2))
    # Whole pixels, so that some nuclei lie on the very edge of a window.
    nuclei = Nuclei(rng.integers(0, 200, (800, 2)).astype(float), rng.integers(0, 6, 800))
    found = counts_in_windows(nuclei, spots, side)
    for spot, row in zip(np.rint(spots), found, strict=True):
        inside = ((nuclei.xy >= spot - side / 2) & (nuclei.xy < spot + side / 2)).all(axis=1)
        assert row.tolist() == np.bincount(nuclei.kind[inside], minlength=6).tolist()


def test_no_nuclei_give_empty_spots() -> None:
    assert counts_in_windows(Nuclei(np.zeros((0, 2)), np.zeros(0, np.int64)), np.ones((3, 2)), 10).sum() == 0
