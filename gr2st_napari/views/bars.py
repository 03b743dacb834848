"""Shares as small bars with their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPalette
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

    from gr2st_napari._spot_words import Bar

COLOUR = "#5b8def"
LINE_PX = 18
LEFT_PX = 5
"""Where the theme begins the text of labels."""
NAME_SHARE, MOST_NAME_SHARE = 0.42, 0.55
GAP_PX = 6
NUMBER_PX = 44


class Bars(QWidget):
    """A line per share: name, bar, percent. As high as it needs, as narrow as it must."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName=name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.bars: tuple[Bar, ...] = ()

    def show_bars(self, bars: Sequence[Bar]) -> None:
        """Replace all bars; without any there is nothing to see."""
        self.bars = tuple(bars)
        self.setToolTip("\n".join(f"{bar.name}: {100 * bar.share:.1f} %. {bar.tip}".strip() for bar in self.bars))
        self.setVisible(bool(bars))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, LINE_PX * len(self.bars))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        name_px = self.name_px()
        for at, bar in enumerate(self.bars):
            self._paint(painter, bar, at * LINE_PX, name_px)
        painter.end()

    def name_px(self) -> int:
        """Where the bars begin: at the same place in all charts, unless a name needs more."""
        needed = max(self.fontMetrics().horizontalAdvance(bar.name) for bar in self.bars) + LEFT_PX + GAP_PX
        return int(min(max(NAME_SHARE * self.width(), needed), MOST_NAME_SHARE * self.width()))

    def _paint(self, painter: QPainter, bar: Bar, top: int, name_px: int) -> None:
        room = max(0, self.width() - name_px - NUMBER_PX)
        name = painter.fontMetrics().elidedText(bar.name, Qt.TextElideMode.ElideRight, name_px - LEFT_PX - GAP_PX)
        centre = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(LEFT_PX, top, name_px, LINE_PX), centre | Qt.AlignmentFlag.AlignLeft, name)
        painter.fillRect(QRectF(name_px, top + 4, room, LINE_PX - 8), QColor(128, 128, 128, 50))
        painter.fillRect(QRectF(name_px, top + 4, room * min(1.0, max(0.0, bar.share)), LINE_PX - 8), QColor(COLOUR))
        number = QRectF(self.width() - NUMBER_PX, top, NUMBER_PX, LINE_PX)
        painter.drawText(number, centre | Qt.AlignmentFlag.AlignRight, f"{100 * bar.share:.0f} %")
