"""Whether values are raw counts: whole, finite, not negative, of a believable size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gr2st.io.tables import are, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy import sparse

    from gr2st.io.tables import Report
    from gr2st.types import Bool

LARGEST_COUNT = 2**24
"""Largest count that float32 holds exactly; no spot comes near it."""


def check_counts(
    values: sparse.csr_matrix, spots: Sequence[str], genes: Sequence[str], where: str, report: Report
) -> None:
    """Report infinite, NaN, negative, non-integer and absurd values, and a matrix without any count.

    Parameters
    ----------
    values : (n_spots, n_genes) CSR
    spots, genes : sequence of str
        Names of the rows and columns, for the message.
    where : str
        What is checked, as the message calls it.
    """
    data = values.data
    is_finite = np.isfinite(data)
    finite = data[is_finite]
    for kind, is_wrong in (("infinite", np.isinf(data)), ("NaN, no number", np.isnan(data))):
        if number := int(is_wrong.sum()):
            report.problems.append(
                f"{where} holds {plural(number, 'value')} that {are(number)} {kind}: "
                f"{'the first' if number > 1 else 'it'} stands {_place(values, is_wrong, spots, genes)}."
            )
    negative = int((finite < 0).sum())
    broken = finite[finite != np.floor(finite)]
    if negative:
        report.problems.append(f"{where} holds {plural(negative, 'negative value')}; counts are zero or more.")
    if broken.size:
        report.problems.append(
            f"{where} holds {plural(broken.size, 'value')} that {are(broken.size)} not whole (for example "
            f"{broken[0]:g}); raw counts are wanted, not normalised ones."
        )
    huge = finite[finite > LARGEST_COUNT]
    if huge.size:
        report.problems.append(f"{where} holds {plural(huge.size, 'value')} too large for a count ({huge[0]:g}).")
    if is_finite.all() and not (data != 0).any():
        report.problems.append(f"{where} holds no count at all: every value is zero.")


def _place(values: sparse.csr_matrix, is_wrong: Bool, spots: Sequence[str], genes: Sequence[str]) -> str:
    """Row and column of the first wrong value, counted from 1, with their names where there are as many as needed."""
    first = int(np.argmax(is_wrong))
    row = int(np.searchsorted(values.indptr, first, side="right")) - 1
    column = int(values.indices[first])
    spot = f" ({spots[row]})" if len(spots) == values.shape[0] else ""
    gene = f" ({genes[column]})" if len(genes) == values.shape[1] else ""
    return f"in row {row + 1}{spot}, column {column + 1}{gene}"
