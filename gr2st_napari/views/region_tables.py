"""The two tables of the Regions dock: regions with name and class, genes with their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from gr2st_napari._regions_words import KIND, LIST_COLUMNS, LIST_TIPS, NAME, SPOTS
from gr2st_napari.views.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._regions_words import Column, RegionLine

RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
GENE = 0
ROLE = Qt.ItemDataRole
_NO_PARENT = QModelIndex()


class RegionModel(QAbstractTableModel):
    """Regions; what is typed goes out as a signal."""

    typed = Signal(str, int, str)
    """Region, column, text."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: tuple[RegionLine, ...] = ()

    def show_lines(self, lines: Sequence[RegionLine]) -> None:
        """Replace all regions; what is being typed into a line that is as before is left alone."""
        was, now = self.lines, tuple(lines)
        others = sum(old.name != new.name for old, new in zip(was, now, strict=False))
        # One may have been renamed; where more are others, they have moved up or down.
        if len(now) < len(was) or others > 1:
            self.beginResetModel()
            self.lines = now
            self.endResetModel()
            return
        self.lines = now[: len(was)]
        self._tell_changes(was)
        if len(now) > len(was):
            self.beginInsertRows(_NO_PARENT, len(was), len(now) - 1)
            self.lines = now
            self.endInsertRows()

    def _tell_changes(self, was: Sequence[RegionLine]) -> None:
        """Line by line: news of a line throw away what is being typed into it."""
        for row, (old, new) in enumerate(zip(was, self.lines, strict=True)):
            if old.name != new.name or old.kind != new.kind:
                self.dataChanged.emit(self.index(row, NAME), self.index(row, SPOTS))
            elif old != new:
                self.dataChanged.emit(self.index(row, SPOTS), self.index(row, SPOTS))

    def rowCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(LIST_COLUMNS)

    def flags(self, index: QModelIndex) -> Any:
        plain = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return plain if index.column() == SPOTS else plain | Qt.ItemFlag.ItemIsEditable

    def data(self, index: QModelIndex, role: int = ROLE.DisplayRole) -> Any:
        line = self.lines[index.row()]
        if role in (ROLE.DisplayRole, ROLE.EditRole):
            return (line.name, line.kind, f"{line.n_spots:,}")[index.column()]
        if role == ROLE.DecorationRole and index.column() == NAME:
            return QColor(line.colour)
        return RIGHT if role == ROLE.TextAlignmentRole and index.column() == SPOTS else None

    def setData(self, index: QModelIndex, value: Any, role: int = ROLE.EditRole) -> bool:
        if role != ROLE.EditRole or str(value) == self.data(index):
            return False
        self.typed.emit(self.lines[index.row()].name, index.column(), str(value))
        return True

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        return {ROLE.DisplayRole: LIST_COLUMNS, ROLE.ToolTipRole: LIST_TIPS}.get(role, (None,) * 3)[section]


class RegionTable(QTableView):
    """The list of regions; a class that is typed goes to all selected ones."""

    typed = Signal(list, int, str)
    chosen = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="gr2st_regions", showGrid=False, wordWrap=False)
        self.regions = RegionModel(self)
        self.setModel(self.regions)
        self.out = TableOut(self, "regions")
        _set_up(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setMinimumHeight(90)
        header = self.horizontalHeader()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(KIND, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(SPOTS, 56)
        self.regions.typed.connect(self._on_typed)
        self.selectionModel().selectionChanged.connect(lambda: self.chosen.emit(self.names()))
        self.regions.modelReset.connect(lambda: self.chosen.emit([]))
        # News of numbers may come with another colour, which stands in the cell that may be typed into.
        self.regions.dataChanged.connect(lambda *_: self.viewport().update())

    def names(self) -> list[str]:
        """The selected regions."""
        return [self.regions.lines[index.row()].name for index in self.selectionModel().selectedRows()]

    def _on_typed(self, name: str, column: int, text: str) -> None:
        selected = self.names()
        self.typed.emit(selected if column == KIND and name in selected else [name], column, text)


class ComparedModel(QAbstractTableModel):
    """Genes with columns of numbers; sorted by any of them, what is not known last."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._genes: tuple[str, ...] = ()
        self._tips: tuple[str, ...] = ()
        self._columns: tuple[Column, ...] = ()
        self._sort = (GENE, Qt.SortOrder.AscendingOrder)
        self.order: list[int] = []
        """Rows of the table that was handed over, as they are shown."""

    def show_columns(self, genes: Sequence[str], tips: Sequence[str], columns: Sequence[Column]) -> None:
        """Replace everything; the order asked for stays."""
        self.beginResetModel()
        self._genes, self._tips, self._columns = tuple(genes), tuple(tips), tuple(columns)
        self.order = self._sorted()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self.order)

    def columnCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        return 0 if parent.isValid() else 1 + len(self._columns)

    def data(self, index: QModelIndex, role: int = ROLE.DisplayRole) -> Any:
        row, column = self.order[index.row()], index.column()
        if role == ROLE.DisplayRole:
            return self._genes[row] if column == GENE else _number(self._columns[column - 1], row)
        if role == ROLE.ToolTipRole:
            return self._tips[row] or None
        return RIGHT if role == ROLE.TextAlignmentRole and column != GENE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = None if section == GENE else self._columns[section - 1]
        if role == ROLE.DisplayRole:
            return "Gene" if column is None else column.title
        return (None if column is None else column.tip) if role == ROLE.ToolTipRole else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.layoutAboutToBeChanged.emit()
        self._sort = (column, order)
        self.order = self._sorted()
        self.layoutChanged.emit()

    def _sorted(self) -> list[int]:
        column, direction = self._sort
        is_down = direction == Qt.SortOrder.DescendingOrder
        names = np.argsort(np.argsort(np.array([gene.lower() for gene in self._genes], dtype=str), kind="stable"))
        key = names if not 0 < column <= len(self._columns) else self._columns[column - 1].values
        key = np.where(np.isnan(key), np.inf, -key if is_down else key)
        return [int(row) for row in np.lexsort((names, key))]


class ComparedTable(QTableView):
    """The table of genes; says which gene was picked."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="gr2st_compared", showGrid=False, wordWrap=False, sortingEnabled=True)
        self.genes = ComparedModel(self)
        self.setModel(self.genes)
        _set_up(self)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setMinimumHeight(130)
        # Not the current row: a table that takes over the focus makes its first row that, and nobody has picked it.
        self.selectionModel().selectionChanged.connect(lambda *_: self._on_selected())

    def show_columns(self, genes: Sequence[str], tips: Sequence[str], columns: Sequence[Column]) -> None:
        """Show genes; a first table is sorted by its q, the smallest first."""
        is_first = not self.genes.columnCount() > 1
        self.genes.show_columns(genes, tips, columns)
        if is_first and columns:
            at = next(at for at, column in enumerate(columns, start=1) if column.style == "q")
            self.sortByColumn(at, Qt.SortOrder.AscendingOrder)
        for column in range(self.genes.columnCount()):
            self.horizontalHeader().resizeSection(column, 76 if column == GENE else 68)

    def _on_selected(self) -> None:
        for row in self.selectionModel().selectedRows(GENE):
            self.picked.emit(self.genes.data(row))


def _set_up(table: QTableView) -> None:
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    table.horizontalHeader().setHighlightSections(False)


def _number(column: Column, row: int) -> str:
    value = float(column.values[row])
    if np.isnan(value):
        return ""
    if column.style == "share":
        return f"{100 * value:.0f} %"
    if column.style == "q":
        return f"{value:.3f}" if value >= 0.001 else f"{value:.0e}"
    return f"{value:.2f}"
