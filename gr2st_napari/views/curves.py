"""Curves of trainings: the parts of the loss above, how well a watched section is predicted below."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import qtpy
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

# pyqtgraph looks for a binding of its own unless it is told.
os.environ.setdefault("PYQTGRAPH_QT_LIB", qtpy.API_NAME)
import pyqtgraph as pg

from gr2st_napari._series import PLAIN, Curves
from gr2st_napari.views.plan_choices import small_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._series import Series

COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#b8a900")
"""Told apart by people who see red and green alike, on dark and on light."""
DARK, LIGHT = ("#262930", "#d0d2d6"), ("#ffffff", "#3b3a39")
"""Ground and writing until a theme is told."""


class CurvesView(QWidget):
    """Two plots over the same epochs, their legends beside them, not over them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ground, self._ink = DARK
        self._shown = Curves()
        self._lines: dict[tuple[str, str, int], Any] = {}
        self.losses = _plot("gr2st_losses")
        self.scores = _plot("gr2st_scores")
        self.scores.setXLink(self.losses)
        self.loss_title = _title("Loss")
        self.score_title = _title("Correlation on slides held out")
        self.legend = _title("")
        self.stages = small_text("gr2st_stages")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.loss_title)
        layout.addWidget(self.losses, 3)
        layout.addWidget(self.legend)
        layout.addWidget(self.stages)
        layout.addWidget(self.score_title)
        layout.addWidget(self.scores, 2)
        self.show_colours(*DARK)
        self.show_curves(Curves())

    def show_colours(self, ground: str, ink: str) -> None:
        """Draw on this ground, with axes and plain lines in this ink."""
        self._ground, self._ink = ground, ink
        for plot in (self.losses, self.scores):
            plot.setBackground(ground)
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(pg.mkPen(ink, width=1))
                plot.getAxis(side).setTextPen(pg.mkPen(ink))
        shown, self._shown = self._shown, Curves()
        self._forget_lines()
        self.show_curves(shown)

    def show_curves(self, curves: Curves, titles: tuple[str, str] | None = None) -> None:
        """Draw these curves in place of those shown."""
        if titles is not None:
            self.loss_title.setText(titles[0])
            self.score_title.setText(titles[1])
        if [line.label for line in curves.losses] != [line.label for line in self._shown.losses] or (
            curves.stages != self._shown.stages
        ):
            self._forget_lines()
            self._draw_stages(curves.stages)
        self._draw(self.losses, curves.losses)
        self._draw(self.scores, curves.scores)
        self._shown = curves
        self.legend.setText(self._legend(curves.losses or curves.scores))
        for part in (self.scores, self.score_title):
            part.setVisible(bool(curves.scores))

    def _draw(self, plot: Any, lines: Sequence[Series]) -> None:
        kept = set()
        for line in lines:
            key = (plot.objectName(), line.label, line.colour)
            kept.add(key)
            if key not in self._lines:
                self._lines[key] = plot.plot(pen=self._pen(line), connect="finite", symbolSize=4, symbolPen=None)
            has_points = plot is self.scores or len(line.x) == 1
            self._lines[key].setData(
                np.array(line.x),
                np.array(line.y),
                symbol="o" if has_points else None,
                symbolBrush=self._colour(line),
            )
        for key in [key for key in self._lines if key[0] == plot.objectName() and key not in kept]:
            plot.removeItem(self._lines.pop(key))

    def _draw_stages(self, stages: Sequence[tuple[float, str]]) -> None:
        for number, (x, _name) in enumerate(stages, start=1):
            label = {"position": 0.94, "color": self._ink, "movable": False, "anchors": [(0, 0.5), (0, 0.5)]}
            pen = pg.mkPen(self._ink, width=1, style=Qt.PenStyle.DotLine)
            self.losses.addItem(pg.InfiniteLine(x, pen=pen, label=str(number), labelOpts=label))
        self.stages.setText(" · ".join(f"{number} {name}" for number, (_, name) in enumerate(stages, start=1)))
        self.stages.setVisible(bool(stages))

    def _forget_lines(self) -> None:
        self._lines.clear()
        self.losses.clear()
        self.scores.clear()

    def _legend(self, lines: Sequence[Series]) -> str:
        # Non-breaking, so that a line is not torn from its name.
        shown = (
            f"<span style='color:{self._colour(line)}'>{'╌' if line.is_dashed else '━'}</span>&nbsp;"
            f"{line.label.replace(' ', '&nbsp;')}{'' if line.last is None else f'&nbsp;{line.last:.3g}'}"
            for line in lines
            if line.label
        )
        return "&nbsp; ".join(shown)

    def _pen(self, line: Series) -> Any:
        style = Qt.PenStyle.DashLine if line.is_dashed else Qt.PenStyle.SolidLine
        return pg.mkPen(self._colour(line), width=1 if line.is_dashed else 1.6, style=style)

    def _colour(self, line: Series) -> str:
        return self._ink if line.colour == PLAIN else COLOURS[line.colour % len(COLOURS)]


def _plot(name: str) -> Any:
    plot = pg.PlotWidget(enableMenu=False)
    plot.setObjectName(name)
    plot.setMinimumHeight(100)
    # It would ask for 640 x 480 pixels, and leave the slide none.
    plot.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
    # Room for the upper half of the highest number.
    plot.getPlotItem().setContentsMargins(0, 7, 6, 0)
    plot.hideButtons()
    # The wheel scrolls the dock; what is drawn always fits.
    plot.setMouseEnabled(x=False, y=False)
    plot.getAxis("left").setWidth(42)
    plot.getAxis("bottom").setHeight(22)
    return plot


def _title(text: str) -> QLabel:
    label = QLabel(text, wordWrap=True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label
