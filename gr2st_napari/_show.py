"""`show`: a section and its prediction in a napari window, or a picture of that window. What `gr2st view` calls."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, slots=True)
class First:
    """What is to be shown first: a gene (None: the best), or classes in its place; and how it is looked at.

    Without a mode: measured and predicted side by side where there are both, else what there is.
    """

    gene: str | None
    classes: str | None
    mode: Mode | None

    def changes(self, expression: Expression, wish: Wish) -> dict[str, Any]:
        """Fields of `Wish` that say so; UnknownName where there is no such gene, or no such classes."""
        from gr2st import UnknownName
        from gr2st_napari._classes import named

        if self.gene is not None and self.gene not in expression.genes:
            raise UnknownName.of("gene", self.gene, expression.genes)
        changes: dict[str, Any] = {"mode": self.mode or wish.mode, "gene": self.gene or wish.gene}
        return changes if self.classes is None else {**changes, "colour_by": named(expression, self.classes)}


def show(  # noqa: PLR0913
    section: Section | None,
    prediction: Prediction | None = None,
    *,
    gene: str | None = None,
    classes: str | None = None,
    mode: Mode | None = None,
    screenshot: Path | None = None,
    size: tuple[int, int] = (1600, 1000),
    model: Path | None = None,
    study: Study | None = None,
    file: Path | None = None,
    figure: Path | None = None,
) -> None:
    """Open a window with the Genes dock; with `screenshot`, save a picture of it and close again.

    With `figure` the maps it would show are drawn; no window is opened then, unless a picture of it is wanted too.

    Parameters
    ----------
    section, prediction
        What to show; at least one of them, or a file.
    gene : str, optional
        By default the best predicted one, else the one with the highest mean.
    classes : str, optional
        What spots are coloured by in the place of a gene: "label", "clusters", ... or its words in the dock.
    mode : str, optional
        One of `Mode`: "measured", "side by side", "swipe", ...; what cannot be shown falls back to what can, and is
        told. By default side by side where there are two maps, else the one there is.
    screenshot : Path, optional
        Where to save the window as .png. Without a screen a virtual one is started.
    size : (width, height)
        Of the window, in pixels.
    model : Path, optional
        A model folder: the section of `study` is predicted in the worker as soon as the window stands.
    study : Study, optional
        The study of the section: its other sections can then be chosen in the dock.
    file : Path, optional
        A session, of which all that it says is shown, whatever `mode`, `gene` and `classes` say; or a prediction by
        itself, one on a grid with the slide it was laid on.
    figure : Path, optional
        Where to draw the maps of the whole section, as .png or .svg, its settings beside it. Needs no screen.

    Raises
    ------
    DataError
        There is no screen and no virtual one.
    UnknownName
        Neither section nor prediction has the gene, or its spots are in no such classes.
    """
    from gr2st_napari._opening import open_path, opened_of

    opened = opened_of(section, prediction, study) if file is None else open_path(file)
    first = First(gene, classes, mode)
    if figure is not None:
        draw_figure(opened, figure, first)
        if screenshot is None:
            return
    ensure_display()
    with _window(size, stays=screenshot is None) as viewer:
        controller = _fill(viewer, opened if screenshot is None else _still(opened), first)
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


def draw_figure(opened: Opened, path: Path, first: First) -> None:
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
    wish, window = _wish_of(opened, expression, first)
    is_of_classes = wish.colour_by in offers(expression)
    display = resolve(wish, expression, classes_of(source_of(expression, wish)) if is_of_classes else None)
    shown = figure_of(display, expression, opened, window)
    finish(write_figure(path, shown, opened.tissue, settings_of(display, wish, opened)))


def _wish_of(opened: Opened, expression: Expression, first: First) -> tuple[Wish, Window | None]:
    """What is drawn, and of which part: as the session says, else of all spots."""
    from gr2st_napari._resolve import first_wish
    from gr2st_napari._state import Wish

    if opened.restores is not None:
        return opened.restores.session.view, opened.restores.session.window
    wish = first_wish(Wish(), None, expression)
    return replace(wish, **first.changes(expression, wish)), None


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
    while not (_is_ready(controller) and all(layer.loaded for layer in viewer.layers)) and time.monotonic() < end:
        QApplication.processEvents()
    _settle()


def _still(opened: Opened) -> Opened:
    """As it is: nobody zooms into a picture of the window, so no pyramid is made for it."""
    if opened.picture is None:
        return opened
    return replace(opened, picture=replace(opened.picture, is_preview=False))


def _fill(viewer: Viewer, opened: Opened, first: First) -> Controller:
    from gr2st_napari._controller import controller_of
    from gr2st_napari._frames import DockFrame, open_frame

    frame = open_frame(viewer, "Genes").widget()
    assert isinstance(frame, DockFrame), "it is what fills the dock"
    frame.filled()
    # The canvas must have its final size before a view is fitted to it.
    _settle()
    controller = controller_of(viewer)
    controller.take(opened)
    while not _is_ready(controller):
        _settle()
    expression = controller.state.expression
    if opened.restores is None and expression is not None:
        controller.wish(**first.changes(expression, controller.state.wish))
    return controller


def _is_ready(controller: Controller) -> bool:
    """Whether all that was asked for is worked out and laid on the canvas."""
    return controller.is_settled and not controller.classes.is_busy


def _settle() -> None:
    """Handle the events that are waiting, and those they lead to."""
    from qtpy.QtWidgets import QApplication

    for _ in range(10):
        QApplication.processEvents()
