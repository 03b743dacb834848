"""What is on the screen as a value that can be stored and come back: files, view, regions. No Qt, no viewer."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gr2st import DataError, RecipeMismatch, Settings, __version__, first_fault
from gr2st_napari._state import Wish

FORMAT = 1
_PATHS = ("study", "slide", "prediction", "evaluation")
_ABOUT = ("format", "saved", "written_by")


class Session(Settings):
    """All that a window needs to show the same again.

    Attributes
    ----------
    study, slide, prediction, evaluation : Path or None
        Absolute; in the file relative to its folder where they lie below it. `slide` is one without spots.
    section : str
    model : str
        Of the evaluation: whose genes are ranked in the Genes dock.
    view : Wish
        Gene, mode, space, limits, colours.
    window : left, top, right, bottom or None
        The part of the slide in view, in level-0 pixels.
    regions : GeoJSON or None
    """

    study: Path | None = None
    slide: Path | None = None
    section: str
    prediction: Path | None = None
    evaluation: Path | None = None
    model: str = ""
    view: Wish = Wish()
    window: tuple[float, float, float, float] | None = None
    regions: dict[str, Any] | None = None


def session_json(session: Session, folder: Path) -> dict[str, Any]:
    """A session as its file in a folder holds it."""
    about = {
        "format": FORMAT,
        "saved": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "written_by": f"gr2st-napari {__version__}",
    }
    paths = {name: _told(path, folder) for name in _PATHS if (path := getattr(session, name)) is not None}
    # What is not there is not told: an earlier version then reads all sessions that it can show.
    return {**about, **session.model_dump(mode="json", exclude_none=True), **paths}


def read_session(path: Path) -> Session:
    """A session from its file, its paths absolute; whether the files are there is not looked at.

    Raises
    ------
    DataError
        The file cannot be read or is no session.
    RecipeMismatch
        A later version wrote it.
    """
    content = _content(path)
    version = content.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise RecipeMismatch(
            f"{path.name} has format {version}; this version reads sessions up to {FORMAT}. Update GR2ST-napari."
        )
    fields = {name: value for name, value in content.items() if name not in _ABOUT}
    folder = path.absolute().parent
    found = {name: str(folder / fields[name]) for name in _PATHS if isinstance(fields.get(name), str)}
    try:
        return Session.model_validate(fields | found)
    except ValidationError as error:
        raise DataError(f"{path.name} is no session that can be opened: {first_fault(error)}.") from error


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise DataError(f"{path.name} is no session: it is not readable as JSON ({error}).") from error
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise DataError(f"{path.name} is no session: it names no format. Save one with Open > Save session.")
    return content


def _told(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
