"""Count matrices and spot positions as Space Ranger writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from gr2st import keys
from gr2st.errors import DataError
from gr2st.io.count_values import check_counts
from gr2st.io.geometry import are_positions
from gr2st.io.hdf5 import AGAIN, opened, refuse_damaged
from gr2st.io.matrix_market import read_matrix_market
from gr2st.io.tables import (
    are,
    numbers,
    plural,
    read_frame,
    read_text,
    repeated,
    separator_of,
    some,
    split_line,
    unique_names,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st.io.tables import Report
    from gr2st.types import Bool, Float64, Int64

EXPRESSION = "Gene Expression"
_H5_PARTS = ("barcodes", "data", "indices", "indptr", "shape", "features/id", "features/name")
_PROBE_PARTS = ("probe_region", "filtered_probes")
_POSITION_COLUMNS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")


@dataclass(frozen=True, eq=False, slots=True)
class Matrix:
    """Counts CSR (n_barcodes, n_genes), barcodes, and the gene table indexed by unique symbols."""

    counts: sparse.csr_matrix
    barcodes: list[str]
    var: pd.DataFrame


@dataclass(frozen=True, eq=False, slots=True)
class Positions:
    """Spots of a positions file: `cells` (n, 2) array column and row, `xy` (n, 2) full-resolution pixels."""

    barcodes: list[str]
    in_tissue: Bool
    cells: Int64
    xy: Float64


def read_matrix(path: Path, report: Report) -> Matrix:
    """Read a feature-barcode matrix: an ``.h5`` file or a folder with matrix, features and barcodes.

    Raises
    ------
    DataError
        Where it is missing, damaged, no such matrix, or holds counts per probe.
    """
    matrix = _read_mtx(path, report) if path.is_dir() else _read_h5(path, report)
    check_counts(matrix.counts, matrix.barcodes, list(matrix.var.index), path.name, report)
    if twice := repeated(matrix.barcodes):
        report.problems.append(f"{path.name} names {plural(len(twice), 'barcode')} more than once: {some(twice)}.")
    return matrix


def _read_h5(path: Path, report: Report) -> Matrix:
    refuse_damaged(path)
    with opened(path) as file:
        return _matrix_of(path, file, report)


def _matrix_of(path: Path, file: Any, report: Report) -> Matrix:
    if "matrix" not in file:
        raise DataError(
            f"{path.name} holds no 10x count matrix (a group 'matrix' is wanted); it holds {some(map(repr, file))}."
        )
    if any(f"matrix/features/{name}" in file for name in _PROBE_PARTS):
        raise DataError(
            f"{path.name} holds counts per probe, not per gene. Use filtered_feature_bc_matrix.h5 of the same run."
        )
    group = file["matrix"]
    missing = [name for name in _H5_PARTS if name not in group]
    if missing:
        raise DataError(
            f"{path.name} is no complete 10x count matrix: its group 'matrix' lacks {some(missing, 7)}. Take the file "
            "from the Space Ranger run again."
        )
    features = group["features"]
    parts = (group["data"][:], group["indices"][:], group["indptr"][:])
    n_genes, n_barcodes = (int(n) for n in group["shape"][:])
    try:
        counts = sparse.csr_matrix(parts, shape=(n_barcodes, n_genes))
        counts.check_format()
    except ValueError as error:
        raise DataError(f"{path.name} is damaged: the parts of its matrix do not fit together. {AGAIN}") from error
    kinds = _strings(features["feature_type"]) if "feature_type" in features else []
    names = (_strings(features["id"]), _strings(features["name"]), kinds)
    return _assemble(path, counts, _strings(group["barcodes"]), names, report)


def _strings(dataset: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in dataset[:]]


def _read_mtx(folder: Path, report: Report) -> Matrix:
    rows = _rows(_member(folder, "features.tsv", "genes.tsv"))
    barcodes = [row[0] for row in _rows(_member(folder, "barcodes.tsv"))]
    counts = read_matrix_market(_member(folder, "matrix.mtx"), len(rows), len(barcodes))
    names = (
        [row[0] for row in rows],
        [row[min(1, len(row) - 1)] for row in rows],
        [row[2] for row in rows if len(row) > 2],
    )
    return _assemble(folder, counts, barcodes, names, report)


def _member(folder: Path, *names: str) -> Path:
    """The file of one of these names, packed or not."""
    for name in names:
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                return path
    raise DataError(f"{folder.name} lacks {' or '.join(names)} (with or without .gz). Copy the whole folder again.")


def _rows(path: Path) -> list[list[str]]:
    return [split_line(line, "\t") for line in read_text(path).splitlines() if line.strip()]


def _assemble(
    path: Path,
    counts: sparse.csr_matrix,
    barcodes: list[str],
    names: tuple[list[str], list[str], list[str]],
    report: Report,
) -> Matrix:
    """Check that names and matrix agree, keep gene expression, make symbols unique."""
    ids, symbols, kinds = names
    if counts.shape != (len(barcodes), len(ids)):
        raise DataError(
            f"{path.name} does not fit together: the matrix is {counts.shape[1]} genes by {counts.shape[0]} barcodes, "
            f"the lists name {len(ids)} and {len(barcodes)}."
        )
    keep = np.array([kind == EXPRESSION for kind in kinds]) if len(kinds) == len(ids) else np.ones(len(ids), bool)
    if not keep.all():
        others = sorted({kind for kind in kinds if kind != EXPRESSION})
        report.notes.append(f"{plural(int((~keep).sum()), 'feature')} left out, no gene expression: {some(others)}.")
        counts, ids, symbols = counts[:, keep], _kept(ids, keep), _kept(symbols, keep)
    return Matrix(counts, barcodes, gene_table(ids, symbols, report))


def _kept(names: list[str], keep: Bool) -> list[str]:
    return [name for name, kept in zip(names, keep, strict=True) if kept]


def gene_table(ids: Sequence[str] | None, symbols: Sequence[str], report: Report) -> pd.DataFrame:
    """Gene table indexed by unique symbols, with the symbols as written and the identifiers; repeats are noted."""
    twice = repeated(symbols)
    if twice:
        kept = "; their identifiers are kept" if ids is not None else ""
        report.notes.append(
            f"{plural(len(twice), 'gene symbol')} {are(len(twice))} used more than once; the later ones were renamed "
            f"to NAME-1 and so on{kept}: {some(twice)}."
        )
    index = pd.Index(unique_names(symbols) if twice else list(symbols), dtype=object)
    var = pd.DataFrame({keys.GENE_SYMBOL: list(symbols)}, index=index)
    if ids is not None:
        var[keys.GENE_ID] = list(ids)
    return var


def read_positions(path: Path, report: Report) -> Positions:
    """Read tissue positions, parquet or text, with or without a header line, by content.

    Raises
    ------
    DataError
        Where the file is no positions file.
    """
    frame = _positions_frame(path)
    values = np.column_stack([numbers(frame, name) for name in _POSITION_COLUMNS[1:]])
    barcodes = frame["barcode"].astype(str).tolist()
    complete = are_positions(values)
    if not complete.all():
        broken = [barcode for barcode, whole in zip(barcodes, complete, strict=True) if not whole]
        report.problems.append(
            f"{path.name} has {plural(len(broken), 'row')} with missing or broken numbers: {some(broken)}."
        )
    if twice := repeated(barcodes):
        report.problems.append(f"{path.name} names {plural(len(twice), 'barcode')} more than once: {some(twice)}.")
    values = np.where(complete[:, None], values, 0.0)
    cells = values[:, [2, 1]].astype(np.int64)
    return Positions(barcodes, values[:, 0] != 0, cells, values[:, [4, 3]].copy())


def _positions_frame(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        frame = _read_parquet(path)
    else:
        line = read_text(path).split("\n", 1)[0]
        has_header = not _is_number(split_line(line, separator_of(line))[1:2])
        frame = read_frame(path, header=has_header)
        if not has_header and frame.shape[1] == len(_POSITION_COLUMNS):
            frame.columns = list(_POSITION_COLUMNS)
    missing = [name for name in _POSITION_COLUMNS if name not in frame]
    if missing:
        raise DataError(
            f"{path.name} is no Space Ranger positions file: it lacks {some(missing, 6)}; its columns are "
            f"{some(map(repr, frame.columns), 8)}."
        )
    return frame


def _is_number(cells: list[str]) -> bool:
    return bool(cells) and cells[0].lstrip("-").replace(".", "", 1).isdigit()


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet

    try:
        frame: pd.DataFrame = pyarrow.parquet.read_table(path).to_pandas(ignore_metadata=True)
        return frame
    except FileNotFoundError as error:
        raise DataError(f"{path.name} was not found in {path.parent}.") from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path.name} is no readable parquet file: it is cut off, damaged or of another kind. {AGAIN}"
        ) from error
