"""A large slide without levels is seen as a preview, until the worker has made it a pyramid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gr2st import display_pyramid
from gr2st_napari._opening import pyramid_picture

if TYPE_CHECKING:
    from gr2st_napari._errands import Errands
    from gr2st_napari._opening import Picture
    from gr2st_napari._state import State
    from gr2st_napari._worker import WorkerProcess


class Pyramids:
    """Has the picture in view made zoomable where it is a preview."""

    def __init__(self, state: State, worker: WorkerProcess, errands: Errands) -> None:
        self._state, self._worker, self._errands = state, worker, errands

    def make(self, picture: Picture | None) -> None:
        """Ask for a pyramid; it takes the place of the preview, if that is still in view."""
        if picture is not None and picture.is_preview:
            request = self._worker.build_pyramid(picture.path)
            self._errands.send(request, "Preparing the slide for zooming", lambda _files: self._swap(picture))

    def _swap(self, preview: Picture) -> None:
        opened, pyramid = self._state.opened, display_pyramid(preview.path)
        if opened is not None and opened.picture is preview and pyramid is not None:
            self._state.opened = replace(opened, picture=pyramid_picture(pyramid, preview.path))
