"""Legacy ST sections: the HER2ST folder and loose folders of a count table, a spot file and a picture."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from gr2st import keys
from gr2st.io.geometry import Lattice, fit_lattice
from gr2st.io.legacy_files import Cell, Counts, Spots, cell_of, read_counts, read_labels, read_spots, spot_key
from gr2st.io.tables import (
    Found,
    Reading,
    Report,
    build_table,
    first_line,
    left_out_or_problem,
    note_empty_spots,
    plural,
    separator_of,
    some,
    split_line,
)
from gr2st.types import SectionEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anndata import AnnData

T = TypeVar("T")

LAYOUT = "legacy-st"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".svs", ".ndpi", ".btf")
_TABLE_NAME = re.compile(r"(.+?)\.(tsv|csv|txt)(\.gz)?", re.IGNORECASE)
_LOOSE_NAME = re.compile(r"(?:GSM\d+_)?(.+?)(?:_stdata|_counts?)?")
_HER2ST_NAME = re.compile(r"([A-Z])\d+")
_CSCC_NAME = re.compile(r"(P\d+)_ST_rep\d+")
"""Names that tell the patient: B1 of HER2ST is of patient B, P2_ST_rep1 of GSE144240 is of P2."""
_ENSEMBL = re.compile(r"ENS[A-Z]*G\d{6,}(\.\d+)?")
_WANTED = {"counts": "a count table", "spots": "a spot file with the positions"}
PITCH_UM = 200.0
SPOT_UM = 100.0
ARRAY_1K = (33, 35)
"""Columns and rows of the 1k array, the only one whose step in micrometres is known here."""


@dataclass(frozen=True, slots=True)
class _Folders:
    """Where a HER2ST-like folder keeps what."""

    counts: str
    spots: str
    labels: str
    pictures: str


_HER2ST = (
    _Folders("ST-cnts", "ST-spotfiles", "ST-pat/lbl", "ST-imgs"),
    _Folders("count-matrices", "spot-selections", "meta", "images/HE"),
)
"""The two forms in which HER2ST is published: the repository and the deposit."""


def find(folder: Path) -> Found:
    """Sections of a HER2ST-like folder (or one that holds it as ``data``), or of a loose legacy folder."""
    for base in (folder, folder / "data"):
        for folders in _HER2ST:
            if (base / folders.counts).is_dir():
                return _find_her2st(base, folders)
    return _find_loose(folder)


def _find_her2st(base: Path, folders: _Folders) -> Found:
    found = Found()
    counts = _named_tables(base / folders.counts)
    spots = dict(_named_tables(base / folders.spots, "_selection"))
    labels = dict(_named_tables(base / folders.labels, "_labeled_coordinates"))
    pictures = _pictures(base / folders.pictures)
    for name, path in counts:
        mine = [picture for picture in pictures if name in (picture.parent.name, picture.stem)]
        parts = {"counts": path, "spots": spots.get(name), "labels": labels.get(name)}
        absent = f"no picture in {folders.pictures} belongs to {name}"
        found.entries.append(_entry(name, parts, mine, absent, _HER2ST_NAME))
    lonely = sorted(set(spots) - {name for name, _ in counts})
    if lonely:
        found.notes.append(
            f"{plural(len(lonely), 'section')} left out, with spots but without counts: {some(lonely, 40)}."
        )
    return found


def _find_loose(folder: Path) -> Found:
    """Pair the tables and pictures of a folder by the section's name, which the other names contain."""
    found = Found()
    by_kind: dict[str, list[tuple[str, Path]]] = {"counts": [], "spots": [], "labels": [], "": []}
    for name, path in _named_tables(folder):
        by_kind[_kind_of(path)].append((name, path))
    pictures = [(path.stem, path) for path in _pictures(folder, deep=False)]
    is_single = len(by_kind["counts"]) == 1
    for stem, path in by_kind["counts"]:
        match = _LOOSE_NAME.fullmatch(stem)
        name = match[1] if match else stem
        spots, labels, mine = (
            _belonging(name, by_kind["spots"], is_single=is_single),
            _belonging(name, by_kind["labels"], is_single=is_single),
            _belonging(name, pictures, is_single=is_single),
        )
        if len(spots) != 1:
            what = f"the spot files {some(p.name for p in spots)} fit" if spots else "no spot file fits"
            found.notes.append(f"{path.name} is a count table but {what}, so it is left out.")
            continue
        parts = {"counts": path, "spots": spots[0], "labels": labels[0] if labels else None}
        found.entries.append(_entry(name, parts, mine, _absent(folder, name), _CSCC_NAME))
    return found


def _absent(folder: Path, name: str) -> str:
    """Why a loose section has no picture: none is there, or it is still packed."""
    packed = [path for path in folder.glob("*.gz") if path.stem.lower().endswith(IMAGE_SUFFIXES)]
    mine = _belonging(name, [(path.name.split(".")[0], path) for path in packed], is_single=False)
    if mine:
        return f"{some(path.name for path in mine)} is packed; unpack it (gunzip)"
    return f"no picture in {folder.name} belongs to {name}"


def _entry(
    name: str, parts: dict[str, Path | None], pictures: list[Path], absent: str, patients: re.Pattern[str]
) -> SectionEntry:
    patient = patients.fullmatch(name)
    present = {kind: path for kind, path in parts.items() if path is not None}
    without_image = ""
    if len(pictures) == 1:
        present["image"] = pictures[0]
    elif pictures:
        without_image = f"Several pictures fit {name}: {some(p.name for p in pictures)}. Name one in a study.csv."
    else:
        without_image = f"Counts and spots only: {absent}."
    return SectionEntry(
        name=name,
        patient=patient[1] if patient else None,
        path=present["counts"],
        layout=LAYOUT,
        parts=present,
        without_image=without_image,
    )


def _named_tables(folder: Path, ending: str = "") -> list[tuple[str, Path]]:
    """(name, path) of the text tables in a folder, `ending` taken off the name."""
    if not folder.is_dir():
        return []
    matches = ((_TABLE_NAME.fullmatch(path.name), path) for path in sorted(folder.iterdir()) if path.is_file())
    return [(m[1].removesuffix(ending), path) for m, path in matches if m and not path.name.startswith(".")]


def _pictures(folder: Path, *, deep: bool = True) -> list[Path]:
    paths = folder.rglob("*") if deep else folder.glob("*")
    return sorted(p for p in paths if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))


def _kind_of(path: Path) -> str:
    """What a text table is by its header: "counts", "spots", "labels" or ""."""
    line = first_line(path)
    header = split_line(line, separator_of(line))
    if "label" in header and "x" in header:
        return "labels"
    if {"pixel_x", "pixel_y"} <= set(header):
        return "spots"
    is_table = len(header) > 1 and (header[0] == "" or any(map(cell_of, header[:3])))
    return "counts" if is_table else ""


def _belonging(name: str, candidates: Iterable[tuple[str, Path]], *, is_single: bool) -> list[Path]:
    """Files whose name is or contains the section's name as a word; the only file of a folder with one section."""
    listed = list(candidates)
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
    exact = [path for stem, path in listed if stem == name]
    fitting = exact or [path for stem, path in listed if word.search(stem)]
    if not fitting and is_single and len(listed) == 1:
        return [listed[0][1]]
    return fitting


def read(entry: SectionEntry, report: Report) -> Reading | None:
    """Join counts, spots and labels of one section by array position; None where a problem was reported."""
    counts = _part(entry, "counts", report, read_counts)
    spots = _part(entry, "spots", report, read_spots)
    labels = report.attempt(read_labels, entry.parts["labels"], report) if "labels" in entry.parts else None
    if counts is None or spots is None or report.problems:
        return None
    rows, partners = _join(counts, spots, report)
    lattice = None if report.problems else report.attempt(_lattice, spots)
    if lattice is None or report.problems:
        return None
    table = build_table(
        counts.matrix[rows],
        [counts.spots[row] for row in rows],
        _var(counts.genes),
        ([counts.cells[row][1] for row in rows], [counts.cells[row][0] for row in rows]),
        spots.xy[partners],
    )
    if labels is not None:
        table.obs[keys.LABEL] = _labels_of([counts.cells[row] for row in rows], labels, report)
    note_empty_spots(table, report)
    return _reading(table, lattice, spots, entry)


def _part(entry: SectionEntry, kind: str, report: Report, reader: Callable[[Path, Report], T]) -> T | None:
    if kind not in entry.parts:
        report.problems.append(f"{entry.name} has no {kind}: {_WANTED[kind]} was not found for {entry.path.name}.")
        return None
    return report.attempt(reader, entry.parts[kind], report)


def _join(counts: Counts, spots: Spots, report: Report) -> tuple[list[int], list[int]]:
    """Rows of the counts that have a selected position, and the rows of the spot file that go with them."""
    at = {cell: row for row, cell in enumerate(spots.cells)}
    missing = [name for name, cell in zip(counts.spots, counts.cells, strict=True) if cell not in at]
    left_out_or_problem(missing, len(counts.spots), "of the counts have no position", report)
    placed = [(row, at[cell]) for row, cell in enumerate(counts.cells) if cell in at]
    kept = [(row, partner) for row, partner in placed if spots.is_selected[partner]]
    if len(kept) < len(placed):
        report.notes.append(
            f"{plural(len(placed) - len(kept), 'spot')} left out, marked as not selected (off the tissue)."
        )
    counted = set(counts.cells)
    lonely = [
        spot_key(c) for c, chosen in zip(spots.cells, spots.is_selected, strict=True) if chosen and c not in counted
    ]
    if lonely:
        report.notes.append(f"{plural(len(lonely), 'position')} without counts: {some(lonely)}.")
    if not kept:
        report.problems.append("No spot has both counts and a selected position.")
    return [row for row, _ in kept], [partner for _, partner in kept]


def _lattice(spots: Spots) -> Lattice:
    return fit_lattice(np.array(spots.cells, np.int64), spots.xy, spots.measured)


def _reading(table: AnnData, lattice: Lattice, spots: Spots, entry: SectionEntry) -> Reading:
    columns, rows = np.array(spots.cells, np.int64).max(axis=0)
    is_1k = lattice.is_square and columns <= ARRAY_1K[0] and rows <= ARRAY_1K[1]
    return Reading(
        table=table,
        grid_pitch=lattice.pitch,
        um_per_px=PITCH_UM / lattice.pitch if is_1k else None,
        um_per_px_source=f"array pitch of {PITCH_UM:g} µm" if is_1k else "unknown",
        spot_diameter_um=SPOT_UM if is_1k else None,
        image=entry.parts.get("image"),
    )


def _var(genes: list[str]) -> pd.DataFrame:
    """Gene table of a legacy section; names that are Ensembl identifiers, with or without version, are kept as such."""
    index = pd.Index(genes, dtype=object)
    var = pd.DataFrame({keys.GENE_SYMBOL: genes}, index=index)
    if all(map(_ENSEMBL.fullmatch, genes)):
        var[keys.GENE_ID] = genes
    return var


def _labels_of(cells: list[Cell], labels: dict[Cell, str], report: Report) -> pd.Categorical:
    """Label of each spot, missing where the file has none."""
    values = [labels.get(cell) for cell in cells]
    unlabelled = sum(value is None for value in values)
    if unlabelled == len(values):
        report.problems.append("No spot has a label: the label file seems to be of another section.")
    elif unlabelled:
        report.notes.append(f"{plural(unlabelled, 'spot')} without a label.")
    return pd.Categorical(values)
