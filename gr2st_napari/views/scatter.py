"""Measured against predicted, a point per spot: drag round points to choose them, click one to pick it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import qtpy
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

os.environ.setdefault("PYQTGRAPH_QT_LIB", qtpy.API_NAME)
import pyqtgraph as pg

from gr2st_napari.views.card import let_narrow
from gr2st_napari.views.spot_plots import AXIS, ThemedPlot

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

POINT, LIT, PICKED = "#5b8def", "#ffe600", "#ff2d55"
POINT_ALPHA = 130
TALLEST_PX = 420
REACH_PX = 8
"""How near a click must come to a point."""
LEAST_PX = 4
"""A drag shorter than this chooses nothing."""
HINT = "Drag round points to light them up on the slide; click a point to pick its spot. The wheel zooms."
NOTHING, BY_SCATTER = "", "the scatter"


class LassoBox(pg.ViewBox):
    """Dragging with the left button draws a line round points; the wheel zooms, the middle button moves the view."""

    drawn = Signal(object)
    """Corners (n, 2) of what was gone round."""

    pointed = Signal(object)
    """A place (x, y) that was clicked."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._line = pg.PlotCurveItem(pen=pg.mkPen(LIT, width=1.5))
        self._line.setZValue(20)
        self._corners: list[tuple[float, float]] = []
        self.addItem(self._line, ignoreBounds=True)

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        at = self.mapSceneToView(event.scenePos())
        if event.isStart():
            start = self.mapSceneToView(event.buttonDownScenePos())
            self._corners = [(start.x(), start.y())]
        self._corners.append((at.x(), at.y()))
        corners = np.array(self._corners)
        self._line.setData(corners[:, 0], corners[:, 1])
        if event.isFinish():
            self._line.setData([], [])
            self.drawn.emit(corners)

    def mouseClickEvent(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            at = self.mapSceneToView(event.scenePos())
            self.pointed.emit((at.x(), at.y()))


class Dots(pg.ScatterPlotItem):
    """Points that leave the mouse to the plot, which knows the nearest one."""

    def mouseClickEvent(self, event: Any) -> None:
        event.ignore()


class ScatterPage(QWidget):
    """Title, plot, and what is lit up."""

    chosen = Signal(list)
    """Rows of the spots that were gone round."""
    picked = Signal(int)
    lighting_chosen = Signal(str)
    """Name of a region to light up, "" for nothing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QLabel(objectName="gr2st_scatter_title", wordWrap=True)
        let_narrow(self.title)
        self.box = LassoBox()
        self.plot = ThemedPlot("gr2st_scatter", 180, viewBox=self.box)
        self.plot.setMaximumHeight(TALLEST_PX)
        self.hint = QLabel(objectName="gr2st_scatter_hint", wordWrap=True)
        let_narrow(self.hint)
        self.lighting = QComboBox(objectName="gr2st_lighting")
        self.lighting.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.lighting.setToolTip("Spots lit up on the slide and here: those chosen in the plot, or a drawn region")
        self.clear = QPushButton("Clear", objectName="gr2st_clear_lit")
        self.clear.setToolTip("Light nothing up")
        self._rows = np.empty(0, np.int64)
        self._points = np.empty((0, 2))
        self._make_items()
        self._lay_out()
        self._connect()

    def _make_items(self) -> None:
        colour = QColor(POINT)
        colour.setAlpha(POINT_ALPHA)
        self._dots = Dots(size=6, pen=None, brush=pg.mkBrush(colour))
        self._lit = Dots(size=8, pen=pg.mkPen("#000000", width=1), brush=pg.mkBrush(LIT))
        self._picked = Dots(size=13, pen=pg.mkPen(PICKED, width=2.5), brush=None)
        self._identity = pg.InfiniteLine(angle=45, pen=pg.mkPen(AXIS, style=Qt.PenStyle.DashLine))
        self.plot.addItem(self._identity, ignoreBounds=True)
        for at, item in enumerate((self._dots, self._lit, self._picked)):
            item.setZValue(10 + at)
            self.plot.addItem(item, ignoreBounds=item is not self._dots)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(QLabel("Lit up"))
        row.addWidget(self.lighting, 1)
        row.addWidget(self.clear)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.plot, 1)
        layout.addLayout(row)
        layout.addWidget(self.hint)
        layout.addStretch(0)

    def _connect(self) -> None:
        self.box.drawn.connect(self._on_drawn)
        self.box.pointed.connect(self._on_pointed)
        self.clear.clicked.connect(lambda: self.lighting_chosen.emit(NOTHING))
        self.lighting.activated.connect(self._on_lighting)

    def show_points(
        self,
        measured: npt.NDArray[np.float32],
        predicted: npt.NDArray[np.float32],
        *,
        title: str,
        words: tuple[str, str],
        is_one_scale: bool,
    ) -> None:
        """Draw the spots that have both values; the dashed line is where both are equal, on one scale."""
        both = np.isfinite(measured) & np.isfinite(predicted)
        self._rows = np.flatnonzero(both)
        self._points = np.column_stack([measured[both], predicted[both]]).astype(np.float64)
        self._dots.setData(self._points[:, 0], self._points[:, 1])
        self._identity.setVisible(is_one_scale)
        self.title.setText(title)
        self.plot.show_words(words[1], words[0])
        self.box.autoRange(padding=0.05)
        self._show_any(bool(len(self._rows)), HINT)

    def show_nothing(self, reason: str) -> None:
        """There are no points; in words why."""
        self._rows, self._points = np.empty(0, np.int64), np.empty((0, 2))
        for item in (self._dots, self._lit, self._picked):
            item.setData([], [])
        self.title.setText("")
        self._show_any(False, reason)

    def show_lit(self, rows: Sequence[int], spot: int | None) -> None:
        """Light points up, and ring that of the clicked spot."""
        self._lit.setData(*self._places(rows).T)
        self._picked.setData(*self._places(() if spot is None else (spot,)).T)
        self.clear.setEnabled(bool(len(rows)))

    def show_lighting(self, names: Sequence[str], current: str, count: int) -> None:
        """What can be lit up, and what is."""
        entries = [("nothing", NOTHING), *((name, name) for name in names)]
        if current == BY_SCATTER:
            entries.append((f"{count:,} spots chosen here", BY_SCATTER))
        with QSignalBlocker(self.lighting):
            self.lighting.clear()
            for words, name in entries:
                self.lighting.addItem(words, name)
            self.lighting.setCurrentIndex(max(0, self.lighting.findData(current)))

    def _show_any(self, is_any: bool, hint: str) -> None:
        for part in (self.title, self.plot):
            part.setVisible(is_any)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))

    def _places(self, rows: Sequence[int]) -> npt.NDArray[np.float64]:
        """Points (k, 2) of those of some spots that have one."""
        if not len(rows):
            return np.empty((0, 2))
        return self._points[np.isin(self._rows, np.asarray(rows))]

    def _on_drawn(self, corners: npt.NDArray[np.float64]) -> None:
        spans = np.ptp(corners, axis=0) / np.asarray(self.box.viewPixelSize())
        if spans.max() >= LEAST_PX:
            self.chosen.emit([int(row) for row in self._rows[inside(self._points, corners)]])

    def _on_pointed(self, place: tuple[float, float]) -> None:
        if not len(self._rows):
            return
        away = np.hypot(*((self._points - place) / np.asarray(self.box.viewPixelSize())).T)
        nearest = int(away.argmin())
        if away[nearest] <= REACH_PX:
            self.picked.emit(int(self._rows[nearest]))

    def _on_lighting(self, at: int) -> None:
        name = self.lighting.itemData(at)
        if name != BY_SCATTER:
            self.lighting_chosen.emit(name)


def inside(points: npt.NDArray[np.float64], corners: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Which points (n, 2) lie in the polygon (k, 2), by the even-odd rule."""
    (x, y), is_in = points.T, np.zeros(len(points), bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        if crosses.any():
            is_in ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return is_in
