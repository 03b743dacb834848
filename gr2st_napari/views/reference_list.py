"""The reference spots behind a prediction: a picture each, section, patient, distance, weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

    from gr2st_napari._patch_pictures import Pixels
    from gr2st_napari._spot_words import ReferenceLine

COLUMNS = ("", "Slide", "Patient", "Dist.", "Weight")
TIPS = (
    "The training spot and its surroundings",
    "Training slide the spot lies on",
    "Patient of that slide",
    "How unlike the picture of the clicked spot it is, as the model sees it; no unit",
    "Share in the looked-up value",
)
PICTURE, SECTION, PATIENT, DISTANCE, WEIGHT = range(5)
ICON_PX = 44
RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
ROLE = Qt.ItemDataRole
_NO_PARENT = QModelIndex()


class ReferenceModel(QAbstractTableModel):
    """Lines of reference spots."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines: tuple[ReferenceLine, ...] = ()
        self._icons: dict[int, tuple[object, QIcon]] = {}

    def show_lines(self, lines: Sequence[ReferenceLine]) -> None:
        """Replace all lines; where only pictures have come in, the rows stay."""
        before, self.lines = self.lines, tuple(lines)
        if [_texts(line) for line in before] == [_texts(line) for line in self.lines]:
            if self.lines:
                self.dataChanged.emit(self.index(0, PICTURE), self.index(len(self.lines) - 1, PICTURE))
            return
        self.beginResetModel()
        self._icons.clear()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: QModelIndex = _NO_PARENT) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = ROLE.DisplayRole) -> Any:
        line, column = self.lines[index.row()], index.column()
        if role == ROLE.DisplayRole:
            return ("" if not isinstance(line.picture, str) else "-", *_texts(line))[column]
        if role == ROLE.ToolTipRole:
            return line.tip
        if role == ROLE.DecorationRole and column == PICTURE and not isinstance(line.picture, str):
            return self._icon(index.row(), line.picture)
        return RIGHT if role == ROLE.TextAlignmentRole and column in (DISTANCE, WEIGHT) else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = ROLE.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        return {ROLE.DisplayRole: COLUMNS, ROLE.ToolTipRole: TIPS}.get(role, (None,) * len(COLUMNS))[section]

    def _icon(self, row: int, picture: Pixels) -> QIcon:
        known = self._icons.get(row)
        if known is None or known[0] is not picture:
            pixmap = pixmap_of(picture)
            icon = QIcon(pixmap)
            icon.addPixmap(pixmap, QIcon.Mode.Selected)  # a selected one would be tinted, as no stain should be
            self._icons[row] = (picture, icon)
        return self._icons[row][1]


class ReferenceTable(QTableView):
    """The list; says which line was chosen."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="gr2st_references", showGrid=False, wordWrap=False)
        self.references = ReferenceModel(self)
        self.setModel(self.references)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setIconSize(QSize(ICON_PX, ICON_PX))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ICON_PX + 4)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(24)
        header.resizeSection(PICTURE, ICON_PX + 4)
        header.setSectionResizeMode(SECTION, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(PATIENT, QHeaderView.ResizeMode.Fixed)
        for column in (DISTANCE, WEIGHT):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        # Names of slides often begin alike and end in what tells them apart.
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.clicked.connect(lambda index: self.chosen.emit(index.row()))
        self.activated.connect(lambda index: self.chosen.emit(index.row()))

    def show_lines(self, lines: Sequence[ReferenceLine], chosen: int) -> None:
        """Show reference spots and which of them is looked at; high enough for four, the rest scrolls."""
        self.references.show_lines(lines)
        self.selectRow(chosen)
        rows = min(4, len(lines))
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + rows * (ICON_PX + 4) + 4)
        self.setVisible(bool(lines))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Give the patient what its names need, and no more than half of what slides and patients have together."""
        header = self.horizontalHeader()
        others = sum(header.sectionSize(column) for column in (PICTURE, DISTANCE, WEIGHT))
        wanted = max(self.sizeHintForColumn(PATIENT), header.sectionSizeHint(PATIENT))
        half = max((self.viewport().width() - others) // 2, header.sectionSizeHint(PATIENT))
        header.resizeSection(PATIENT, min(wanted, half))


def pixmap_of(picture: Pixels) -> QPixmap:
    """RGB pixels as Qt draws them."""
    held = np.ascontiguousarray(picture)
    height, width, _ = held.shape
    return QPixmap.fromImage(QImage(held.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy())


def _texts(line: ReferenceLine) -> tuple[str, str, str, str]:
    return line.section, line.patient, line.distance, line.weight
