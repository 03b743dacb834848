"""Mouse and keys: what a person does with a window, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QScrollArea

if TYPE_CHECKING:
    from pathlib import Path

    from pytestqt.qtbot import QtBot
    from qtpy.QtWidgets import QAbstractButton, QAbstractItemView, QComboBox, QListWidget, QPushButton, QWidget

LEFT = Qt.MouseButton.LeftButton
MENU_MS = 50
PATIENCE_MS = 60_000
TICK_PX = 10
"""From the left edge of a line to the middle of its tick."""


def drop(dock: QWidget, *paths: Path) -> None:
    """Let files and folders fall on a dock."""
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    keys, act = Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    entering = QDragEnterEvent(QPoint(20, 20), act, content, LEFT, keys)
    QApplication.sendEvent(dock, entering)
    assert entering.isAccepted()
    QApplication.sendEvent(dock, QDropEvent(QPointF(20, 20), act, content, LEFT, keys))


def press(qtbot: QtBot, button: QAbstractButton) -> None:
    """Click a button that can be seen and pressed, once it can be."""
    qtbot.waitUntil(lambda: button.isVisible() and button.isEnabled(), timeout=PATIENCE_MS)
    _bring_to_view(button)
    # The left end: a tick or a radio button answers only where it is drawn.
    qtbot.mouseClick(button, LEFT, pos=QPoint(min(TICK_PX, button.width() // 2), button.height() // 2))
    QApplication.processEvents()


def choose(qtbot: QtBot, box: QComboBox, name: str) -> None:
    """Go through a box with the arrow keys until it holds the option `name`."""
    _bring_to_view(box)
    wanted = box.findData(name, Qt.ItemDataRole.UserRole)
    key = Qt.Key.Key_Down if wanted > box.currentIndex() else Qt.Key.Key_Up
    while box.currentIndex() != wanted:
        before = box.currentIndex()
        qtbot.keyClick(box, key)
        QApplication.processEvents()
        assert box.currentIndex() != before, f"{name} cannot be chosen"


def choose_in_menu(qtbot: QtBot, button: QPushButton, words: str) -> None:
    """Open the menu of a button and click the line that begins with `words`."""
    menu, looks = button.menu(), QTimer(interval=MENU_MS)

    def click() -> None:
        # An open menu may hold the click that opened it until it is closed.
        if menu.isVisible():
            looks.stop()
            action = next(action for action in menu.actions() if action.text().startswith(words))
            qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(action).center())

    looks.timeout.connect(click)
    looks.start()
    press(qtbot, button)
    qtbot.waitUntil(lambda: not looks.isActive() and not menu.isVisible(), timeout=PATIENCE_MS)


def type_over(qtbot: QtBot, entry: QLineEdit, text: str) -> None:
    """Replace what a line holds, and leave it."""
    _bring_to_view(entry)
    entry.selectAll()
    qtbot.keyClicks(entry, text)
    qtbot.keyClick(entry, Qt.Key.Key_Return)


def type_in_cell(qtbot: QtBot, table: QAbstractItemView, row: int, column: int, text: str) -> None:
    """Double-click a cell, type, Enter."""
    at = _middle_of(table, row, column)
    qtbot.mouseClick(table.viewport(), LEFT, pos=at)
    qtbot.mouseDClick(table.viewport(), LEFT, pos=at)
    editor = editor_of(table)
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    QApplication.processEvents()


def editor_of(table: QAbstractItemView) -> QLineEdit:
    """The line in which a cell is being typed."""
    return next(editor for editor in table.viewport().findChildren(QLineEdit) if editor.isVisible())


def click_cell(qtbot: QtBot, table: QAbstractItemView, row: int, column: int) -> None:
    """Click a cell of a table."""
    qtbot.mouseClick(table.viewport(), LEFT, pos=_middle_of(table, row, column))
    QApplication.processEvents()


def click_tick(qtbot: QtBot, lines: QListWidget, row: int) -> None:
    """Click the tick before a line."""
    _bring_to_view(lines)
    rect = lines.visualItemRect(lines.item(row))
    qtbot.mouseClick(lines.viewport(), LEFT, pos=QPoint(rect.left() + TICK_PX, rect.center().y()))
    QApplication.processEvents()


def click_tab(qtbot: QtBot, pages: Any, page: int) -> None:
    """Click the title of a page."""
    bar = pages.tabBar()
    qtbot.mouseClick(bar, LEFT, pos=bar.tabRect(page).center())
    QApplication.processEvents()


def _middle_of(table: QAbstractItemView, row: int, column: int) -> QPoint:
    index = table.model().index(row, column)
    table.scrollTo(index)
    return table.visualRect(index).center()


def _bring_to_view(part: QWidget) -> None:
    """Scroll the page that holds a part, as the wheel would."""
    holder = part.parentWidget()
    while holder is not None:
        if isinstance(holder, QScrollArea):
            holder.ensureWidgetVisible(part)
        holder = holder.parentWidget()
    QApplication.processEvents()
