"""The page on which an evaluation is followed: a line per training, how far all are, pause and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari._evaluate_words import (
    HELD_OUT,
    MODEL,
    PCC_GENE,
    PCC_SPOT,
    STATE,
    TIME,
    TRAINING_COLUMNS,
    TRAINING_TIPS,
)
from gr2st_napari.views.card import STRIPES, let_narrow
from gr2st_napari.views.study_table import RIGHT, SIGNS, sign_icon
from gr2st_napari.views.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

    from gr2st_napari._evaluate_words import TrainingLine

WIDTHS = {HELD_OUT: 54, PCC_SPOT: 58, PCC_GENE: 58, TIME: 48, STATE: 58}
ROOMY_PX = {STATE: 440, TIME: 310}
"""From this width on there is room for a column; the sign of a line tells its state too."""
NUMBERS = (PCC_SPOT, PCC_GENE, TIME)


class TrainingModel(QAbstractTableModel):
    """Lines as they were last read."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: tuple[TrainingLine, ...] = ()
        self._icons = {tone: sign_icon(*sign) for tone, sign in SIGNS.items()}

    def show_lines(self, lines: Sequence[TrainingLine]) -> None:
        """Replace the lines; where only what they say is new, selection and place in view stay."""
        before, self._lines = self._lines, tuple(lines)
        if len(before) != len(self._lines):
            self.beginResetModel()
            self.endResetModel()
        elif before != self._lines:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._lines) - 1, len(TRAINING_COLUMNS) - 1))

    def line(self, row: int) -> TrainingLine:
        return self._lines[row]

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(TRAINING_COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line, column = self._lines[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return line.texts[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.tip
        if role == Qt.ItemDataRole.DecorationRole and column == MODEL:
            return self._icons[line.tone]
        if role == Qt.ItemDataRole.ForegroundRole and line.tone == "error":
            return QColor(STRIPES["error"])
        return RIGHT if role == Qt.ItemDataRole.TextAlignmentRole and column in NUMBERS else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return TRAINING_COLUMNS[section]
        return TRAINING_TIPS[section] if role == Qt.ItemDataRole.ToolTipRole else None


class TrainingsPage(QWidget):
    """The table, what a failed line says, the bar, and the buttons."""

    paused = Signal()
    resumed = Signal()
    stopped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lines = TrainingModel(self)
        self.table = _table(self.lines)
        self.out = TableOut(self.table, "evaluation")
        self.sentence = QLabel(objectName="gr2st_training_failure", wordWrap=True)
        let_narrow(self.sentence)
        self.sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.details = QPlainTextEdit(readOnly=True, objectName="gr2st_training_details")
        self.details.setMaximumHeight(140)
        self.told = QLabel(objectName="gr2st_progress_told", wordWrap=True)
        let_narrow(self.told)
        self.bar = QProgressBar(objectName="gr2st_progress", textVisible=False)
        self.bar.setMaximumHeight(8)
        self.pause = QPushButton("Pause", objectName="gr2st_pause")
        self.stop = QPushButton("Stop", objectName="gr2st_stop")
        self.resume = QPushButton("Resume", objectName="gr2st_resume")
        self._lay_out()
        self._connect()
        self._on_row()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(3)
        for button in (self.pause, self.resume, self.stop):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.table, 1)
        for part in (self.sentence, self.details, self.told, self.bar):
            layout.addWidget(part)
        layout.addLayout(row)

    def _connect(self) -> None:
        self.pause.clicked.connect(self.paused)
        self.resume.clicked.connect(self.resumed)
        self.stop.clicked.connect(self.stopped)
        self.pause.setToolTip("Let the training rest before its next step; the memory stays taken")
        self.stop.setToolTip("Stop; what is done stays, and Resume goes on with the rest")
        self.resume.setToolTip("Go on where it was; what has failed is tried again")
        self.table.selectionModel().currentRowChanged.connect(lambda *_: self._on_row())
        self.lines.modelReset.connect(self._on_row)
        self.lines.dataChanged.connect(self._on_row)

    def show_lines(self, lines: Sequence[TrainingLine]) -> None:
        self.lines.show_lines(lines)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for column, width in ROOMY_PX.items():
            self.table.setColumnHidden(column, event.size().width() < width)

    def show_progress(self, told: str, done: int, total: int) -> None:
        self.told.setText(told)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(done)
        self.bar.setVisible(total > 0)

    def show_acts(self, *, can_pause: bool, can_resume: bool, can_stop: bool) -> None:
        """Only what can be done now is there to be pressed."""
        self.pause.setVisible(can_pause)
        self.resume.setVisible(can_resume)
        self.stop.setVisible(can_stop)

    def _on_row(self) -> None:
        """What the line under the cursor says where its training failed."""
        row = self.table.currentIndex().row()
        line = self.lines.line(row) if 0 <= row < self.lines.rowCount() else None
        self.sentence.setText("" if line is None else line.sentence)
        details = "" if line is None else line.details
        if self.details.toPlainText() != details:
            self.details.setPlainText(details)
        self.sentence.setVisible(bool(self.sentence.text()))
        self.details.setVisible(bool(details))


def _table(lines: TrainingModel) -> QTableView:
    table = QTableView(objectName="gr2st_trainings", showGrid=False, wordWrap=False)
    table.setModel(lines)
    # In the narrowest dock the name of a model stands in full beside its scores.
    table.setStyleSheet("font-size: 11px;")
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setMinimumHeight(110)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setMinimumSectionSize(40)
    header.setHighlightSections(False)
    header.setSectionResizeMode(MODEL, QHeaderView.ResizeMode.Stretch)
    for column, width in WIDTHS.items():
        header.resizeSection(column, width)
    return table
