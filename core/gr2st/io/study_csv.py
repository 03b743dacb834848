"""``study.csv``: one row per section, with paths relative to the file."""

from __future__ import annotations

import csv
import functools
import io
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gr2st.errors import DataError, SectionInvalid
from gr2st.io import anndata_file, legacy_st
from gr2st.io.hdf5 import is_hdf5
from gr2st.io.store import write_csv
from gr2st.io.tables import Found, read_text, repeated, separator_of, some
from gr2st.types import SectionEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gr2st.types import Study

PARTS = ("image", "counts", "spots", "labels", "cells")
COLUMNS = ("section", "patient", "path", "image", "um_per_px", "image_scale", "counts", "spots", "labels", "cells")


@dataclass(frozen=True, slots=True)
class _Finders:
    """What lists the sections of a folder, each folder once however many rows name it."""

    any_layout: Callable[[Path], Found]
    legacy: Callable[[Path], Found]


def read_rows(table: Path, recognise: Callable[[Path], Found]) -> Found:
    """Entries of a ``study.csv``; `recognise` lists the sections of a folder a row names.

    Raises
    ------
    DataError
        Where the file is no readable table with a column ``section``.
    SectionInvalid
        With all problems of all rows.
    """
    frame = _frame(table)
    finders = _Finders(functools.cache(recognise), functools.cache(legacy_st.find))
    problems: list[str] = []
    found = Found()
    for number, row in enumerate(frame.to_dict("records"), start=2):
        where = f"line {number} ({row['section'] or 'no name'})"
        try:
            found.entries.append(_entry({str(k): str(v) for k, v in row.items()}, table.parent, finders))
        except DataError as error:
            problems += [f"{where}: {line}" for line in str(error).splitlines()]
    for name in repeated(name for name in frame["section"] if name):
        lines = some((frame.index[frame["section"] == name] + 2).tolist())
        problems.append(f"two or more sections are called {name!r}: lines {lines}.")
    if problems:
        raise SectionInvalid.of(table.name, problems)
    unknown = [str(column) for column in frame.columns if column not in COLUMNS]
    if unknown:
        found.notes.append(
            f"Columns of {table.name} that are not used: {some(unknown, 10)}; known: {', '.join(COLUMNS)}."
        )
    return found


def _frame(table: Path) -> pd.DataFrame:
    """The rows as text, blanks trimmed; nothing is taken for a number or for missing."""
    content = read_text(table)
    separator = separator_of(content.split("\n", 1)[0])
    _check_width(table, content, separator)
    try:
        frame = pd.read_csv(io.StringIO(content), sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f"{table.name} is not a readable table: {str(error).strip()}.") from error
    frame.columns = [str(column).strip() for column in frame.columns]
    if "section" not in frame:
        raise DataError(
            f"{table.name} lacks the column 'section'; its columns are {some(map(repr, frame.columns), 8)}. "
            f"Known columns: {', '.join(COLUMNS)}."
        )
    if not len(frame):
        raise DataError(f"{table.name} names no section: it has a header line only.")
    trimmed: pd.DataFrame = frame.apply(lambda column: column.str.strip())
    return trimmed


def _check_width(table: Path, content: str, separator: str) -> None:
    """Refuse rows with more fields than the header names; pandas would drop the last ones."""
    rows = list(csv.reader(io.StringIO(content), delimiter=separator))
    width = len(rows[0]) if rows else 0
    long = [
        f"line {line} has {len(row)} fields, the header {width}: put names that hold a {separator!r} in quotes."
        for line, row in enumerate(rows, start=1)
        if len(row) > width
    ]
    if long:
        raise SectionInvalid.of(table.name, long)


def _entry(row: Mapping[str, str], base: Path, finders: _Finders) -> SectionEntry:
    """One row as an entry; DataError with all its problems, one per line."""
    problems = []
    if not row["section"]:
        problems.append("the section has no name.")
    if "patient" in row and not row["patient"]:
        problems.append("the section has no patient. Name one, or leave the column out for the whole study.")
    parts = {part: base / row[part] for part in PARTS if row.get(part)}
    problems += [f"the {part} file {path} does not exist." for part, path in parts.items() if not path.exists()]
    um_per_px = _number(row, "um_per_px", "micrometres per pixel", problems)
    image_scale = _number(row, "image_scale", "pixels of the picture per pixel of the positions", problems)
    if image_scale is not None and "image" not in parts:
        problems.append("image_scale is given, but no image that it is the scale of.")
    located = None
    try:
        located = _locate(row, base, parts, finders)
    except DataError as error:
        problems.append(str(error).replace("\n", " "))
    if problems or located is None:
        raise DataError("\n".join(problems))
    return replace(
        located,
        name=row["section"],
        patient=row.get("patient"),
        parts={**located.parts, **parts},
        um_per_px=um_per_px,
        image_scale=image_scale,
        without_image="" if "image" in parts else located.without_image,
    )


def _number(row: Mapping[str, str], column: str, what: str, problems: list[str]) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1000:
        problems.append(f"{column} is {text!r}; a positive number of {what} is wanted.")
        return None
    return value


def _locate(row: Mapping[str, str], base: Path, parts: Mapping[str, Path], finders: _Finders) -> SectionEntry:
    """The section behind the row's ``path``, or behind its ``counts`` where there is no path."""
    if not row.get("path"):
        if "counts" not in parts:
            raise DataError("neither path nor counts is given.")
        return _legacy_entry(parts["counts"], finders)
    path = base / row["path"]
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    if path.is_dir():
        return _of_folder(row["section"], path, finders)
    if path.suffix in anndata_file.SUFFIXES or is_hdf5(path):
        if reason := anndata_file.why_no_section(path):
            raise DataError(reason)
        return SectionEntry(row["section"], None, path, anndata_file.LAYOUT)
    return _legacy_entry(path, finders)


def _of_folder(section: str, folder: Path, finders: _Finders) -> SectionEntry:
    entries = finders.any_layout(folder).entries
    if len(entries) == 1:
        return entries[0]
    for entry in entries:
        if entry.name == section:
            return entry
    raise DataError(
        f"{folder} holds {len(entries)} sections, none called {section!r}: {some(e.name for e in entries)}."
    )


def _legacy_entry(counts: Path, finders: _Finders) -> SectionEntry:
    """A legacy section by its count table, with the files that lie with it."""
    folder = counts.parent.parent if counts.parent.name == "ST-cnts" else counts.parent
    known = finders.legacy(folder).entries if counts.is_file() else []
    for entry in known:
        if entry.parts["counts"].resolve() == counts.resolve():
            return entry
    return SectionEntry(
        name=counts.stem,
        patient=None,
        path=counts,
        layout=legacy_st.LAYOUT,
        parts={"counts": counts},
        without_image=f"study.csv names no picture for {counts.name}.",
    )


def write_study(study: Study, path: Path) -> None:
    """Write a study as ``study.csv``, paths relative to it where they can be.

    Raises
    ------
    StorageError
        Where the file cannot be written.
    """
    base = path.parent.resolve()
    rows = [_row(entry, base) for entry in study.entries]
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    if (frame["patient"] == "").all():
        frame = frame.drop(columns="patient")
    write_csv(path, frame)


def _row(entry: SectionEntry, base: Path) -> dict[str, str]:
    row = {
        "section": entry.name,
        "patient": entry.patient or "",
        "path": _relative(entry.path, base),
        "um_per_px": "" if entry.um_per_px is None else repr(entry.um_per_px),
        "image_scale": "" if entry.image_scale is None else repr(entry.image_scale),
    }
    row |= {
        part: _relative(entry.parts[part], base)
        for part in PARTS
        if part in entry.parts and entry.parts[part] != entry.path
    }
    return {column: row.get(column, "") for column in COLUMNS}


def _relative(path: Path, base: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), base)).as_posix()
    except ValueError:
        # Another drive of Windows has no relative path.
        return path.resolve().as_posix()
