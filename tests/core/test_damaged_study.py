"""Damaged studies, as a user of the command line meets them: our words, exit code 2, no traceback."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pytest

import gr2st
from gr2st.errors import DataError
from tests.builders import h5ad_file, visium_array, visium_folder, write_matrix_mtx

if TYPE_CHECKING:
    from tests.core.conftest import Command

MATRIX = "filtered_feature_bc_matrix.h5"


def as_text_matrix(outs: Path) -> Path:
    (outs / MATRIX).unlink()
    return write_matrix_mtx(outs / MATRIX.removesuffix(".h5"), visium_array())


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:-size])


def without(path: Path, part: str) -> None:
    with h5py.File(path, "a") as file:
        del file[part]


def without_pictures(outs: Path) -> None:
    for picture in (outs / "spatial").glob("*.png"):
        picture.unlink()


def with_other_barcodes(outs: Path) -> None:
    positions = outs / "spatial" / "tissue_positions.csv"
    positions.write_text(positions.read_text().replace("-1,", "-7,"))


def spoil_scale_factors(text: str) -> Callable[[Path], object]:
    return lambda outs: (outs / "spatial" / "scalefactors_json.json").write_text(text)


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "matrix cut": (lambda o: cut(o / MATRIX, 1000), "is cut off: 11,024 of 12,024 bytes are there"),
    "matrix empty": (lambda o: (o / MATRIX).write_bytes(b""), "is empty (0 bytes)"),
    "matrix is text": (lambda o: (o / MATRIX).write_text("abc"), "is not an HDF5 file: it is a text file"),
    "matrix without shape": (lambda o: without(o / MATRIX, "matrix/shape"), "its group 'matrix' lacks shape"),
    "matrix without genes": (lambda o: without(o / MATRIX, "matrix/features"), "lacks features/id, features/name"),
    "text matrix cut": (lambda o: cut(as_text_matrix(o) / "matrix.mtx.gz", 60), "matrix.mtx.gz is cut off or damaged"),
    "no features": (lambda o: (as_text_matrix(o) / "features.tsv.gz").unlink(), "lacks features.tsv or genes.tsv"),
    "no positions": (
        lambda o: (o / "spatial" / "tissue_positions.csv").unlink(),
        "without spatial/tissue_positions*. Copy the spatial folder",
    ),
    "other barcodes": (with_other_barcodes, "64 of 64 spots of the counts have no position"),
    "no scale factors": (
        lambda o: (o / "spatial" / "scalefactors_json.json").unlink(),
        "scalefactors_json.json was not",
    ),
    "bad scale factors": (spoil_scale_factors('{"a": 1'), "is no readable JSON from line 1, column 8 on"),
    "no such factor": (spoil_scale_factors('{"spot_diameter_fullres": 31}'), "lacks tissue_hires_scalef"),
    "no picture": (without_pictures, "No section of V1 has a picture to learn from"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_bad_space_ranger_folder_is_refused_in_words(case: str, command: Command, tmp_path: Path) -> None:
    spoil, sentence = FOLDERS[case]
    outs = visium_folder(tmp_path / "V1") / "outs"
    spoil(outs)
    code, said = command("train", outs, "--variable-genes", 3, "--model", "ridge", "--out", tmp_path / "model")
    assert code == 2
    assert sentence in said
    assert not [word for word in ("Traceback", "synchronously", "sblock", "Expecting") if word in said]
    assert not (tmp_path / "model").exists()


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda p: cut(p, 5000), "H1.h5ad is cut off: "),
    "text": (
        lambda p: p.write_text("hello"),
        "H1.h5ad is not an HDF5 file: it is a text file that begins with 'hello'",
    ),
    "empty": (lambda p: p.write_bytes(b""), "H1.h5ad is empty (0 bytes)"),
    "packed": (lambda p: p.write_bytes(gzip.compress(p.read_bytes())), "it is a gzip archive; unpack it first"),
    "no counts": (lambda p: without(p, "X"), "H1.h5ad holds no counts: X, raw or layers['counts'] is wanted"),
    "no positions": (lambda p: without(p, "obsm/spatial"), "obsm['spatial'] is wanted; obsm holds nothing"),
    "no picture": (lambda p: without(p, "uns/spatial"), "Section H1 has no picture that patches can be cut from"),
    "no names": (lambda p: without(p, "obs/_index"), "H1.h5ad cannot be read as AnnData: its part /obs is damaged"),
    "no genes": (lambda p: without(p, "var"), "H1.h5ad is no AnnData file: obs and var are wanted"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_bad_anndata_file_is_refused_in_words(case: str, command: Command, tmp_path: Path) -> None:
    spoil, sentence = FILES[case]
    path = h5ad_file(tmp_path / "H1.h5ad", hires=0.1)
    spoil(path)
    code, said = command("train", path, "--variable-genes", 3, "--model", "ridge", "--out", tmp_path / "model")
    assert code == 2
    assert sentence in said
    assert not [word for word in ("Traceback", "synchronously", "sblock", "IOSpec") if word in said]
    assert not (tmp_path / "model").exists()


def test_evaluate_names_all_unreadable_sections_at_once_and_trains_nothing(command: Command, tmp_path: Path) -> None:
    for seed, name in enumerate(("H1", "H2", "H3", "H4")):
        h5ad_file(tmp_path / "study" / f"{name}.h5ad", seed, hires=0.1)
    without(tmp_path / "study" / "H2.h5ad", "X")
    without(tmp_path / "study" / "H4.h5ad", "obsm/spatial")
    out = tmp_path / "out"
    code, said = command("evaluate", tmp_path / "study", "--protocol", "section", "--variable-genes", 3, "--out", out)
    assert code == 2
    assert "Error: 2 of 4 sections cannot be used, so nothing was trained" in said
    for name, fault in (("H2", "holds no counts"), ("H4", "counts but no positions")):
        assert said.count(f"{name} has 1 problem:") == said.count(fault) == 1
    assert gr2st.read_evaluation(out).state == "failed"
    assert not (out / "folds").exists()


def test_a_folder_where_a_prediction_is_wanted_is_called_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path.name} is a folder; an HDF5 file is wanted"):
        gr2st.read_prediction(tmp_path)


def test_a_file_where_a_model_is_wanted_is_called_a_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine")
    code, said = command("predict", tmp_path / "model", tmp_path, "--section", "H1", "--out", tmp_path / "x.h5ad")
    assert (code, "model is a file; a model is a folder" in said) == (2, True)
