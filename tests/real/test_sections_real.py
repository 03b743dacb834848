"""The tables of the real sections: each quirk of a published data set on its own file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gr2st.errors import DataError, SectionInvalid
from gr2st.io import legacy_st, visium
from gr2st.io.geometry import fit_lattice, inside_image
from gr2st.io.h5ad_picture import choose_picture
from gr2st.io.legacy_files import read_counts, read_labels, read_spots
from gr2st.io.section import read_section
from gr2st.io.study import read_study, write_study
from gr2st.io.tables import Report, read_text
from gr2st.io.tenx import read_matrix, read_positions
from gr2st.io.visium import read_scale_factors

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Section, SectionEntry

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def her2st(real_data: Path) -> Path:
    return real_data / "her2st" / "data"


@pytest.fixture(scope="module")
def visium_data(real_data: Path) -> Path:
    return real_data / "visium"


def tables_of(folder: Path, name: str) -> Section:
    return read_section(read_study(folder).entry(name), with_image=False)


def refusal(entry: SectionEntry) -> str:
    with pytest.raises(SectionInvalid) as caught:
        read_section(entry)
    return str(caught.value)


def said(section: Section, part: str) -> bool:
    return any(part in note for note in section.notes)


# HER2ST


def test_her2st_lists_the_sections_with_counts_and_notes_the_others(her2st: Path) -> None:
    study = read_study(her2st)
    assert study.name == "her2st"
    assert study.names == ("A1", "C2", "C3", "C4")
    assert [entry.patient for entry in study.entries] == ["A", "C", "C", "C"]
    assert study.notes == ("4 sections left out, with spots but without counts: A2, B1, C1, D1.",)
    assert [bool(entry.without_image) for entry in study.entries] == [True, False, False, False]
    assert study.entry("C4").parts["image"].name == "5714_HE_BT_D2.jpg"


@pytest.mark.parametrize(
    ("name", "spots", "genes", "missing"),
    [("C2", 187, 15_706, ()), ("C3", 180, 15_821, ("13x9", "17x14")), ("C4", 184, 15_842, ("11x17", "17x14", "18x20"))],
)
def test_her2st_counts_join_their_positions(
    her2st: Path, name: str, spots: int, genes: int, missing: tuple[str, ...]
) -> None:
    section = tables_of(her2st, name)
    assert section.table.shape == (spots, genes)
    frame = pd.read_csv(her2st / "ST-spotfiles" / f"{name}_selection.tsv", sep="\t")
    frame.index = [f"{x}x{y}" for x, y in zip(frame["x"], frame["y"], strict=True)]
    wanted = frame.loc[list(section.spot_names)]
    np.testing.assert_array_equal(section.table.obsm["spatial"], wanted[["pixel_x", "pixel_y"]].to_numpy())
    assert section.table.obs["array_col"].tolist() == wanted["x"].tolist()
    assert section.table.obs["array_row"].tolist() == wanted["y"].tolist()
    assert set(frame.index) - set(section.spot_names) == set(missing)
    assert all(said(section, spot) for spot in missing)
    assert list(section.spot_names) != frame.index[frame.index.isin(section.spot_names)].tolist()


def test_her2st_depth_is_the_published_one(her2st: Path) -> None:
    depth = np.asarray(tables_of(her2st, "C4").table.X.sum(axis=1)).ravel()
    assert np.median(depth) == pytest.approx(10_190, abs=1)


def test_her2st_counts_equal_a_plain_reading(her2st: Path) -> None:
    frame = pd.read_csv(her2st / "ST-cnts" / "C2.tsv.gz", sep="\t", index_col=0)
    table = tables_of(her2st, "C2").table
    np.testing.assert_array_equal(table.X.toarray(), frame.to_numpy())
    assert table.var_names.tolist() == frame.columns.tolist()


@pytest.mark.parametrize(("name", "pitch"), [("A1", 217.6), ("C2", 290.66), ("C3", 290.96), ("C4", 290.79)])
def test_her2st_resolution_comes_from_the_array_step(her2st: Path, name: str, pitch: float) -> None:
    section = tables_of(her2st, name)
    assert section.grid_pitch == pytest.approx(pitch, rel=3e-3)
    assert section.um_per_px == pytest.approx(200 / pitch, rel=3e-3)
    assert section.um_per_px_source == "array pitch of 200 µm"
    assert section.spot_diameter_um == 100


def test_her2st_gene_names_are_kept_with_their_pairs(her2st: Path) -> None:
    genes = set(tables_of(her2st, "C4").genes)
    pairs = {gene for gene in genes if f"{gene}.1" in genes}
    assert len(pairs) >= 3
    assert "FO538757.1" in genes


def test_her2st_labels_join_by_rounded_array_position(her2st: Path) -> None:
    section = tables_of(her2st, "A1")
    frame = pd.read_csv(her2st / "ST-pat" / "lbl" / "A1_labeled_coordinates.tsv", sep="\t")
    at = {(round(x), round(y)): label for x, y, label in zip(frame["x"], frame["y"], frame["label"], strict=True)}
    obs = section.table.obs
    wanted = [at[column, row] for column, row in zip(obs["array_col"], obs["array_row"], strict=True)]
    assert obs["label"].tolist() == wanted
    assert obs["label"].value_counts()["cancer in situ"] > 0
    assert not said(section, "without a label")


def test_her2st_label_pixels_are_in_another_frame(her2st: Path) -> None:
    report = Report("A1")
    spots = read_spots(her2st / "ST-spotfiles" / "A1_selection.tsv", report)
    frame = pd.read_csv(her2st / "ST-pat" / "lbl" / "A1_labeled_coordinates.tsv", sep="\t")
    down = dict(zip(spots.cells, spots.xy[:, 1], strict=True))
    own = [down[round(x), round(y)] for x, y in zip(frame["x"], frame["y"], strict=True)]
    assert np.corrcoef(own, frame["pixel_y"])[0, 1] < -0.99


@pytest.mark.parametrize(("name", "labels"), [("A1", 348), ("B1", 295), ("C1", 177), ("D1", 309)])
def test_her2st_labels_fit_their_spot_files_completely(her2st: Path, name: str, labels: int) -> None:
    report = Report(name)
    read = read_labels(her2st / "ST-pat" / "lbl" / f"{name}_labeled_coordinates.tsv", report)
    spots = read_spots(her2st / "ST-spotfiles" / f"{name}_selection.tsv", report)
    assert len(read) == labels
    assert set(read) <= set(spots.cells)
    assert (report.problems, report.notes) == ([], [])


def test_her2st_a_section_without_a_picture_can_still_be_read(her2st: Path) -> None:
    section = read_section(read_study(her2st).entry("A1"))
    assert section.slide is None
    assert section.n_spots == 346
    assert said(section, "no picture in ST-imgs belongs to A1")


def test_her2st_c4_fits_its_picture(her2st: Path) -> None:
    section = read_section(read_study(her2st).entry("C4"))
    assert section.slide is not None
    assert (section.slide.width, section.slide.height) == (9278, 9916)
    assert section.alignment.verdict == "good"
    assert section.alignment.inside == 1
    assert section.n_spots == 184


def test_her2st_c4_is_read_in_about_a_second(her2st: Path) -> None:
    entry = read_study(her2st).entry("C4")
    read_section(entry, with_image=False)
    started = time.process_time()
    read_section(entry, with_image=False)
    assert time.process_time() - started < 2


def test_her2st_survives_a_written_study(her2st: Path, tmp_path: Path) -> None:
    study = read_study(her2st)
    write_study(study, tmp_path / "study.csv")
    again = read_study(tmp_path / "study.csv")
    assert [entry.parts.keys() for entry in again.entries] == [entry.parts.keys() for entry in study.entries]
    assert read_section(again.entry("C3"), with_image=False).n_spots == 180


def test_the_small_her2st_section_is_a_loose_folder(real_data: Path) -> None:
    study = read_study(real_data / "derived" / "her2st_C3_mini")
    section = read_section(study.entry("C3_mini"))
    assert section.table.shape == (90, 1000)
    assert section.patient is None
    assert section.grid_pitch == pytest.approx(290.96 / 2, rel=1e-3)
    assert section.um_per_px == pytest.approx(1.375, abs=1e-3)
    assert section.alignment.verdict == "good"
    assert said(section, "1 position without counts: 17x14.")


# Other legacy ST


def test_mob_is_a_2k_array_of_unknown_resolution(real_data: Path) -> None:
    section = read_section(read_study(real_data / "STUtility" / "counts").entry("MOB1"))
    assert section.table.shape == (379, 1000)
    assert section.grid_pitch == pytest.approx(np.hypot(21.6, 24.1), abs=0.1)
    assert (section.um_per_px, section.um_per_px_source, section.spot_diameter_um) == (None, "unknown", None)
    assert said(section, "1544 spots left out, marked as not selected (off the tissue).")
    assert said(section, "11 of 1934 spots of the counts have no position; left out")
    assert section.table.var["gene_id"].tolist()[0] == "ENSMUSG00000064339.1"
    assert section.alignment.verdict == "good"


def test_mob_tables_pair_by_name_packed_or_not(real_data: Path) -> None:
    study = read_study(real_data / "STUtility" / "counts")
    assert study.names == ("MOB1", "MOB2")
    assert study.entry("MOB1").parts["spots"].name == "alignment_table_MOB1.tsv"
    assert study.entry("MOB2").parts["spots"].name == "alignment_table_MOB2.tsv.gz"
    assert study.entry("MOB2").parts["image"].name == "MOB2.jpg"
    assert read_section(study.entry("MOB2"), with_image=False).n_spots == 407
    assert study.notes == ("BC1.csv is a count table but no spot file fits, so it is left out.",)


def test_a_transposed_table_is_refused_with_what_to_do(real_data: Path) -> None:
    with pytest.raises(DataError, match=r"genes in rows and spots in columns \(columns such as '13\.064x6\.086'\)"):
        read_counts(real_data / "STUtility" / "counts" / "BC1.csv", Report("BC1"))


def test_cscc_positions_are_turned_the_right_way_up(real_data: Path) -> None:
    report = Report("P2_1")
    spots = read_spots(real_data / "cscc_P2" / "cell_locations" / "P2_1_spatial_locs.csv", report)
    assert len(spots.cells) == 666
    assert spots.cells[0] == (7, 45)
    assert inside_image(spots.xy * 0.0625, 992, 992).all()
    assert len(report.notes) == 1


def test_cscc_without_counts_is_not_recognised(real_data: Path) -> None:
    with pytest.raises(DataError, match="Found: cell_locations/, lowres_images/"):
        read_study(real_data / "cscc_P2")


# Visium


def test_cytassist_has_float_positions_and_repeated_symbols(visium_data: Path) -> None:
    section = read_section(read_study(visium_data / "coexpress_cytassist").entries[0])
    assert section.table.shape == (2898, 19_465)
    assert np.median(np.asarray(section.table.X.sum(axis=1))) == 226
    assert section.slide is not None
    assert section.slide.path.name == "tissue_lowres_image.png"
    assert said(section, "11 gene symbols are used more than once")
    assert section.table.var_names.is_unique
    assert section.table.var["gene_id"].is_unique
    assert said(section, "too coarse for patches")
    assert section.grid_pitch == pytest.approx(4.28, abs=0.02)


def test_spaniel_has_packed_text_matrices_and_no_header(visium_data: Path) -> None:
    section = read_section(read_study(visium_data / "spaniel").entries[0])
    assert section.name == "spaniel"
    assert section.table.shape == (3352, 815)
    assert section.um_per_px == pytest.approx(0.7245 / 0.051635, rel=1e-3)
    assert section.alignment.verdict == "good"


@pytest.mark.parametrize(
    ("path", "spots", "in_tissue", "pitch"),
    [
        ("humanpilot/151673/tissue_positions_list.txt", 4992, 3639, 137.9),
        ("sheffield_kidney/outs/spatial/tissue_positions.csv", 4992, 1443, 137.9),
        ("spatialshiny_11mm/spatial/tissue_positions.csv", 14_336, 6965, 365.2),
        ("squidpy_tests/spatial/tissue_positions_list.csv", 100, 100, 137.8),
    ],
)
def test_positions_of_every_generation_are_read(
    visium_data: Path, path: str, spots: int, in_tissue: int, pitch: float
) -> None:
    report = Report("positions")
    positions = read_positions(visium_data / path, report)
    assert report.problems == []
    assert len(positions.barcodes) == spots
    assert int(positions.in_tissue.sum()) == in_tissue
    lattice = fit_lattice(positions.cells, positions.xy)
    assert lattice.is_hexagonal
    assert lattice.pitch == pytest.approx(pitch, rel=2e-3)


def test_the_stated_spot_diameter_is_no_measure_of_resolution(visium_data: Path) -> None:
    widths = []
    for folder in ("coexpress_cytassist/spatial", "spatialshiny_11mm/spatial", "humanpilot/151673"):
        base = visium_data / folder
        positions = read_positions(next(base.glob("tissue_positions*")), Report(folder))
        factors = read_scale_factors(base / "scalefactors_json.json")
        widths.append(100 * factors["spot_diameter_fullres"] / fit_lattice(positions.cells, positions.xy).pitch)
    assert widths == pytest.approx([70, 60, 70], abs=0.5)


def test_twenty_spots_of_the_11_mm_slide_lie_outside_its_picture(visium_data: Path) -> None:
    base = visium_data / "spatialshiny_11mm" / "spatial"
    positions = read_positions(base / "tissue_positions.csv", Report("11 mm"))
    scale = read_scale_factors(base / "scalefactors_json.json")["tissue_hires_scalef"]
    inside = inside_image(positions.xy[positions.in_tissue] * scale, 2000, 1578)
    assert int((~inside).sum()) == 20


def test_a_black_hires_picture_gives_way_to_lowres(visium_data: Path) -> None:
    section = read_section(read_study(visium_data / "scanpy_tests" / "1.0.0").entries[0])
    assert section.slide is not None
    assert section.slide.path.name == "tissue_lowres_image.png"
    assert said(section, "tissue_hires_image.png is one flat colour")
    assert said(section, "4135 spots on tissue without counts.")
    assert section.genes[0] == "ENSG00000243485"


def test_transparent_pictures_leave_a_section_without_one(visium_data: Path) -> None:
    section = read_section(read_study(visium_data / "seurat_tests").entry("visium"))
    assert section.slide is None
    assert section.n_spots == 2695
    assert said(section, "tissue_lowres_image.png is one flat colour")
    assert said(section, "6 spots without any count")


def test_barcodes_of_another_platform_are_refused(visium_data: Path) -> None:
    study = read_study(visium_data / "seurat_tests" / "visium_hd" / "binned_outputs" / "square_016um")
    assert study.entries[0].layout == "visium-hd"
    assert "2053 of 2695 spots of the counts have no position" in refusal(study.entries[0])


def test_hd_resolution_is_the_stated_one(visium_data: Path) -> None:
    study = read_study(visium_data / "seurat_tests" / "visium_hd")
    section = read_section(study.entry("visium_hd"), with_image=False)
    assert section.um_per_px == pytest.approx(0.27376, abs=1e-4)
    assert section.um_per_px_source == "microns_per_pixel of scalefactors_json.json"
    assert section.spot_diameter_um == 8


def test_files_named_gz_that_are_plain_text_are_read(visium_data: Path) -> None:
    folder = visium_data / "visiumio" / "binned_outputs" / "square_002um" / "filtered_feature_bc_matrix"
    assert read_text(folder / "barcodes.tsv.gz").startswith('"s_002um_02448_01644-1"')
    report = Report("bins")
    matrix = read_matrix(folder, report)
    assert matrix.barcodes[0] == "s_002um_02448_01644-1"
    assert matrix.var["gene_symbol"].tolist()[0] == "Xkr4"
    assert report.problems == ["filtered_feature_bc_matrix holds no count at all: every value is zero."]


def test_a_raw_matrix_keeps_the_spots_on_tissue(visium_data: Path) -> None:
    study = read_study(visium_data / "visiumio" / "10xVisium")
    assert study.names == ("section1", "section2")
    first, second = (read_section(entry) for entry in study.entries)
    assert (first.n_spots, second.n_spots) == (22, 22)
    assert said(first, "28 spots off the tissue left out.")
    assert said(second, "1 of 50 spots of the counts have no position")


def test_a_cropped_picture_is_refused(visium_data: Path) -> None:
    assert "12 of 12 spots lie outside the picture" in refusal(read_study(visium_data / "sfe").entries[0])


def test_a_matrix_per_probe_is_refused(visium_data: Path) -> None:
    path = visium_data / "scanpy_tests" / "2.1.0" / "raw_probe_bc_matrix.h5"
    with pytest.raises(DataError, match="holds counts per probe, not per gene"):
        read_matrix(path, Report("probes"))


def test_a_picture_of_another_size_beside_the_tables_is_not_taken(visium_data: Path) -> None:
    section = read_section(read_study(visium_data / "squidpy_tests").entries[0])
    assert section.slide is not None
    assert section.slide.path.name == "tissue_lowres_image.png"
    assert said(section, "test_img.jpg (950 x 1717 px) is not used")


def test_a_folder_of_many_things_is_a_study_of_what_can_be_read(visium_data: Path) -> None:
    study = read_study(visium_data)
    assert {"coexpress_cytassist", "spaniel"} <= set(study.names)
    assert any(note.startswith("spatialshiny_11mm left out, positions without counts") for note in study.notes)


# AnnData


def test_the_noise_picture_of_the_squidpy_file_is_not_taken(visium_data: Path) -> None:
    import anndata

    path = visium_data / "squidpy_tests" / "test_data.h5ad"
    adata = anndata.read_h5ad(path)
    library = adata.uns["spatial"]["V1_Adult_Mouse_Brain"]
    report = Report("test_data")
    picture = choose_picture(library["images"], library["scalefactors"], adata.obsm["spatial"], path, report)
    assert picture is not None
    assert (picture.slide.width, picture.slide.height) == (49, 88)
    assert "'hires' inside test_data.h5ad was not used: its values run from" in report.notes[0]


def test_the_squidpy_file_has_no_counts(visium_data: Path) -> None:
    entry = read_study(visium_data / "squidpy_tests" / "test_data.h5ad").entries[0]
    assert "raw counts are wanted, not normalised ones" in refusal(entry)


def test_the_squidpy_file_can_be_read_once_it_has_counts(visium_data: Path, tmp_path: Path) -> None:
    import anndata

    adata = anndata.read_h5ad(visium_data / "squidpy_tests" / "test_data.h5ad")
    adata.layers["counts"] = adata.X.ceil()
    adata.write_h5ad(tmp_path / "test_data.h5ad")
    section = read_section(read_study(tmp_path).entries[0])
    assert section.slide is not None
    assert section.slide.width == 49
    assert section.n_spots == 49
    assert said(section, "Counts of test_data.h5ad taken from layers['counts'].")
    assert said(section, "The file has no array coordinates")


def test_anndata_under_an_h5_name_is_recognised_and_its_scaled_values_refused(visium_data: Path) -> None:
    entry = read_study(visium_data / "stlearn_tests").entries[0]
    assert entry.layout == "h5ad"
    text = refusal(entry)
    assert "22635 negative values" in text
    assert "31600 values that are not whole" in text


def test_a_10x_file_is_no_section(visium_data: Path) -> None:
    with pytest.raises(DataError, match="is a 10x count matrix without positions"):
        read_study(visium_data / "coexpress_cytassist" / "filtered_feature_bc_matrix.h5")


def test_readers_list_nothing_in_a_folder_of_slides(real_data: Path) -> None:
    assert legacy_st.find(real_data / "wsi").entries == []
    assert visium.find(real_data / "wsi").entries == []
    with pytest.raises(DataError, match="No section was found"):
        read_study(real_data / "wsi")
