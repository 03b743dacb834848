"""Writing without half-written files: a temporary name beside the target, then a rename; where caches and data lie."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from gr2st.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from anndata import AnnData

MAKE_ROOM = "Free some space or choose another folder, and try again."
_BLOCK = 1 << 20


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to; it takes the name `path` only when the block ends well.

    The temporary name keeps the suffix of `path`, so that writers which look at it behave as usual. Missing parent
    folders are made.

    Raises
    ------
    StorageError
        Where the file cannot be written (disk full, no permission); nothing half-written remains.
    """
    target = Path(path)
    temporary = _free_name(target)
    try:
        with parents_of(target):
            try:
                temporary.touch(exist_ok=False)
                yield temporary
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _not_written(target, error) from error


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Give a temporary empty folder beside `path`; it takes the name `path` only when the block ends well.

    A folder already called `path` is replaced as a whole, and kept as it was when the block fails.

    Raises
    ------
    StorageError
        As `atomic_path`.
    """
    target = Path(path)
    temporary = _free_name(target)
    try:
        with parents_of(target):
            try:
                temporary.mkdir()
                yield temporary
                _replace_folder(temporary, target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise _not_written(target, error) from error


def sweep(folder: Path) -> None:
    """Delete what processes that were killed left half-written in a folder, and below; nobody may be writing there."""
    for path in list(folder.rglob(".*.part*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented UTF-8 JSON, atomically; DataError where JSON cannot hold it (NaN, an object)."""
    try:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"{Path(path).name} cannot hold this value as JSON: {error}.") from error
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_csv(path: Path | str, frame: pd.DataFrame, *, index: bool = False, separator: str = ",") -> None:
    """Write a table as UTF-8 text with Unix line ends, atomically; without its index unless `index`."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, sep=separator, index=index, encoding="utf-8", lineterminator="\n")


def write_h5ad(path: Path | str, adata: AnnData) -> None:
    """Write an AnnData as compressed .h5ad, atomically.

    It is put together in memory: HDF5 writing to a full disk keeps unwritten pages and ends the whole process later.
    """
    import h5py
    from anndata.io import write_elem

    with h5py.File(f"{secrets.token_hex(8)}.h5ad", "w", driver="core", backing_store=False) as file:
        write_elem(file, "/", adata, dataset_kwargs={"compression": "gzip"})
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(image)


def cache_dir(kind: str) -> Path:
    """Folder for cached values of one `kind` ("pyramids", "features"), made where missing.

    It lies in the user's cache folder, or under the folder that the environment variable GR2ST_CACHE names.
    """
    base = os.environ.get("GR2ST_CACHE") or platformdirs.user_cache_dir("gr2st", appauthor=False)
    return _made(Path(base) / kind, "cache", "GR2ST_CACHE")


def data_dir(name: str) -> Path:
    """Folder for what the user keeps of one kind ("runs", "evaluations"), made where missing.

    It lies in the user's data folder, or under the folder that the environment variable GR2ST_DATA names.
    """
    base = os.environ.get("GR2ST_DATA") or platformdirs.user_data_dir("gr2st", appauthor=False)
    return _made(Path(base) / name, "data", "GR2ST_DATA")


def file_digest(path: Path | str) -> str:
    """First sixteen hex digits of the SHA-256 of a file's content; DataError where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {cause_of(error)}.") from error
    return digest.hexdigest()[:16]


@contextmanager
def parents_of(target: Path) -> Iterator[None]:
    """Make the folders `target` lies in; where the block fails, those made here and still empty go again."""
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _made(folder: Path, what: str, variable: str) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The {what} folder {folder} cannot be made: {cause_of(error)}. "
            f"Set {variable} to a folder that can be written to."
        ) from error
    return folder


def _free_name(target: Path) -> Path:
    """A name nobody uses: hidden, unique, ``.part`` before the original suffix."""
    tail = secrets.token_hex(4)
    return target.with_name(f".{target.stem}.{tail}.part{target.suffix}")


def _replace_folder(temporary: Path, target: Path) -> None:
    """Move `temporary` to `target`; an older folder steps aside first and returns if that fails."""
    if not target.exists():
        temporary.rename(target)
        return
    aside = _free_name(target)
    target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _not_written(target: Path, error: OSError) -> StorageError:
    if isinstance(error, StorageError):
        return error
    return StorageError(
        f"{target} could not be written: {cause_of(error)}. Nothing half-written was left behind. {MAKE_ROOM}"
    )


def cause_of(error: OSError) -> str:
    """What the system says of an error, for the middle of a sentence."""
    known = os.strerror(error.errno) if error.errno else ""
    return known or error.strerror or str(error) or type(error).__name__
