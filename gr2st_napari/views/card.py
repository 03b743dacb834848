"""The status card at the top of every dock: one sentence, and buttons that do the next thing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QBoxLayout,
    QFrame,
    QLabel,
    QMenu,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from gr2st_napari._advice import Card

STRIPES = {"calm": "#5b8def", "working": "#5b8def", "warning": "#c77d0a", "error": "#d64545"}
"""Each stands out from a light window as from a dark one."""
BESIDE, BELOW = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom
ROOM_PX = 200
OPEN_CHOICES = {"Folder of a section or study…": "folder", "File (.h5ad, study.csv)…": "file"}


class StatusCard(QFrame):
    """Shows a card; says which of its buttons was pressed."""

    acted = Signal(str)
    """An action of the card; "open" comes as "open-folder" or "open-file"."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_card")
        self._shown: Card | None = None
        self.sentence = QLabel(wordWrap=True, objectName="gr2st_card_sentence")
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        let_narrow(self.sentence)
        self.details = QPlainTextEdit(readOnly=True, objectName="gr2st_card_details")
        self.details.setMaximumHeight(140)
        self.details.hide()
        self._buttons = QVBoxLayout()
        self._buttons.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 8, 8)
        for part in (self.sentence, self.details):
            layout.addWidget(part)
        layout.addLayout(self._buttons)

    def show_card(self, card: Card, words: dict[str, str]) -> None:
        """Show a card; `words` are the labels of its actions."""
        if card == self._shown:
            return
        before, self._shown = self._shown, card
        self.sentence.setText(card.sentence)
        if before is not None and replace(before, sentence=card.sentence) == card:
            # A sentence that counts on, several times a second, leaves the rest alone.
            return
        self.setStyleSheet(f"#gr2st_card {{ border: 0; border-left: 4px solid {STRIPES[card.tone]}; }}")
        self.details.setPlainText(card.details)
        self.details.hide()
        self._rebuild(card, words)

    def button(self, action: str) -> QPushButton | None:
        """The button of an action, None where the card has none."""
        found = self.findChild(QPushButton, f"gr2st_{action}")
        return found if isinstance(found, QPushButton) else None

    def _rebuild(self, card: Card, words: dict[str, str]) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            old = item.widget()
            if old is not None:
                # Hidden before it goes: Qt still has to show what was laid out in this turn, and without a parent that
                # is a window of its own.
                old.setParent(None)
                old.hide()
                old.deleteLater()
        buttons = [self._action_button(action, words[action]) for action in card.actions]
        if card.details:
            buttons.append(self._details_button())
        row = QWidget()
        needed = sum(button.sizeHint().width() for button in buttons)
        line = QBoxLayout(BESIDE if needed <= ROOM_PX else BELOW, row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        for button in buttons:
            line.addWidget(button)
        self._buttons.addWidget(row)
        row.setVisible(bool(buttons))

    def _action_button(self, action: str, label: str) -> QPushButton:
        button = QPushButton(label, objectName=f"gr2st_{action}")
        if action == "open":
            button.setMenu(open_menu(button, self.acted.emit))
        else:
            button.clicked.connect(lambda: self.acted.emit(action))
        return button

    def _details_button(self) -> QPushButton:
        button = QPushButton("Details", objectName="gr2st_details", checkable=True)
        button.setToolTip("Show everything that is known about this, to read or to copy")
        button.toggled.connect(self.details.setVisible)
        return button


def open_menu(parent: QWidget, act: object) -> QMenu:
    """Menu that asks whether a folder or a file is to be opened; calls `act` with the choice."""
    menu = QMenu(parent)
    for label, choice in OPEN_CHOICES.items():
        menu.addAction(label).triggered.connect(lambda _checked=False, choice=choice: act(f"open-{choice}"))  # type: ignore[operator]
    return menu


NARROWEST_PX = 240
"""Width down to which a dock can be drawn, where all it says has room in it."""


def let_narrow(label: QLabel) -> None:
    """Let a text that wraps narrow with its dock, and be as high as it then needs."""
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
