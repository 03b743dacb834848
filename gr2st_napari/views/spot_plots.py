"""A plot that follows the colours of its window, and the curve of an error over a measure of trust."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import qtpy
from qtpy.QtCore import QEvent
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QSizePolicy, QWidget

os.environ.setdefault("PYQTGRAPH_QT_LIB", qtpy.API_NAME)
import pyqtgraph as pg

if TYPE_CHECKING:
    from gr2st_napari._calibration import Curve

AXIS = "#8a8d93"
LINE = "#5b8def"
TALLEST_PX = 220


class ThemedPlot(pg.PlotWidget):
    """No buttons, no menu; axes and words in the colour of words in its window."""

    _is_made = False
    """pyqtgraph changes its own style while it is being made."""

    def __init__(self, name: str, height_px: int, parent: QWidget | None = None, **options: object) -> None:
        super().__init__(parent, background=None, **options)
        self.setObjectName(name)
        # As high as its place allows, not as pyqtgraph would like it.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(height_px)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.getPlotItem().setContentsMargins(0, 6, 6, 4)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self._is_made = True
        self.recolour()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self._is_made and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self.recolour()

    @property
    def ink(self) -> QColor:
        """Colour of words in this window."""
        return self.palette().color(QPalette.ColorRole.WindowText)

    def recolour(self) -> None:
        """Take the colours of the window."""
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setTextPen(self.ink)
            axis.setPen(pg.mkPen(AXIS))
            axis.setLabel(axis.labelText, color=self.ink.name())
        # The ground is transparent, and kept as it was drawn last.
        self.resetCachedContent()

    def show_words(self, left: str, bottom: str) -> None:
        """What the axes are."""
        for side, words in (("left", left), ("bottom", bottom)):
            self.setLabel(side, words, color=self.ink.name())


class ErrorCurve(ThemedPlot):
    """Mean error in tenths of the spots, from the surest to the least sure."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("gr2st_calibration", 130, parent)
        self.setMouseEnabled(x=False, y=False)
        self.setMaximumHeight(TALLEST_PX)

    def show_curve(self, curve: Curve, words: str) -> None:
        """Draw anew; `words` stand under the axis."""
        self.clear()
        self.recolour()
        self.show_words("mean error, 1 = usual", words)
        brush = pg.mkBrush(LINE)
        self.plot(
            list(curve.measure),
            list(curve.error),
            pen=pg.mkPen(LINE, width=2),
            symbol="o",
            symbolSize=6,
            symbolBrush=brush,
            symbolPen=None,
        )
        self.setYRange(0, 1.1 * max(curve.error, default=1.0), padding=0)
