"""`read_study`: the sections behind a folder, a ``study.csv`` or one file; nothing is opened yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import keys
from gr2st.errors import DataError, SectionInvalid
from gr2st.io import anndata_file, legacy_st, visium, visium_deposit
from gr2st.io.study_csv import read_rows, write_study
from gr2st.io.tables import Found, some
from gr2st.types import Study

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from gr2st.types import SectionEntry

__all__ = ["read_study", "write_study"]

FINDERS: tuple[tuple[str, Callable[[Path], Found]], ...] = (
    ("a Space Ranger folder or several (spatial/tissue_positions*, feature_bc_matrix)", visium.find),
    ("Space Ranger results sorted by kind (filtered_count_matrices, spatial)", visium_deposit.find),
    ("legacy ST (ST-cnts, ST-imgs and ST-spotfiles, or a count table with its spot file)", legacy_st.find),
    ("AnnData files (.h5ad)", anndata_file.find),
)
"""What a folder may be, in the order in which it is tried."""

CELLS = "cells"
"""Folder of a study with the cell types of its sections: files or folders named by section."""

_FILE_SUFFIXES = (".csv", *anndata_file.SUFFIXES)
_ANONYMOUS = ("data", "outs", "spatial", "binned_outputs")
"""Folder names that say nothing; the folder above gives the study its name."""


def read_study(path: Path | str) -> Study:
    """List the sections behind a path.

    Parameters
    ----------
    path : Path or str
        A folder with a ``study.csv``, a legacy ST folder, a Space Ranger folder or one that holds several, a folder of
        ``.h5ad`` files; or a ``study.csv`` or ``.h5ad`` file itself. A folder may hold cell types in ``cells``.

    Raises
    ------
    DataError
        Where nothing is there, or nothing that is recognised; the message says what was looked for and what was found.
    SectionInvalid
        Where rows of a ``study.csv`` are wrong or two sections have one name; all are listed.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist. Give the folder of a study, its study.csv, or an .h5ad file.")
    table = path / keys.STUDY_FILE if path.is_dir() else path
    if table.suffix == ".csv" and table.is_file():
        return _from_csv(table)
    try:
        found = _in_folder(path) if path.is_dir() else _in_file(path)
    except OSError as error:
        raise DataError(f"{path} cannot be looked into: {error.strerror or error}.") from error
    name = path.stem if path.is_file() else _folder_name(path)
    return _study(name, path, found)


def _from_csv(table: Path) -> Study:
    is_usual = table.name == keys.STUDY_FILE
    name = _folder_name(table.parent) if is_usual else table.stem
    return _study(name, table, read_rows(table, _in_folder))


def _study(name: str, path: Path, found: Found) -> Study:
    _refuse_shared_names(name, found.entries)
    return Study(name, path, tuple(found.entries), tuple(found.notes))


def _folder_name(folder: Path) -> str:
    folder = folder.resolve()
    return folder.parent.name if folder.name in _ANONYMOUS else folder.name


def _in_folder(folder: Path) -> Found:
    """What the first reader that knows the folder finds; what others see there is noted."""
    chosen, notes = Found(), []
    for _, find in FINDERS:
        found = find(folder)
        if not chosen.entries:
            notes += found.notes
            chosen = found
        elif found.entries:
            others = some(entry.path.name for entry in found.entries)
            notes.append(f"Also in {folder.name}, but not part of this study: {others}.")
    if not chosen.entries:
        raise DataError(_not_recognised(folder, notes))
    return _with_cells(folder, Found(chosen.entries, notes))


def _with_cells(folder: Path, found: Found) -> Found:
    """The sections with their cell types, where the folder `CELLS` holds one file or folder named by each."""
    paths = sorted((folder / CELLS).iterdir()) if (folder / CELLS).is_dir() else []
    result = Found(notes=found.notes)
    for entry in found.entries:
        mine = [path for path in paths if entry.name in (path.name, path.stem)]
        if len(mine) > 1:
            several = some(path.name for path in mine)
            result.notes.append(f"Several cell types fit {entry.name}: {several}. Name one in a study.csv.")
        result.entries.append(replace(entry, parts={**entry.parts, "cells": mine[0]}) if len(mine) == 1 else entry)
    return result


def _not_recognised(folder: Path, notes: list[str]) -> str:
    looked = "; ".join(what for what, _ in FINDERS)
    like_file = ", which is a folder with the name of a file" if folder.suffix in _FILE_SUFFIXES else ""
    seen = "".join(f"\n  - {note}" for note in notes)
    return (
        f"No section was found in {folder}{like_file}. Looked for: {keys.STUDY_FILE}; {looked}. "
        f"Found: {_content(folder)}.{seen}"
    )


def _content(folder: Path) -> str:
    """What lies in a folder, for a message; folders with a stroke behind the name."""
    everything = sorted(folder.iterdir())
    names = [f"{path.name}/" if path.is_dir() else path.name for path in everything if not path.name.startswith(".")]
    if names:
        return some(names, 8)
    return "nothing but hidden files" if everything else "nothing, the folder is empty"


def _in_file(path: Path) -> Found:
    found = anndata_file.find(path)
    if not found.entries:
        reasons = " ".join(found.notes)
        advice = "" if path.suffix == ".h5ad" else f" A study is a folder, a {keys.STUDY_FILE} or an .h5ad file."
        raise DataError(reasons + advice)
    return found


def _refuse_shared_names(study: str, entries: Iterable[SectionEntry]) -> None:
    by_name: dict[str, list[str]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).append(entry.path.name)
    findings = [
        f"{len(paths)} sections are called {name!r}: {some(paths)}. Give each its own name."
        for name, paths in by_name.items()
        if len(paths) > 1
    ]
    if findings:
        raise SectionInvalid.of(study, findings)
