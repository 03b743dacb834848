"""``summary_spot_types.tsv``: the cell type of every spot, as GR2ST's published code reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gr2st.errors import DataError
from gr2st.io.cell_names import classes_of_names
from gr2st.io.store import write_csv
from gr2st.io.tables import first_line, numbers, read_frame, repeated, separator_of, some, split_line
from gr2st.types import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st.types import Float32, SpotCells

SPOT, TYPE, SOURCE = "spot", "type", "source"
_TEXT = (SPOT, TYPE, SOURCE)
_ROUNDING = 1e-3


@dataclass(frozen=True, eq=False, slots=True)
class SpotTypes:
    """Rows of a table of cell types.

    Attributes
    ----------
    spots : tuple of str
    cell_type : tuple of int
        Places in `CELL_CLASSES`.
    cell_share : (n, 6) float32 or None
        None where the file tells only the types.
    is_estimate : bool
        Whether the file itself says that its types were estimated.
    """

    spots: tuple[str, ...]
    cell_type: tuple[int, ...]
    cell_share: Float32 | None
    is_estimate: bool


def is_spot_types(path: Path) -> bool:
    """Whether a file is a table with the columns spot and type."""
    header = first_line(path)
    return {SPOT, TYPE} <= set(split_line(header, separator_of(header)))


def read_spot_types(path: Path) -> SpotTypes:
    """Read a table with the columns spot and type, with or without the six proportions.

    Raises
    ------
    DataError
        A column is missing, a spot stands there twice, a type is not known, or proportions do not add up.
    """
    frame = read_frame(path, text=_TEXT)
    missing = [column for column in (SPOT, TYPE) if column not in frame]
    if missing:
        raise DataError(
            f"{path.name} is no table of cell types: it lacks the column {' and '.join(missing)}; its columns are "
            f"{some(map(repr, frame.columns), 8)}."
        )
    spots = tuple(_texts(frame[SPOT]))
    if twice := repeated(spots):
        raise DataError(f"{path.name} has spots more than once: {some(twice)}. Keep one row of each.")
    kinds = classes_of_names(_texts(frame[TYPE]), path.name)
    is_estimate = SOURCE in frame and "estimate" in set(_texts(frame[SOURCE]))
    return SpotTypes(spots, tuple(kinds), _shares(path, frame), is_estimate)


def write_spot_types(path: Path | str, spots: Sequence[str], cells: SpotCells) -> None:
    """Write spot and type as the published code reads them, then, ours, the six proportions and the source.

    Raises
    ------
    StorageError
        Where the file cannot be written.
    """
    frame = pd.DataFrame({SPOT: list(spots), TYPE: [CELL_CLASSES[kind] for kind in cells.cell_type]})
    if cells.cell_share is not None:
        frame[list(CELL_CLASSES)] = np.round(cells.cell_share.astype(np.float64), 4)
    write_csv(path, frame.assign(**{SOURCE: cells.source}), separator="\t")


def _shares(path: Path, frame: pd.DataFrame) -> Float32 | None:
    """The six proportions, all or none of which are there."""
    present = [name for name in CELL_CLASSES if name in frame]
    if not present:
        return None
    if len(present) < len(CELL_CLASSES):
        raise DataError(
            f"{path.name} has the proportions of {', '.join(present)} only; give all six classes "
            f"({', '.join(CELL_CLASSES)}) or none."
        )
    shares = np.column_stack([numbers(frame, name) for name in CELL_CLASSES]).reshape(-1, len(CELL_CLASSES))
    total = shares.sum(axis=1)
    wrong = ~((np.abs(total - 1) < _ROUNDING) | (total == 0)) | (shares < 0).any(axis=1)
    if wrong.any():
        spots = [str(spot) for spot in frame[SPOT][wrong]]
        raise DataError(f"{path.name} has proportions that are not 0 to 1 with sum 1 (or all 0) at {some(spots)}.")
    return shares.astype(np.float32)


def _texts(column: pd.Series[Any]) -> list[str]:
    return column.fillna("").astype(str).str.strip().tolist()
