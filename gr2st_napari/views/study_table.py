"""The table of a study: a line per section; name, patient and micrometres per pixel can be typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from gr2st_napari._study_words import (
    COLUMNS,
    EDITABLE,
    FIT,
    GENES,
    NUMBERS,
    PATIENT,
    PICTURE,
    SECTION,
    SPOTS,
    STATE,
    TIPS,
    UM_PER_PX,
)
from gr2st_napari.views.card import STRIPES
from gr2st_napari.views.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gr2st_napari._study_words import Line, Tone

SIGNS: dict[Tone, tuple[str, str]] = {
    "sound": ("✓", "#4caf72"),
    "waiting": ("…", STRIPES["calm"]),
    "warning": ("!", STRIPES["warning"]),
    "error": ("✕", STRIPES["error"]),
}
WIDTHS = {SECTION: 84, PATIENT: 64, STATE: 104, SPOTS: 56, GENES: 60, PICTURE: 104, UM_PER_PX: 60, FIT: 84}
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)


class StudyModel(QAbstractTableModel):
    """Lines with what was typed into them going out as a signal; the lines themselves never change here."""

    typed = Signal(int, int, str)
    """Key of the line, column, text."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: tuple[Line, ...] = ()
        self._icons = {tone: sign_icon(*sign) for tone, sign in SIGNS.items()}

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Replace all lines; an open editor is left alone where its cell is as before."""
        before, after = [line.key for line in self._lines], [line.key for line in lines]
        if after[: len(before)] != before:
            self.beginResetModel()
            self._lines = tuple(lines)
            self.endResetModel()
            return
        was, self._lines = self._lines, (*lines[: len(before)],)
        self._tell_changes(was)
        if len(after) > len(before):
            self.beginInsertRows(QModelIndex(), len(before), len(after) - 1)
            self._lines = tuple(lines)
            self.endInsertRows()

    def _tell_changes(self, was: Sequence[Line]) -> None:
        """Cell by cell: news of a cell throws away what is being typed into it."""
        for row, (old, new) in enumerate(zip(was, self._lines, strict=True)):
            for column in range(len(COLUMNS)):
                if (old.texts[column], old.tips[column]) != (new.texts[column], new.tips[column]):
                    self.dataChanged.emit(self.index(row, column), self.index(row, column))

    def key_at(self, row: int) -> int:
        return self._lines[row].key

    def row_of(self, key: int) -> int:
        """Row of a line, -1 where it is not there."""
        return next((row for row, line in enumerate(self._lines) if line.key == key), -1)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._lines)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def flags(self, index: QModelIndex) -> Any:
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return plain | Qt.ItemFlag.ItemIsEditable if index.column() in EDITABLE else plain

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        line, column = self._lines[index.row()], index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return line.texts[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.tips[column]
        if role == Qt.ItemDataRole.DecorationRole and column == SECTION:
            return self._icons[line.tone]
        if role == Qt.ItemDataRole.TextAlignmentRole and column in NUMBERS:
            return RIGHT
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or str(value) == self._lines[index.row()].texts[index.column()]:
            return False
        self.typed.emit(self._lines[index.row()].key, index.column(), str(value))
        return True

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        return TIPS[section] if role == Qt.ItemDataRole.ToolTipRole else None


class StudyTable(QTableView):
    """The table; what is typed goes to all selected rows where that makes sense."""

    typed = Signal(list, int, str)
    """Keys of the lines, column, text."""
    chosen = Signal(list)
    """Keys of the selected lines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="gr2st_study_table", showGrid=False, wordWrap=False)
        self.lines = StudyModel(self)
        self.setModel(self.lines)
        self.out = TableOut(self, "sections")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.AnyKeyPressed
        )
        self.setMinimumHeight(110)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(24)
        self._set_widths()
        self.lines.typed.connect(self._on_typed)
        self.selectionModel().selectionChanged.connect(lambda: self.chosen.emit(self.keys()))
        self.lines.modelReset.connect(lambda: self.chosen.emit([]))

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        self.lines.show_lines(lines)
        # A sign changes without its cell being told of, see StudyModel.
        self.viewport().update()

    def keys(self) -> list[int]:
        """Keys of the selected lines, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [self.lines.key_at(row) for row in rows]

    def choose(self, keys: Iterable[int]) -> None:
        """Select the first of these lines that is there."""
        row = next((row for row in map(self.lines.row_of, keys) if row >= 0), -1)
        if row >= 0:
            self.selectRow(row)

    def _set_widths(self) -> None:
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column in range(len(COLUMNS)):
            header.resizeSection(column, WIDTHS.get(column, 76))

    def _on_typed(self, key: int, column: int, text: str) -> None:
        selected = self.keys()
        self.typed.emit(selected if column != SECTION and key in selected else [key], column, text)


def sign_icon(sign: str, colour: str) -> QIcon:
    """A sign in a ring: readable without its colour."""
    pixels = QPixmap(32, 32)
    pixels.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixels)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(colour), 3))
    painter.drawEllipse(3, 3, 26, 26)
    font = painter.font()
    font.setPixelSize(20)
    font.setBold(True)
    painter.setFont(font)
    painter.drawText(pixels.rect(), Qt.AlignmentFlag.AlignCenter, sign)
    painter.end()
    return QIcon(pixels)
