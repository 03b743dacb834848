"""One file from an address: in pieces, going on where it was, under its name only when it is the right one."""

from __future__ import annotations

import hashlib
import io
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from gr2st.errors import DataError, StorageError
from gr2st.io.store import cause_of, parents_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import RequestException, Response

PIECE = 4 << 20
"""Bytes asked for at once: progress is told and a cancel is heard after each piece."""

TIMEOUT_S = 30
WAITS_S = (1.0, 4.0, 15.0)
"""Seconds before a piece that broke off is asked for again; after the last the fetch ends in a sentence."""
LISTEN_S = 0.2
"""How often, while waiting, a cancel is heard."""
PASSING = (500, 502, 503, 504)
"""Answers of a server that is at a loss for the moment."""
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to fetch: its address, its size, and its hash as ``sha256:...`` or ``git:...``."""

    url: str
    n_bytes: int
    digest: str


def download(file: RemoteFile, target: Path) -> Iterator[tuple[int, str]]:
    """Bring a file here, telling the bytes that are here after each piece, and what is waited for, if anything.

    A connection that breaks off is made again, a few times and each time later. Until the file is whole and its hash is
    right it lies beside `target` under a hidden name, where the next call goes on.

    Raises
    ------
    DataError
        The file cannot be had, or is another than was published (then it is thrown away).
    StorageError
        It cannot be written.
    """
    part = target.with_name(f".{target.name}.part")
    try:
        with parents_of(target):
            try:
                part.touch()
                yield from _pieces(file, part)
                _check(file, part)
                part.replace(target)
            finally:
                if part.exists() and not part.stat().st_size:
                    part.unlink()
    except OSError as error:
        raise StorageError(
            f"{target} could not be written: {cause_of(error)}. Free some space or choose another folder, then run the "
            "same command again: what is here already is not fetched twice."
        ) from error


def read_remote(url: str) -> bytes:
    """All that an address gives; DataError where it cannot be had."""
    from requests import RequestException

    answer = io.BytesIO()
    try:
        _get(url, answer, {})
    except RequestException as error:
        raise DataError(_why(url, error)) from error
    return answer.getvalue()


def digest_like(path: Path, wanted: str) -> str:
    """The hash of a file by the method of another: ``sha256:...``, or ``git:...`` as git names its content."""
    method = wanted.partition(":")[0]
    if method == "git":
        content = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as file:
            while block := file.read(PIECE):
                content.update(block)
        return f"git:{content.hexdigest()}"
    import pooch

    return f"{method}:{pooch.file_hash(str(path), alg=method)}"


def _pieces(file: RemoteFile, part: Path) -> Iterator[tuple[int, str]]:
    from requests import RequestException

    have = part.stat().st_size
    if have > file.n_bytes:
        part.write_bytes(b"")
        have = 0
    failed, is_known = 0, False
    while have < file.n_bytes:
        before = have
        try:
            _append(file, part, have)
        except RequestException as error:
            have = part.stat().st_size
            # Every byte more gives new hope.
            failed, is_known = 1 if have > before else failed + 1, is_known or have > before
            if failed > len(WAITS_S) or not _may_pass(error, is_known=is_known):
                raise DataError(_why(file.url, error, failed)) from error
            yield from _wait(have, WAITS_S[failed - 1], _fault(error))
            continue
        have, failed, is_known = part.stat().st_size, 0, True
        if have == before:
            raise DataError(
                f"{file.url} ends after {have} bytes, {file.n_bytes} were published: the file there is another now, or "
                "was cut off on its way. Try again later."
            )
        yield have, ""


def _may_pass(error: RequestException, *, is_known: bool) -> bool:
    """Whether to ask again may help: not where a server was never reached (`is_known`), or said no."""
    from requests import exceptions

    if error.response is not None:
        return error.response.status_code in PASSING
    if isinstance(error, exceptions.SSLError | exceptions.ProxyError):
        return False
    return is_known or isinstance(error, exceptions.ChunkedEncodingError | exceptions.ReadTimeout)


def _wait(have: int, seconds: float, fault: str) -> Iterator[tuple[int, str]]:
    """Let time pass, in which a cancel is heard."""
    end = time.monotonic() + seconds
    yield have, f"{fault}: asking again in {seconds:.0f} s"
    while time.monotonic() < end:
        time.sleep(min(LISTEN_S, seconds))
        yield have, f"{fault}: asking again in {seconds:.0f} s"


def _append(file: RemoteFile, part: Path, have: int) -> None:
    """Add the next piece; a server that knows no pieces sends the whole file, from its start."""
    last = min(have + PIECE, file.n_bytes) - 1
    with part.open("ab") as out:
        _get(file.url, out, {"Range": f"bytes={have}-{last}"})


def _get(url: str, out: BinaryIO, headers: dict[str, str]) -> None:
    """Write what an address gives behind what `out` holds; in its place where it is the whole file.

    RequestException where that cannot be.
    """
    from pooch import HTTPDownloader

    with ExitStack() as opened:

        def look(answer: Response, **_: Any) -> None:
            opened.callback(answer.close)
            if answer.status_code == 200:
                out.truncate(0)

        # Packed on its way, a piece of a file would be a piece of the packed file.
        headers = {"Accept-Encoding": "identity", **headers}
        get = HTTPDownloader(chunk_size=_BLOCK, timeout=TIMEOUT_S, headers=headers, hooks={"response": look})
        get(url, out, None)


def _check(file: RemoteFile, part: Path) -> None:
    found = digest_like(part, file.digest)
    if found != file.digest:
        n_bytes = part.stat().st_size
        part.unlink()
        raise DataError(
            f"{file.url} is not the file that was published: wanted {file.digest} ({file.n_bytes} bytes), found "
            f"{found} ({n_bytes} bytes). It was thrown away. Try again; if it stays so, the file there was changed, or "
            "something on the way changes it (a proxy, a login page)."
        )


def _why(url: str, error: RequestException, failed: int = 1) -> str:
    """What went wrong between here and a server, how many times in a row, and what to do."""
    if error.response is None:
        again = f", {failed} times in a row" if failed > 1 else ""
        return (
            f"{url} could not be fetched: {_fault(error)}{again}. What is here already is kept: see that there is a "
            "network (behind a proxy, HTTPS_PROXY), then run the same command again, and it goes on where it was."
        )
    status = error.response.status_code
    host = urlsplit(url).hostname
    if status in (404, 410):
        return f"{url} does not exist ({status}): its owner moved it. An update of gr2st may know where it is now."
    if status in (403, 429):
        return (
            f"{host} refuses {url} for now ({status}): most often it was asked too much from this network. Run the "
            "same command again in an hour; what is here already is kept."
        )
    return (
        f"{host} answered {url} with {status} {error.response.reason}. Try again later; what is here already is kept."
    )


def _fault(error: RequestException) -> str:
    import requests

    if error.response is not None:
        return f"the server answered {error.response.status_code}"
    known: tuple[tuple[type[RequestException], str], ...] = (
        (requests.exceptions.SSLError, "the certificate of the server was not accepted"),
        (requests.exceptions.ProxyError, "the proxy did not let it through"),
        (requests.exceptions.Timeout, f"no answer within {TIMEOUT_S} seconds"),
        (requests.exceptions.ChunkedEncodingError, "the connection broke off"),
        (requests.exceptions.ConnectionError, "the server could not be reached, or broke off"),
    )
    return next((words for kind, words in known if isinstance(error, kind)), type(error).__name__)
