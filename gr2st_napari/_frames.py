"""What the manifest's widget commands call: frames that are empty until what fills them is loaded."""

from __future__ import annotations

from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, cast

from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from gr2st_napari._loading import LOADING
from gr2st_napari._turns import BREATH_MS

if TYPE_CHECKING:
    import napari.viewer
    from napari import Viewer

TITLE = "GR2ST"
"""What napari's menu adds to the name of a dock: the name of the plugin for readers."""
WIDTH_PX = 300
"""Of an empty frame, and of a dock at first."""
SIDES = (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea)
"""Where docks stand below each other; above and below the slide they stand beside each other."""
COMFORT_PX = 400
"""Height below which a dock is of little use, though it could be as low: a list of genes shows but a few."""
WORDS = "Getting ready…"


class DockFrame(QWidget):
    """Holds one dock, which is made in turns of the event loop: between them the window draws and listens."""

    module: ClassVar[str]
    name: ClassVar[str]
    """Where the dock is found: a class of one of our modules."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._viewer = napari_viewer
        self._dock: QWidget | None = None
        self._words = QLabel(WORDS, alignment=Qt.AlignmentFlag.AlignCenter)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._words)
        self._steps = deque((self._join_viewer, self._make, self._dress, self._show))
        self._timer = QTimer(self, interval=BREATH_MS, singleShot=True)
        self._timer.timeout.connect(self._go_on)
        LOADING.finished.connect(self._timer.start)
        LOADING.begin()
        if LOADING.is_done:
            self._timer.start()

    def sizeHint(self) -> QSize:
        """As wide as it will be, so that the slide beside it is laid out once."""
        return QSize(WIDTH_PX, super().sizeHint().height())

    def filled(self) -> QWidget:
        """The dock, made at once where it is not there yet."""
        LOADING.wait()
        if self.parentWidget() is not None:
            self.parentWidget().show()  # napari does in the next turn; where it stands depends on what can be seen
        while self._steps:
            self._steps.popleft()()
        assert self._dock is not None, "the steps make it"
        return self._dock

    def _go_on(self) -> None:
        if self._steps:
            self._steps.popleft()()
            self._timer.start()

    def _join_viewer(self) -> None:
        """The first dock of a viewer makes its controller."""
        from gr2st_napari._controller import controller_of

        controller_of(self._viewer)

    def _make(self) -> None:
        made = getattr(import_module(f"gr2st_napari.{self.module}"), self.name)
        self._dock = made(self._viewer)

    def _dress(self) -> None:
        """In the colours and letters of the window."""
        assert self._dock is not None, "it was made in the step before"
        self._dock.setParent(self)

    def _show(self) -> None:
        assert self._dock is not None, "it was made before"
        holder = self.parentWidget()
        if isinstance(holder, QDockWidget):
            # Before the dock takes its room: the window grows at once for what does not fit, and stays so.
            stand_behind_if_crowded(holder, max(self._dock.minimumSizeHint().height(), self._dock.minimumHeight()))
        self._words.hide()
        self._layout.addWidget(self._dock)
        self._dock.show()


class GenesFrame(DockFrame):
    module, name = "_docks", "GenesDock"


class SpotFrame(DockFrame):
    module, name = "_spot_dock", "SpotDock"


class RegionsFrame(DockFrame):
    module, name = "_regions_dock", "RegionsDock"


class SlideFrame(DockFrame):
    module, name = "_slide_dock", "SlideDock"


class StudyFrame(DockFrame):
    module, name = "_study_dock", "StudyDock"


class TrainFrame(DockFrame):
    module, name = "_train_dock", "TrainDock"


class EvaluateFrame(DockFrame):
    module, name = "_evaluate_dock", "EvaluateDock"


FRAMES: dict[str, type[DockFrame]] = {
    "Genes": GenesFrame,
    "Spot": SpotFrame,
    "Regions": RegionsFrame,
    "Slide": SlideFrame,
    "Study": StudyFrame,
    "Train": TrainFrame,
    "Evaluate": EvaluateFrame,
}
"""By their names in napari's menu."""


def open_frame(viewer: Viewer, name: str) -> QDockWidget:
    """What holds the dock of a name, behind the others: the one that is open, else one as napari's menu opens it.

    napari calls a dock otherwise where a script asks for it than where its menu does, and would open a second one.
    """
    window = getattr(viewer, "__wrapped__", viewer).window
    for inside in window.dock_widgets.values():
        if isinstance(inside, FRAMES[name]):
            return cast("QDockWidget", inside.parentWidget())
    return cast("QDockWidget", window.add_dock_widget(FRAMES[name](viewer), name=f"{name} ({TITLE})", tabify=True))


def show_genes(viewer: Viewer) -> None:
    """Bring the Genes dock to the front, opened where it is not yet."""
    holder = open_frame(viewer, "Genes")
    holder.show()
    holder.raise_()


def stand_behind_if_crowded(holder: QDockWidget, height_px: int) -> None:
    """Put a dock behind another of ours where it would not fit below them all, which is where napari puts it."""
    main = holder.window()
    if not isinstance(main, QMainWindow) or holder.isFloating() or main.tabifiedDockWidgets(holder):
        return
    if main.dockWidgetArea(holder) not in SIDES:
        return
    beside = _beside(main, holder)
    ours = [dock for dock in beside if isinstance(dock.widget(), DockFrame)]
    needed = sum(max(height, COMFORT_PX) for height in (*(_height(main, dock) for dock in beside), height_px))
    if ours and needed > main.centralWidget().height():
        # The highest: what stands behind it needs no more room.
        main.tabifyDockWidget(max(ours, key=lambda dock: _height(main, dock)), holder)
        names_at_the_side(main)
        holder.raise_()


def names_at_the_side(main: QMainWindow) -> None:
    """Names of docks one behind the other, where they can be read."""
    for area, side in zip(SIDES, (QTabWidget.TabPosition.West, QTabWidget.TabPosition.East), strict=True):
        main.setTabPosition(area, side)


def _height(main: QMainWindow, dock: QDockWidget) -> int:
    """How high a dock must be at least, with those that stand behind it."""
    return max(one.widget().minimumSizeHint().height() for one in (dock, *main.tabifiedDockWidgets(dock)))


def _beside(main: QMainWindow, holder: QDockWidget) -> list[QDockWidget]:
    """The docks that stand above or below this one; one of those that stand behind each other."""
    area, found = main.dockWidgetArea(holder), list[QDockWidget]()
    for dock in main.findChildren(QDockWidget):
        is_there = main.dockWidgetArea(dock) == area and not dock.isFloating() and not dock.isHidden()
        if is_there and dock is not holder and not set(main.tabifiedDockWidgets(dock)) & set(found):
            found.append(dock)
    return found
