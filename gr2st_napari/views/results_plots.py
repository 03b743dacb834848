"""Plots of an evaluation: a dot per slide or per patient, and a box over genes, each with one line per model."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import qtpy
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

os.environ.setdefault("PYQTGRAPH_QT_LIB", qtpy.API_NAME)
import pyqtgraph as pg

from gr2st_napari.views.card import let_narrow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st_napari._results import Box, Dot, ModelScore

PATIENT_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#a6a000", "#8f6fd0")
"""Told apart by people who are colour-blind too (Okabe and Ito 2008, darkened where they are faint on white)."""
NO_PATIENT = "#8a8d93"
BOX_COLOUR = "#5b8def"
LINE_PX = 17
"""Least height of a model's line."""
SPREAD = 0.5
"""Share of a line over which its dots are spread."""


class ModelPlot(QWidget):
    """Scores to the right, one line per model from top to bottom; follows the colours of its window."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = pg.PlotWidget(background=None, enableMenu=False)
        self.plot.setObjectName(name)
        # As high as its lines need or its place allows, not as pyqtgraph would like it.
        self.plot.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.getAxis("left").setStyle(tickLength=0)
        self.plot.getAxis("bottom").enableAutoSIPrefix(False)
        self.plot.getViewBox().invertY(True)
        self.legend = QLabel(objectName=f"{name}_legend", wordWrap=True)
        let_narrow(self.legend)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self.plot, 1)
        self._recolour()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._recolour()

    @property
    def ink(self) -> QColor:
        """Colour of words in this window."""
        return self.legend.palette().color(QPalette.ColorRole.WindowText)

    def _recolour(self) -> None:
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setTextPen(self.ink)
            axis.setPen(pg.mkPen(NO_PATIENT))
            axis.setLabel(axis.labelText, color=self.ink.name())
        for line in self.plot.listDataItems():
            if isinstance(line, pg.PlotDataItem):
                line.setPen(pg.mkPen(self.ink, width=pg.mkPen(line.opts["pen"]).width()))
        # The ground is transparent, and kept as it was drawn last.
        self.plot.resetCachedContent()

    def _begin(self, labels: Sequence[str], words: str) -> dict[str, int]:
        """An empty plot with a line per label; returns the place of each."""
        self.plot.clear()
        self._recolour()
        self.plot.getAxis("left").setTicks([[(at, label) for at, label in enumerate(labels)]])
        self.plot.setLabel("bottom", words)
        self.plot.setYRange(-0.5, max(len(labels), 1) - 0.5, padding=0)
        self.plot.setMinimumHeight(48 + LINE_PX * max(2, len(labels)))
        zero = pg.InfiniteLine(pos=0, angle=90, pen=pg.mkPen(NO_PATIENT, style=Qt.PenStyle.DashLine))
        self.plot.addItem(zero, ignoreBounds=True)
        return {label: at for at, label in enumerate(labels)}


class DotPlot(ModelPlot):
    """Every held-out slide or patient as a dot in the colour of the patient, with the mean and its interval."""

    def show_dots(self, dots: Sequence[Dot], means: Sequence[ModelScore], words: str) -> None:
        """Draw anew; `words` stand under the axis."""
        places = self._begin([mean.label for mean in means], words)
        colours = patient_colours([dot.patient for dot in dots])
        heights = list(dict.fromkeys(_of(dot) for dot in dots))
        step = SPREAD / max(1, len(heights) - 1)
        points = [
            {
                "pos": (dot.value, places[dot.label] - SPREAD / 2 + step * heights.index(_of(dot))),
                "brush": pg.mkBrush(colours[dot.patient]),
                "data": dot,
            }
            for dot in dots
        ]
        self._show_means(means, places)
        self.plot.addItem(pg.ScatterPlotItem(points, size=9, pen=None, hoverable=True, hoverSize=12, tip=_tip))
        self.legend.setText(_legend(colours) if dots else "No patient is known: name them in the Study dock.")

    def _show_means(self, means: Sequence[ModelScore], places: Mapping[str, int]) -> None:
        pen = pg.mkPen(self.ink, width=2)
        for mean in means:
            at, score = places[mean.label], mean.score
            if score.mean is None:
                continue
            self.plot.plot([score.mean] * 2, [at - 0.4, at + 0.4], pen=pen)
            if score.low is not None and score.high is not None:
                self.plot.plot([score.low, score.high], [at, at], pen=pg.mkPen(self.ink, width=1))


class BoxPlot(ModelPlot):
    """How the genes of each model spread: median, quartiles, whiskers."""

    def show_boxes(self, boxes: Sequence[Box], labels: Sequence[str], words: str) -> None:
        """Draw anew; a label without a box keeps its empty line."""
        places = self._begin(labels, words)
        thin, thick = pg.mkPen(self.ink, width=1), pg.mkPen(self.ink, width=2)
        fill = QColor(BOX_COLOUR)
        fill.setAlpha(150)
        for box in boxes:
            at = places[box.label]
            for start, end in ((box.low, box.first), (box.third, box.high)):
                self.plot.plot([start, end], [at, at], pen=thin)
            width = box.third - box.first
            bar = pg.BarGraphItem(x0=[box.first], y0=[at - 0.3], width=[width], height=[0.6], pen=thin, brush=fill)
            bar.setToolTip(_box_tip(box))
            self.plot.addItem(bar)
            self.plot.plot([box.median] * 2, [at - 0.3, at + 0.3], pen=thick)
        counts = sorted({box.n_genes for box in boxes})
        genes = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}" if counts else "No"
        self.legend.setText(f"{genes} genes: median, middle half, and range without outliers")


def patient_colours(patients: Sequence[str]) -> dict[str, str]:
    """A colour per patient, in the order of their names; grey where none is known."""
    named = sorted({patient for patient in patients if patient})
    colours = {patient: PATIENT_COLOURS[at % len(PATIENT_COLOURS)] for at, patient in enumerate(named)}
    return {**colours, "": NO_PATIENT}


def _legend(colours: Mapping[str, str]) -> str:
    named = [f"<span style='color:{colour}'>●</span>&nbsp;{patient}" for patient, colour in colours.items() if patient]
    return f"Patient {' '.join(named)}" if named else ""


def _tip(x: float, y: float, data: Any) -> str:
    patient = f", patient {data.patient}" if data.patient else ""
    whose = f"slide {data.section}{patient}" if data.section else f"patient {data.patient}, {_slides(data.n_slides)}"
    return f"{data.label}: {whose}\nPCC {x:.3f}"


def _slides(count: int) -> str:
    return "1 slide" if count == 1 else f"mean of {count} slides"


def _of(dot: Dot) -> str:
    """What a dot stands for."""
    return dot.section or dot.patient


def _box_tip(box: Box) -> str:
    return f"{box.label}: median PCC {box.median:.3f}, middle half {box.first:.3f} to {box.third:.3f}"
