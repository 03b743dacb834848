"""What all table readers share: the report of problems and notes, reading text whatever its name says, checks."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from scipy import sparse

from gr2st import keys
from gr2st.errors import DataError, SectionInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from anndata import AnnData

    from gr2st.types import Float64, SectionEntry, Slide

P = ParamSpec("P")
T = TypeVar("T")

GZIP_MAGIC = b"\x1f\x8b"
_SEPARATORS = "\t,;"
_BINARY_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a parquet file",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    GZIP_MAGIC: "a gzip archive; unpack it first",
}
_SHOWN_BYTES = 24


@dataclass(slots=True)
class Report:
    """Problems and notes of one section, gathered while it is read and raised together.

    A problem makes the section unusable; a note is something the user should know.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def attempt(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Result of `step`, or None with its DataError kept as a problem."""
        try:
            return step(*args, **kwargs)
        except DataError as error:
            self.problems.append(str(error))
            return None

    def raise_problems(self) -> None:
        """Raise SectionInvalid with all problems, if there are any."""
        if self.problems:
            raise SectionInvalid.of(self.name, self.problems)


@dataclass(slots=True)
class Found:
    """Sections a reader finds in a folder, and what it saw there but cannot use."""

    entries: list[SectionEntry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """What a table reader knows about one section, before its picture is opened.

    Attributes
    ----------
    table : AnnData
        As `gr2st.types.Section.table`.
    grid_pitch : float
        Distance of neighbouring spots in pixels of the picture.
    um_per_px : float or None
        As the array or the tables tell it, with its source in words.
    image : Path or None
        The picture whose pixels ``obsm["spatial"]`` counts.
    slide : Slide or None
        The picture itself where it lies inside the table's file or was opened already.
    """

    table: AnnData
    grid_pitch: float
    um_per_px: float | None
    um_per_px_source: str
    spot_diameter_um: float | None
    image: Path | None = None
    slide: Slide | None = None


def read_bytes(path: Path) -> bytes:
    """Content of a file, unpacked where it is gzip by its first bytes (the name does not count).

    Raises
    ------
    DataError
        Where the file is missing, empty, unreadable or cut off.
    """
    try:
        content = path.read_bytes()
        if content.startswith(GZIP_MAGIC):
            content = gzip.decompress(content)
    except FileNotFoundError as error:
        raise DataError(f"{path.name} was not found in {path.parent}.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name} is cut off or damaged: its gzip data end early. Fetch the file again.") from error
    except OSError as error:
        raise DataError(f"{path.name} {_why_closed(path, error)}.") from error
    if not content.strip():
        raise DataError(f"{path.name} is empty.")
    return content


def _why_closed(path: Path, error: OSError) -> str:
    """Why a file cannot be opened; asked of the path, as a folder gives another error on each system."""
    return "is a folder; a file is wanted" if path.is_dir() else f"cannot be read: {error.strerror or error}"


def read_text(path: Path) -> str:
    """Content of a text file, gzip or not; DataError where it is no text, naming what it seems to be."""
    content = read_bytes(path)
    if kind := _binary_kind(content):
        raise DataError(f"{path.name} is {kind}, not a text table.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not a UTF-8 text table (byte {error.start} is no text).") from error
    if "\0" in text:
        raise DataError(f"{path.name} is damaged: it holds zero bytes, which no text table does.")
    return text


def kind_of(head: bytes) -> str:
    """What a file seems to be by its first bytes, for a message about a file of another kind than was wanted."""
    shown = head[:_SHOWN_BYTES].decode("utf-8", errors="replace")
    is_text = shown.removesuffix("\ufffd").replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable()
    return _binary_kind(head) or (f"a text file that begins with {shown!r}" if is_text else "a file of another kind")


def _binary_kind(content: bytes) -> str:
    """Name of a known binary format, "" for any other content."""
    return next((kind for magic, kind in _BINARY_MAGIC.items() if content.startswith(magic)), "")


def first_line(path: Path) -> str:
    """First line of a text file, gzip or not, "" where there is none; for recognising a file, so it never raises."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) if packed else contextlib.nullcontext(raw) as file:
                return file.readline(1 << 22).decode("utf-8-sig").rstrip("\r\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return ""


def separator_of(line: str) -> str:
    """The separator a header line uses most: tab, comma or semicolon."""
    return max(_SEPARATORS, key=line.count)


def unquote(cell: str) -> str:
    """A cell without blanks and quotation marks round it."""
    return cell.strip().strip('"').strip()


def split_line(line: str, separator: str) -> list[str]:
    """Cells of one line of a table of names and numbers (no separators inside quotes)."""
    return [unquote(cell) for cell in line.split(separator)]


def read_frame(path: Path, *, header: bool = True, text: Sequence[str] = ()) -> pd.DataFrame:
    """A small text table, its separator found from the first line; the columns named in `text` stay text.

    Raises
    ------
    DataError
        Where the file cannot be read or is no table.
    """
    content = read_text(path)
    separator = separator_of(content.split("\n", 1)[0])
    try:
        return pd.read_csv(
            io.StringIO(content),
            sep=separator,
            header=0 if header else None,
            dtype=dict.fromkeys(text, "str"),
            low_memory=False,
            # The default parser of pandas crashes the process on a number with an absurd exponent.
            float_precision="round_trip",
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise DataError(f"{path.name} is not a readable table: {str(error).strip()}.") from error


def numbers(frame: pd.DataFrame, column: str) -> Float64:
    """One column as float64, NaN where a cell holds no number."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy(np.float64)
    return np.array([_number(cell) for cell in values], np.float64)


def _number(cell: object) -> float:
    """A cell as a number, NaN where it is none; `pandas.to_numeric` crashes on absurd exponents."""
    try:
        return float(str(cell))
    except ValueError:
        return np.nan


def some(names: Iterable[object], limit: int = 5) -> str:
    """The first few names for a message, and how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def plural(count: int, word: str) -> str:
    """``1 spot``, ``2 spots``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def are(count: int) -> str:
    """The verb that goes with a count: ``is`` or ``are``."""
    return "is" if count == 1 else "are"


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, in order of first appearance."""
    return [name for name, count in Counter(names).items() if count > 1]


def unique_names(names: Sequence[str]) -> list[str]:
    """The same names with ``-1``, ``-2``, ... behind later repeats, never hitting a name that is there already."""
    taken, seen, result = set(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        if seen[name] == 1:
            result.append(name)
            continue
        number = seen[name] - 1
        while (candidate := f"{name}-{number}") in taken:
            number += 1
        taken.add(candidate)
        result.append(candidate)
    return result


def left_out_or_problem(missing: Sequence[str], total: int, reason: str, report: Report) -> None:
    """Spots without a partner: a minority is left out with a note, a majority is a problem.

    `reason` goes on after "N of M spots", for example "of the counts have no position".
    """
    if not missing:
        return
    told = f"{len(missing)} of {plural(total, 'spot')} {reason}"
    if 2 * len(missing) > total:
        report.problems.append(f"{told}: {some(missing)}. Counts and positions seem to be of different sections.")
    else:
        report.notes.append(f"{told}; left out: {some(missing)}.")


def build_table(
    counts: sparse.csr_matrix,
    spots: Sequence[str],
    var: pd.DataFrame,
    grid: tuple[Sequence[int], Sequence[int]],
    xy: Float64,
) -> AnnData:
    """The section's table; `grid` is (array_row, array_col), `var` is indexed by unique gene names.

    Parameters
    ----------
    counts : (n_spots, n_genes) CSR
    xy : (n_spots, 2) float64
        x, y of the spot centres in pixels.
    """
    from anndata import AnnData

    obs = pd.DataFrame(
        {keys.ARRAY_ROW: np.asarray(grid[0], np.int64), keys.ARRAY_COL: np.asarray(grid[1], np.int64)},
        index=pd.Index(list(spots), dtype=object),
    )
    matrix = sparse.csr_matrix(counts, dtype=np.float32)
    return AnnData(matrix, obs=obs, var=var, obsm={keys.SPATIAL: np.asarray(xy, np.float64)})


def note_empty_spots(table: AnnData, report: Report) -> None:
    """Note the spots that hold no count at all; they stay in the table."""
    depth = np.asarray(table.X.sum(axis=1)).ravel()
    empty = [str(name) for name in table.obs_names[depth == 0]]
    if empty:
        report.notes.append(f"{plural(len(empty), 'spot')} without any count: {some(empty)}.")
