"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData, read_h5ad

from gr2st.errors import DataError, StorageError
from gr2st.io.store import (
    atomic_folder,
    atomic_path,
    cache_dir,
    data_dir,
    file_digest,
    write_csv,
    write_h5ad,
    write_json,
)


def test_a_file_takes_its_name_only_when_the_block_ends_well(tmp_path):
    target = tmp_path / "deep" / "result.csv"
    with atomic_path(target) as temporary:
        temporary.write_text("a")
        assert not target.exists()
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".part.csv")
    assert target.read_text() == "a"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.csv"
    target.write_text("old")

    def write():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_told_with_the_file_and_the_cause(tmp_path):
    def write():
        with atomic_path(tmp_path / "model.json") as temporary:
            temporary.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"model\.json could not be written: No space left on device") as caught:
        write()
    assert "Nothing half-written" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        write_json(tmp_path / "file" / "below.json", {})
    with pytest.raises(StorageError, match="could not be written"), atomic_folder(tmp_path / "file" / "below"):
        pass


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "stale").write_text("old")
    with atomic_folder(target) as temporary:
        (temporary / "fresh").write_text("new")
        assert (target / "stale").exists()
    assert [file.name for file in target.iterdir()] == ["fresh"]
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    target = tmp_path / "model"
    target.mkdir()
    (target / "kept").write_text("old")

    def write():
        with atomic_folder(target) as temporary:
            (temporary / "fresh").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        write()
    assert [file.name for file in target.iterdir()] == ["kept"]
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_json_is_written_readable_and_refuses_what_it_cannot_hold(tmp_path):
    write_json(tmp_path / "card.json", {"section": "Å", "scores": [1, 0.5]})
    text = (tmp_path / "card.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"section": "Å", "scores": [1, 0.5]}
    assert "Å" in text and text.endswith("\n")
    with pytest.raises(DataError, match=r"bad\.json cannot hold this value"):
        write_json(tmp_path / "bad.json", {"score": float("nan")})
    assert not (tmp_path / "bad.json").exists()


def test_csv_is_written_with_unix_line_ends_and_an_index_on_request(tmp_path):
    frame = pd.DataFrame({"gene": ["A"], "r": [0.5]}, index=["row"])
    write_csv(tmp_path / "genes.csv", frame)
    assert (tmp_path / "genes.csv").read_bytes() == b"gene,r\nA,0.5\n"
    write_csv(tmp_path / "genes.csv", frame, index=True)
    assert (tmp_path / "genes.csv").read_bytes() == b",gene,r\nrow,A,0.5\n"


def test_an_anndata_comes_back_as_written(tmp_path):
    table = AnnData(np.arange(6, dtype=np.float32).reshape(2, 3))
    write_h5ad(tmp_path / "p.h5ad", table)
    assert np.array_equal(read_h5ad(tmp_path / "p.h5ad").X, table.X)
    assert [file.name for file in tmp_path.iterdir()] == ["p.h5ad"]


KINDS = pytest.mark.parametrize(
    ("folder_of", "variable", "base"),
    [(cache_dir, "GR2ST_CACHE", "user_cache_dir"), (data_dir, "GR2ST_DATA", "user_data_dir")],
)


@KINDS
def test_caches_and_data_lie_where_the_environment_says(folder_of, variable, base, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, str(tmp_path / "here"))
    assert folder_of("runs") == tmp_path / "here" / "runs"
    assert (tmp_path / "here" / "runs").is_dir()


@KINDS
def test_caches_and_data_lie_in_the_users_folders_otherwise(folder_of, variable, base, tmp_path, monkeypatch):
    monkeypatch.delenv(variable)
    monkeypatch.setattr(f"platformdirs.{base}", lambda name, **_: str(tmp_path / name))
    assert folder_of("runs") == tmp_path / "gr2st" / "runs"


@KINDS
def test_a_folder_that_cannot_be_made_names_the_way_out(folder_of, variable, base, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    with pytest.raises(StorageError, match=f"Set {variable}"):
        folder_of("runs")


def test_the_digest_is_the_start_of_the_sha256(tmp_path):
    content = b"x" * (3 << 20) + b"end"
    (tmp_path / "big").write_bytes(content)
    assert file_digest(tmp_path / "big") == hashlib.sha256(content).hexdigest()[:16]
    with pytest.raises(DataError, match="cannot be read: No such file"):
        file_digest(Path(tmp_path / "absent"))


@pytest.mark.parametrize("place", [atomic_path, atomic_folder])
def test_folders_made_for_a_result_that_failed_are_taken_away_again(tmp_path, place):
    (tmp_path / "kept").mkdir()

    def write():
        with place(tmp_path / "kept" / "folds" / "ridge" / "result"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        write()
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_a_folder_in_which_something_else_lies_meanwhile_stays(tmp_path):
    def write():
        with atomic_path(tmp_path / "folds" / "ridge" / "result.json"):
            (tmp_path / "folds" / "other").write_text("of another process")
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        write()
    assert [path.name for path in (tmp_path / "folds").iterdir()] == ["other"]


def test_a_disk_without_room_for_a_new_file_leaves_no_folder(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(StorageError, match="No space left"):
        write_json(tmp_path / "folds" / "ridge" / "result.json", {})
    assert list(tmp_path.iterdir()) == []
