"""Values that are no counts are told with their number and their place."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from gr2st.io.count_values import check_counts
from gr2st.io.tables import Report

SPOTS = ["10x13", "10x14", "11x13"]
GENES = ["ERBB2", "GNAS"]


def findings(*changes: tuple[int, int, float], spots: list[str] = SPOTS) -> list[str]:
    values = np.array([[1, 2], [3, 0], [0, 4]], np.float32)
    for row, column, value in changes:
        values[row, column] = value
    report = Report("A1")
    check_counts(sparse.csr_matrix(values), spots, GENES, "counts.tsv", report)
    return report.problems


def test_whole_numbers_are_counts() -> None:
    assert findings() == []


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_called_infinite_and_not_nan(value: float) -> None:
    assert findings((1, 1, value)) == [
        "counts.tsv holds 1 value that is infinite: it stands in row 2 (10x14), column 2 (GNAS)."
    ]


def test_nan_and_infinite_values_are_told_apart_each_with_its_first_place() -> None:
    infinite, nan = findings((0, 1, np.inf), (2, 0, np.nan), (2, 1, np.nan))
    assert infinite == "counts.tsv holds 1 value that is infinite: it stands in row 1 (10x13), column 2 (GNAS)."
    assert (
        nan == "counts.tsv holds 2 values that are NaN, no number: the first stands in row 3 (11x13), column 1 (ERBB2)."
    )


def test_names_that_do_not_fit_the_matrix_are_left_out_of_the_place() -> None:
    assert findings((2, 1, np.nan), spots=["10x13"])[0].endswith("in row 3, column 2 (GNAS).")


def test_negative_broken_and_huge_values_are_problems_of_their_own() -> None:
    assert len(findings((0, 0, -1), (0, 1, 0.5), (1, 0, 1e30))) == 3


def test_a_matrix_of_zeros_holds_no_count() -> None:
    assert findings((0, 0, 0), (0, 1, 0), (1, 0, 0), (2, 1, 0)) == [
        "counts.tsv holds no count at all: every value is zero."
    ]
