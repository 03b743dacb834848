"""Letters of the canvas: drawn before they are needed, and measured as they are drawn.

Titles, colour bars and the scale bar write with them.
"""

from __future__ import annotations

import string
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from gr2st_napari._turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

LETTERS = string.digits + ".,-µm " + string.ascii_letters + "()+:/_=%"


def draw_letters(viewer: Viewer) -> Turns:
    """Have each letter drawn in a turn of its own, and texts measured as they are drawn.

    vispy draws a letter when it is first written, at a few milliseconds each: the first title of a window took 70 ms
    for its letters alone. Only what the viewer has not drawn itself is drawn.
    """
    _measure_as_drawn()
    turns = Turns()
    canvas = getattr(getattr(viewer.window, "_qt_viewer", None), "canvas", None)
    if canvas is not None:  # without effect where napari has changed
        letters = canvas.font_info()
        turns.add(*(partial(_draw, letters.font_manager.get_font(letters.face), letter) for letter in LETTERS))
    return turns


def _draw(font: Any, letter: str) -> None:
    font[letter]


def _measure_as_drawn() -> None:
    """Give titles boxes that are as wide as they are.

    napari measures a text in a font of its size, which Qt rounds to whole pixels of the screen, and draws it with the
    letters of a large font made smaller: where it measured with 13 pixels it drew with 13.3.
    """
    with suppress(ImportError, AttributeError):  # without effect where napari has changed
        from napari._vispy.visuals import text as texts

        if not isinstance(texts.get_text_width_height, _MeasureAsDrawn):
            texts.get_text_width_height = _MeasureAsDrawn(texts.get_text_width_height)


class _MeasureAsDrawn:
    """Width and height of a text visual as another function finds them, the width corrected."""

    def __init__(self, measure: Callable[[Any], tuple[float, float]]) -> None:
        self._measure = measure

    def __call__(self, text: Any) -> tuple[float, float]:
        width, height = self._measure(text)
        try:
            metrics, size_pt = text._font._metrics, text._font._font["size"]
        except (AttributeError, KeyError):
            return width, height
        lines = text.text.splitlines() if isinstance(text.text, str) else text.text
        return max(map(metrics.horizontalAdvance, lines), default=0.0) * text.font_size / size_pt, height
