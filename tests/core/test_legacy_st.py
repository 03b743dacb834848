"""Legacy ST tables: joins, quirks and every kind of bad file."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gr2st.errors import DataError, SectionInvalid
from gr2st.io import legacy_st
from gr2st.io.geometry import fit_lattice
from gr2st.io.legacy_files import cell_of, read_counts, read_labels, read_spots
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.io.tables import Report, unique_names
from tests.builders import (
    LABELS,
    PITCH,
    her2st_folder,
    legacy_array,
    loose_section,
    write_counts,
    write_image,
    write_labels,
    write_spots,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Section, SectionEntry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return loose_section(tmp_path / "loose")


def entry_of(folder: Path) -> SectionEntry:
    (entry,) = legacy_st.find(folder).entries
    return entry


def read(folder: Path) -> Section:
    return read_section(entry_of(folder), with_image=False)


def problems(entry: SectionEntry) -> str:
    with pytest.raises(SectionInvalid) as caught:
        read_section(entry, with_image=False)
    assert type(caught.value) is SectionInvalid
    return str(caught.value)


def counts_frame(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "S1.tsv.gz", sep="\t", index_col=0)


def put_counts(folder: Path, frame: pd.DataFrame) -> None:
    (folder / "S1.tsv.gz").write_bytes(gzip.compress(frame.to_csv(sep="\t").encode()))


def test_counts_meet_their_positions_by_name_and_not_by_row(folder: Path) -> None:
    section = read(folder)
    array = legacy_array()
    at = {name: row for row, name in enumerate(array.names)}
    rows = [at[name] for name in section.spot_names]
    assert list(section.spot_names) == sorted(array.names)
    assert rows != sorted(rows)
    np.testing.assert_array_equal(section.table.X.toarray(), array.counts[rows])
    np.testing.assert_allclose(section.table.obsm["spatial"], array.xy[rows])
    assert section.table.obs["array_col"].tolist() == array.columns[rows].tolist()
    assert section.table.obs["array_row"].tolist() == array.rows[rows].tolist()


def test_the_table_has_the_promised_types(folder: Path) -> None:
    table = read(folder).table
    assert table.X.format == "csr"
    assert table.X.dtype == np.float32
    assert table.obsm["spatial"].dtype == np.float64
    assert table.obs["array_row"].dtype == np.int64


def test_the_step_of_the_array_gives_the_resolution(folder: Path) -> None:
    section = read(folder)
    assert section.grid_pitch == pytest.approx(PITCH, rel=1e-3)
    assert section.um_per_px == pytest.approx(200 / PITCH, rel=1e-3)
    assert section.um_per_px_source == "array pitch of 200 µm"
    assert section.spot_diameter_um == 100


def test_jitter_does_not_shorten_the_array_step() -> None:
    rng = np.random.default_rng(1)
    x, y = (part.ravel() for part in np.meshgrid(np.arange(20), np.arange(20)))
    cells = np.column_stack([x, y])
    measured = cells + rng.uniform(-0.3, 0.3, cells.shape)
    assert fit_lattice(cells, measured * 290.0, measured).pitch == pytest.approx(290.0)


def test_a_2k_array_has_diagonal_neighbours_and_no_known_resolution(tmp_path: Path) -> None:
    array = legacy_array(columns=10, rows=10)
    odd = (array.columns + array.rows) % 2 == 0
    frame = pd.read_csv(write_spots(tmp_path / "S1_selection.tsv", array), sep="\t")
    frame[odd].to_csv(tmp_path / "S1_selection.tsv", sep="\t", index=False)
    write_counts(tmp_path / "S1.tsv", array)
    put = pd.read_csv(tmp_path / "S1.tsv", sep="\t", index_col=0)
    put.loc[[name for name, keep in zip(array.names, odd, strict=True) if keep]].to_csv(tmp_path / "S1.tsv", sep="\t")
    section = read(tmp_path)
    assert section.grid_pitch == pytest.approx(PITCH * np.sqrt(2), rel=1e-3)
    assert section.um_per_px is None
    assert section.um_per_px_source == "unknown"
    assert section.spot_diameter_um is None


def test_positions_without_counts_are_noted(folder: Path) -> None:
    put_counts(folder, counts_frame(folder).drop(index=["5x8", "6x9"]))
    section = read(folder)
    assert section.n_spots == 40
    assert "2 positions without counts: 5x8, 6x9." in section.notes


def test_a_minority_of_counts_without_a_position_is_left_out_with_a_note(folder: Path) -> None:
    spots = pd.read_csv(folder / "S1_selection.tsv", sep="\t")
    spots.iloc[1:].to_csv(folder / "S1_selection.tsv", sep="\t", index=False)
    section = read(folder)
    assert section.n_spots == 41
    assert "1 of 42 spots of the counts have no position; left out: 5x8." in section.notes


def test_a_majority_of_counts_without_a_position_is_refused(folder: Path) -> None:
    spots = pd.read_csv(folder / "S1_selection.tsv", sep="\t")
    spots.iloc[30:].to_csv(folder / "S1_selection.tsv", sep="\t", index=False)
    assert "30 of 42 spots of the counts have no position" in problems(entry_of(folder))


def test_spots_that_are_not_selected_are_left_out_with_a_note(folder: Path) -> None:
    array = legacy_array()
    write_spots(folder / "S1_selection.tsv", array, selected=[0] * 40 + [1] * 2)
    section = read(folder)
    assert section.n_spots == 2
    assert "40 spots left out, marked as not selected (off the tissue)." in section.notes


def test_a_section_without_any_selected_spot_is_refused(folder: Path) -> None:
    write_spots(folder / "S1_selection.tsv", legacy_array(), selected=[0] * 42)
    assert "No spot has both counts and a selected position." in problems(entry_of(folder))


def test_paired_gene_names_are_kept_as_they_are(folder: Path) -> None:
    frame = counts_frame(folder).rename(columns={"GENE2": "WDFY4", "GENE3": "WDFY4.1", "GENE4": "AC243756.1"})
    put_counts(folder, frame)
    assert read(folder).genes[1:4] == ("WDFY4", "WDFY4.1", "AC243756.1")


def test_ensembl_names_are_kept_as_identifiers_with_their_version(folder: Path) -> None:
    frame = counts_frame(folder)
    frame.columns = [f"ENSMUSG{number:011d}.{number}" for number in range(12)]
    put_counts(folder, frame)
    var = read(folder).table.var
    assert var["gene_id"].tolist() == frame.columns.tolist()


def test_symbols_get_no_invented_identifiers(folder: Path) -> None:
    assert "gene_id" not in read(folder).table.var


def test_labels_join_by_rounded_array_position_and_not_by_pixels(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    section = read_section(read_study(tmp_path).entry("A1"), with_image=False)
    middle = legacy_array().columns.mean()
    wanted = [LABELS[int(column > middle)] for column in section.table.obs["array_col"]]
    assert section.table.obs["label"].tolist() == wanted


def test_label_rows_without_coordinates_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.tsv", legacy_array())
    frame = pd.read_csv(path, sep="\t")
    frame.loc[[0, 3], ["x", "y"]] = np.nan
    frame.to_csv(path, sep="\t", index=False)
    report = Report("S1")
    labels = read_labels(path, report)
    assert len(labels) == 40
    assert report.notes == ["2 rows of labels.tsv without a position left out."]


def test_spots_labelled_twice_get_no_label(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "labels.tsv", legacy_array())
    with path.open("a") as file:
        file.write("again\t5.1\t8.2\t1\t1\tfat\n")
    report = Report("S1")
    assert (5, 8) not in read_labels(path, report)
    assert report.notes == ["labels.tsv labels some spots more than once; they get no label: 5x8."]


def test_spot_rows_without_pixels_are_left_out_by_line_number(folder: Path) -> None:
    path = folder / "S1_selection.tsv"
    frame = pd.read_csv(path, sep="\t")
    frame.loc[3, "pixel_y"] = np.nan
    frame.to_csv(path, sep="\t", index=False)
    section = read(folder)
    assert section.n_spots == 41
    assert "1 of 42 spots in S1_selection.tsv lack a position (by line number); left out: 5." in section.notes


def test_labels_of_another_section_are_refused(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    path = tmp_path / "ST-pat" / "lbl" / "A1_labeled_coordinates.tsv"
    frame = pd.read_csv(path, sep="\t")
    frame.assign(x=frame["x"] + 100).to_csv(path, sep="\t", index=False)
    with pytest.raises(SectionInvalid, match="No spot has a label"):
        read_section(read_study(tmp_path).entry("A1"), with_image=False)


@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_any_usual_separator_is_read(folder: Path, separator: str) -> None:
    (folder / "S1.tsv.gz").unlink()
    write_counts(folder / "S1.csv", legacy_array(), separator=separator)
    assert read(folder).table.shape == (42, 12)


def test_a_header_without_a_cell_above_the_spots_is_read(folder: Path) -> None:
    text = gzip.decompress((folder / "S1.tsv.gz").read_bytes()).decode()
    (folder / "S1.tsv.gz").write_bytes(gzip.compress(text.removeprefix("\t").encode()))
    report = Report("S1")
    assert read_counts(folder / "S1.tsv.gz", report).genes == legacy_array().genes
    assert report.problems == []


def test_a_gzip_file_named_tsv_and_plain_text_named_gz_are_read(folder: Path) -> None:
    packed = (folder / "S1.tsv.gz").read_bytes()
    spots = folder / "S1_selection.tsv"
    spots.write_bytes(gzip.compress(spots.read_bytes()))
    (folder / "S1.tsv.gz").write_bytes(gzip.decompress(packed))
    assert read(folder).n_spots == 42


def test_spot_names_that_are_not_whole_are_rounded_with_a_note(folder: Path) -> None:
    frame = counts_frame(folder)
    frame.index = [f"X{name.replace('x', '.02x')}" for name in frame.index]
    put_counts(folder, frame)
    section = read(folder)
    assert section.n_spots == 42
    assert section.spot_names[0] == "X10.02x10"
    assert "Spot names of S1.tsv.gz are not whole numbers and were rounded to array positions." in section.notes


@pytest.mark.parametrize(
    ("name", "cell"), [("10x13", (10, 13)), ("13.064x6.086", (13, 6)), ("X16.92x9.015", (17, 9)), ("ACGT-1", None)]
)
def test_a_spot_name_gives_its_array_cell(name: str, cell: tuple[int, int] | None) -> None:
    assert cell_of(name) == cell


def test_negative_y_throughout_is_read_as_distance_from_the_top(tmp_path: Path) -> None:
    path = tmp_path / "locations.csv"
    path.write_text('"pixel_x","pixel_y","cell_ID"\n10.5,-20,"7x45"\n30,-40,"8x45"\n50,-41,"9x46"\n')
    report = Report("P2")
    spots = read_spots(path, report)
    assert spots.cells == [(7, 45), (8, 45), (9, 46)]
    np.testing.assert_array_equal(spots.xy, [[10.5, 20], [30, 40], [50, 41]])
    assert report.notes == [
        "pixel_y of locations.csv is negative throughout and was read as the distance from the top."
    ]


def test_a_transposed_table_is_refused_with_what_to_do(folder: Path) -> None:
    put_counts(folder, counts_frame(folder).T)
    text = problems(entry_of(folder))
    assert "genes in rows and spots in columns" in text
    assert "Transpose it" in text


def test_all_problems_of_a_section_are_told_at_once(folder: Path) -> None:
    frame = counts_frame(folder).astype(float)
    frame.iloc[0, 0], frame.iloc[1, 1], frame.iloc[2, 2] = np.nan, -3, 1.5
    frame.columns = ["GENE2", *frame.columns[1:]]
    frame.index = [frame.index[1], *frame.index[1:]]
    (folder / "S1.tsv.gz").write_bytes(gzip.compress(frame.to_csv(sep="\t", na_rep="nan").encode()))
    (folder / "S1_selection.tsv").write_text("x\ty\tpixel_x\n1\t2\t3\n")
    entry = entry_of(loose_section(folder.parent / "whole"))
    entry = type(entry)(
        entry.name,
        None,
        entry.path,
        entry.layout,
        {"counts": folder / "S1.tsv.gz", "spots": folder / "S1_selection.tsv"},
    )
    text = problems(entry)
    assert text.startswith("S1 has 6 problems:")
    assert "1 value that is NaN, no number: it stands in row 1" in text
    assert "1 negative value" in text
    assert "1 value that is not whole (for example 1.5)" in text
    assert "names 1 gene more than once: GENE2" in text
    assert "names 1 spot more than once: 10x11" in text
    assert "lacks pixel_y" in text


def test_cells_without_a_number_are_named(folder: Path) -> None:
    text = gzip.decompress((folder / "S1.tsv.gz").read_bytes()).decode()
    lines = text.splitlines()
    first, second = lines[1].split("\t"), lines[2].split("\t")
    first[3], second[1] = "NA", ""
    changed = "\n".join([lines[0], "\t".join(first), "\t".join(second), *lines[3:]])
    (folder / "S1.tsv.gz").write_bytes(gzip.compress(changed.encode()))
    assert "2 values that are no number: 'NA' for GENE3 in 10x10, '' for GENE1 in 10x11." in problems(entry_of(folder))


def test_a_table_that_ends_within_a_row_is_refused(folder: Path) -> None:
    text = gzip.decompress((folder / "S1.tsv.gz").read_bytes()).decode()
    (folder / "S1.tsv.gz").write_bytes(gzip.compress(text[:-20].encode()))
    assert "rows that do not hold 12 values" in problems(entry_of(folder))


def test_counts_without_a_spot_file_are_refused(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    (tmp_path / "ST-spotfiles" / "A1_selection.tsv").unlink()
    entry = read_study(tmp_path).entry("A1")
    assert "A1 has no spots: a spot file with the positions was not found for A1.tsv.gz." in problems(entry)


def test_a_spot_that_occurs_twice_in_the_spot_file_is_refused(folder: Path) -> None:
    with (folder / "S1_selection.tsv").open("a") as file:
        file.write("5\t8\t5\t8\t120\t120\t1\n")
    assert "S1_selection.tsv holds 1 spot more than once: 5x8." in problems(entry_of(folder))


def test_a_table_of_zeros_is_refused(folder: Path) -> None:
    put_counts(folder, counts_frame(folder) * 0)
    assert "holds no count at all" in problems(entry_of(folder))


def test_spots_without_any_count_stay_and_are_noted(folder: Path) -> None:
    frame = counts_frame(folder)
    frame.loc["5x8"] = 0
    put_counts(folder, frame)
    section = read(folder)
    assert section.n_spots == 42
    assert "1 spot without any count: 5x8." in section.notes


JPEG = b"\xff\xd8\xff\xe0 not really"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "was not found"),
        (b"", "is empty"),
        (b"\x1f\x8b\x08\x00", "is cut off or damaged"),
        (JPEG, "is a JPEG image, not a text table"),
        (b"x\ty\n1\t\x00\n", "is damaged: it holds zero bytes"),
        (b"\xfe\xfa\x00\x01" * 9, "is not a UTF-8 text table"),
    ],
)
@pytest.mark.parametrize("part", ["counts", "spots", "labels"])
def test_a_bad_file_of_any_kind_is_named(tmp_path: Path, part: str, content: bytes | None, said: str) -> None:
    her2st_folder(tmp_path, names=("A1",))
    entry = read_study(tmp_path).entry("A1")
    path = entry.parts[part]
    path.unlink() if content is None else path.write_bytes(content)
    assert f"{path.name} {said}" in problems(entry)


@pytest.mark.parametrize(("part", "other"), [("counts", "spots"), ("spots", "counts"), ("labels", "counts")])
def test_a_file_of_another_kind_is_told_apart(tmp_path: Path, part: str, other: str) -> None:
    her2st_folder(tmp_path, names=("A1",))
    entry = read_study(tmp_path).entry("A1")
    entry.parts[part].write_bytes(entry.parts[other].read_bytes())
    kind = {"counts": "is a spot file", "spots": "is not a spot file", "labels": "is not a spot file"}[part]
    assert f"{entry.parts[part].name} {kind}" in problems(entry)


def test_a_cut_gzip_file_is_refused(folder: Path) -> None:
    entry = entry_of(folder)
    packed = entry.path.read_bytes()
    entry.path.write_bytes(packed[: len(packed) // 2])
    assert "S1.tsv.gz is cut off or damaged" in problems(entry)


def test_a_loose_count_table_without_positions_is_refused_by_name(tmp_path: Path) -> None:
    write_counts(tmp_path / "S1.tsv", legacy_array())
    with pytest.raises(DataError, match=r"S1\.tsv is a count table but no spot file fits"):
        read_study(tmp_path)


def test_a_section_without_a_picture_is_listed_with_the_reason(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    next((tmp_path / "ST-imgs" / "A" / "A1").iterdir()).unlink()
    entry = read_study(tmp_path).entry("A1")
    assert entry.without_image == "Counts and spots only: no picture in ST-imgs belongs to A1."
    section = read_section(entry)
    assert section.slide is None
    assert section.alignment.verdict == "unknown"
    assert entry.without_image in section.notes


def test_several_pictures_of_one_section_are_not_guessed_between(folder: Path) -> None:
    write_image(folder / "S1_other.png", np.zeros((8, 8, 3), np.uint8))
    write_image(folder / "S1_HE.png", np.zeros((8, 8, 3), np.uint8))
    (folder / "S1.jpg").unlink()
    entry = entry_of(folder)
    assert "image" not in entry.parts
    assert entry.without_image == "Several pictures fit S1: S1_HE.png, S1_other.png. Name one in a study.csv."


def test_geo_names_are_paired(tmp_path: Path) -> None:
    array = legacy_array()
    write_counts(tmp_path / "GSM4284316_P2_ST_rep1_stdata.tsv.gz", array)
    write_spots(tmp_path / "GSM4284316_spot_data-selection-P2_ST_rep1.tsv", array)
    write_spots(tmp_path / "GSM4284317_spot_data-selection-P2_ST_rep2.tsv", array)
    entry = entry_of(tmp_path)
    assert entry.name == "P2_ST_rep1"
    assert entry.parts["spots"].name == "GSM4284316_spot_data-selection-P2_ST_rep1.tsv"


def test_names_are_made_unique_without_hitting_existing_ones() -> None:
    assert unique_names(["A", "A", "A-1", "B", "A"]) == ["A", "A-2", "A-1", "B", "A-3"]
