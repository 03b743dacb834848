"""What napari's command palette and menus can ask for; each acts on the viewer in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.viewer import Viewer  # noqa: TC002 - napari reads the annotation to hand its viewer over
from qtpy.QtWidgets import QMainWindow

from gr2st_napari._frames import FRAMES, names_at_the_side, open_frame
from gr2st_napari._loading import ask_controller

if TYPE_CHECKING:
    from gr2st_napari._state import Mode

FRONT = "Genes"
"""The dock in front when all are opened."""


def open_all_docks(viewer: Viewer) -> None:
    """Open every dock, one behind the other, with the genes in front and the names where they can be read."""
    docks = {name: open_frame(viewer, name) for name in FRAMES}
    main = docks[FRONT].window()
    if isinstance(main, QMainWindow):
        names_at_the_side(main)
    docks[FRONT].show()
    docks[FRONT].raise_()


def show_measured(viewer: Viewer) -> None:
    """The measured map."""
    _look(viewer, "measured")


def show_predicted(viewer: Viewer) -> None:
    """The predicted map."""
    _look(viewer, "predicted")


def show_side_by_side(viewer: Viewer) -> None:
    """Both maps, side by side."""
    _look(viewer, "side by side")


def show_difference(viewer: Viewer) -> None:
    """Predicted minus measured."""
    _look(viewer, "difference")


def show_swipe(viewer: Viewer) -> None:
    """Measured left of a line, predicted right of it."""
    _look(viewer, "swipe")


def show_flicker(viewer: Viewer) -> None:
    """Measured and predicted by turns."""
    _look(viewer, "flicker")


def next_gene(viewer: Viewer) -> None:
    """The next gene of the list in the Genes dock."""
    ask_controller(viewer, lambda controller: controller.stepped.emit(1))


def previous_gene(viewer: Viewer) -> None:
    """The gene before in the list of the Genes dock."""
    ask_controller(viewer, lambda controller: controller.stepped.emit(-1))


def _look(viewer: Viewer, mode: Mode) -> None:
    ask_controller(viewer, lambda controller: controller.wish(mode=mode))
