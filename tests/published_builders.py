"""Small copies of the published studies, every section of them, in the layouts in which they are deposited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tests.builders import (
    PITCH,
    VISIUM_PITCH,
    Array,
    counts_for,
    gene_names,
    her2st_folder,
    legacy_array,
    tissue_image,
    visium_array,
    write_counts,
    write_image,
    write_labels,
    write_positions,
    write_spots,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HER2ST_NAMES = tuple(f"{patient}{n}" for patient in "ABCDEFGH" for n in range(1, 7 if patient in "ABCD" else 4))
CSCC_NAMES = tuple(f"{patient}_ST_rep{n}" for patient in ("P2", "P5", "P9", "P10") for n in (1, 2, 3))
BREAST_NAMES = ("1142243F", "1160920F", "CID4290", "CID4465", "CID44971", "CID4535")
SMALL = {"columns": 4, "rows": 4, "n_genes": 8}
FIRST_SAMPLE = 4284316


def her2st_repository(folder: Path) -> Path:
    """All 36 sections as the repository of HER2ST has them."""
    return her2st_folder(folder, HER2ST_NAMES, **SMALL)


def her2st_deposit(folder: Path, names: Sequence[str] = HER2ST_NAMES) -> Path:
    """The same sections as the deposit has them."""
    for seed, name in enumerate(names):
        array = legacy_array(seed=seed, **SMALL)
        write_counts(folder / "count-matrices" / f"{name}.tsv.gz", array)
        write_spots(folder / "spot-selections" / f"{name}_selection.tsv.gz", array)
        write_image(folder / "images" / "HE" / f"{name}.jpg", tissue_image(*array.size_px, seed=seed))
    write_labels(folder / "meta" / f"{names[0]}_labeled_coordinates.tsv", legacy_array(**SMALL))
    return folder


def interleaved_array(seed: int = 0, side: int = 6, n_genes: int = 8) -> Array:
    """A block of an array of which every second cell is empty; neighbours are diagonal."""
    x, y = (part.ravel() for part in np.meshgrid(np.arange(7, 7 + side), np.arange(12, 12 + side)))
    kept = (x + y) % 2 == 0
    x, y = x[kept], y[kept]
    xy = (np.column_stack([x - 5, y - 10]) * PITCH / np.sqrt(2)).round(1)
    names = [f"{a}x{b}" for a, b in zip(x, y, strict=True)]
    return Array(names, x, y, xy, counts_for(len(x), n_genes, seed), gene_names(n_genes))


def cscc_folder(folder: Path, names: Sequence[str] = CSCC_NAMES) -> Path:
    """All twelve sections as GSE144240 has them once the pictures are unpacked, and a file of its single cells."""
    for seed, name in enumerate(names):
        array, sample = interleaved_array(seed), f"GSM{FIRST_SAMPLE + seed}"
        write_counts(folder / f"{sample}_{name}_stdata.tsv.gz", array)
        _write_cscc_spots(folder / f"{sample}_spot_data-selection-{name}.tsv.gz", array)
        write_image(folder / f"{sample}_{name}.jpg", tissue_image(*array.size_px, seed=seed))
    (folder / "GSE144236_patient_metadata_new.txt").write_text("\tnUMI\tpatient\nAAAC\t12\tP1\n")
    return folder


def _write_cscc_spots(path: Path, array: Array) -> None:
    columns = {"x": array.columns, "y": array.rows, "new_x": array.columns, "new_y": array.rows}
    frame = pd.DataFrame(columns | {"pixel_x": array.xy[:, 0], "pixel_y": array.xy[:, 1]})
    frame.to_csv(path, sep="\t", index=False)


def breast_folder(folder: Path, names: Sequence[str] = BREAST_NAMES, *, scans: bool = True) -> Path:
    """All six sections as their deposit has them; `scans` adds the pictures that it does not have."""
    for seed, name in enumerate(names):
        array = visium_array(seed=seed, **SMALL)
        _write_plain_matrix(folder / "filtered_count_matrices" / f"{name}_filtered_count_matrix", array)
        _write_spatial(folder / "spatial" / f"{name}_spatial", array, seed)
        _write_metadata(folder / "metadata" / f"{name}_metadata.csv", array, name)
        if scans:
            write_image(folder / "images" / f"{name}.tif", tissue_image(*array.size_px, seed=seed))
    return folder


def _write_plain_matrix(folder: Path, array: Array) -> None:
    """Three text files named .gz that are not packed, one column of symbols: so they lie in the deposit."""
    folder.mkdir(parents=True)
    gene, spot = np.nonzero(array.counts.T)
    entries = [f"{g + 1} {s + 1} {array.counts[s, g]}" for g, s in zip(gene, spot, strict=True)]
    size = f"{len(array.genes)} {len(array.names)} {len(entries)}"
    (folder / "matrix.mtx.gz").write_text(
        "\n".join(["%%MatrixMarket matrix coordinate integer general", size, *entries])
    )
    (folder / "features.tsv.gz").write_text("\n".join(array.genes))
    (folder / "barcodes.tsv.gz").write_text("\n".join(array.names))


def _write_spatial(folder: Path, array: Array, seed: int) -> None:
    write_positions(folder / "tissue_positions_list.csv", array, header=False)
    factors = {"tissue_hires_scalef": 0.8, "tissue_lowres_scalef": 0.2, "spot_diameter_fullres": 0.65 * VISIUM_PITCH}
    (folder / "scalefactors_json.json").write_text(json.dumps(factors))
    width, height = array.size_px
    hires = tissue_image(round(width * 0.8), round(height * 0.8), seed)
    write_image(folder / "tissue_hires_image.png", hires)


def _write_metadata(path: Path, array: Array, name: str) -> None:
    path.parent.mkdir(exist_ok=True)
    frame = pd.DataFrame(
        {"nCount_RNA": array.counts.sum(axis=1), "subtype": "TNBC", "patientid": name}, index=array.names
    )
    frame.assign(Classification=["Stroma", "Invasive cancer + stroma"] * (len(frame) // 2)).to_csv(path)


def cell_types_of(folder: Path, spots: dict[str, Sequence[str]]) -> None:
    """A table of cell types per section in the folder ``cells`` of a study."""
    for name, named in spots.items():
        rows = "".join(f"{spot}\t{('neopla', 'connec')[number % 2]}\n" for number, spot in enumerate(named))
        path = folder / "cells" / name / "summary_spot_types.tsv"
        path.parent.mkdir(parents=True)
        path.write_text("spot\ttype\n" + rows)
