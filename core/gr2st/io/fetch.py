"""`fetch` and `verify`: the public files of a data set, in a folder that `read_study` knows."""

from __future__ import annotations

import csv
import json
import re
import shutil
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from gr2st import keys
from gr2st.errors import DataError, StorageError, UnknownName
from gr2st.io.remote import RemoteFile, digest_like, download, read_remote
from gr2st.io.store import atomic_path
from gr2st.io.tables import plural, some
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gr2st.dataset_specs import DatasetSpec
    from gr2st.types import Steps

MEGABYTE = 1_000_000
_COLUMNS = ("path", "section", "bytes", "sha256", "url")


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """What is known of a file of a data set; ``n_bytes`` 0 and ``digest`` empty where they are not known."""

    path: str
    section: str
    n_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in a folder now: sections, files, bytes in all and just fetched, and what the user should know."""

    folder: Path
    sections: tuple[str, ...]
    n_files: int
    n_bytes: int
    new_bytes: int
    notes: tuple[str, ...]


def known_files(spec: DatasetSpec, folder: Path) -> list[DatasetFile]:
    """The files whose paths are known without asking anybody: those of the package, and what `folder` has recorded."""
    shipped = _rows(files("gr2st.io").joinpath(spec.files).read_text(encoding="utf-8"))
    recorded = _recorded(folder)
    known = [file if file.digest else recorded.get(file.path, file) for file in shipped]
    paths = {file.path for file in shipped}
    is_picture = re.compile(spec.pictures).fullmatch
    return known + [file for file in recorded.values() if file.path not in paths and is_picture(file.path)]


def listed_files(spec: DatasetSpec, folder: Path, sections: Sequence[str] = ()) -> list[DatasetFile]:
    """`known_files` of some sections (none named: of all); UnknownName for a section there is not."""
    known = known_files(spec, folder)
    return _of(known, _chosen(spec, known, sections))


def fetch(spec: DatasetSpec, folder: Path | str, sections: Sequence[str] = ()) -> Steps[Fetched]:
    """Bring the files of some sections (none named: of all) here; what is here already is checked, not fetched again.

    Every file is checked against the SHA-256 that is known for it, or against the hash by which git names it in the
    published version. What was fetched is recorded in ``fetched.tsv``. A fetch that was stopped goes on where it was.

    Raises
    ------
    UnknownName
        The data set has no section of that name.
    DataError
        A file cannot be had or is another than was published; or another file lies where one belongs.
    StorageError
        No room, or no permission.
    """
    folder = Path(folder)
    stage = f"Fetching {spec.name}"
    known = known_files(spec, folder)
    chosen = _chosen(spec, known, sections)
    yield Progress(stage, 0, 0, "which files there are")
    wanted, notes = _complete(spec, _of(known, chosen), chosen)
    missing = yield from _missing(wanted, folder)
    total, new = _size(wanted), _size(missing)
    _need_room(folder, new)
    done = total - new
    for file in missing:
        url = _url(spec, file)
        for have, waits in download(RemoteFile(url, file.n_bytes, file.digest), folder / file.path):
            yield Progress(stage, done + have, total, f"{file.path} ({waits})" if waits else file.path)
        _record(folder, file, url)
        done += file.n_bytes
    return Fetched(folder, chosen, len(wanted), total, new, notes)


def verify(spec: DatasetSpec, folder: Path | str, sections: Sequence[str] = ()) -> Steps[Fetched]:
    """Check the files of some sections (none named: of those that lie there) by their hashes, without any network.

    Raises
    ------
    UnknownName
        The data set has no section of that name.
    DataError
        Files are missing, or are others than were published; all are named.
    """
    folder = Path(folder)
    known = known_files(spec, folder)
    here = [file.section for file in known if (folder / file.path).is_file()]
    if not here:
        raise DataError(f"{folder} holds no file of {spec.name}. Fetch it: gr2st fetch {spec.name} --out {folder}")
    chosen = _chosen(spec, known, sections or here)
    wanted = _of(known, chosen)
    missing = yield from _missing(wanted, folder)
    if missing:
        raise DataError(
            f"{folder} lacks {plural(len(missing), 'file')} of {spec.name}: {some(file.path for file in missing)}. "
            f"Fetch what is missing: gr2st fetch {spec.name} --out {folder} --sections {','.join(chosen)}"
        )
    return Fetched(folder, chosen, len(wanted), _size(wanted), 0, _what_stays_open(spec, wanted, chosen))


def _chosen(spec: DatasetSpec, known: Iterable[DatasetFile], sections: Sequence[str]) -> tuple[str, ...]:
    every = dict.fromkeys(file.section for file in known)
    for name in sections:
        if name not in every:
            raise UnknownName.of(f"section of {spec.name}", name, every)
    return tuple(name for name in every if name in sections or not sections)


def _of(known: Iterable[DatasetFile], sections: Sequence[str]) -> list[DatasetFile]:
    return [file for file in known if file.section in sections]


def _complete(
    spec: DatasetSpec, wanted: list[DatasetFile], sections: Sequence[str]
) -> tuple[list[DatasetFile], tuple[str, ...]]:
    """The files with size and hash each, and their pictures; asks for the listing where something is not known."""
    lonely = _without_picture(spec, wanted, sections)
    if not lonely and all(file.digest for file in wanted):
        return wanted, ()
    listed = _listing(spec)
    gone = [file.path for file in wanted if not file.digest and file.path not in listed]
    if gone:
        raise DataError(f"{spec.listing} does not list {some(gone)}: an update of gr2st may know where they are now.")
    complete = [file if file.digest else replace(listed[file.path], section=file.section) for file in wanted]
    complete += [file for file in listed.values() if file.section in lonely]
    lonely = _without_picture(spec, complete, sections)
    notes = (f"{spec.name} has no picture of {', '.join(lonely)} there. {spec.elsewhere}.",) if lonely else ()
    return complete, notes


def _without_picture(spec: DatasetSpec, known: Iterable[DatasetFile], sections: Sequence[str]) -> list[str]:
    pictured = {file.section for file in known if re.fullmatch(spec.pictures, file.path)}
    return [name for name in sections if name not in pictured]


def _listing(spec: DatasetSpec) -> dict[str, DatasetFile]:
    """All files of the published version by path; the section is told for pictures alone."""
    try:
        told = json.loads(read_remote(spec.listing))
        blobs = [entry for entry in told["tree"] if entry["type"] == "blob"]
        listed = [DatasetFile(entry["path"], "", int(entry["size"]), f"git:{entry['sha']}") for entry in blobs]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{spec.listing} did not answer with a list of files ({error}). Try again later.") from error
    if told.get("truncated"):
        raise DataError(f"{spec.listing} told only part of its files. Name fewer sections, or try again later.")
    found = ((file, re.fullmatch(spec.pictures, file.path)) for file in listed)
    return {file.path: replace(file, section=match["section"]) if match else file for file, match in found}


def _missing(wanted: Sequence[DatasetFile], folder: Path) -> Steps[list[DatasetFile]]:
    """Those of the files that are not in the folder; DataError naming all that are there and are others."""
    missing, others = [], []
    for done, file in enumerate(wanted, start=1):
        path = folder / file.path
        if not path.exists():
            missing.append(file)
        elif file.digest and (found := digest_like(path, file.digest)) != file.digest:
            others.append(f"{path} (wanted {file.digest}, found {found})")
        yield Progress("Checking what is here", done, len(wanted))
    if others:
        raise DataError(
            f"{plural(len(others), 'file')} in {folder} {'is' if len(others) == 1 else 'are'} not as published: "
            f"{some(others)}. Nothing was changed: remove them and fetch again, or name another folder with --out."
        )
    return missing


def _what_stays_open(spec: DatasetSpec, wanted: Sequence[DatasetFile], sections: Sequence[str]) -> tuple[str, ...]:
    unknown = [file.path for file in wanted if not file.digest]
    lonely = _without_picture(spec, wanted, sections)
    notes = []
    if unknown:
        notes.append(f"Not checked, because the hash is not known here: {some(unknown)}. `gr2st fetch` asks for it.")
    if lonely:
        notes.append(f"Not checked, because the picture is not known here: {some(lonely)}. `gr2st fetch` asks for it.")
    return tuple(notes)


def _need_room(folder: Path, n_bytes: int) -> None:
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < n_bytes:
        raise StorageError(
            f"{n_bytes / MEGABYTE:.0f} MB are still to come, {free / MEGABYTE:.0f} MB are free where {folder} lies. "
            "Free some space, name fewer sections, or choose another folder."
        )


def _size(wanted: Iterable[DatasetFile]) -> int:
    return sum(file.n_bytes for file in wanted)


def _url(spec: DatasetSpec, file: DatasetFile) -> str:
    return spec.base + quote(file.path)


def _rows(text: str) -> list[DatasetFile]:
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return [
        DatasetFile(
            row["path"], row["section"], int(row["bytes"] or 0), f"sha256:{row['sha256']}" if row["sha256"] else ""
        )
        for row in rows
    ]


def _recorded(folder: Path) -> dict[str, DatasetFile]:
    record = folder / keys.FETCHED
    if not record.is_file():
        return {}
    try:
        return {file.path: file for file in _rows(record.read_text(encoding="utf-8"))}
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{record} is damaged ({type(error).__name__}: {error}). Remove it; what lies in {folder} is then checked "
            "against the published version again."
        ) from error


def _record(folder: Path, file: DatasetFile, url: str) -> None:
    """Add a fetched file to the record of its folder."""
    record = folder / keys.FETCHED
    before = record.read_text(encoding="utf-8") if record.is_file() else "\t".join(_COLUMNS) + "\n"
    sha256 = digest_like(folder / file.path, "sha256:").removeprefix("sha256:")
    with atomic_path(record) as temporary:
        row = (file.path, file.section, str(file.n_bytes), sha256, url)
        temporary.write_text(before + "\t".join(row) + "\n", encoding="utf-8", newline="\n")
