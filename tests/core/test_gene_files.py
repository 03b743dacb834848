"""Lists of genes, in and out of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gr2st import DataError, read_gene_list, read_gene_lists, write_gene_list


@pytest.mark.parametrize("ending", ["txt", "csv", "gmt"])
def test_a_list_that_was_written_is_read_again(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"Hypoxia.{ending}"
    write_gene_list(path, ("VEGFA", "CA9"), "Hypoxia")
    assert read_gene_lists(path) == {"Hypoxia": ("VEGFA", "CA9")}
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_the_text_file_is_the_one_that_training_reads(tmp_path: Path) -> None:
    write_gene_list(tmp_path / "mine.txt", ("VEGFA", "CA9"), "mine")
    assert read_gene_list(tmp_path / "mine.txt") == ("VEGFA", "CA9")


def test_every_line_of_a_gmt_file_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "hallmarks.gmt"
    path.write_text("HYPOXIA\thttp://x\tVEGFA\tCA9\tVEGFA\n\nGLYCOLYSIS\t\tPGK1\t\n")
    assert read_gene_lists(path) == {"HYPOXIA": ("VEGFA", "CA9"), "GLYCOLYSIS": ("PGK1",)}


@pytest.mark.parametrize("text", ["", "HYPOXIA VEGFA CA9\n", "A\t\tX\nA\t\tY\n", "\t\tX\n"])
def test_a_gmt_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.gmt").write_text(text)
    with pytest.raises(DataError, match="is no .gmt file"):
        read_gene_lists(tmp_path / "a.gmt")


def test_a_gmt_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_gene_lists(tmp_path / "a.gmt")


def test_another_kind_of_file_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"written as \.txt, \.csv, \.gmt; found '\.xlsx'"):
        write_gene_list(tmp_path / "a.xlsx", ("A",), "a")
    assert not list(tmp_path.iterdir())
