"""HDF5 files that are cut off, blank, foreign or damaged: told in our own words, before libhdf5 can be kept busy."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import anndata
import h5py
import numpy as np
import pytest

from gr2st.errors import DataError
from gr2st.io import hdf5
from gr2st.io.hdf5 import is_hdf5, opened, read_anndata, refuse_damaged, why_unusable
from tests.builders import h5ad_file

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("earliest", "v108", "latest")
THEIR_WORDS = ("synchronously", "superblock", "sblock", "heap", "errno", "h5py", "IOSpec", "NoneType", "object ")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return h5ad_file(tmp_path / "H1.h5ad", hires=0.1)


def words_of(path: Path) -> str:
    """What reading the file says; none of it may be HDF5's or h5py's own words."""
    with pytest.raises(DataError) as caught:
        read_anndata(path)
    text = str(caught.value)
    assert not [word for word in THEIR_WORDS if word in text], text
    return text


def blanked(path: Path, text: bytes, before: int = 16, size: int = 512) -> Path:
    """The same file with zeros from the object of a heap on that holds `text`."""
    content = bytearray(path.read_bytes())
    at = content.index(text, content.index(b"GCOL")) - before
    content[at : at + size] = bytes(size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("version", FORMATS)
def test_a_whole_file_is_taken_and_each_cut_one_is_not(tmp_path: Path, version: str) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", libver=version) as made:
        made["values"] = np.arange(500)
    whole = path.read_bytes()
    assert why_unusable(path) == ""
    path.write_bytes(whole + b"behind the end")
    assert why_unusable(path) == ""
    for size in (9, 40, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert f"x.h5 is cut off: {size:,} of " in why_unusable(path)
        assert why_unusable(path).endswith("Copy or download it again.")


def test_a_cut_file_says_how_much_of_it_is_there(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:-5000])
    assert words_of(file) == (
        f"H1.h5ad is cut off: {len(whole) - 5000:,} of {len(whole):,} bytes are there. Copy or download it again."
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<!DOCTYPE html>\n<title>404</title>", "it is a text file that begins with '<!DOCTYPE html>\\n<title>4'"),
        (gzip.compress(b"x" * 200, mtime=0), "it is a gzip archive; unpack it first"),
        (b"\x89PNG\r\n\x1a\n", "it is a PNG image"),
        (b"\x01\x02\x03\xff", "it is a file of another kind"),
    ],
)
def test_a_file_of_another_kind_is_called_by_its_kind(file: Path, content: bytes, found: str) -> None:
    file.write_bytes(content)
    assert found in words_of(file)
    assert not is_hdf5(file)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "folder.h5ad").mkdir()
    assert words_of(tmp_path / "folder.h5ad") == "folder.h5ad is a folder; an HDF5 file is wanted."
    assert words_of(tmp_path / "absent.h5ad") == f"absent.h5ad was not found in {tmp_path}."


@pytest.mark.parametrize("text", [b"array_col", b"GENE2\0", b"ENSG00000000006"])
def test_a_hole_in_the_text_is_refused_and_not_read_for_ever(file: Path, text: bytes) -> None:
    assert "H1.h5ad is damaged: the text stored at byte " in words_of(blanked(file, text))


def test_a_hole_is_found_where_two_blocks_of_the_file_meet(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blanked(file, b"array_col")
    start = file.read_bytes().index(b"GCOL")
    monkeypatch.setattr(hdf5, "_BLOCK", start + 3)
    with pytest.raises(DataError, match=f"at byte {start:,} is blank"):
        refuse_damaged(file)


def test_free_space_in_the_text_is_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as made:
        made["names"] = ["a" * 40] * 20
        del made["names"]
        made["names"] = ["short", "", "texts"]
    assert b"\0" * 16 in path.read_bytes()
    refuse_damaged(path)
    with opened(path) as read:
        assert read["names"].asstr()[:].tolist() == ["short", "", "texts"]


def test_a_damaged_part_is_named(file: Path) -> None:
    with h5py.File(file, "a") as made:
        made["X"].attrs["encoding-type"] = "scroll"
    assert "its part /X is damaged, or of a kind this version of anndata does not know" in words_of(file)


@pytest.mark.parametrize("start", [0.05, 0.3, 0.6, 0.9])
def test_a_file_of_zeros_from_some_byte_on_is_damaged(file: Path, start: float) -> None:
    content = file.read_bytes()
    kept = int(len(content) * start)
    file.write_bytes(content[:kept] + bytes(len(content) - kept))
    assert "H1.h5ad" in words_of(file)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BlockingIOError(11, "unable to lock file"), "x.h5 is being written by another program"),
        (OSError("bad symbol table node signature"), "x.h5 is damaged: what it holds cannot be read"),
        (MemoryError(), "x.h5 is damaged: what it holds cannot be read"),
    ],
)
def test_what_libhdf5_says_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    path = tmp_path / "x.h5"
    h5py.File(path, "w").close()

    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(DataError) as caught, opened(path):
        pass
    assert str(caught.value).startswith(said)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BlockingIOError(11, "unable to lock file"), "is being written by another program"),
        (MemoryError(), "needs more memory than there is"),
        (ZeroDivisionError("whatever a damaged file leads to"), "what it holds is damaged"),
    ],
)
def test_what_anndata_raises_is_a_data_error(
    file: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def refuse(*_: Any) -> None:
        raise error

    monkeypatch.setattr(anndata, "read_h5ad", refuse)
    assert said in words_of(file)
