"""Space Ranger sections: Visium and Visium HD folders of every generation."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.errors import DataError
from gr2st.io.barcode_labels import read_barcode_labels
from gr2st.io.geometry import VISIUM_PITCH_UM, VISIUM_SPOT_UM, Lattice, fit_lattice
from gr2st.io.tables import (
    Found,
    Reading,
    Report,
    build_table,
    left_out_or_problem,
    note_empty_spots,
    plural,
    read_text,
    some,
)
from gr2st.io.tenx import Matrix, Positions, read_matrix, read_positions
from gr2st.io.visium_picture import choose_picture, has_picture
from gr2st.types import SectionEntry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

LAYOUT = "visium"
LAYOUT_HD = "visium-hd"
MATRICES = (
    "filtered_feature_bc_matrix.h5",
    "filtered_feature_bc_matrix",
    "raw_feature_bc_matrix.h5",
    "raw_feature_bc_matrix",
)
_POSITIONS = (
    "tissue_positions.parquet",
    "tissue_positions.csv",
    "tissue_positions_list.csv",
    "tissue_positions_list.txt",
    "tissue_positions.csv.gz",
    "tissue_positions_list.csv.gz",
)
_BIN_FOLDER = re.compile(r"square_(\d+)um")
_PREFERRED_BIN_UM = 8


def find(folder: Path) -> Found:
    """The section a folder is (itself, its ``outs``, its ``binned_outputs``), or those its subfolders are."""
    found = _find_one(folder)
    if found.entries or found.notes:
        return found
    for child in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        inner = _find_one(child)
        found.entries += inner.entries
        found.notes += inner.notes
    return found


def _find_one(folder: Path) -> Found:
    name = folder.parent.name if folder.name == "outs" else folder.name
    for base in (folder, folder / "outs"):
        if positions_file(base) is not None:
            return _entry(name, base)
        if (base / "binned_outputs").is_dir():
            return _find_bins(name, base / "binned_outputs")
    if folder.name == "binned_outputs":
        return _find_bins(folder.parent.name, folder)
    matrices = [path.name for base in (folder, folder / "outs") for path in base.glob("*_bc_matrix*")]
    if matrices:
        return Found(
            notes=[
                f"{name} left out, counts ({some(sorted(matrices))}) without spatial/tissue_positions*. "
                "Copy the spatial folder of the run beside them."
            ]
        )
    return Found()


def _find_bins(name: str, folder: Path) -> Found:
    """One bin size of an HD sample: two would put the same tissue into training and test."""
    sizes = {int(m[1]): path for path in folder.iterdir() if (m := _BIN_FOLDER.fullmatch(path.name))}
    sizes = {size: path for size, path in sizes.items() if positions_file(path) is not None}
    if not sizes:
        return Found(notes=[f"{name} left out: binned_outputs holds no bin folder with tissue positions."])
    size = min(sizes, key=lambda um: (um < _PREFERRED_BIN_UM, abs(um - _PREFERRED_BIN_UM)))
    found = _entry(name, sizes.pop(size))
    if sizes:
        others = some(f"{um} µm" for um in sorted(sizes))
        found.notes.append(f"{name} is read in bins of {size} µm; name the folder to read others ({others}).")
    return found


def _entry(name: str, folder: Path) -> Found:
    matrix = matrix_of(folder)
    positions = positions_file(folder)
    if matrix is None or positions is None:
        probes = " (a matrix per probe cannot be used)" if any(folder.glob("*probe_bc_matrix*")) else ""
        return Found(notes=[f"{name} left out, positions without counts: none of {', '.join(MATRICES)}{probes}."])
    entry = SectionEntry(
        name=name,
        patient=None,
        path=folder,
        layout=LAYOUT_HD if _is_hd(folder) else LAYOUT,
        parts={"counts": matrix, "spots": positions, "spatial": positions.parent},
        without_image=""
        if has_picture(positions.parent)
        else "No picture of the tissue lies in the folder or its spatial folder.",
    )
    return Found([entry])


def positions_file(folder: Path) -> Path | None:
    """The positions file of a section folder, None where it is no such folder."""
    return positions_in(folder / "spatial")


def positions_in(spatial: Path) -> Path | None:
    """The positions file in a ``spatial`` folder of whatever name."""
    return next((spatial / name for name in _POSITIONS if (spatial / name).is_file()), None)


def matrix_of(folder: Path) -> Path | None:
    """The count matrix of a section folder: filtered before raw, one file before a folder of three."""
    return next((folder / name for name in MATRICES if (folder / name).exists()), None)


def _is_hd(folder: Path) -> bool:
    try:
        return "bin_size_um" in read_scale_factors(folder / "spatial" / "scalefactors_json.json")
    except DataError:
        return False


def read_scale_factors(path: Path) -> dict[str, float]:
    """Scale factors of a section; DataError where the file is missing, no JSON, or holds no positive numbers."""
    if not path.exists():
        raise DataError(
            f"{path.name} was not found in {path.parent}: without it no spot can be placed on the picture. Copy it "
            "from the Space Ranger run."
        )
    try:
        values = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path.name} is no readable JSON from line {error.lineno}, column {error.colno} on: it is cut off or "
            "damaged. Copy it from the Space Ranger run again."
        ) from error
    if not isinstance(values, dict):
        raise DataError(f"{path.name} holds no scale factors: an object of names and numbers is wanted.")
    factors = {name: value for name, value in values.items() if isinstance(value, int | float)}
    if wrong := [name for name, value in factors.items() if not 0 < value < float("inf")]:
        raise DataError(f"{path.name} holds scale factors that are not positive numbers: {some(wrong)}.")
    return {name: float(value) for name, value in factors.items()}


def read(entry: SectionEntry, report: Report) -> Reading | None:
    """Join counts and positions by barcode and choose the picture; None where a problem was reported."""
    matrix = report.attempt(read_matrix, entry.parts["counts"], report) if "counts" in entry.parts else None
    positions = report.attempt(read_positions, entry.parts["spots"], report) if "spots" in entry.parts else None
    factors = report.attempt(read_scale_factors, _spatial(entry) / "scalefactors_json.json")
    for part, wanted in (("counts", "count matrix"), ("spots", "tissue positions")):
        if part not in entry.parts:
            report.problems.append(f"{entry.path.name} has no {wanted}.")
    if matrix is None or positions is None or factors is None or report.problems:
        return None
    rows, partners = _join(matrix, positions, report)
    lattice = None if report.problems else report.attempt(fit_lattice, positions.cells, positions.xy)
    if lattice is None or report.problems:
        return None
    table = build_table(
        matrix.counts[rows],
        [matrix.barcodes[row] for row in rows],
        matrix.var,
        (positions.cells[partners, 1].tolist(), positions.cells[partners, 0].tolist()),
        positions.xy[partners],
    )
    if "labels" in entry.parts:
        table.obs[keys.LABEL] = report.attempt(read_barcode_labels, entry.parts["labels"], table.obs_names, report)
    note_empty_spots(table, report)
    return _with_picture(_reading(table, lattice, factors, report), entry, factors, report)


def _spatial(entry: SectionEntry) -> Path:
    """Folder of the scale factors and the reduced pictures."""
    return entry.parts.get("spatial", entry.path / "spatial")


def _join(matrix: Matrix, positions: Positions, report: Report) -> tuple[list[int], list[int]]:
    """Rows of the matrix that lie on tissue, and the rows of the positions file that go with them."""
    at = {barcode: row for row, barcode in enumerate(positions.barcodes)}
    missing = [barcode for barcode in matrix.barcodes if barcode not in at]
    left_out_or_problem(missing, len(matrix.barcodes), "of the counts have no position", report)
    placed = [(row, at[barcode]) for row, barcode in enumerate(matrix.barcodes) if barcode in at]
    kept = [(row, partner) for row, partner in placed if positions.in_tissue[partner]]
    if len(kept) < len(placed):
        report.notes.append(f"{plural(len(placed) - len(kept), 'spot')} off the tissue left out.")
    lonely = int(positions.in_tissue.sum()) - len(kept)
    if lonely:
        report.notes.append(f"{plural(lonely, 'spot')} on tissue without counts.")
    if not kept and not report.problems:
        report.problems.append("No spot with counts lies on tissue.")
    return [row for row, _ in kept], [partner for _, partner in kept]


def _reading(table: AnnData, lattice: Lattice, factors: Mapping[str, float], report: Report) -> Reading:
    """Facts in full-resolution pixels; scalefactors' spot diameter is 55 to 70 um wide, so the array step decides."""
    if "microns_per_pixel" in factors and "bin_size_um" in factors:
        source = "microns_per_pixel of scalefactors_json.json"
        return Reading(table, lattice.pitch, factors["microns_per_pixel"], source, factors["bin_size_um"])
    if lattice.is_hexagonal:
        source = f"array pitch of {VISIUM_PITCH_UM:g} µm"
        return Reading(table, lattice.pitch, VISIUM_PITCH_UM / lattice.pitch, source, VISIUM_SPOT_UM)
    report.notes.append("The positions do not form the hexagonal array of Visium; micrometres per pixel are unknown.")
    return Reading(table, lattice.pitch, None, "unknown", VISIUM_SPOT_UM)


def _with_picture(
    reading: Reading, entry: SectionEntry, factors: Mapping[str, float], report: Report
) -> Reading | None:
    """The same facts in the pixels of the picture that will be opened."""
    picture = report.attempt(choose_picture, _spatial(entry), entry.parts.get("image"), factors, report)
    if picture is None:
        return None if report.problems else reading
    spatial = reading.table.obsm[keys.SPATIAL]
    reading.table.obsm[keys.SPATIAL] = np.asarray(spatial * picture.scale, np.float64)
    um = None if reading.um_per_px is None else reading.um_per_px / picture.scale
    return replace(
        reading, grid_pitch=reading.grid_pitch * picture.scale, um_per_px=um, image=picture.path, slide=picture.slide
    )
