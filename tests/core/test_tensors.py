"""Files of tensors: what is read, what is refused, and that no code of a file ever runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gr2st.errors import DataError
from gr2st.io.tensors import faults_of, read_tensors

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


class Trap:
    """Unpickled with code, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def same(found: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(STATE) and all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("new_form", [True, False], ids=["zip", "older"])
def test_torchs_files_of_both_forms_are_read(tmp_path, new_form):
    torch.save(STATE, tmp_path / "weights.pt", _use_new_zipfile_serialization=new_form)
    assert same(read_tensors(tmp_path / "weights.pt"))


def test_safetensors_are_read(tmp_path):
    save_file(STATE, tmp_path / "weights.safetensors")
    found = read_tensors(tmp_path / "weights.safetensors")
    assert same({name: found[name] for name in STATE})


def test_tensors_are_found_where_a_training_script_puts_them(tmp_path):
    torch.save({"epoch": 3, "model_state_dict": STATE, "optimizer": {"lr": 0.1}}, tmp_path / "run.pt")
    assert same(read_tensors(tmp_path / "run.pt", inside=("state_dict", "model_state_dict")))
    with pytest.raises(DataError, match=r"holds dict with epoch, model_state_dict, optimizer, wanted tensors by name"):
        read_tensors(tmp_path / "run.pt")


@pytest.mark.parametrize("new_form", [True, False], ids=["zip", "older"])
def test_a_file_with_python_objects_is_refused_and_none_of_its_code_runs(tmp_path, new_form):
    torch.save({**STATE, "trap": Trap(tmp_path / "sprung")}, tmp_path / "w.pt", _use_new_zipfile_serialization=new_form)
    with pytest.raises(DataError, match=r"holds Python objects \(\w+\.mkdir\).*no code from a file is run.*state_dict"):
        read_tensors(tmp_path / "w.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"hello world", b"\x80\x02}q\x00.", b"PK\x03\x04"])
def test_a_file_without_weights_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name} holds no weights that can be read"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_cut_file_is_refused(tmp_path, name):
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(STATE, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="holds no weights that can be read"):
        read_tensors(path)


@pytest.mark.parametrize("content", [{}, [torch.ones(2)], torch.ones(2), {"weight": 1.0}, {"state_dict": {}}])
def test_what_is_no_dictionary_of_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(DataError, match=r"weights\.pt holds \w+.*wanted tensors by name"):
        read_tensors(tmp_path / "weights.pt", inside=("state_dict",))


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_tensors(tmp_path / "weights.pt")


def test_every_kind_of_fault_is_named():
    found = {"weight": torch.ones(3, 3), "extra": torch.ones(1)}
    assert faults_of(STATE, found) == [
        "1 missing (bias)",
        "1 unexpected (extra)",
        "1 of another shape (weight (3, 3) for (2, 3))",
    ]
    assert faults_of(STATE, STATE) == []
