"""Tiny synthetic sections, written into a temporary folder in the layouts that the readers know.

Every builder is deterministic and returns what it wrote; a test that needs a fault changes the written file.
"""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PITCH = 40.0
"""Pixels between neighbouring spots of the legacy builders."""
VISIUM_PITCH = 48.0
"""Full-resolution pixels between neighbouring spots of the Visium builders."""
LABELS = ("invasive cancer", "connective tissue")


@dataclass(frozen=True)
class Array:
    """Spots of a synthetic section: names, array column and row, x and y in pixels, counts (n, genes)."""

    names: list[str]
    columns: np.ndarray
    rows: np.ndarray
    xy: np.ndarray
    counts: np.ndarray
    genes: list[str]

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of a picture with a margin round the spots."""
        width, height = np.ceil(self.xy.max(axis=0) + self.xy.min(axis=0)).astype(int)
        return int(width), int(height)


def gene_names(count: int) -> list[str]:
    return [f"GENE{number}" for number in range(1, count + 1)]


def counts_for(n_spots: int, n_genes: int, seed: int = 0) -> np.ndarray:
    """Poisson counts (n_spots, n_genes) int64, at least one per spot and per gene."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(2.0, 1.5, n_genes)[None, :] * rng.gamma(4.0, 0.25, n_spots)[:, None]
    counts = rng.poisson(rate)
    counts[:, 0] += 1
    counts[0, :] += 1
    return counts


def legacy_array(columns: int = 7, rows: int = 6, n_genes: int = 12, seed: int = 0) -> Array:
    """A block of a 1k array, spots off their cell by up to a tenth of a step as in real data."""
    rng = np.random.default_rng(seed)
    x, y = (part.ravel() for part in np.meshgrid(np.arange(5, 5 + columns), np.arange(8, 8 + rows)))
    jitter = rng.uniform(-0.1, 0.1, (len(x), 2))
    xy = (np.column_stack([x - 3, y - 6]) + jitter) * PITCH
    names = [f"{a}x{b}" for a, b in zip(x, y, strict=True)]
    return Array(names, x, y, np.round(xy, 2), counts_for(len(x), n_genes, seed), gene_names(n_genes))


def visium_array(columns: int = 8, rows: int = 8, n_genes: int = 12, seed: int = 0) -> Array:
    """A block of the hexagonal Visium array: every second column of a row is empty by design."""
    row, half = (part.ravel() for part in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    column = 2 * half + row % 2
    xy = np.column_stack([column * VISIUM_PITCH / 2, row * VISIUM_PITCH * np.sqrt(3) / 2]) + 2 * VISIUM_PITCH
    names = [_barcode(number) for number in range(len(row))]
    return Array(names, column, row, xy, counts_for(len(row), n_genes, seed), gene_names(n_genes))


def _barcode(number: int) -> str:
    letters = "".join("ACGT"[number // 4**place % 4] for place in range(16))
    return f"{letters}-1"


@functools.cache
def tissue_image(width: int, height: int, seed: int = 0) -> np.ndarray:
    """An H&E-like picture (height, width, 3) uint8: pink tissue with purple nuclei on a pale background; read-only."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    inside = ((x - width / 2) / (0.49 * width)) ** 4 + ((y - height / 2) / (0.49 * height)) ** 4 < 1
    image = np.full((height, width, 3), (242, 240, 243), np.float32)
    image[inside] = (222, 150, 190)
    nuclei = rng.random((height // 4 + 1, width // 4 + 1)) < 0.2
    nuclei = np.kron(nuclei, np.ones((4, 4), bool))[:height, :width] & inside
    image[nuclei] = (105, 70, 145)
    image += rng.normal(0, 4, image.shape).astype(np.float32)
    picture = np.clip(image, 0, 255).astype(np.uint8)
    picture.flags.writeable = False
    return picture


def write_image(path: Path, pixels: np.ndarray) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_counts(path: Path, array: Array, *, separator: str = "\t") -> Path:
    """A legacy count table: spots in rows in alphabetical order, gzip where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(array.counts, index=array.names, columns=array.genes).sort_index()
    text = frame.to_csv(sep=separator, lineterminator="\n").encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def write_spots(path: Path, array: Array, selected: Sequence[int] | None = None) -> Path:
    """A legacy spot file, in the order of the array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = np.round(array.xy / PITCH + (3, 6), 3)
    frame = pd.DataFrame(
        {
            "x": array.columns,
            "y": array.rows,
            "new_x": measured[:, 0],
            "new_y": measured[:, 1],
            "pixel_x": array.xy[:, 0],
            "pixel_y": array.xy[:, 1],
            "selected": 1 if selected is None else selected,
        }
    )
    frame.to_csv(path, sep="\t", index=False)
    return path


def write_labels(path: Path, array: Array) -> Path:
    """A pathologist's label file: unrounded x and y, and pixels of another frame with y from the bottom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x, y = array.columns + 0.018, array.rows - 0.006
    labels = [LABELS[int(column > array.columns.mean())] for column in array.columns]
    frame = pd.DataFrame({"Row.names": array.names, "x": x, "y": y, "pixel_x": x * 111, "pixel_y": 4000 - y * 111})
    frame.assign(label=labels).to_csv(path, sep="\t", index=False)
    return path


def loose_section(folder: Path, name: str = "S1", seed: int = 0, **size: int) -> Path:
    """A loose legacy folder: ``S1.tsv.gz``, ``S1_selection.tsv``, ``S1.jpg``; returns the folder."""
    array = legacy_array(seed=seed, **size)
    write_counts(folder / f"{name}.tsv.gz", array)
    write_spots(folder / f"{name}_selection.tsv", array)
    write_image(folder / f"{name}.jpg", tissue_image(*array.size_px, seed=seed))
    return folder


def her2st_folder(folder: Path, names: Sequence[str] = ("A1", "A2", "B1"), **size: int) -> Path:
    """A HER2ST-like folder; the first section has labels. Returns the folder."""
    for seed, name in enumerate(names):
        array = legacy_array(seed=seed, **size)
        write_counts(folder / "ST-cnts" / f"{name}.tsv.gz", array)
        write_spots(folder / "ST-spotfiles" / f"{name}_selection.tsv", array)
        picture = tissue_image(*array.size_px, seed=seed)
        write_image(folder / "ST-imgs" / name[0] / name / f"{seed}_HE_{name}.jpg", picture)
        if seed == 0:
            write_labels(folder / "ST-pat" / "lbl" / f"{name}_labeled_coordinates.tsv", array)
    return folder


def write_matrix_h5(path: Path, array: Array, symbols: Sequence[str] | None = None) -> Path:
    """A feature-barcode matrix as Space Ranger writes it."""
    import h5py
    from scipy import sparse

    path.parent.mkdir(parents=True, exist_ok=True)
    matrix = sparse.csr_matrix(array.counts.astype(np.int32))
    names = list(array.genes if symbols is None else symbols)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(array.names, "S")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = np.array([len(names), len(array.names)], np.int32)
        features = group.create_group("features")
        features["id"] = np.array([f"ENSG{number:011d}" for number in range(len(names))], "S")
        features["name"] = np.array(names, "S")
        features["feature_type"] = np.array(["Gene Expression"] * len(names), "S")
    return path


def write_matrix_mtx(folder: Path, array: Array, *, packed: bool = True) -> Path:
    """The same matrix as three text files."""
    from io import BytesIO

    from scipy import sparse
    from scipy.io import mmwrite

    folder.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    mmwrite(buffer, sparse.coo_matrix(array.counts.T), field="integer")
    features = "".join(f"ENSG{n:011d}\t{gene}\tGene Expression\n" for n, gene in enumerate(array.genes))
    files = {
        "matrix.mtx": buffer.getvalue(),
        "features.tsv": features.encode(),
        "barcodes.tsv": "".join(f"{name}\n" for name in array.names).encode(),
    }
    for name, content in files.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return folder


def write_positions(path: Path, array: Array, in_tissue: Sequence[int] | None = None, *, header: bool = True) -> Path:
    """A tissue positions file; the suffix decides between text and parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(
        {
            "barcode": array.names,
            "in_tissue": 1 if in_tissue is None else in_tissue,
            "array_row": array.rows,
            "array_col": array.columns,
            "pxl_row_in_fullres": array.xy[:, 1],
            "pxl_col_in_fullres": array.xy[:, 0],
        }
    )
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, header=header)
    return path


def visium_folder(folder: Path, seed: int = 0, hires: float = 0.8, **size: int) -> Path:
    """A Space Ranger folder with ``outs``: h5 matrix, headed positions, hires and lowres pictures; returns the folder."""
    array = visium_array(seed=seed, **size)
    outs, spatial = folder / "outs", folder / "outs" / "spatial"
    write_matrix_h5(outs / "filtered_feature_bc_matrix.h5", array)
    write_positions(spatial / "tissue_positions.csv", array)
    factors = {
        "tissue_hires_scalef": hires,
        "tissue_lowres_scalef": hires / 4,
        "spot_diameter_fullres": 0.65 * VISIUM_PITCH,
    }
    (spatial / "scalefactors_json.json").write_text(json.dumps(factors))
    width, height = array.size_px
    for name, scale in (("hires", hires), ("lowres", hires / 4)):
        pixels = tissue_image(round(width * scale), round(height * scale), seed)
        write_image(spatial / f"tissue_{name}_image.png", pixels)
    return folder


def h5ad_file(path: Path, seed: int = 0, *, with_array: bool = True, hires: float = 0.8, **size: int) -> Path:
    """An AnnData file with counts in X, positions, and hires and lowres pictures as floats from 0 to 1."""
    from anndata import AnnData

    array = visium_array(seed=seed, **size)
    width, height = array.size_px
    images = {
        name: (tissue_image(round(width * s), round(height * s), seed) / 255).astype(np.float32)
        for name, s in (("hires", hires), ("lowres", hires / 4))
    }
    factors = {
        "tissue_hires_scalef": hires,
        "tissue_lowres_scalef": hires / 4,
        "spot_diameter_fullres": 0.65 * VISIUM_PITCH,
    }
    obs = pd.DataFrame(index=array.names)
    if with_array:
        obs = obs.assign(array_row=array.rows, array_col=array.columns)
    adata = AnnData(
        array.counts.astype(np.float32),
        obs=obs,
        var=pd.DataFrame({"gene_ids": [f"ENSG{n:011d}" for n in range(len(array.genes))]}, index=array.genes),
        obsm={"spatial": array.xy},
        uns={"spatial": {"library": {"images": images, "scalefactors": factors}}},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    adata.write_h5ad(path)
    return path
