"""The table of models: score with interval, and the difference to ridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from gr2st_napari.views.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._results_words import ModelLine

COLUMNS = ("Model", "PCC", "To ridge")
TIPS = (
    "Click a model to list its genes, and to rank those of the Genes dock by it",
    "Pearson correlation per gene over the spots of a held-out slide: mean over genes, then over slides; below it the "
    "95 % interval",
    "Difference to ridge on the same slides, with its 95 % interval: where that is above 0, the model is better",
)
LINE_PX = 34


class ModelTable(QTableWidget):
    """A line per model; says which was clicked."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent, objectName="gr2st_models", showGrid=False)
        self._lines: tuple[ModelLine, ...] = ()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(5 * LINE_PX // 2)
        # In the narrowest dock scores, intervals and the name of the model stand side by side.
        self.setStyleSheet("font-size: 11px;")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(LINE_PX)
        for at, (words, tip) in enumerate(zip(COLUMNS, TIPS, strict=True)):
            item = QTableWidgetItem(words)
            item.setToolTip(tip)
            self.setHorizontalHeaderItem(at, item)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.itemSelectionChanged.connect(self._on_chosen)
        self.out = TableOut(self, "models")
        # The one that is marked already is chosen by a click too.
        self.cellClicked.connect(lambda _row, _column: self._on_chosen())

    def show_lines(self, lines: Sequence[ModelLine], chosen: str) -> None:
        """Replace all lines; `chosen` is marked without being told of."""
        with QSignalBlocker(self):
            if tuple(lines) != self._lines:
                self._lines = tuple(lines)
                self.setRowCount(len(lines))
                self.setMaximumHeight(LINE_PX * (max(2, len(lines)) + 1))
                for row, line in enumerate(lines):
                    self._fill(row, line)
            row = next((row for row, line in enumerate(self._lines) if line.label == chosen), -1)
            if row >= 0 and row != self.currentRow():
                self.selectRow(row)

    def _fill(self, row: int, line: ModelLine) -> None:
        for column, text in enumerate(line.texts):
            item = QTableWidgetItem(text)
            item.setToolTip(line.tip)
            font = item.font()
            font.setBold(line.is_best)
            font.setItalic(line.is_oracle)
            item.setFont(font)
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if not line.can_be_chosen:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.setItem(row, column, item)

    def _on_chosen(self) -> None:
        row = self.currentRow()
        if 0 <= row < len(self._lines) and self.selectedItems():
            self.chosen.emit(self._lines[row].label)
