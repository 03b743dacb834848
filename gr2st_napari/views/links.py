"""Words with links that can be read in a light window as in a dark one."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QLabel


class LinkLabel(QLabel):
    """Rich text whose links have the colour of its other words, and are underlined.

    Qt gives links a blue of its own, which a style sheet does not reach: it suits one theme at best.
    """

    def __init__(self, text: str = "", **named: Any) -> None:
        self._written = ""
        super().__init__(**named)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        """Show words; their links take the colour that words have now."""
        self._written = text or ""
        ink = self.palette().color(QPalette.ColorRole.WindowText).name()
        super().setText(self._written.replace("<a ", f"<a style='color: {ink}' "))

    def changeEvent(self, event: QEvent | None) -> None:
        super().changeEvent(event)
        is_new_look = event is not None and event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange)
        if is_new_look and "<a " in self._written:
            self.setText(self._written)
