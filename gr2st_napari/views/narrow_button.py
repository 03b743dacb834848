"""A button that names things: long names must not make the dock wider than its window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QPushButton, QSizePolicy, QStyle, QStyleOptionButton, QStylePainter, QWidget

if TYPE_CHECKING:
    from qtpy.QtGui import QPaintEvent

LEAST_PX, FRAME_PX = 60, 16


class NarrowButton(QPushButton):
    """Its words are shortened in the middle where there is no room for them; the caller puts them into the tip."""

    def __init__(self, text: str, parent: QWidget | None = None, *, name: str = "") -> None:
        super().__init__(text, parent, objectName=name)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return QSize(LEAST_PX, super().minimumSizeHint().height())

    def paintEvent(self, _event: QPaintEvent | None) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        option.text = self.shown_text()
        painter = QStylePainter(self)
        painter.drawControl(QStyle.ControlElement.CE_PushButton, option)
        # Not left to the garbage collector: Qt crashes where a painter outlives the event it was made for.
        painter.end()

    def shown_text(self) -> str:
        """The words as they are drawn."""
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width() - FRAME_PX)
