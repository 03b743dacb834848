"""The sample study in the repository: whole, small, and what its seeded script makes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

STUDY = Path(__file__).parents[2] / "sample_data"
SECTIONS = ("A1", "A2", "B1", "B2")


def read_counts(study: Path, section: str) -> pd.DataFrame:
    return pd.read_csv(study / "ST-cnts" / f"{section}.tsv.gz", sep="\t", index_col=0)


def read_spots(study: Path, section: str) -> pd.DataFrame:
    spots = pd.read_csv(study / "ST-spotfiles" / f"{section}_selection.tsv", sep="\t")
    spots.index = pd.Index(spots["x"].astype(str) + "x" + spots["y"].astype(str))
    return spots


def picture_of(study: Path, section: str) -> Image.Image:
    return Image.open(study / "ST-imgs" / section[0] / section / f"{section}_HE.jpg")


@pytest.fixture(scope="module")
def made_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Section B2, which has both layouts, made once more by the script."""
    folder = tmp_path_factory.mktemp("made_again")
    script = STUDY / "make_sample_data.py"
    subprocess.run([sys.executable, "-B", str(script), str(folder), "B2"], check=True, capture_output=True, timeout=300)
    return folder


def test_the_study_file_names_four_sections_of_two_patients_and_their_files() -> None:
    study = pd.read_csv(STUDY / "study.csv")
    assert list(study["section"]) == list(SECTIONS)
    assert list(study["patient"]) == ["A", "A", "B", "B"]
    assert all((STUDY / path).is_file() for path in [*study["path"], *study["image"]])


def test_the_whole_study_is_smaller_than_three_megabytes() -> None:
    files = [path for path in STUDY.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 3_000_000


@pytest.mark.parametrize("section", SECTIONS)
def test_every_counted_spot_has_a_position_inside_the_picture(section: str) -> None:
    counts, spots = read_counts(STUDY, section), read_spots(STUDY, section)
    assert 130 <= len(counts) <= 160
    assert counts.shape[1] == 200
    assert counts.columns.is_unique
    assert set(counts.index) == set(spots.index)
    with picture_of(STUDY, section) as picture:
        width, height = picture.size
    assert spots["pixel_x"].between(0, width).all()
    assert spots["pixel_y"].between(0, height).all()


@pytest.mark.parametrize("section", SECTIONS)
def test_the_array_step_is_200_micrometres_at_the_stated_scale(section: str) -> None:
    um_per_px = pd.read_csv(STUDY / "study.csv", index_col="section").loc[section, "um_per_px"]
    spots = read_spots(STUDY, section)
    for found, pixel in (("new_x", "pixel_x"), ("new_y", "pixel_y")):
        step_px = np.polyfit(spots[found], spots[pixel], 1)[0]
        assert step_px * um_per_px == pytest.approx(200, abs=0.05)


def test_genes_are_high_where_the_labels_say_they_should_be() -> None:
    counts, spots = read_counts(STUDY, "B1"), read_spots(STUDY, "B1")
    labels = pd.read_csv(STUDY / "ST-pat" / "lbl" / "B1_labeled_coordinates.tsv", sep="\t")
    keys = labels["x"].round().astype(int).astype(str) + "x" + labels["y"].round().astype(int).astype(str)
    word = pd.Series(labels["label"].to_numpy(), index=keys).loc[counts.index]
    means = counts.div(counts.sum(axis=1), axis=0).groupby(word).mean()
    homes = {
        "KRT19": "invasive cancer",
        "COL1A1": "connective tissue",
        "PLIN1": "adipose tissue",
        "CD3D": "immune infiltrate",
    }
    assert {gene: means[gene].idxmax() for gene in homes} == homes
    assert len(spots) == len(labels)


def test_the_space_ranger_folder_names_a_position_for_every_barcode() -> None:
    outs = STUDY / "visium" / "B2" / "outs"
    positions = pd.read_csv(outs / "spatial" / "tissue_positions.csv", index_col="barcode")
    with h5py.File(outs / "filtered_feature_bc_matrix.h5") as file:
        barcodes = [code.decode() for code in file["matrix/barcodes"][()]]
        assert tuple(file["matrix/shape"][()]) == (200, len(barcodes))
    assert set(barcodes) == set(positions.index[positions["in_tissue"] == 1])
    factors = json.loads((outs / "spatial" / "scalefactors_json.json").read_text())
    with Image.open(outs / "spatial" / "tissue_hires_image.png") as picture:
        width, height = picture.size
    assert positions["pxl_col_in_fullres"].max() * factors["tissue_hires_scalef"] < width
    assert positions["pxl_row_in_fullres"].max() * factors["tissue_hires_scalef"] < height


def test_the_script_makes_the_same_counts_and_positions_again(made_again: Path) -> None:
    pd.testing.assert_frame_equal(read_counts(made_again, "B2"), read_counts(STUDY, "B2"))
    pd.testing.assert_frame_equal(read_spots(made_again, "B2"), read_spots(STUDY, "B2"))
    for name in ("tissue_positions.csv", "scalefactors_json.json"):
        place = Path("visium/B2/outs/spatial") / name
        assert (made_again / place).read_bytes() == (STUDY / place).read_bytes()


def test_the_script_makes_the_same_pictures_again(made_again: Path) -> None:
    for place in ("ST-imgs/B/B2/B2_HE.jpg", "visium/B2/outs/spatial/tissue_hires_image.png"):
        with Image.open(made_again / place) as new, Image.open(STUDY / place) as old:
            difference = np.abs(np.asarray(new, dtype=float) - np.asarray(old, dtype=float))
        assert difference.mean() < 0.5


def test_the_packed_counts_carry_no_time_of_writing() -> None:
    for section in SECTIONS:
        packed = (STUDY / "ST-cnts" / f"{section}.tsv.gz").read_bytes()
        assert packed[4:8] == bytes(4)
        assert gzip.decompress(packed).startswith(b"\tERBB2\t")
