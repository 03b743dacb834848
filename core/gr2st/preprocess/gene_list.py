"""Gene lists of the user: a text file with a name per line, or a table with a column of names."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from gr2st.errors import DataError
from gr2st.io.tables import plural, separator_of, some, unquote

_TITLES = ("gene_symbol", "symbol", "symbols", "gene_name", "gene_names", "gene", "genes", "name")
"""Titles of a column of names; where a table has several, the first of these is taken."""
_ADVICE = "Expected one gene name per line, or a table with a column called gene, symbol or gene_name."
_SHOWN = 10


def read_gene_list(path: Path | str) -> tuple[str, ...]:
    """Read gene names from a text file, one per line, or from a column of a table.

    The table may have tabs, commas or semicolons between its columns. The column is the one titled gene, symbol,
    gene_name or the like; without titles, or under a blank title as pandas writes it, the first. Blank lines and lines
    that begin with # are passed over.

    Raises
    ------
    DataError
        The file is missing, not text, names no gene, names one twice, holds several words on a line (all such lines
        are listed), or is a table without a column of names.
    """
    path = Path(path)
    names = _names(path, _text_of(path))
    twice = [f"{name!r} stands {count} times" for name, count in Counter(names).items() if count > 1]
    broken = [f"{name!r} is not one name" for name in names if len(name.split()) > 1]
    if not names:
        raise DataError(f"{path} names no gene: expected one gene name per line.")
    if twice or broken:
        raise DataError(f"{path} is not a list of distinct genes: " + _listed(twice + broken) + ".")
    return tuple(names)


def _text_of(path: Path) -> str:
    """The file as text; DataError where it is missing, unreadable or binary."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; a gene list is a text file with one gene name per line.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"The gene list {path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file: a gene list holds one gene name per line.") from error
    if "\0" in text:
        raise DataError(f"{path} is a binary file: a gene list holds one gene name per line.")
    return text


def _names(path: Path, text: str) -> list[str]:
    """Names in file order, without blanks, comments and a column title."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return []
    rows = _rows(path, lines)
    titles = [title.strip().lower() for title in rows[0]]
    known = [titles.index(title) for title in _TITLES if title in titles]
    if known:
        return _column(path, rows[1:], known[0])
    if len(titles) == 1:
        return _column(path, rows, 0)
    if titles[0] and not _begins_with_values(rows[0]):
        shown = some(map(repr, rows[0]), _SHOWN)
        raise DataError(f"{path} is a table of {len(titles)} columns ({shown}), none of them known. {_ADVICE}")
    return _column(path, rows[1:] if not titles[0] else rows, 0)


def _rows(path: Path, lines: list[str]) -> list[list[str]]:
    """Cells of each line; a text file is a table only where every line has as many columns as the first."""
    separator = separator_of(lines[0])
    if path.suffix.lower() in (".csv", ".tsv") or _is_even([line.count(separator) + 1 for line in lines]):
        return _parsed(path, lines, separator)
    words = [line.split() for line in lines]
    return words if _is_even(list(map(len, words))) else [[unquote(line)] for line in lines]


def _is_even(widths: list[int]) -> bool:
    return len(set(widths)) == 1 and widths[0] > 1


def _parsed(path: Path, lines: list[str], separator: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise DataError(f"{path} is not a readable table: {error}. {_ADVICE}") from error


def _begins_with_values(row: list[str]) -> bool:
    """Whether a row is a gene and its values, so that the table has no titles."""
    return not _is_number(row[0]) and any(map(_is_number, row[1:]))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _listed(findings: list[str]) -> str:
    """The first ten findings, and how many more there are."""
    more = f"; and {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
    return "; ".join(findings[:_SHOWN]) + more


def _column(path: Path, rows: list[list[str]], column: int) -> list[str]:
    """One column of names; rows that do not reach it are refused."""
    short = [repr(" ".join(row)) for row in rows if len(row) <= column]
    if short:
        raise DataError(
            f"{path} holds {plural(len(short), 'row')} without column {column + 1}, where the gene names stand: "
            f"{some(short)}. {_ADVICE}"
        )
    return [row[column].strip() for row in rows]
