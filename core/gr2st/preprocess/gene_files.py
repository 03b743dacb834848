"""Lists of genes as files: one or several in (.txt, .csv, .gmt), one out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gr2st.errors import DataError
from gr2st.io.store import atomic_path
from gr2st.preprocess.gene_list import read_gene_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUFFIXES = (".txt", ".csv", ".gmt")


def read_gene_lists(path: Path | str) -> Mapping[str, tuple[str, ...]]:
    """Every list of genes in a file, by name.

    A ``.gmt`` file has a list per line: name, description and genes, with tabs between them. Any other file is one
    list, called as the file is (`read_gene_list`).

    Raises
    ------
    DataError
        The file cannot be read, or holds no list; of a ``.gmt`` all lines that are no list are named.
    """
    path = Path(path)
    return _sets(path) if path.suffix.lower() == ".gmt" else {path.stem: read_gene_list(path)}


def write_gene_list(path: Path | str, genes: Sequence[str], name: str) -> None:
    """Write one list of genes: a name per line (.txt), a column called gene (.csv), or one line of a .gmt.

    Raises
    ------
    DataError
        Another kind of file was asked for.
    StorageError
        The file cannot be written; nothing is left of it then.
    """
    path = Path(path)
    lines = {".txt": genes, ".csv": ("gene", *genes), ".gmt": ("\t".join((name, "", *genes)),)}.get(path.suffix.lower())
    if lines is None:
        raise DataError(f"A list of genes is written as {', '.join(SUFFIXES)}; found {path.suffix or 'no ending'!r}.")
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _sets(path: Path) -> Mapping[str, tuple[str, ...]]:
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The gene lists {path} cannot be read: {error}.") from error
    found = {row[0].strip(): tuple(dict.fromkeys(filter(None, map(str.strip, row[2:])))) for row in rows}
    broken = [name or "without a name" for name, genes in found.items() if not name or not genes]
    if broken or not found or len(found) < len(rows):
        raise DataError(
            f"{path} is no .gmt file: expected lines of a name of its own, a description and genes, with tabs between "
            f"them; found {len(rows)} lines, {len(found)} names, and not one gene for: {', '.join(broken) or 'none'}."
        )
    return found
