"""Keeps the regions of each slide in a file of the user's as they are drawn, and brings them back with the slide."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from gr2st import Gr2stError, data_dir, geojson_of_regions, read_regions, write_regions
from gr2st_napari._background import Background

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from gr2st import Region
    from gr2st_napari._opening import Opened

SETTLED_MS = 500
"""How long regions rest before they are written: a corner is moved in many steps."""


class RegionMemory(QObject):
    """One file for each slide, written beside the window."""

    recalled = Signal(object)
    """The regions that were kept of the slide that was turned to."""

    failed = Signal(object)
    """The error, where a file cannot be read or written."""

    def __init__(self) -> None:
        super().__init__()
        self._home: Path | None = None
        self._is_recalling = False
        self._pending: tuple[Path, tuple[Region, ...]] | None = None
        self._unwritten: tuple[Path, tuple[Region, ...]] | None = None
        self._is_sure = True
        self._reading, self._writing = Background(), Background()
        self._settling = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settling.timeout.connect(self._write)

    def turn_to(self, home: Path | None) -> None:
        """Another slide: what is kept from here on is in its file."""
        self._flush()
        self.forget()
        self._home = home

    def recall(self) -> None:
        """Tell by `recalled` what its file holds, perhaps at once; until then nothing is kept."""
        home = self._home
        if home is not None and home.is_file():
            self._is_recalling = True
            self._reading.run(lambda: read_regions(home), self._on_read)

    def keep(self, regions: tuple[Region, ...]) -> None:
        """Keep these in the place of those before; none leave no file."""
        if self._home is not None and not self._is_recalling:
            self._pending, self._is_sure = (self._home, regions), True
            self._settling.start()

    def lose(self) -> None:
        """Their layer was thrown away: so are they, unless slide or window go as well, which takes all layers too."""
        self._flush()
        self.keep(())
        self._is_sure = False

    def forget(self) -> None:
        """Bring nothing back of the slide that is open."""
        self._reading.forget()
        self._is_recalling = False

    def set_aside(self, regions: tuple[Region, ...], others: tuple[Region, ...]) -> None:
        """`others` are to take the place of `regions`, or of those still to be recalled, which lie beside them then."""
        home, is_recalling = self._home, self._is_recalling
        self.forget()
        if home is not None and is_recalling:
            regions = read_regions(home)
        if home is not None and regions and geojson_of_regions(regions) != geojson_of_regions(others):
            write_regions(home.with_suffix(".before.geojson"), regions)

    def close(self) -> None:
        """Write what is not written yet, and nothing more."""
        self._flush()
        self._reading.close()
        self._writing.close()
        if self._unwritten is not None:
            # The window is gone: there is nowhere to say that the disk is full.
            with suppress(Gr2stError, OSError):
                _put(*self._unwritten)

    def _on_read(self, future: Future[tuple[Region, ...]]) -> None:
        error, self._is_recalling = future.exception(), False
        if error is None:
            self.recalled.emit(future.result())
        else:
            # What cannot be read is not written over.
            self._home = None
            self.failed.emit(error)

    def _flush(self) -> None:
        if not self._is_sure:
            self._pending = None
        self._settling.stop()
        self._write()

    def _write(self) -> None:
        asked, self._pending = self._pending, None
        if asked is not None:
            self._unwritten = asked
            self._writing.run(lambda: _put(*asked), self._on_written)

    def _on_written(self, future: Future[None]) -> None:
        error = future.exception()
        if error is None:
            self._unwritten = None
        else:
            self.failed.emit(error)


def home_of(opened: Opened | None) -> Path | None:
    """The file for the regions of what is open; None where it was handed over without files of its own.

    StorageError where there can be none.
    """
    if opened is None or (opened.study is None and opened.slide is None):
        return None
    place = opened.study.path if opened.study is not None else opened.slide.path  # type: ignore[union-attr]
    digest = hashlib.sha256(f"{place.absolute()}\n{opened.name}".encode()).hexdigest()[:16]
    name = "".join(sign if sign.isalnum() or sign in "-." else "-" for sign in opened.name)
    return data_dir("regions") / f"{name}-{digest}.geojson"


def _put(home: Path, regions: tuple[Region, ...]) -> None:
    if regions:
        write_regions(home, regions)
    else:
        home.unlink(missing_ok=True)
