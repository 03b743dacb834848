"""The file of the regions of one slide, which other windows write too, and the trace that leads to it after a move."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gr2st import Settings, StorageError, data_dir, read_regions, write_json, write_regions
from gr2st_napari._region_merging import merged

if TYPE_CHECKING:
    from gr2st import Region
    from gr2st_napari._opening import Opened

ENDS_BYTES = 1 << 16
"""Read of each end of a picture to know it again: a slide as a whole may take minutes."""


class Trace(Settings):
    """Left for a picture: where its study or slide lies, and the name of the file of its regions."""

    place: Path
    regions: str


@dataclass(frozen=True)
class Home:
    """Where the regions of a slide are kept.

    Attributes
    ----------
    place : Path
        The study, or the picture of a slide without one.
    picture : Path or None
        The picture the slide is known by after a move.
    """

    path: Path
    name: str
    place: Path
    picture: Path | None


class RegionFile:
    """Regions in a file; what others have written into it meanwhile stays. For one thread at a time."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: tuple[Region, ...] = ()
        """As the window that shows them has last seen or left them."""

    @property
    def path(self) -> Path:
        return self._home.path

    def read(self) -> tuple[Region, ...]:
        """What is kept, perhaps from before the slide was moved here; nothing where there is no file."""
        if not self.path.is_file():
            self._take_over()
        if self.path.is_file():
            self._known = read_regions(self.path)
        return self._known

    def write(self, regions: tuple[Region, ...]) -> tuple[Region, ...]:
        """Keep these, together with what others have drawn meanwhile; the file then holds what is returned."""
        # That there is no file says nothing of what is to go: the folder may have been away.
        theirs = read_regions(self.path) if self.path.is_file() else self._known
        together = merged(self._known, regions, theirs)
        if together:
            write_regions(self.path, together)
            self._leave_trace()
        else:
            self.path.unlink(missing_ok=True)
        self._known = regions
        return together

    def agree(self, regions: tuple[Region, ...]) -> None:
        """The window shows what the file holds, that of others too."""
        self._known = regions

    def _take_over(self) -> None:
        """Make the file of a slide that lay elsewhere, and does no more, that of this place."""
        trace = self._trace()
        if trace is None or not trace.is_file():
            return
        try:
            found = Trace.model_validate_json(trace.read_bytes())
        except ValidationError:
            # Something else than ours: there is nothing to be found by it.
            return
        before = self.path.with_name(Path(found.regions).name)
        if before.is_file() and not found.place.exists():
            before.replace(self.path)
            self._leave_trace()

    def _leave_trace(self) -> None:
        trace = self._trace()
        if trace is not None:
            write_json(trace, Trace(place=self._home.place, regions=self.path.name).model_dump(mode="json"))

    def _trace(self) -> Path | None:
        """Where the trace of this picture is; None where there is no picture."""
        if self._home.picture is None or not self._home.picture.is_file():
            return None
        return self.path.parent / "traces" / f"{_digest(self._home.name, self._home.picture)}.json"


def home_of(opened: Opened | None) -> Home | None:
    """Where the regions of what is open are kept; None where it was handed over without files of its own.

    StorageError where there can be no file.
    """
    if opened is None or (opened.study is None and opened.slide is None):
        return None
    place = opened.study.path if opened.study is not None else opened.slide.path  # type: ignore[union-attr]
    digest = hashlib.sha256(f"{place.absolute()}\n{opened.name}".encode()).hexdigest()[:16]
    name = "".join(sign if sign.isalnum() or sign in "-." else "-" for sign in opened.name)
    picture = None if opened.tissue is None else opened.tissue.path
    return Home(data_dir("regions") / f"{name}-{digest}.geojson", opened.name, place.absolute(), picture)


def _digest(name: str, picture: Path) -> str:
    """By which a picture is known wherever it lies: its name as a slide, its length, its beginning and its end."""
    try:
        length = picture.stat().st_size
        with picture.open("rb") as file:
            begin = file.read(ENDS_BYTES)
            file.seek(max(0, length - ENDS_BYTES))
            end = file.read(ENDS_BYTES)
    except OSError as error:
        raise StorageError(f"{picture} cannot be read: {error.strerror or error}.") from error
    return hashlib.sha256(b"\0".join([name.encode(), str(length).encode(), begin, end])).hexdigest()[:16]
