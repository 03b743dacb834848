"""The text files of legacy ST: count tables, spot files and pathologists' labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from gr2st.errors import DataError
from gr2st.io.count_values import check_counts
from gr2st.io.geometry import are_positions
from gr2st.io.tables import (
    are,
    left_out_or_problem,
    numbers,
    plural,
    read_frame,
    read_text,
    repeated,
    separator_of,
    some,
    split_line,
    unquote,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from gr2st.io.tables import Report
    from gr2st.types import Float64, Int64

_COORDINATES = re.compile(r"X?(-?\d+(?:\.\d+)?)[x_](-?\d+(?:\.\d+)?)")
_PIXEL = ("pixel_x", "pixel_y")
_SHOWN = 3

Cell = tuple[int, int]


@dataclass(frozen=True, eq=False, slots=True)
class Counts:
    """A count table: CSR (n_spots, n_genes), the names of its rows and columns, and the array cell (x, y) of a row."""

    matrix: sparse.csr_matrix
    spots: list[str]
    genes: list[str]
    cells: list[Cell]


@dataclass(frozen=True, eq=False, slots=True)
class Spots:
    """A spot file, one row per array cell: (n, 2) arrays in the order of `cells`.

    `measured` is the position in array steps (``new_x``, ``new_y``), `xy` the one in pixels.
    """

    cells: list[Cell]
    measured: Float64
    xy: Float64
    is_selected: Sequence[bool]


def cell_of(name: str) -> Cell | None:
    """Array cell (x, y) of a spot name such as ``10x13`` or ``12.116x7.015`` (rounded), None where it is none."""
    match = _COORDINATES.fullmatch(name)
    return (round(float(match[1])), round(float(match[2]))) if match else None


def spot_key(cell: Cell) -> str:
    """The usual name of an array cell: ``10x13``."""
    return f"{cell[0]}x{cell[1]}"


def read_counts(path: Path, report: Report) -> Counts:
    """Read a count table with spots in rows, whatever its separator and packing.

    Every problem of the table is added to `report`; what is returned is of use only where none was.

    Raises
    ------
    DataError
        Where the file is no count table at all.
    """
    lines = read_text(path).rstrip().splitlines()
    separator = separator_of(lines[0])
    header = split_line(lines[0], separator)
    parted = [line.partition(separator) for line in lines[1:]]
    spots = [unquote(name) for name, _, _ in parted]
    _refuse_wrong_table(path, header, spots)
    values = [rest for _, _, rest in parted]
    genes = _gene_names(header, values[0].count(separator) + 1)
    matrix = _parse_values(path, values, separator, (spots, genes), report)
    check_counts(matrix, spots, genes, path.name, report)
    _check_genes(path, genes, report)
    return Counts(matrix, spots, genes, _cells(path, spots, report))


def _refuse_wrong_table(path: Path, header: list[str], spots: list[str]) -> None:
    if not spots:
        raise DataError(f"{path.name} has a header line but no spots below it.")
    if set(_PIXEL) <= set(header):
        raise DataError(f"{path.name} is a spot file (it has columns {', '.join(_PIXEL)}), not a count table.")
    if any(map(cell_of, spots)):
        return
    if any(map(cell_of, header)):
        raise DataError(
            f"{path.name} has genes in rows and spots in columns (columns such as {next(filter(cell_of, header))!r}). "
            "Transpose it: one row per spot, named XxY after the spot file."
        )
    raise DataError(
        f"{path.name} is not a count table of legacy ST: its rows should be named XxY, such as 10x13; "
        f"found {some(spots, _SHOWN)}."
    )


def _gene_names(header: list[str], n_values: int) -> list[str]:
    """Gene names of a header with or without a cell above the spot names (R leaves it out)."""
    return header[1:] if len(header) == n_values + 1 else header


def _parse_values(
    path: Path, values: list[str], separator: str, names: tuple[list[str], list[str]], report: Report
) -> sparse.csr_matrix:
    spots, genes = names
    try:
        dense = np.loadtxt(values, dtype=np.float32, delimiter=separator, comments=None, ndmin=2)
    except ValueError:
        report.problems.extend(_explain_values(path, values, separator, names))
        return sparse.csr_matrix(np.zeros((len(spots), len(genes)), np.float32))
    if dense.shape != (len(spots), len(genes)):
        report.problems.append(
            f"{path.name} names {plural(len(genes), 'gene')} but its rows hold {plural(dense.shape[1], 'value')}."
        )
    return sparse.csr_matrix(dense)


def _explain_values(path: Path, values: list[str], separator: str, names: tuple[list[str], list[str]]) -> list[str]:
    """Say which rows are cut off and which cells are no numbers."""
    spots, genes = names
    found, ragged = [], []
    for spot, line in zip(spots, values, strict=True):
        cells = split_line(line, separator)
        if len(cells) != len(genes):
            ragged.append(f"{spot} ({len(cells)})")
        found += [
            f"{cell!r} for {gene} in {spot}" for gene, cell in zip(genes, cells, strict=False) if _no_number(cell)
        ]
    problems = []
    if ragged:
        problems.append(
            f"{path.name} has rows that do not hold {plural(len(genes), 'value')}: {some(ragged, _SHOWN)}. "
            "The file may be cut off."
        )
    if found:
        problems.append(
            f"{path.name} holds {plural(len(found), 'value')} that {are(len(found))} no number: {some(found, _SHOWN)}."
        )
    return problems


def _no_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _check_genes(path: Path, genes: list[str], report: Report) -> None:
    if twice := repeated(genes):
        report.problems.append(f"{path.name} names {plural(len(twice), 'gene')} more than once: {some(twice)}.")
    if "" in genes:
        report.problems.append(f"{path.name} has a gene without a name in its header.")


def _cells(path: Path, spots: list[str], report: Report) -> list[Cell]:
    """Array cell of each row; unrounded names are rounded with a note."""
    cells = [cell_of(name) for name in spots]
    nameless = [name for name, cell in zip(spots, cells, strict=True) if cell is None]
    if nameless:
        report.problems.append(f"{path.name} has rows that are not named XxY: {some(nameless)}.")
    if twice := repeated(spots):
        report.problems.append(f"{path.name} names {plural(len(twice), 'spot')} more than once: {some(twice)}.")
    known = [cell for cell in cells if cell is not None]
    clashes = set(repeated(map(spot_key, known))) - set(repeated(spots))
    if clashes:
        report.problems.append(f"{path.name} has several rows for one array position: {some(sorted(clashes))}.")
    if any("." in name for name in spots):
        report.notes.append(f"Spot names of {path.name} are not whole numbers and were rounded to array positions.")
    return [cell if cell is not None else (0, 0) for cell in cells]


def read_spots(path: Path, report: Report) -> Spots:
    """Read a spot file: ``x``, ``y`` (or ``cell_ID``), ``pixel_x``, ``pixel_y``; ``new_x``, ``new_y``, ``selected``.

    Raises
    ------
    DataError
        Where the file is no spot file.
    """
    frame = read_frame(path, text=["cell_ID"])
    if not len(frame):
        raise DataError(f"{path.name} has a header line but no spots below it.")
    xy = _columns(path, frame, _PIXEL)
    array = _array_positions(path, frame)
    measured = _columns(path, frame, ("new_x", "new_y")) if {"new_x", "new_y"} <= set(frame.columns) else array
    complete = are_positions(np.column_stack([xy, array, measured]))
    incomplete = [str(row + 2) for row in np.flatnonzero(~complete)]
    left_out_or_problem(incomplete, len(frame), f"in {path.name} lack a position (by line number)", report)
    cells = _whole_cells(array[complete])
    if twice := repeated(map(spot_key, cells)):
        report.problems.append(f"{path.name} holds {plural(len(twice), 'spot')} more than once: {some(twice)}.")
    selected = numbers(frame, "selected")[complete] != 0 if "selected" in frame else np.ones(len(cells), bool)
    return Spots(cells, measured[complete], _upright(path, xy[complete], report), selected.tolist())


def _columns(path: Path, frame: pd.DataFrame, names: tuple[str, str]) -> Float64:
    missing = [name for name in names if name not in frame]
    if missing:
        raise DataError(
            f"{path.name} is not a spot file: it lacks {' and '.join(missing)}; its columns are "
            f"{some(map(repr, frame.columns), 8)}."
        )
    return np.column_stack([numbers(frame, name) for name in names])


def _array_positions(path: Path, frame: pd.DataFrame) -> Float64:
    """x, y of the array from the columns of that name or from names such as ``7x45``; NaN where a row has none."""
    if "cell_ID" not in frame or "x" in frame:
        return _columns(path, frame, ("x", "y"))
    cells = [cell_of(str(name)) or (np.nan, np.nan) for name in frame["cell_ID"]]
    return np.array(cells, np.float64).reshape(-1, 2)


def _whole_cells(array: Float64) -> list[Cell]:
    whole: Int64 = np.rint(array).astype(np.int64)
    return [(int(x), int(y)) for x, y in whole]


def _upright(path: Path, xy: Float64, report: Report) -> Float64:
    """Turn a y axis that points up, written as negative pixels throughout, into one that points down."""
    if not len(xy) or (xy[:, 1] > 0).any() or (xy[:, 1] == 0).all():
        return xy
    report.notes.append(f"pixel_y of {path.name} is negative throughout and was read as the distance from the top.")
    turned: Float64 = xy * np.array([1.0, -1.0])
    return turned


def read_labels(path: Path, report: Report) -> dict[Cell, str]:
    """Labels by array cell, from the unrounded ``x``, ``y``; the file's pixel columns count in another frame.

    Raises
    ------
    DataError
        Where the file is no label file.
    """
    frame = read_frame(path, text=["label"])
    array = _columns(path, frame, ("x", "y"))
    if "label" not in frame:
        raise DataError(f"{path.name} is not a label file: it has no column 'label'.")
    complete = are_positions(array)
    if not complete.all():
        report.notes.append(f"{plural(int((~complete).sum()), 'row')} of {path.name} without a position left out.")
    cells = _whole_cells(array[complete])
    labels = frame["label"].tolist()
    labels = [
        str(label) if isinstance(label, str) else None for label, kept in zip(labels, complete, strict=True) if kept
    ]
    if twice := set(repeated(map(spot_key, cells))):
        report.notes.append(f"{path.name} labels some spots more than once; they get no label: {some(sorted(twice))}.")
    return {
        cell: label
        for cell, label in zip(cells, labels, strict=True)
        if label is not None and spot_key(cell) not in twice
    }
