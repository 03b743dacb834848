"""Writes the sample study: ``python sample_data/make_sample_data.py [folder [section ...]]``.

Everything is invented from the seeds below with numpy, scipy, pillow and h5py: two patients, two sections each, in the
legacy layout, and section B2 once more as a Space Ranger folder. See README.md beside this file.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from expression import GENES, Behaviour, behaviour, counts, labels, surroundings
from PIL import Image as Picture
from staining import PATIENT_STAINS, stain
from tissue import Frame, Image, Tissue, grow

Counts = npt.NDArray[np.int32]

GENE_SEED = 2024
PITCH_UM, SPOT_UM = 200.0, 100.0
VISIUM_PITCH_UM, VISIUM_SPOT_UM = 100.0, 55.0


@dataclass(frozen=True)
class Plan:
    """What one section is made from."""

    section: str
    patient: str
    patient_seed: int
    seed: int
    um_per_px: float
    depth: float

    @property
    def frame(self) -> Frame:
        """The picture's size: every section lies on 3.1 x 2.9 mm of glass."""
        return Frame(3100, 2900, self.um_per_px)


PLANS = (
    Plan("A1", "A", patient_seed=1, seed=11, um_per_px=1.9, depth=3.2),
    Plan("A2", "A", patient_seed=1, seed=12, um_per_px=1.9, depth=2.4),
    Plan("B1", "B", patient_seed=2, seed=21, um_per_px=1.8, depth=4.0),
    Plan("B2", "B", patient_seed=2, seed=22, um_per_px=1.8, depth=3.0),
)
LABELLED = ("A1", "B1")
VISIUM = "B2"
HIRES_UM_PER_PX, FULLRES_UM_PER_PX, LOWRES_UM_PER_PX = 3.2, 0.8, 12.0


def main(folder: Path, *sections: str) -> None:
    """Write the whole study into `folder`, or only the named sections of it."""
    for plan in PLANS:
        if sections and plan.section not in sections:
            continue
        tissue = grow(plan.frame, plan.patient_seed, plan.seed)
        picture = stain(tissue, PATIENT_STAINS[plan.patient], np.random.default_rng(plan.seed + 1000))
        genes = behaviour(GENE_SEED, plan.patient_seed)
        write_legacy(folder, plan, tissue, picture, genes)
        if plan.section == VISIUM:
            write_visium(folder / "visium" / plan.section / "outs", plan, tissue, picture, genes)
        print(f"{plan.section} written")
    write_study(folder)


def write_study(folder: Path) -> None:
    """study.csv: what each section is and where its files lie."""
    rows = [
        {
            "section": plan.section,
            "patient": plan.patient,
            "path": f"ST-cnts/{plan.section}.tsv.gz",
            "image": _image_path(plan),
            "um_per_px": plan.um_per_px,
        }
        for plan in PLANS
    ]
    _write_table(folder / "study.csv", list(rows[0]), [list(row.values()) for row in rows], ",")


# The legacy layout -----------------------------------------------------------------------------------------------


def write_legacy(folder: Path, plan: Plan, tissue: Tissue, picture: npt.NDArray[np.uint8], genes: Behaviour) -> None:
    """Counts, picture, spot file and (for some sections) labels of one section."""
    rng = np.random.default_rng(plan.seed + 2000)
    array, moved, pixel = _square_array(plan, rng)
    shares, covered = surroundings(tissue, pixel, SPOT_UM / 2)
    kept = covered > 0.5
    array, moved, pixel, shares = array[kept], moved[kept], pixel[kept], shares[kept]
    values = counts(shares, genes, plan.depth, rng)
    _save(folder / _image_path(plan), picture, quality=74)
    _write_counts(folder / "ST-cnts" / f"{plan.section}.tsv.gz", array, values)
    _write_spots(folder / "ST-spotfiles" / f"{plan.section}_selection.tsv", array, moved, pixel, rng)
    if plan.section in LABELLED:
        path = folder / "ST-pat" / "lbl" / f"{plan.section}_labeled_coordinates.tsv"
        _write_labels(path, moved, pixel, labels(shares))


def _square_array(plan: Plan, rng: np.random.Generator) -> tuple[Image, Image, Image]:
    """Printed spots over the picture: array x, y; the same as found by microscope; and in pixels of the picture."""
    columns, rows = int(plan.frame.width_um // PITCH_UM), int(plan.frame.height_um // PITCH_UM)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    array = np.stack([x.ravel() + 9, y.ravel() + 11], axis=1)
    moved = np.round(array + rng.normal(0, 0.03, array.shape), 3)
    first = (np.array([plan.frame.width_um, plan.frame.height_um]) - np.array([columns - 1, rows - 1]) * PITCH_UM) / 2
    pixel = ((moved - np.array([9, 11])) * PITCH_UM + first) / plan.um_per_px
    return array, moved, np.round(pixel, 2)


def _image_path(plan: Plan) -> str:
    return f"ST-imgs/{plan.patient}/{plan.section}/{plan.section}_HE.jpg"


def _write_counts(path: Path, array: Image, values: Counts) -> None:
    names = [f"{x}x{y}" for x, y in array]
    order = sorted(range(len(names)), key=names.__getitem__)
    _write_table(path, ["", *GENES], [[names[k], *values[k]] for k in order], "\t")


def _write_spots(path: Path, array: Image, moved: Image, pixel: Image, rng: np.random.Generator) -> None:
    """Rows in another order than the counts, as in the published files."""
    header = ["x", "y", "new_x", "new_y", "pixel_x", "pixel_y", "selected"]
    rows = [[*array[k], *moved[k], *pixel[k], 1] for k in rng.permutation(len(array))]
    _write_table(path, header, rows, "\t")


def _write_labels(path: Path, moved: Image, pixel: Image, words: list[str]) -> None:
    header = ["Row.names", "x", "y", "pixel_x", "pixel_y", "label"]
    rows = [[f"{round(p[0])}x{round(p[1])}", *m, *p, word] for m, p, word in zip(moved, pixel, words, strict=True)]
    _write_table(path, header, rows, "\t")


# The Space Ranger layout -----------------------------------------------------------------------------------------


def write_visium(outs: Path, plan: Plan, tissue: Tissue, picture: npt.NDArray[np.uint8], genes: Behaviour) -> None:
    """The same tissue on a Visium slide: hexagonal spots of 55 um every 100 um, in a full-resolution frame."""
    rng = np.random.default_rng(plan.seed + 3000)
    array, um = _hexagonal_array(plan.frame)
    shares, covered = surroundings(tissue, um / plan.um_per_px, VISIUM_SPOT_UM / 2)
    under = covered > 0.5
    barcodes = _barcodes(len(array), rng)
    values = counts(shares[under], genes, plan.depth / 2, rng)
    _write_h5(
        outs / "filtered_feature_bc_matrix.h5", [barcodes[k] for k in np.flatnonzero(under)], values, plan.section
    )
    rows = [
        [code, int(inside), *place, *np.rint(xy[::-1] / FULLRES_UM_PER_PX).astype(int)]
        for code, inside, place, xy in zip(barcodes, under, array, um, strict=True)
    ]
    header = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]
    _write_table(outs / "spatial" / "tissue_positions.csv", header, rows, ",")
    _save(outs / "spatial" / "tissue_hires_image.png", _few_colours(_shrink(picture, plan.um_per_px, HIRES_UM_PER_PX)))
    _save(
        outs / "spatial" / "tissue_lowres_image.png", _few_colours(_shrink(picture, plan.um_per_px, LOWRES_UM_PER_PX))
    )
    _write_scalefactors(outs / "spatial" / "scalefactors_json.json")


def _hexagonal_array(frame: Frame) -> tuple[npt.NDArray[np.int64], Image]:
    """Array row and column (n, 2), and x, y in um (n, 2), of the part of a Visium array that the picture covers."""
    rows = int(frame.height_um // (VISIUM_PITCH_UM * np.sqrt(3) / 2))
    columns = int(frame.width_um // (VISIUM_PITCH_UM / 2))
    row, column = np.nonzero(np.add.outer(np.arange(rows), np.arange(columns)) % 2 == 0)
    um = np.stack([(column + 0.5) * VISIUM_PITCH_UM / 2, (row + 0.5) * VISIUM_PITCH_UM * np.sqrt(3) / 2], axis=1)
    return np.stack([row + 20, column + 30], axis=1), um


def _barcodes(n: int, rng: np.random.Generator) -> list[str]:
    drawn: dict[str, None] = {}
    while len(drawn) < n:
        drawn["".join(rng.choice(list("ACGT"), 16)) + "-1"] = None
    return list(drawn)


def _write_h5(path: Path, barcodes: list[str], values: Counts, section: str) -> None:
    """Counts in the 10x format 3: one column per barcode, only values above 0."""
    spot, gene = np.nonzero(values)
    matrix: dict[str, npt.NDArray[np.generic]] = {
        "barcodes": np.array(barcodes, dtype="S18"),
        "data": values[spot, gene].astype("int32"),
        "indices": gene.astype("int64"),
        "indptr": np.searchsorted(spot, np.arange(len(barcodes) + 1)).astype("int64"),
        "shape": np.array([len(GENES), len(barcodes)], dtype="int32"),
        "features/_all_tag_keys": np.array(["genome"], dtype="S6"),
        "features/feature_type": np.array(["Gene Expression"] * len(GENES), dtype="S15"),
        "features/genome": np.array(["GRCh38"] * len(GENES), dtype="S6"),
        "features/id": np.array([f"SYNTHETIC{k:06d}" for k in range(len(GENES))], dtype="S15"),
        "features/name": np.array(GENES, dtype="S16"),
    }
    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.attrs["chemistry_description"] = "Synthetic"
        file.attrs["filetype"] = "matrix"
        file.attrs["library_ids"] = np.array([section], dtype="S8")
        file.attrs["version"] = 2
        for name, array in matrix.items():
            large = {"compression": "gzip", "compression_opts": 9, "shuffle": True} if array.size > 1000 else {}
            file.create_dataset(f"matrix/{name}", data=array, track_times=False, **large)
    _write_bytes(path, held.getvalue())


def _write_scalefactors(path: Path) -> None:
    # Space Ranger states a spot diameter of 65 um, the printed spot with its rim; the barcoded area is 55 um wide.
    factors = {
        "spot_diameter_fullres": 65 / FULLRES_UM_PER_PX,
        "tissue_hires_scalef": FULLRES_UM_PER_PX / HIRES_UM_PER_PX,
        "fiducial_diameter_fullres": 105 / FULLRES_UM_PER_PX,
        "tissue_lowres_scalef": FULLRES_UM_PER_PX / LOWRES_UM_PER_PX,
    }
    _write_bytes(path, json.dumps(factors).encode())


# Files -----------------------------------------------------------------------------------------------------------


def _shrink(picture: npt.NDArray[np.uint8], um_per_px: float, wanted: float) -> npt.NDArray[np.uint8]:
    size = (round(picture.shape[1] * um_per_px / wanted), round(picture.shape[0] * um_per_px / wanted))
    return np.asarray(Picture.fromarray(picture).resize(size, Picture.Resampling.LANCZOS))


def _few_colours(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Steps of 8 grey levels on tissue, where noise would make the PNG larger than all other files together."""
    coarse = picture // 8 * 8 + 4
    is_pale = picture.min(axis=2, keepdims=True) > 220
    return np.where(is_pale, picture, coarse)


def _save(path: Path, picture: npt.NDArray[np.uint8], **options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(picture).save(path, optimize=True, **options)


def _write_table(path: Path, header: list[str], rows: list[list[object]], separator: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = text.getvalue().encode()
    _write_bytes(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent, *sys.argv[2:])
