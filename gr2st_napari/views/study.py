"""The Study dock: which sections belong together, what is wrong with them, and the study they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari._study_words import CARD_WORDS
from gr2st_napari.views.card import NARROWEST_PX, StatusCard, open_menu
from gr2st_napari.views.dialogs import ask_files, ask_folder, ask_picture, ask_saving
from gr2st_napari.views.foot import Foot
from gr2st_napari.views.study_table import SIGNS, StudyTable, sign_icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent

    from gr2st_napari._advice import Card
    from gr2st_napari._state import Job
    from gr2st_napari._study_words import Finding, Line

KEY = Qt.ItemDataRole.UserRole


class StudyView(QWidget):
    """Setters in, signals out."""

    paths_added = Signal(list)
    sample_wanted = Signal()
    removal_wanted = Signal(list)
    rereading_wanted = Signal(list)
    picture_chosen = Signal(int, str)
    saving_wanted = Signal(str)
    opening_wanted = Signal()
    dismissed = Signal()
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_study_dock")
        self.setAcceptDrops(True)
        self.card = StatusCard()
        self.table = StudyTable()
        self.hint = QLabel(objectName="gr2st_drop_hint", wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.problems = _problem_list()
        self.more = QPushButton("Add…", objectName="gr2st_add")
        self.remove = QPushButton("Remove", objectName="gr2st_remove")
        self.picture = QPushButton("Picture…", objectName="gr2st_picture")
        self.again = QPushButton("Read again", objectName="gr2st_again")
        self.save = QPushButton("Save study.csv…", objectName="gr2st_save")
        self.open = QPushButton("Open", objectName="gr2st_open_study")
        self.reason = QLabel(objectName="gr2st_save_reason", wordWrap=True)
        self.foot = Foot()
        self._home = ""
        self._icons = {tone: sign_icon(*sign) for tone, sign in SIGNS.items()}
        self.setMinimumWidth(NARROWEST_PX)
        self._lay_out()
        self._connect()
        self._on_chosen([])

    def _lay_out(self) -> None:
        self.reason.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.hint.setStyleSheet("#gr2st_drop_hint { border: 2px dashed #8a8d93; border-radius: 4px; padding: 8px; }")
        acts, ends = QGridLayout(), QGridLayout()
        _fill(acts, (self.more, self.remove, self.picture, self.again))
        _fill(ends, (self.save, self.open))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.card)
        layout.addWidget(self.table, 3)
        layout.addWidget(self.hint, 1)
        layout.addLayout(acts)
        layout.addWidget(self.problems, 2)
        layout.addWidget(self.reason)
        layout.addLayout(ends)
        layout.addWidget(self.foot)

    def _connect(self) -> None:
        self.more.setMenu(open_menu(self.more, self._on_action))
        self.more.setToolTip("Add folders or files; or drop them anywhere on this dock")
        self.card.acted.connect(self._on_action)
        self.table.chosen.connect(self._on_chosen)
        self.remove.clicked.connect(lambda: self.removal_wanted.emit(self.table.keys()))
        self.again.clicked.connect(lambda: self.rereading_wanted.emit(self.table.keys()))
        self.again.setToolTip("Read the selected sections again, all where none is selected")
        self.picture.clicked.connect(self._on_picture)
        self.save.clicked.connect(self._on_save)
        self.open.clicked.connect(self.opening_wanted)
        self.problems.itemClicked.connect(lambda item: self.table.choose([item.data(KEY)]))

    def show_card(self, card: Card) -> None:
        self.card.show_card(card, CARD_WORDS)

    def show_lines(self, lines: Sequence[Line]) -> None:
        """The table; without a line there is only room to drop something."""
        self.table.show_lines(lines)
        for part in (self.table, self.more, self.remove, self.picture, self.again, self.save, self.open):
            part.setVisible(bool(lines))
        self.hint.setText("Drop more here" if lines else "Drop folders and files here")
        self.hint.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum if lines else QSizePolicy.Policy.Expanding
        )

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """What is wrong, each with its fix; a click goes to the section."""
        self.problems.clear()
        for finding in findings:
            item = QListWidgetItem(self._icons["error" if finding.is_blocking else "warning"], _words(finding))
            item.setData(KEY, finding.key)
            item.setToolTip(_words(finding))
            self.problems.addItem(item)
        self.problems.setVisible(bool(findings))

    def show_ends(self, why_not_save: str, why_not_open: str, home: str) -> None:
        """Whether the study can be saved and opened, and if not, why; `home` is the file offered first."""
        self._home = home
        self.save.setEnabled(not why_not_save)
        self.save.setToolTip(why_not_save or "Save the list of sections; the data stay where they are")
        self.open.setEnabled(not why_not_open)
        self.open.setToolTip(why_not_open or "Show the study in the viewer")
        self.reason.setText(f"Not yet: {why_not_save}" if why_not_save else "")
        self.reason.setVisible(bool(why_not_save) and self.table.lines.rowCount() > 0)

    def show_job(self, job: Job) -> None:
        self.foot.show_job(job)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _paths(event)
        if paths:
            event.acceptProposedAction()
            self.paths_added.emit(paths)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())

    def _on_chosen(self, keys: list[int]) -> None:
        self.remove.setEnabled(bool(keys))
        what = "Take the selected sections out; no file is touched"
        self.remove.setToolTip(what if keys else "Select a section first.")
        self.picture.setEnabled(len(keys) == 1)
        self.picture.setToolTip(
            "Choose the picture of the selected section" if len(keys) == 1 else "Select one section first."
        )

    def _on_action(self, action: str) -> None:
        if action == "open-folder":
            self._add([ask_folder(self, "Folder of a section, of several, or of a study")])
        elif action == "open-file":
            self._add(ask_files(self, "Sections or studies"))
        elif action == "open-sample":
            self.sample_wanted.emit()
        else:
            self.dismissed.emit()

    def _add(self, paths: Sequence[str]) -> None:
        chosen = [path for path in paths if path]
        if chosen:
            self.paths_added.emit(chosen)

    def _on_picture(self) -> None:
        [key] = self.table.keys()
        path = ask_picture(self, "Picture of the section")
        if path:
            self.picture_chosen.emit(key, path)

    def _on_save(self) -> None:
        path = ask_saving(self, "Save the study", self._home)
        if path:
            self.saving_wanted.emit(path)


def _words(finding: Finding) -> str:
    return f"{finding.sentence}\n→ {finding.fix}"


def _fill(grid: QGridLayout, buttons: Sequence[QPushButton]) -> None:
    """Two buttons side by side in each row."""
    grid.setSpacing(3)
    for at, button in enumerate(buttons):
        grid.addWidget(button, at // 2, at % 2)


def _paths(event: QDropEvent) -> list[str]:
    """Local folders and files of what is being dragged."""
    local = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    return [str(Path(path)) for path in local if path]


def _problem_list() -> QListWidget:
    found = QListWidget(objectName="gr2st_problems", wordWrap=True)
    found.setResizeMode(QListWidget.ResizeMode.Adjust)
    found.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    found.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
    found.setTextElideMode(Qt.TextElideMode.ElideNone)
    found.setIconSize(QSize(16, 16))
    found.setSpacing(2)
    found.setMinimumHeight(90)
    return found
