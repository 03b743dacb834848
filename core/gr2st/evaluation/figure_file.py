"""A figure of a section as a file, with the settings that made it beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st import __version__
from gr2st.errors import DataError
from gr2st.evaluation.figure import DPI, draw_maps, pixels_wanted
from gr2st.io.sidecar import write_sidecar
from gr2st.io.slide_window import read_window
from gr2st.io.store import atomic_path
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.evaluation.figure import MapFigure
    from gr2st.types import Slide, Steps

SUFFIXES = (".png", ".svg")


def write_figure(path: Path | str, shown: MapFigure, slide: Slide | None, settings: Mapping[str, Any]) -> Steps[Path]:
    """Draw maps over their slide and write them, and `settings` beside the file.

    Parameters
    ----------
    path : Path
        ``.png``: 300 dots per inch. ``.svg``: text as text, spots as vectors, the slide as an embedded picture of
        300 dots per inch.
    shown : MapFigure
        Without its picture: that is read here, from the level of the slide that has enough pixels.
    slide : Slide or None

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    DataError
        The ending is neither of the two, or the slide cannot be read.
    StorageError
        The file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"A figure is a {' or '.join(SUFFIXES)} file, not {path.name}: give it one of these endings.")
    yield Progress("Reading the slide")
    picture = None if slide is None else read_window(slide, shown.window, pixels_wanted())
    yield Progress("Drawing the figure")
    with atomic_path(path) as part:
        _save(part, replace(shown, picture=picture))
    write_sidecar(path, "figure", {**settings, "window_px": list(shown.window), "dpi": DPI})
    return path


def _save(path: Path, shown: MapFigure) -> None:
    from matplotlib import rc_context

    kind = path.suffix.lower()[1:]
    words = {"Title": shown.heading or shown.maps[0].title}
    software = f"gr2st {__version__}"
    told = {**words, "Creator": software, "Date": None} if kind == "svg" else {**words, "Software": software}
    # matplotlib has no other way to leave text in a vector file as text.
    with rc_context({"svg.fonttype": "none"}):
        draw_maps(shown).savefig(path, format=kind, dpi=DPI, metadata=told)
