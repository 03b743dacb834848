"""The runs there are: a table, the curves of those selected, and the settings in which they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari._run_words import RUN_COLUMNS, RUN_TIPS
from gr2st_napari.views.curves import CurvesView
from gr2st_napari.views.plan_choices import small_text
from gr2st_napari.views.settings_form import CalmComboBox
from gr2st_napari.views.study_table import SIGNS, sign_icon
from gr2st_napari.views.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st_napari._run_words import RunLine

FOLDER = Qt.ItemDataRole.UserRole
ROW_PX, MOST_ROWS = 24, 6
WIDTHS = (150, 78, 48, 54, 70, 92, 90)


class RunsView(QWidget):
    """Setters in, signals out; runs are known by their folders."""

    chosen = Signal(list)
    part_chosen = Signal(str)
    """Part of the loss to compare."""
    resume_wanted = Signal(Path)
    stop_wanted = Signal(Path)
    predict_wanted = Signal(Path)
    settings_wanted = Signal(Path)
    deletion_wanted = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = _table("gr2st_runs", RUN_COLUMNS)
        self.out = TableOut(self.table, "trainings")
        self.hint = small_text("gr2st_runs_hint")
        self.sketched = small_text("gr2st_runs_sketched")
        self.sketched.hide()
        self.part = CalmComboBox(objectName="gr2st_part")
        self.part.setToolTip("Part of the loss to compare")
        self.curves = CurvesView()
        self.differences = _table("gr2st_differences", ())
        self.differences_out = TableOut(self.differences, "settings")
        self.differences_title = QLabel("Settings that differ")
        self.resume = QPushButton("Resume", objectName="gr2st_resume_run")
        self.stop = QPushButton("Stop", objectName="gr2st_stop_run")
        self.predict = QPushButton("Predict", objectName="gr2st_predict_run")
        self.settings = QPushButton("Use settings", objectName="gr2st_use_settings")
        self.folder = QPushButton("Show folder", objectName="gr2st_show_folder")
        self.delete = QPushButton("Delete…", objectName="gr2st_delete_runs")
        self._icons = {tone: sign_icon(*sign) for tone, sign in SIGNS.items()}
        for column, (width, tip) in enumerate(zip(WIDTHS, RUN_TIPS, strict=True)):
            self.table.setColumnWidth(column, width)
            self.table.horizontalHeaderItem(column).setToolTip(tip)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        acts = QGridLayout()
        acts.setSpacing(3)
        for at, button in enumerate((self.resume, self.stop, self.predict, self.settings, self.folder, self.delete)):
            acts.addWidget(button, at // 3, at % 3)
            button.setMinimumWidth(40)
        above, below = QWidget(), QWidget()
        upper, lower = QVBoxLayout(above), QVBoxLayout(below)
        for layout in (upper, lower):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(3)
        upper.addWidget(self.table, 1)
        upper.addWidget(self.hint)
        upper.addWidget(self.sketched)
        upper.addLayout(acts)
        row = QHBoxLayout()
        row.addWidget(QLabel("Compare"))
        row.addWidget(self.part, 1)
        lower.addLayout(row)
        lower.addWidget(self.curves, 1)
        lower.addWidget(self.differences_title)
        lower.addWidget(self.differences)
        self.comparison = QScrollArea(widgetResizable=True, frameShape=QFrame.Shape.NoFrame)
        self.comparison.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.comparison.setWidget(below)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(above)
        split.addWidget(self.comparison)
        split.setChildrenCollapsible(False)
        split.setSizes([200, 400])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 2, 2)
        layout.addWidget(split)

    def _connect(self) -> None:
        self.table.itemSelectionChanged.connect(lambda: self.chosen.emit(self.folders))
        self.part.activated.connect(lambda _at: self.part_chosen.emit(str(self.part.currentData())))
        for button, signal in (
            (self.resume, self.resume_wanted),
            (self.stop, self.stop_wanted),
            (self.predict, self.predict_wanted),
            (self.settings, self.settings_wanted),
        ):
            button.clicked.connect(lambda _checked=False, signal=signal: signal.emit(self.folders[0]))
        self.folder.clicked.connect(self._show_folder)
        self.delete.clicked.connect(self._on_delete)

    @property
    def folders(self) -> list[Path]:
        """Folders of the selected runs, from top to bottom."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return [self.table.item(row, 0).data(FOLDER) for row in rows]

    def show_runs(self, lines: Sequence[RunLine], chosen: Sequence[Path], faults: Sequence[str]) -> None:
        """The table; cells are renewed in place, so that nothing jumps."""
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(lines))
            for row, line in enumerate(lines):
                self._show_line(row, line)
            if self.folders != [line.folder for line in lines if line.folder in chosen]:
                self._select([row for row, line in enumerate(lines) if line.folder in chosen])
        empty = "" if lines else "No run yet. Every training started here is kept as a folder and listed."
        self.hint.setText("\n".join(filter(None, (empty, *faults))))
        self.hint.setVisible(bool(self.hint.text()))

    def show_sketched(self, words: str) -> None:
        """Where the gene is drawn that another process learns."""
        self.sketched.setText(words)
        self.sketched.setVisible(bool(words))

    def show_acts(self, reasons: Mapping[str, str], tips: Mapping[str, str]) -> None:
        """Why the acts on the selected runs cannot be done; "" where they can."""
        for name, reason in reasons.items():
            button = getattr(self, name)
            button.setEnabled(not reason)
            button.setToolTip(reason or tips[name])

    def show_parts(self, parts: Sequence[tuple[str, str]], current: str) -> None:
        """Parts of the loss that can be compared: name, words."""
        with QSignalBlocker(self.part):
            if [self.part.itemData(at) for at in range(self.part.count())] != [name for name, _ in parts]:
                self.part.clear()
                for name, words in parts:
                    self.part.addItem(words, name)
            self.part.setCurrentIndex(self.part.findData(current))
        self.comparison.setVisible(bool(self.folders))

    def show_differences(self, names: Sequence[str], rows: Sequence[tuple[str, str, Sequence[str]]]) -> None:
        """Settings in which the selected runs differ: words, name in files, value in each run."""
        table = self.differences
        table.setColumnCount(1 + len(names))
        table.setHorizontalHeaderLabels(["Setting", *names])
        table.setRowCount(len(rows))
        for row, (words, name, values) in enumerate(rows):
            for column, text in enumerate((words, *values)):
                item = QTableWidgetItem(text)
                item.setToolTip(name if column == 0 else text)
                table.setItem(row, column, item)
        for column in range(1, table.columnCount()):
            table.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        table.setFixedHeight(min(len(rows), MOST_ROWS) * ROW_PX + 2 * ROW_PX)
        table.setVisible(bool(rows))
        self.differences_title.setText("Settings that differ" if rows else "Same settings and data")
        self.differences_title.setVisible(len(names) > 1)

    def _show_line(self, row: int, line: RunLine) -> None:
        for column, (text, tip) in enumerate(zip(line.texts, line.tips, strict=True)):
            item = self.table.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                self.table.setItem(row, column, item)
            item.setText(text)
            item.setToolTip(tip)
        self.table.item(row, 0).setData(FOLDER, line.folder)
        self.table.item(row, 0).setIcon(self._icons[line.tone])

    def _select(self, rows: Sequence[int]) -> None:
        self.table.clearSelection()
        mode = self.table.selectionMode()
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.MultiSelection)
        for row in rows:
            self.table.selectRow(row)
        self.table.setSelectionMode(mode)

    def _show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folders[0])))

    def _on_delete(self) -> None:
        folders = self.folders
        what = f"the run {folders[0].name}" if len(folders) == 1 else f"{len(folders)} runs"
        question = f"Delete {what} with curves and model? This cannot be taken back."
        answer = QMessageBox.question(self, "Delete runs", question)
        if answer == QMessageBox.StandardButton.Yes:
            self.deletion_wanted.emit(folders)


def _table(name: str, columns: Sequence[str]) -> QTableWidget:
    table = QTableWidget(0, len(columns), objectName=name)
    table.setHorizontalHeaderLabels(list(columns))
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW_PX)
    table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    table.setMinimumHeight(60)
    return table
