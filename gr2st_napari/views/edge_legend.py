"""Legend of the edges of the clicked spot: a switch per kind, its colours, and the numbers they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPixmap
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QSizePolicy, QWidget

from gr2st_napari._neighbours import EDGE_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRIP_PX = (44, 8)


@dataclass(frozen=True, slots=True)
class EdgeLine:
    """One kind of edges: how many, colours weak to strong, and what these stand for."""

    words: str
    colours: Sequence[str]
    numbers: str


class EdgeLegend(QWidget):
    """A switch and a strip of colours for each kind."""

    switched = Signal(str, bool)
    """Kind, and whether its edges are to be seen."""

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.switches = {kind: QCheckBox(kind, objectName=f"gr2st_edges_{kind}") for kind in EDGE_KINDS}
        self._words = {kind: QLabel(wordWrap=True) for kind in EDGE_KINDS}
        self._strips = {kind: QLabel(objectName=f"gr2st_strip_{kind}") for kind in EDGE_KINDS}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        for row, kind in enumerate(EDGE_KINDS):
            switch = self.switches[kind]
            switch.setToolTip(tip)
            switch.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            switch.toggled.connect(lambda on, kind=kind: self.switched.emit(kind, on))
            grid.addWidget(switch, 2 * row, 0, 1, 2)
            grid.addWidget(self._strips[kind], 2 * row + 1, 0)
            grid.addWidget(self._words[kind], 2 * row + 1, 1)

    def show_lines(self, lines: Mapping[str, EdgeLine], shown: Sequence[str]) -> None:
        """Show the kinds there are; others are not to be seen."""
        for kind, switch in self.switches.items():
            line = lines.get(kind)
            for part in (switch, self._words[kind], self._strips[kind]):
                part.setVisible(line is not None)
            if line is None:
                continue
            with QSignalBlocker(switch):
                switch.setChecked(kind in shown)
            switch.setText(line.words)
            self._strips[kind].setPixmap(strip(line.colours))
            self._words[kind].setText(line.numbers)


def strip(colours: Sequence[str]) -> QPixmap:
    """Colours from left to right."""
    pixels = QPixmap(*STRIP_PX)
    gradient = QLinearGradient(0, 0, pixels.width(), 0)
    for at, colour in enumerate(colours):
        gradient.setColorAt(at / max(1, len(colours) - 1), QColor(colour))
    painter = QPainter(pixels)
    painter.fillRect(pixels.rect(), gradient)
    painter.end()
    return pixels
