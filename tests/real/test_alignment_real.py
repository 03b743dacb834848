"""Real sections: spots that fit are good, and copies with swapped, mirrored, scaled or moved spots are named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from gr2st.io.alignment import check_alignment
from gr2st.io.slide import open_slide

pytestmark = pytest.mark.real

A1_SCALE = [2000 / 6954, 2138 / 7435]
LEGACY = {
    "C2": ("her2st/data/ST-spotfiles/C2_selection.tsv", "her2st/data/ST-imgs/C/C2/5714_HE_BT_C2.jpg", 1.0, 145.0),
    "C3": ("her2st/data/ST-spotfiles/C3_selection.tsv", "her2st/data/ST-imgs/C/C3/5714_HE_BT_D1.jpg", 1.0, 145.0),
    "C4": ("her2st/data/ST-spotfiles/C4_selection.tsv", "her2st/data/ST-imgs/C/C4/5714_HE_BT_D2.jpg", 1.0, 145.0),
    "A1": ("her2st/data/ST-spotfiles/A1_selection.tsv", "her2st/app/www/imgs/A1_HE_image_dark.png", A1_SCALE, 31.0),
    "MOB1": ("STUtility/counts/alignment_table_MOB1.tsv", "STUtility/counts/MOB1.jpg", 1.0, 20.0),
    "MOB2": ("STUtility/counts/alignment_table_MOB2.tsv.gz", "STUtility/counts/MOB2.jpg", 1.0, 20.0),
}
VISIUM = {
    "sedr_brca1/V1_Human_Breast_Cancer_Block_A_Section_1/spatial": ("lowres", "good"),
    "coexpress_cytassist/spatial": ("lowres", "good"),
    "spatialshiny_11mm/spatial": ("hires", "good"),
    "spaniel/outs/spatial": ("lowres", "good"),
    "sheffield_kidney/outs/spatial": ("lowres", "good"),
    "humanpilot/151673": ("lowres", "good"),
    "scanpy_tests/1.0.0/spatial": ("lowres", "good"),
    "visiumio/10xVisium/section1/outs/spatial": ("lowres", "good"),
    "sfe/sample01/outs/spatial": ("hires", "outside"),
    "seurat_tests/visium/spatial": ("lowres", "not-histology"),
}
MOVES = {
    "swapped": lambda xy, size: xy[:, ::-1],
    "mirrored": lambda xy, size: xy * [1, -1] + [0, size[1]],
    "rotated": lambda xy, size: size - xy,
    "scale": lambda xy, size: xy * 4,
}


def legacy(root, name):
    spots, image, scale, diameter = LEGACY[name]
    table = pd.read_csv(root / spots, sep="\t")
    xy = table.loc[table["selected"] == 1, ["pixel_x", "pixel_y"]].to_numpy(float) * scale
    return xy, open_slide(root / image), diameter


def visium(folder, kind):
    positions = next(folder.glob("tissue_positions*"))
    header = 0 if positions.read_text(encoding="utf-8").startswith("barcode") else None
    table = pd.read_csv(positions, header=header)
    table.columns = ["barcode", "in_tissue", "row", "column", "y", "x"]
    facts = json.loads(next(folder.glob("scalefactors*")).read_text(encoding="utf-8"))
    factor = facts[f"tissue_{kind}_scalef"]
    xy = table.loc[table["in_tissue"] == 1, ["x", "y"]].to_numpy(float) * factor
    return xy, open_slide(folder / f"tissue_{kind}_image.png"), facts["spot_diameter_fullres"] * factor


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_sections_are_good(real_data, name):
    found = check_alignment(*legacy(real_data, name))
    assert (found.verdict, found.inside) == ("good", 1.0)
    assert found.on_tissue > 0.95


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("name", LEGACY)
def test_wrong_copies_of_legacy_sections_are_named(real_data, name, move):
    xy, slide, diameter = legacy(real_data, name)
    found = check_alignment(MOVES[move](xy, np.array([slide.width, slide.height])), slide, diameter)
    assert found.verdict == move


def test_spots_moved_and_turned_on_the_tissue_are_misregistered(real_data):
    xy, slide, diameter = legacy(real_data, "C4")
    turn = np.deg2rad(8)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = (xy - xy.mean(axis=0)) @ matrix.T + xy.mean(axis=0) + [-400, 300]
    found = check_alignment(moved, slide, diameter)
    assert found.verdict == "misregistered"
    assert 0.7 < found.on_tissue < 0.9
    assert found.inside == 1.0


@pytest.mark.parametrize("repeat", [1, 3])
def test_negative_y_of_a_skin_section_is_named(real_data, repeat):
    table = pd.read_csv(real_data / f"cscc_P2/cell_locations/P2_{repeat}_spatial_locs.csv")
    slide = open_slide(real_data / f"cscc_P2/lowres_images/P2_{repeat}_0.0625.jpg")
    xy = table[["pixel_x", "pixel_y"]].to_numpy(float) * 0.0625
    wrong = check_alignment(xy, slide, 12.0)
    assert (wrong.verdict, wrong.inside) == ("mirrored", 0.0)
    assert "y is negative" in wrong.message
    right = check_alignment(xy * [1, -1], slide, 12.0)
    assert right.verdict == "good"
    assert right.on_tissue > 0.85


@pytest.mark.parametrize("name", VISIUM)
def test_visium_folders_get_their_verdict(real_data, name):
    kind, verdict = VISIUM[name]
    found = check_alignment(*visium(real_data / "visium" / name, kind))
    assert found.verdict == verdict
    if verdict == "good":
        assert found.on_tissue > 0.9


def test_spots_beside_the_picture_are_counted(real_data):
    found = check_alignment(*visium(real_data / "visium/spatialshiny_11mm/spatial", "hires"))
    assert "20 of 6965 spots lie outside the picture" in found.message


@pytest.mark.parametrize("name", ["scanpy_tests/1.0.0/spatial", "squidpy_tests/spatial"])
def test_black_pictures_are_not_histology(real_data, name):
    found = check_alignment(*visium(real_data / "visium" / name, "hires"))
    assert (found.verdict, found.inside) == ("not-histology", 1.0)


def test_full_size_positions_on_a_small_picture_give_the_factor(real_data):
    folder = real_data / "visium/sheffield_kidney/outs/spatial"
    xy, slide, diameter = visium(folder, "lowres")
    factor = json.loads((folder / "scalefactors_json.json").read_text(encoding="utf-8"))["tissue_lowres_scalef"]
    found = check_alignment(xy / factor, slide, diameter)
    assert found.verdict == "scale"
    suggested = float(found.message.split("multiplied by about ")[1].split(",")[0])
    assert suggested == pytest.approx(factor, rel=0.03)
