"""Studies: what a path stands for, study.csv, and how each refusal reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gr2st.errors import DataError, SectionInvalid, UnknownName
from gr2st.io.section import read_section
from gr2st.io.study import read_study, write_study
from tests.builders import (
    h5ad_file,
    her2st_folder,
    legacy_array,
    loose_section,
    visium_folder,
    write_counts,
    write_spots,
)

if TYPE_CHECKING:
    from pathlib import Path


def write_table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def findings(path: Path) -> str:
    with pytest.raises(SectionInvalid) as caught:
        read_study(path)
    return str(caught.value)


def test_a_her2st_folder_lists_sections_with_their_patients(tmp_path: Path) -> None:
    study = read_study(her2st_folder(tmp_path / "her2st"))
    assert study.name == "her2st"
    assert study.names == ("A1", "A2", "B1")
    assert [entry.patient for entry in study.entries] == ["A", "A", "B"]
    assert set(study.entry("A1").parts) == {"counts", "spots", "image", "labels"}
    assert set(study.entry("A2").parts) == {"counts", "spots", "image"}


def test_the_folder_above_data_is_recognised_too(tmp_path: Path) -> None:
    her2st_folder(tmp_path / "her2st" / "data")
    assert read_study(tmp_path / "her2st").name == "her2st"
    assert read_study(tmp_path / "her2st" / "data").name == "her2st"


def test_sections_with_spots_but_no_counts_are_noted_and_not_listed(tmp_path: Path) -> None:
    folder = her2st_folder(tmp_path)
    (folder / "ST-cnts" / "A2.tsv.gz").unlink()
    study = read_study(folder)
    assert study.names == ("A1", "B1")
    assert study.notes == ("1 section left out, with spots but without counts: A2.",)


def test_pictures_belong_to_the_section_of_their_folder_and_not_of_their_name(tmp_path: Path) -> None:
    folder = her2st_folder(tmp_path, names=("C3", "D1"))
    picture = next((folder / "ST-imgs" / "C" / "C3").iterdir())
    picture.rename(picture.with_name("5714_HE_BT_D1.jpg"))
    study = read_study(folder)
    assert study.entry("C3").parts["image"].parent.name == "C3"
    assert study.entry("D1").parts["image"].parent.name == "D1"


def test_loose_sections_have_no_patient(tmp_path: Path) -> None:
    loose_section(tmp_path, "A1")
    assert read_study(tmp_path).entry("A1").patient is None


def test_an_unknown_section_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'A1'\?"):
        read_study(her2st_folder(tmp_path)).entry("A11")


@pytest.mark.parametrize("build", [loose_section, her2st_folder, visium_folder])
def test_a_written_study_is_read_back_the_same(tmp_path: Path, build) -> None:
    study = read_study(build(tmp_path / "data" / "S1"))
    write_study(study, tmp_path / "lists" / "study.csv")
    again = read_study(tmp_path / "lists")
    assert [e.name for e in again.entries] == [e.name for e in study.entries]
    for entry, other in zip(study.entries, again.entries, strict=True):
        assert (entry.patient, entry.layout) == (other.patient, other.layout)
        assert {k: p.resolve() for k, p in entry.parts.items()} == {k: p.resolve() for k, p in other.parts.items()}


def test_a_written_study_holds_relative_paths(tmp_path: Path) -> None:
    h5ad_file(tmp_path / "files" / "H1.h5ad")
    write_study(read_study(tmp_path / "files"), tmp_path / "study.csv")
    assert pd.read_csv(tmp_path / "study.csv")["path"].tolist() == ["files/H1.h5ad"]


def test_a_study_table_names_everything(tmp_path: Path) -> None:
    array = legacy_array()
    write_counts(tmp_path / "tables" / "one.tsv", array)
    write_spots(tmp_path / "where" / "spots.txt", array)
    loose_section(tmp_path / "pictures", "P")
    table = write_table(
        tmp_path / "cohort.csv",
        "section,patient,counts,spots,image,um_per_px\none,p 1,tables/one.tsv,where/spots.txt,pictures/P.jpg,0.5\n",
    )
    study = read_study(table)
    assert study.name == "cohort"
    section = read_section(study.entry("one"))
    assert section.patient == "p 1"
    assert section.um_per_px == 0.5
    assert section.um_per_px_source == "study.csv"
    assert any("0.5 from study.csv is used, though array pitch of 200 µm says 5" in note for note in section.notes)


def test_a_row_finds_the_files_that_lie_with_its_counts(tmp_path: Path) -> None:
    her2st_folder(tmp_path)
    write_table(tmp_path / "study.csv", "section,path\nfirst,ST-cnts/A1.tsv.gz\n")
    entry = read_study(tmp_path).entry("first")
    assert set(entry.parts) == {"counts", "spots", "image", "labels"}
    assert entry.patient is None


def test_a_row_may_name_a_folder_of_several_sections(tmp_path: Path) -> None:
    her2st_folder(tmp_path / "data")
    write_table(tmp_path / "study.csv", "section,patient,path\nB1,B,data\n")
    assert read_study(tmp_path).entry("B1").parts["counts"].name == "B1.tsv.gz"


def test_names_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    visium_folder(tmp_path / "a")
    write_table(tmp_path / "study.csv", "section,patient,path\n007,1e3,a\n")
    entry = read_study(tmp_path).entry("007")
    assert (entry.name, entry.patient) == ("007", "1e3")


def test_a_table_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    visium_folder(tmp_path / "a")
    (tmp_path / "study.csv").write_bytes("\ufeffsection; patient; path\r\nä;  P1 ;a\r\n".encode())
    assert read_study(tmp_path).entry("ä").patient == "P1"


def test_columns_that_are_not_used_are_noted(tmp_path: Path) -> None:
    visium_folder(tmp_path / "a")
    write_table(tmp_path / "study.csv", "section,path,um_per_pixel\nS,a,0.5\n")
    (note,) = read_study(tmp_path).notes
    assert note.startswith("Columns of study.csv that are not used: um_per_pixel; known: section,")


def half_size(folder: Path) -> Path:
    """A legacy section whose only picture is half as large as the one its positions count in; the study.csv with it."""
    from PIL import Image

    loose_section(folder, "P")
    with Image.open(folder / "P.jpg") as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(folder / "half.png")
    return write_table(folder / "study.csv", "section,path,image,image_scale\nP,P.tsv.gz,half.png,0.5\n")


def test_a_scaled_copy_of_the_picture_takes_the_positions_with_it(tmp_path: Path) -> None:
    whole = read_section(read_study(loose_section(tmp_path / "whole", "P")).entry("P"))
    half = read_section(read_study(half_size(tmp_path / "half")).entry("P"))
    np.testing.assert_allclose(half.table.obsm["spatial"], 0.5 * whole.table.obsm["spatial"])
    assert half.grid_pitch == pytest.approx(0.5 * whole.grid_pitch)
    assert half.um_per_px == pytest.approx(2 * whole.um_per_px)
    assert half.um_per_px_source == whole.um_per_px_source
    assert half.alignment.verdict == "good"


def test_a_study_with_a_scaled_picture_is_written_and_read_the_same(tmp_path: Path) -> None:
    study = read_study(half_size(tmp_path))
    write_study(study, tmp_path / "copy.csv")
    assert read_study(tmp_path / "copy.csv").entry("P").image_scale == 0.5


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("P,P.tsv.gz,P.jpg,half", "image_scale is 'half'; a positive number of pixels of the picture"),
        ("P,P.tsv.gz,,0.5", "image_scale is given, but no image that it is the scale of."),
    ],
)
def test_a_scale_that_says_nothing_is_refused(tmp_path: Path, row: str, finding: str) -> None:
    loose_section(tmp_path, "P")
    write_table(tmp_path / "study.csv", f"section,path,image,image_scale\n{row}\n")
    assert finding in findings(tmp_path)


def test_all_wrong_rows_are_told_at_once(tmp_path: Path) -> None:
    visium_folder(tmp_path / "a")
    write_table(
        tmp_path / "study.csv",
        "section,patient,path,image,um_per_px\n"
        "S1,P1,a,,\n"
        "S1,P1,a,,\n"
        "S2,,a,,\n"
        ",P2,a,,\n"
        "S3,P3,nowhere,gone.jpg,-1\n"
        "S4,P4,,,\n",
    )
    text = findings(tmp_path)
    assert text.startswith("study.csv has 7 problems:")
    assert "line 4 (S2): the section has no patient" in text
    assert "line 5 (no name): the section has no name." in text
    assert "line 6 (S3): the image file" in text
    assert "line 6 (S3): um_per_px is '-1'" in text
    assert "nowhere does not exist." in text
    assert "line 7 (S4): neither path nor counts is given." in text
    assert "two or more sections are called 'S1': lines 2, 3." in text


def test_two_sections_of_one_name_in_a_folder_are_refused(tmp_path: Path) -> None:
    folder = her2st_folder(tmp_path)
    write_counts(folder / "ST-cnts" / "A1.tsv", legacy_array())
    assert "2 sections are called 'A1': A1.tsv, A1.tsv.gz." in findings(folder)


def test_a_row_with_a_broken_section_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "H1.h5ad").write_bytes(b"nothing")
    write_table(tmp_path / "study.csv", "section,path\nH1,H1.h5ad\n")
    assert "line 2 (H1): H1.h5ad is not an HDF5 file: it is a text file that begins with" in findings(tmp_path)


def test_a_row_whose_folder_holds_other_sections_is_refused(tmp_path: Path) -> None:
    her2st_folder(tmp_path / "data")
    write_table(tmp_path / "study.csv", "section,path\nZ9,data\n")
    assert "holds 3 sections, none called 'Z9': A1, A2, B1." in findings(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"name,path\nA,b\n", "lacks the column 'section'; its columns are 'name', 'path'"),
        (b"section,path\n", "names no section: it has a header line only"),
        (b'section,path\n"A,b\n', "is not a readable table"),
        (b"\xff\xd8\xff\xe0", "is a JPEG image, not a text table"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "study.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"study.csv {said}") as caught:
        read_study(tmp_path)
    assert type(caught.value) is DataError


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_study(tmp_path / "nowhere")


def test_a_folder_that_is_not_recognised_says_what_was_looked_for_and_found(tmp_path: Path) -> None:
    write_table(tmp_path / "letter.txt", "Dear all")
    with pytest.raises(DataError) as caught:
        read_study(tmp_path)
    text = str(caught.value)
    assert "Looked for: study.csv; a Space Ranger folder" in text
    assert "legacy ST (ST-cnts, ST-imgs and ST-spotfiles" in text
    assert text.endswith("Found: letter.txt.")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Found: nothing, the folder is empty\."):
        read_study(tmp_path)


def test_a_folder_of_hidden_files_is_not_called_empty(tmp_path: Path) -> None:
    write_table(tmp_path / ".hidden", "x")
    with pytest.raises(DataError, match="Found: nothing but hidden files"):
        read_study(tmp_path)


@pytest.mark.parametrize("name", ["study.csv", "H1.h5ad"])
def test_a_folder_with_the_name_of_a_file_is_called_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name}, which is a folder with the name of a file"):
        read_study(tmp_path / name)
    with pytest.raises(DataError, match=f"Found: {name}/"):
        read_study(tmp_path)


@pytest.mark.parametrize("column", ["counts", "spots", "image"])
def test_a_folder_in_a_column_of_files_is_called_a_folder(tmp_path: Path, column: str) -> None:
    loose_section(tmp_path)
    (tmp_path / "box").mkdir()
    files = {"counts": "S1.tsv.gz", "spots": "S1_selection.tsv", "image": "S1.jpg"} | {column: "box"}
    write_table(tmp_path / "study.csv", f"section,{','.join(files)}\nS1,{','.join(files.values())}\n")
    with pytest.raises(DataError, match="box is a folder; a"):
        read_section(read_study(tmp_path).entry("S1"))


def test_half_written_files_are_not_sections(tmp_path: Path) -> None:
    folder = her2st_folder(tmp_path, names=("A1",))
    (folder / "ST-cnts" / ".A2.0f.part.tsv").write_text("x")
    assert read_study(folder).names == ("A1",)


def test_what_another_reader_sees_in_the_folder_is_noted(tmp_path: Path) -> None:
    visium_folder(tmp_path / "V1")
    h5ad_file(tmp_path / "V1" / "copy.h5ad")
    assert read_study(tmp_path / "V1").notes == ("Also in V1, but not part of this study: copy.h5ad.",)
