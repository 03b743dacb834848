"""Letters for the canvas, drawn before they are needed: titles, colour bars and the scale bar write with them."""

from __future__ import annotations

import string
from functools import partial
from typing import TYPE_CHECKING, Any

from gr2st_napari._turns import Turns

if TYPE_CHECKING:
    from napari import Viewer

LETTERS = string.digits + ".,-µm " + string.ascii_letters + "()+:/_=%"


def draw_letters(viewer: Viewer) -> Turns:
    """Have each letter drawn in a turn of its own.

    vispy draws a letter when it is first written, at a few milliseconds each: the first title of a window took 70 ms
    for its letters alone. Only what the viewer has not drawn itself is drawn.
    """
    turns = Turns()
    canvas = getattr(getattr(viewer.window, "_qt_viewer", None), "canvas", None)
    if canvas is not None:  # without effect where napari has changed
        letters = canvas.font_info()
        turns.add(*(partial(_draw, letters.font_manager.get_font(letters.face), letter) for letter in LETTERS))
    return turns


def _draw(font: Any, letter: str) -> None:
    font[letter]
