"""Labels of spots by barcode: a table of a pathologist's classes, as deposits keep beside Space Ranger's results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from gr2st.errors import DataError
from gr2st.io.tables import plural, read_frame, repeated, some

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gr2st.io.tables import Report

_TITLES = ("label", "Classification")
_PATIENT = "patientid"


def read_barcode_labels(path: Path, barcodes: Iterable[str], report: Report) -> pd.Categorical:
    """Label of each barcode from a table with barcodes in its first column; missing where the table has none.

    Raises
    ------
    DataError
        Where the file is no such table, names a barcode twice, or labels none of these spots.
    """
    frame = read_frame(path, text=_TITLES)
    title = next((title for title in _TITLES if title in frame), None)
    if title is None:
        raise DataError(
            f"{path.name} holds no labels: a column {' or '.join(_TITLES)} is wanted; its columns are "
            f"{some(map(repr, frame.columns), 8)}."
        )
    names = frame.iloc[:, 0].astype(str).tolist()
    if twice := repeated(names):
        raise DataError(f"{path.name} labels {plural(len(twice), 'barcode')} more than once: {some(twice)}.")
    # A blank cell is no label.
    at = {name: label for name, label in zip(names, frame[title], strict=True) if isinstance(label, str) and label}
    values = [at.get(barcode) for barcode in barcodes]
    unlabelled = sum(value is None for value in values)
    if unlabelled == len(values):
        raise DataError(f"{path.name} labels no spot of this section: it seems to be of another one.")
    if unlabelled:
        report.notes.append(f"{plural(unlabelled, 'spot')} without a label.")
    return pd.Categorical(values)


def patient_in(path: Path) -> str | None:
    """The one patient such a table names in its column ``patientid``; None where it names none, or several."""
    try:
        frame = read_frame(path, text=(_PATIENT,))
    except DataError:
        return None
    named = set(frame[_PATIENT].dropna()) if _PATIENT in frame else set()
    return str(named.pop()) if len(named) == 1 else None
