"""Space Ranger folders: matrices, positions, pictures, and every kind of bad file."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gr2st.errors import DataError, SectionInvalid
from gr2st.io import visium
from gr2st.io.geometry import fit_lattice
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.io.tables import Report
from gr2st.io.tenx import read_matrix, read_positions
from tests.builders import (
    VISIUM_PITCH,
    tissue_image,
    visium_array,
    visium_folder,
    write_image,
    write_matrix_h5,
    write_matrix_mtx,
    write_positions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Section, SectionEntry


@pytest.fixture
def outs(tmp_path: Path) -> Path:
    return visium_folder(tmp_path / "V1") / "outs"


def entry_of(outs: Path) -> SectionEntry:
    (entry,) = visium.find(outs).entries
    return entry


def read(outs: Path) -> Section:
    return read_section(entry_of(outs), with_image=False)


def problems(entry: SectionEntry, *, with_image: bool = False) -> str:
    with pytest.raises(SectionInvalid) as caught:
        read_section(entry, with_image=with_image)
    assert type(caught.value) is SectionInvalid
    return str(caught.value)


def test_a_section_is_found_from_its_folder_and_from_its_outs(outs: Path) -> None:
    assert read_study(outs).names == ("V1",)
    assert read_study(outs.parent).names == ("V1",)
    assert read_study(outs).entries == read_study(outs.parent).entries


def test_a_folder_of_several_sections_is_a_study(tmp_path: Path) -> None:
    visium_folder(tmp_path / "cohort" / "V1")
    visium_folder(tmp_path / "cohort" / "V2", seed=1)
    study = read_study(tmp_path / "cohort")
    assert study.name == "cohort"
    assert study.names == ("V1", "V2")
    assert [entry.patient for entry in study.entries] == [None, None]


def test_counts_meet_their_positions_by_barcode(outs: Path) -> None:
    array = visium_array()
    frame = pd.read_csv(outs / "spatial" / "tissue_positions.csv").iloc[::-1]
    frame.to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
    table = read(outs).table
    np.testing.assert_array_equal(table.X.toarray(), array.counts)
    np.testing.assert_allclose(table.obsm["spatial"], array.xy * 0.8)
    assert table.obs["array_row"].tolist() == array.rows.tolist()
    assert table.obs["array_col"].tolist() == array.columns.tolist()


def test_the_hexagonal_step_gives_the_resolution_of_the_opened_picture(outs: Path) -> None:
    section = read_section(entry_of(outs))
    assert section.slide is not None
    assert section.slide.path.name == "tissue_hires_image.png"
    assert section.grid_pitch == pytest.approx(VISIUM_PITCH * 0.8)
    assert section.um_per_px == pytest.approx(100 / (VISIUM_PITCH * 0.8))
    assert section.um_per_px_source == "array pitch of 100 µm"
    assert section.spot_diameter_um == 55
    assert section.alignment.verdict == "good"


def test_a_turned_array_keeps_its_step() -> None:
    array = visium_array()
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    lattice = fit_lattice(np.column_stack([array.columns, array.rows]), array.xy @ turn)
    assert lattice.pitch == pytest.approx(VISIUM_PITCH)
    assert lattice.is_hexagonal


@pytest.mark.parametrize("name", ["tissue_positions.csv", "tissue_positions_list.csv", "tissue_positions_list.txt"])
@pytest.mark.parametrize("header", [True, False])
def test_the_header_of_positions_is_seen_by_content_and_not_by_name(tmp_path: Path, name: str, *, header: bool) -> None:
    array = visium_array()
    positions = read_positions(write_positions(tmp_path / name, array, header=header), Report("V1"))
    assert positions.barcodes == array.names
    np.testing.assert_allclose(positions.xy, array.xy)
    assert positions.cells.tolist() == np.column_stack([array.columns, array.rows]).tolist()


def test_parquet_positions_are_read(tmp_path: Path) -> None:
    array = visium_array()
    positions = read_positions(write_positions(tmp_path / "tissue_positions.parquet", array), Report("V1"))
    np.testing.assert_allclose(positions.xy, array.xy)


@pytest.mark.parametrize("packed", [True, False])
def test_a_matrix_of_three_text_files_equals_the_h5_one(outs: Path, *, packed: bool) -> None:
    array = visium_array()
    from_h5 = read(outs).table
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    write_matrix_mtx(outs / "filtered_feature_bc_matrix", array, packed=packed)
    table = read(outs).table
    np.testing.assert_array_equal(table.X.toarray(), from_h5.X.toarray())
    assert table.var.equals(from_h5.var)


def test_files_named_gz_that_are_plain_text_are_read(tmp_path: Path) -> None:
    folder = write_matrix_mtx(tmp_path / "filtered_feature_bc_matrix", visium_array())
    for path in folder.iterdir():
        path.write_bytes(gzip.decompress(path.read_bytes()))
    assert read_matrix(folder, Report("V1")).counts.shape == (64, 12)


def test_repeated_symbols_are_made_unique_with_a_note(outs: Path) -> None:
    symbols = ["TBCE", "TBCE", *visium_array().genes[2:]]
    write_matrix_h5(outs / "filtered_feature_bc_matrix.h5", visium_array(), symbols)
    section = read(outs)
    assert section.genes[:2] == ("TBCE", "TBCE-1")
    assert section.table.var["gene_symbol"].tolist()[:2] == ["TBCE", "TBCE"]
    assert section.table.var["gene_id"].tolist()[:2] == ["ENSG00000000000", "ENSG00000000001"]
    assert any("1 gene symbol is used more than once" in note and "TBCE" in note for note in section.notes)


def test_features_that_are_no_genes_are_left_out_with_a_note(outs: Path) -> None:
    import h5py

    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        kinds = file["matrix/features/feature_type"][:].astype("S20")
        kinds[3] = b"Antibody Capture"
        del file["matrix/features/feature_type"]
        file["matrix/features/feature_type"] = kinds
    section = read(outs)
    assert section.table.n_vars == 11
    assert "1 feature left out, no gene expression: Antibody Capture." in section.notes


def test_a_raw_matrix_keeps_the_spots_on_tissue(outs: Path) -> None:
    (outs / "filtered_feature_bc_matrix.h5").rename(outs / "raw_feature_bc_matrix.h5")
    write_positions(outs / "spatial" / "tissue_positions.csv", visium_array(), in_tissue=[0] * 4 + [1] * 60)
    section = read(outs)
    assert section.n_spots == 60
    assert section.spot_names[0] == visium_array().names[4]
    assert "4 spots off the tissue left out." in section.notes


def test_a_filtered_matrix_is_taken_before_a_raw_one(outs: Path) -> None:
    (outs / "raw_feature_bc_matrix.h5").write_bytes(b"never opened")
    assert entry_of(outs).parts["counts"].name == "filtered_feature_bc_matrix.h5"


def test_a_minority_of_barcodes_without_a_position_is_noted(outs: Path) -> None:
    frame = pd.read_csv(outs / "spatial" / "tissue_positions.csv")
    frame.iloc[3:].to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
    section = read(outs)
    assert section.n_spots == 61
    assert any(note.startswith("3 of 64 spots of the counts have no position") for note in section.notes)


def test_a_majority_of_barcodes_without_a_position_is_refused(outs: Path) -> None:
    frame = pd.read_csv(outs / "spatial" / "tissue_positions.csv")
    frame.iloc[40:].to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
    assert "40 of 64 spots of the counts have no position" in problems(entry_of(outs))


def test_a_probe_matrix_is_refused_with_what_to_take(outs: Path) -> None:
    import h5py

    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        file["matrix/features/probe_region"] = np.array([b"none"] * 12)
    text = problems(entry_of(outs))
    assert "holds counts per probe, not per gene. Use filtered_feature_bc_matrix.h5" in text


def hd_folder(folder: Path, *sizes: int) -> Path:
    array = visium_array()
    square = type(array)(array.names, array.columns // 2, array.rows, array.xy, array.counts, array.genes)
    exact = np.column_stack([square.columns, square.rows]) * 30.0 + 60.0
    square = type(array)(array.names, square.columns, square.rows, exact, array.counts, array.genes)
    for size in sizes:
        base = folder / "binned_outputs" / f"square_{size:03d}um"
        write_matrix_h5(base / "filtered_feature_bc_matrix.h5", square)
        write_positions(base / "spatial" / "tissue_positions.parquet", square)
        factors = {"microns_per_pixel": size / 30, "bin_size_um": float(size), "tissue_hires_scalef": 0.5}
        (base / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
        write_image(base / "spatial" / "tissue_hires_image.png", tissue_image(165, 165))
    return folder


def test_visium_hd_takes_bins_of_eight_micrometres_and_its_own_resolution(tmp_path: Path) -> None:
    study = read_study(hd_folder(tmp_path / "H1", 2, 8, 16))
    assert study.names == ("H1",)
    assert study.notes == ("H1 is read in bins of 8 µm; name the folder to read others (2 µm, 16 µm).",)
    section = read_section(study.entry("H1"), with_image=False)
    assert section.layout == "visium-hd"
    assert section.grid_pitch == pytest.approx(15.0)
    assert section.um_per_px == pytest.approx(8 / 15)
    assert section.um_per_px_source == "microns_per_pixel of scalefactors_json.json"
    assert section.spot_diameter_um == 8


def test_other_bins_are_read_by_the_name_of_their_folder(tmp_path: Path) -> None:
    hd_folder(tmp_path / "H1", 8, 16)
    study = read_study(tmp_path / "H1" / "binned_outputs" / "square_016um")
    assert read_section(study.entries[0], with_image=False).spot_diameter_um == 16


def test_a_blank_hires_picture_gives_way_to_lowres_with_a_note(outs: Path) -> None:
    write_image(outs / "spatial" / "tissue_hires_image.png", np.zeros((386, 442, 3), np.uint8))
    section = read_section(entry_of(outs))
    assert section.slide is not None
    assert section.slide.path.name == "tissue_lowres_image.png"
    assert section.grid_pitch == pytest.approx(VISIUM_PITCH * 0.2)
    assert "tissue_hires_image.png is one flat colour and was not used." in section.notes
    assert any("too coarse for patches" in note for note in section.notes)


def test_a_full_resolution_picture_beside_the_tables_is_taken(outs: Path) -> None:
    array = visium_array()
    write_image(outs.parent / "slide.png", tissue_image(*array.size_px))
    section = read_section(entry_of(outs))
    assert section.slide is not None
    assert section.slide.path.name == "slide.png"
    np.testing.assert_allclose(section.table.obsm["spatial"], array.xy)
    assert section.um_per_px == pytest.approx(100 / VISIUM_PITCH)


def test_a_picture_of_another_size_beside_the_tables_is_not_taken(outs: Path) -> None:
    write_image(outs / "photo.png", tissue_image(300, 300))
    section = read_section(entry_of(outs))
    assert section.slide is not None
    assert section.slide.path.name == "tissue_hires_image.png"
    assert any(note.startswith("photo.png (300 x 300 px) is not used") for note in section.notes)


@pytest.mark.parametrize("name", ["aligned_fiducials.jpg", "detected_tissue_image.jpg"])
def test_pictures_with_drawings_are_never_taken(outs: Path, name: str) -> None:
    array = visium_array()
    for path in (outs / "spatial" / name, outs / name):
        write_image(path, tissue_image(*array.size_px))
    for path in (outs / "spatial").glob("*.png"):
        path.unlink()
    entry = entry_of(outs)
    assert entry.without_image == "No picture of the tissue lies in the folder or its spatial folder."
    section = read_section(entry)
    assert section.slide is None
    named = type(entry)(entry.name, None, entry.path, entry.layout, {**entry.parts, "image": outs / name})
    assert f"{name} is not a picture of the tissue alone" in problems(named, with_image=True)


def test_spots_outside_the_picture_are_left_out_with_a_note_when_few(outs: Path) -> None:
    frame = pd.read_csv(outs / "spatial" / "tissue_positions.csv")
    frame.loc[:1, "pxl_col_in_fullres"] = -20.0
    frame.to_csv(outs / "spatial" / "tissue_positions.csv", index=False)
    section = read_section(entry_of(outs))
    assert section.n_spots == 62
    assert any(note.startswith("2 spots outside the picture left out: ") for note in section.notes)


def test_a_section_with_many_spots_outside_the_picture_is_refused(outs: Path) -> None:
    pixels = tissue_image(442, 386)[100:, 140:]
    write_image(outs / "spatial" / "tissue_hires_image.png", pixels)
    assert "tissue_hires_image.png" in problems(entry_of(outs), with_image=True)


@pytest.mark.parametrize(
    ("content", "said"), [(None, "was not found"), (b"", "is empty (0 bytes)"), (b"a,b\n1,2\n", "is not an HDF5 file")]
)
def test_a_bad_matrix_file_is_named(outs: Path, content: bytes | None, said: str) -> None:
    entry = entry_of(outs)
    path = entry.parts["counts"]
    path.unlink() if content is None else path.write_bytes(content)
    assert f"filtered_feature_bc_matrix.h5 {said}" in problems(entry)


def test_a_cut_matrix_file_is_refused(outs: Path) -> None:
    path = outs / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[:2000])
    assert "filtered_feature_bc_matrix.h5 is cut off: 2,000 of 12,024 bytes are there" in problems(entry_of(outs))


def test_an_hdf5_file_without_a_matrix_is_refused(outs: Path) -> None:
    import h5py

    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "w") as file:
        file["other"] = [1]
    assert "holds no 10x count matrix (a group 'matrix' is wanted); it holds 'other'" in problems(entry_of(outs))


def test_a_matrix_folder_without_barcodes_is_refused(outs: Path) -> None:
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    folder = write_matrix_mtx(outs / "filtered_feature_bc_matrix", visium_array())
    (folder / "barcodes.tsv.gz").unlink()
    assert "filtered_feature_bc_matrix lacks barcodes.tsv" in problems(entry_of(outs))


def test_names_that_do_not_fit_the_matrix_are_refused(outs: Path) -> None:
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    folder = write_matrix_mtx(outs / "filtered_feature_bc_matrix", visium_array(), packed=False)
    (folder / "barcodes.tsv").write_text("AAAC-1\n")
    assert "the lists name 12 and 1" in problems(entry_of(outs))


def test_a_cut_text_matrix_is_refused(outs: Path) -> None:
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    folder = write_matrix_mtx(outs / "filtered_feature_bc_matrix", visium_array(), packed=False)
    text = (folder / "matrix.mtx").read_text()
    (folder / "matrix.mtx").write_text(text[: len(text) // 2])
    assert "matrix.mtx is cut off or damaged: 570 entries are promised" in problems(entry_of(outs))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG image, not a text table"),
        (b"barcode,in_tissue\nA,1\n", "is no Space Ranger positions file: it lacks array_row"),
        (
            b"barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\nA-1,1,0,0,9\n",
            "has 1 row with",
        ),
    ],
)
def test_a_bad_positions_file_is_named(outs: Path, content: bytes, said: str) -> None:
    (outs / "spatial" / "tissue_positions.csv").write_bytes(content)
    assert f"tissue_positions.csv {said}" in problems(entry_of(outs))


@pytest.mark.parametrize("number", ["386.1e999845356715714", "1e-99999999999999999", "x"])
def test_absurd_numbers_in_positions_are_refused_and_crash_nothing(outs: Path, number: str) -> None:
    path = outs / "spatial" / "tissue_positions.csv"
    path.write_text(path.read_text().replace("96.0,144.0", f"{number},96.0,144.0".removesuffix(",144.0")))
    frame = read_positions(path, report := Report("V1"))
    assert len(frame.barcodes) == 64
    assert bool(report.problems) == (number != "1e-99999999999999999")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("12 64 2\n1 1 4\n1 2\x00\x00 2\n", "is no readable Matrix Market file"),
        ("12 64 2\n1 1 4\n13 2 2\n", "holds entries outside its 12 genes and 64 barcodes"),
        ("12 64 1\n1 nan 4\n", "holds entries without a gene or barcode number"),
        ("12 64 99999999999\n1 1 4\n", "is cut off or damaged: 99999999999 entries are promised"),
        ("12 64 3\n", "is cut off or damaged: 3 entries are promised, 0 are there"),
        ("12 64 1\n1 1 1e30\n", "1 value too large for a count"),
        ("twelve\n", "'twelve' gives no size"),
    ],
)
def test_a_damaged_text_matrix_is_refused_and_crashes_nothing(outs: Path, body: str, said: str) -> None:
    (outs / "filtered_feature_bc_matrix.h5").unlink()
    folder = write_matrix_mtx(outs / "filtered_feature_bc_matrix", visium_array(), packed=False)
    (folder / "matrix.mtx").write_text(f"%%MatrixMarket matrix coordinate integer general\n%\n{body}")
    assert said in problems(entry_of(outs))


def test_a_bad_parquet_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tissue_positions.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"tissue_positions\.parquet is no readable parquet file"):
        read_positions(path, Report("V1"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "was not found"),
        ("", "is empty"),
        ('{"tissue_hires_scalef": 0.', "is no readable JSON"),
        ("[1, 2]", "holds no scale factors"),
        ('{"tissue_hires_scalef": -1}', "holds scale factors that are not positive numbers: tissue_hires_scalef"),
    ],
)
def test_bad_scale_factors_are_named(outs: Path, content: str | None, said: str) -> None:
    path = outs / "spatial" / "scalefactors_json.json"
    path.unlink() if content is None else path.write_text(content)
    assert f"scalefactors_json.json {said}" in problems(entry_of(outs))


def test_all_problems_of_a_folder_are_told_at_once(outs: Path) -> None:
    (outs / "spatial" / "scalefactors_json.json").unlink()
    (outs / "spatial" / "tissue_positions.csv").write_bytes(b"")
    (outs / "filtered_feature_bc_matrix.h5").write_bytes(b"text")
    assert problems(entry_of(outs)).startswith("V1 has 3 problems:")


def test_counts_without_positions_are_refused_by_name(outs: Path) -> None:
    (outs / "spatial" / "tissue_positions.csv").unlink()
    with pytest.raises(DataError, match=r"V1 left out, counts \(filtered_feature_bc_matrix.h5\) without spatial"):
        read_study(outs)


def test_positions_without_counts_are_refused_by_name(outs: Path) -> None:
    (outs / "filtered_feature_bc_matrix.h5").rename(outs / "raw_probe_bc_matrix.h5")
    with pytest.raises(DataError, match=r"positions without counts: none of .* \(a matrix per probe cannot be used\)"):
        read_study(outs)


def test_non_integer_and_negative_counts_are_refused(outs: Path) -> None:
    import h5py

    with h5py.File(outs / "filtered_feature_bc_matrix.h5", "a") as file:
        values = file["matrix/data"][:].astype(np.float64)
        values[0], values[1], values[2] = 0.5, -1, np.nan
        del file["matrix/data"]
        file["matrix/data"] = values
    text = problems(entry_of(outs))
    assert text.startswith("V1 has 3 problems:")


def test_a_barcode_that_occurs_twice_is_refused(outs: Path) -> None:
    array = visium_array()
    twice = type(array)(
        [array.names[1], *array.names[1:]], array.columns, array.rows, array.xy, array.counts, array.genes
    )
    write_matrix_h5(outs / "filtered_feature_bc_matrix.h5", twice)
    assert "names 1 barcode more than once" in problems(entry_of(outs))
