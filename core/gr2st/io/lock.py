"""Only one process at a time works in a folder: a file that names it, made in one step with its being there."""

from __future__ import annotations

import json
import os
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from gr2st import keys
from gr2st.config import Settings
from gr2st.errors import DataError, StorageError
from gr2st.io.runs import is_at_work
from gr2st.io.store import MAKE_ROOM, cause_of, sweep

YOUNG_S = 5.0
"""Seconds for which a file without a name in it counts as one that is being written."""


class Holder(Settings):
    """Who works in a folder, since when (seconds since 1970); ``token`` tells apart what one process holds in turn."""

    pid: int
    host: str
    at: float
    token: str


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder while the block runs. What a process left that is gone is taken over.

    What that one was writing at its end is deleted.

    Raises
    ------
    DataError
        Another process holds it; the message names it.
    StorageError
        The folder cannot be written to.
    """
    path = folder / keys.RUN_LOCK
    own = Holder(pid=os.getpid(), host=platform.node(), at=time.time(), token=secrets.token_hex(8))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _made(path, own):
            _take_over(path, own)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{path} could not be written: {cause_of(error)}. {MAKE_ROOM}") from error
    sweep(folder)
    try:
        yield
    finally:
        # A holder that was taken for gone by a machine whose clock is wrong must not free what is another's now.
        with suppress(OSError):
            if _holder(path) == own:
                path.unlink()


def _made(path: Path, own: Holder) -> bool:
    """Whether the file could be made: it fails where there is one, whoever is quicker."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(own.model_dump_json())
    except OSError:
        # A full disk may take the name and not the content: it would keep us out ourselves.
        path.unlink(missing_ok=True)
        raise
    return True


def _take_over(path: Path, own: Holder) -> None:
    """Put our name in the place of one that is gone; one process at a time looks and writes."""
    turn = path.with_suffix(".turn")
    if _age(turn) > YOUNG_S:
        turn.unlink(missing_ok=True)
    if not _made(turn, own):
        raise DataError(f"{path.parent} is being taken over by another process. Try again in a moment.")
    try:
        _refuse_held(path)
        fresh = path.with_suffix(f".{own.token}")
        fresh.write_text(own.model_dump_json(), encoding="utf-8")
        fresh.replace(path)
    finally:
        turn.unlink(missing_ok=True)


def _refuse_held(path: Path) -> None:
    holder = _holder(path)
    is_held = _age(path) < YOUNG_S if holder is None else is_at_work(holder.host, holder.pid, _last_word(path, holder))
    if is_held:
        who = "another process" if holder is None else f"process {holder.pid} of {holder.host}"
        raise DataError(f"{path.parent} is being worked on by {who}. Wait for it, or stop it there first.")


def _last_word(path: Path, holder: Holder) -> float:
    """When the holder was last heard of. Here its number is asked for, and must be older than the lock."""
    if holder.host == platform.node():
        return holder.at
    with suppress(OSError):
        return max(holder.at, (path.parent / keys.RUN_STATE).stat().st_mtime)
    return holder.at


def _holder(path: Path) -> Holder | None:
    """Who is named; None where nobody can be read."""
    try:
        return Holder.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None


def _age(path: Path) -> float:
    """Seconds since a file was written; 0 where there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
