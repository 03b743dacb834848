"""`show`: a section and its prediction in a napari window, or a picture of that window. What `gr2st view` calls."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from gr2st_napari._display import ensure_display

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari import Viewer

    from gr2st import Prediction, Section, Study
    from gr2st_napari._controller import Controller
    from gr2st_napari._export import Window
    from gr2st_napari._expression import Expression
    from gr2st_napari._opening import Opened
    from gr2st_napari._state import Mode, Wish

DRAWN_WITHIN_S = 60.0


def show(  # noqa: PLR0913
    section: Section | None,
    prediction: Prediction | None = None,
    *,
    gene: str | None = None,
    mode: Mode = "side by side",
    screenshot: Path | None = None,
    size: tuple[int, int] = (1600, 1000),
    model: Path | None = None,
    study: Study | None = None,
    session: Path | None = None,
    figure: Path | None = None,
) -> None:
    """Open a window with the Genes dock; with `screenshot`, save a picture of it and close again.

    With `figure` no window is opened: the maps it would show are drawn.

    Parameters
    ----------
    section, prediction
        What to show; at least one of them, or a session.
    gene : str, optional
        By default the best predicted one, else the one with the highest mean.
    mode : str
        One of `Mode`: "measured", "side by side", "swipe", ...; what cannot be shown falls back to what can.
    screenshot : Path, optional
        Where to save the window as .png. Without a screen a virtual one is started.
    size : (width, height)
        Of the window, in pixels.
    model : Path, optional
        A model folder: the section of `study` is predicted in the worker as soon as the window stands.
    study : Study, optional
        The study of the section: its other sections can then be chosen in the dock.
    session : Path, optional
        A session file: all that it says is shown, whatever `mode` and `gene` say.
    figure : Path, optional
        Where to draw the maps of the whole section, as .png or .svg, its settings beside it. Needs no screen.

    Raises
    ------
    DataError
        There is no screen and no virtual one.
    UnknownName
        Neither section nor prediction has the gene.
    """
    from gr2st_napari._opening import open_path, opened_of

    opened = opened_of(section, prediction, study) if session is None else open_path(session)
    if figure is not None:
        draw_figure(opened, figure, gene, mode)
        return
    ensure_display()
    with _window(size, stays=screenshot is None) as viewer:
        controller = _fill(viewer, opened if screenshot is None else _still(opened), gene, mode)
        if model is not None:
            controller.predict(model)
        if screenshot is not None:
            wait_until_drawn(viewer)
            save_picture(viewer, screenshot)


@contextmanager
def _window(size: tuple[int, int], *, stays: bool) -> Iterator[Viewer]:
    """A window to fill: it stays until the user closes it, or ends with the block; where that fails in any case."""
    import napari

    viewer = napari.Viewer(show=True, title="GR2ST")
    viewer.window.resize(*size)
    try:
        yield viewer
    except BaseException:
        viewer.close()
        raise
    if stays:
        napari.run()
    else:
        viewer.close()
        _settle()


def draw_figure(opened: Opened, path: Path, gene: str | None, mode: Mode) -> None:
    """Draw what the window would show of a section as a figure.

    Raises
    ------
    DataError
        What was opened is a slide without spots: there is no map of it.
    """
    from gr2st import DataError, finish, write_figure
    from gr2st_napari._classes import classes_of, offers, source_of
    from gr2st_napari._export import figure_of, settings_of
    from gr2st_napari._expression import Expression
    from gr2st_napari._resolve import resolve

    if opened.is_slide_alone:
        raise DataError(f"{opened.name} has no spots, so there is no map to draw: predict the slide first.")
    expression = Expression(opened.section, opened.prediction)
    wish, window = _wish_of(opened, expression, gene, mode)
    is_of_classes = wish.colour_by in offers(expression)
    display = resolve(wish, expression, classes_of(source_of(expression, wish)) if is_of_classes else None)
    shown = figure_of(display, expression, opened, window)
    finish(write_figure(path, shown, opened.tissue, settings_of(display, wish, opened)))


def _wish_of(opened: Opened, expression: Expression, gene: str | None, mode: Mode) -> tuple[Wish, Window | None]:
    """What is drawn, and of which part: as the session says, else of all spots."""
    from gr2st_napari._resolve import first_wish
    from gr2st_napari._state import Wish

    if opened.restores is not None:
        return opened.restores.session.view, opened.restores.session.window
    _check_gene(expression, gene)
    wish = first_wish(Wish(), None, expression)
    return replace(wish, mode=mode, gene=gene or wish.gene), None


def save_picture(viewer: Viewer, path: Path) -> None:
    """Save the window, canvas and docks, as .png; StorageError where it cannot be written."""
    from gr2st import atomic_path

    with atomic_path(path) as part:
        viewer.window.screenshot(str(part), canvas_only=False, flash=False)


def wait_until_drawn(viewer: Viewer) -> None:
    """Handle events until every layer has its pixels; gives up after a minute."""
    from qtpy.QtWidgets import QApplication

    from gr2st_napari._controller import controller_of

    end = time.monotonic() + DRAWN_WITHIN_S
    _settle()
    controller = controller_of(viewer)
    while not (controller.is_settled and all(layer.loaded for layer in viewer.layers)) and time.monotonic() < end:
        QApplication.processEvents()
    _settle()


def _still(opened: Opened) -> Opened:
    """As it is: nobody zooms into a picture of the window, so no pyramid is made for it."""
    if opened.picture is None:
        return opened
    return replace(opened, picture=replace(opened.picture, is_preview=False))


def _fill(viewer: Viewer, opened: Opened, gene: str | None, mode: Mode) -> Controller:
    from gr2st_napari._controller import controller_of

    viewer.window.add_plugin_dock_widget("gr2st-napari", "Genes")
    # The canvas must have its final size before a view is fitted to it.
    _settle()
    controller = controller_of(viewer)
    controller.take(opened)
    while not controller.is_settled or controller.classes.is_busy:
        _settle()
    if opened.restores is None:
        _check_gene(controller.state.expression, gene)
        controller.wish(mode=mode, gene=gene or controller.state.wish.gene)
    return controller


def _check_gene(expression: Expression | None, gene: str | None) -> None:
    from gr2st import UnknownName

    known = () if expression is None else expression.genes
    if gene is not None and gene not in known:
        raise UnknownName.of("gene", gene, known)


def _settle() -> None:
    """Handle the events that are waiting, and those they lead to."""
    from qtpy.QtWidgets import QApplication

    for _ in range(10):
        QApplication.processEvents()
