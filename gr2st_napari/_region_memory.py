"""Keeps the regions of each slide in a file of the user's as they are drawn, and brings them back with the slide."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from gr2st import Gr2stError, geojson_of_regions, write_regions
from gr2st_napari._background import Background
from gr2st_napari._region_file import RegionFile
from gr2st_napari._region_merging import are_same

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gr2st import Region
    from gr2st_napari._region_file import Home

SETTLED_MS = 500
"""How long regions rest before they are written: a corner is moved in many steps."""


class RegionMemory(QObject):
    """One file for each slide, written beside the window."""

    recalled = Signal(object)
    """The regions that were kept of the slide that was turned to; none where nothing was."""

    met = Signal(object, object)
    """Regions as they were kept, and as their file holds them together with those of another window."""

    failed = Signal(object)
    """The error, where a file cannot be read or written."""

    def __init__(self) -> None:
        super().__init__()
        self._files: dict[Home, RegionFile] = {}
        self._file: RegionFile | None = None
        self._is_recalling = False
        self._pending: tuple[RegionFile, tuple[Region, ...]] | None = None
        self._unwritten: tuple[RegionFile, tuple[Region, ...]] | None = None
        self._is_sure = True
        self._reading, self._writing = Background(), Background()
        self._settling = QTimer(self, singleShot=True, interval=SETTLED_MS)
        self._settling.timeout.connect(self._write)

    def turn_to(self, home: Home | None) -> None:
        """Another slide: what is kept from here on is in its file."""
        self._flush()
        self.forget()
        # A file knows what its window has seen of it.
        self._file = None if home is None else self._files.setdefault(home, RegionFile(home))

    def recall(self) -> None:
        """Tell by `recalled` what its file holds; until then nothing is kept."""
        if self._file is not None:
            self._is_recalling = True
            self._reading.run(self._file.read, self._on_read)

    def keep(self, regions: tuple[Region, ...]) -> None:
        """Keep these in the place of those before; none leave no file."""
        if self._file is not None and not self._is_recalling:
            self._pending, self._is_sure = (self._file, regions), True
            self._settling.start()

    def agree(self, regions: tuple[Region, ...]) -> None:
        """These, of which `met` told, are shown."""
        if self._file is not None:
            self._file.agree(regions)

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
        file, is_recalling = self._file, self._is_recalling
        self.forget()
        if file is not None and is_recalling:
            regions = file.read()
        if file is not None and regions and geojson_of_regions(regions) != geojson_of_regions(others):
            write_regions(file.path.with_suffix(".before.geojson"), regions)

    def close(self) -> None:
        """Write what is not written yet, and nothing more."""
        self._flush()
        self._reading.close()
        self._writing.close()
        if self._unwritten is not None:
            # The window is gone: there is nowhere to say that the disk is full.
            with suppress(Gr2stError, OSError):
                file, regions = self._unwritten
                file.write(regions)

    def _on_read(self, future: Future[tuple[Region, ...]]) -> None:
        error, self._is_recalling = future.exception(), False
        if error is None:
            self.recalled.emit(future.result())
        else:
            # What cannot be read is not written over.
            self._file = None
            self.failed.emit(error)

    def _flush(self) -> None:
        if not self._is_sure:
            self._pending = None
        self._settling.stop()
        self._write()

    def _write(self) -> None:
        asked, self._pending = self._pending, None
        if asked is not None:
            file, regions = self._unwritten = asked
            self._writing.run(lambda: file.write(regions), lambda future: self._on_written(future, file, regions))

    def _on_written(self, future: Future[Any], file: RegionFile, regions: tuple[Region, ...]) -> None:
        error = future.exception()
        if error is not None:
            self.failed.emit(error)
            return
        self._unwritten = None
        if file is self._file and not are_same(regions, future.result()):
            self.met.emit(regions, future.result())
