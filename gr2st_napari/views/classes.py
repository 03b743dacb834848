"""Classes in the place of a gene: which ones, and their legend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari._classes import NO_CLASS_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

GENES = "Genes"
SWATCH_PX, ROW_PX = 14, 22
FEWEST_ROWS, MOST_ROWS = 1, 9
"""Lines of the legend that are seen in a low window, and in a high one; the others are scrolled to."""
FEWEST_CLUSTERS, MOST_CLUSTERS = 2, 20


class ColourBy(QWidget):
    """What the spots are coloured by."""

    chosen = Signal(str)
    """A key of what was offered; empty for genes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.which = QComboBox(objectName="gr2st_colour_by")
        self.which.setToolTip("Colour the spots by a gene, or by the class they belong to")
        self.which.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(QLabel("Colour by"))
        line.addWidget(self.which, 1)
        self.which.activated.connect(lambda at: self.chosen.emit(self.which.itemData(at)))

    def show_offers(self, offers: Mapping[str, str], chosen: str) -> None:
        """Offer these beside genes; without any there is nothing to choose."""
        with QSignalBlocker(self.which):
            self.which.clear()
            for key, words in {"": GENES, **offers}.items():
                self.which.addItem(words, key)
                self.which.setItemData(self.which.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
            self.which.setCurrentIndex(max(0, self.which.findData(chosen)))
        self.setVisible(bool(offers))


class Legend(QWidget):
    """Colour, name and number of spots of each class; a click on one hides or shows it."""

    hidden_chosen = Signal(object)
    """The names of all classes that are not to be drawn."""
    n_clusters_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = _table()
        self.all = QPushButton("Show all", objectName="gr2st_legend_all", toolTip="Show every class again")
        self.count = QSpinBox(objectName="gr2st_n_clusters", minimum=FEWEST_CLUSTERS, maximum=MOST_CLUSTERS)
        self.count.setSuffix(" clusters")
        self.count.setToolTip("Into how many clusters the spots are parted")
        self.count.setKeyboardTracking(False)
        line = QHBoxLayout()
        line.addWidget(self.count)
        line.addStretch(1)
        line.addWidget(self.all)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(line)
        self._names: tuple[str, ...] = ()
        self.table.cellClicked.connect(lambda row, _column: self._turn(row))
        self.table.cellActivated.connect(lambda row, _column: self._turn(row))
        self.all.clicked.connect(lambda: self.hidden_chosen.emit(frozenset()))
        self.count.valueChanged.connect(self.n_clusters_chosen)

    def show_classes(
        self,
        names: Sequence[str],
        counts: Sequence[int],
        colours: Sequence[tuple[float, ...]],
        hidden: Collection[str],
    ) -> None:
        """Show a line for each class; an empty name stands for spots without one."""
        self._names, self._hidden = tuple(names), frozenset(hidden)
        self.table.setRowCount(len(names))
        for row, (name, count, colour) in enumerate(zip(names, counts, colours, strict=True)):
            self._show_line(row, name, count, colour)
        self.table.setMaximumHeight(self._height_of(MOST_ROWS))
        self.table.setMinimumHeight(self._height_of(FEWEST_ROWS))
        self.all.setVisible(bool(self._hidden))

    def _height_of(self, most: int) -> int:
        rows = range(min(self.table.rowCount(), most))
        return sum(map(self.table.rowHeight, rows)) + 2 * self.table.frameWidth()

    def show_n_clusters(self, count: int | None) -> None:
        """How many clusters are made; None where the classes are no clusters."""
        self.count.setVisible(count is not None)
        if count is not None:
            with QSignalBlocker(self.count):
                self.count.setValue(count)

    def _show_line(self, row: int, name: str, count: int, colour: tuple[float, ...]) -> None:
        is_hidden = name in self._hidden
        words = name or NO_CLASS_WORDS
        tip = f"{words}: {count:,} spots. Click to {'show' if is_hidden else 'hide'} them."
        for column, text in enumerate((words, f"{count:,}")):
            item = QTableWidgetItem(text)
            item.setToolTip(tip)
            if is_hidden:
                item.setForeground(self.palette().placeholderText())
            self.table.setItem(row, column, item)
        self.table.item(row, 0).setIcon(_swatch(colour, is_hollow=is_hidden))
        self.table.item(row, 1).setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _turn(self, row: int) -> None:
        self.hidden_chosen.emit(self._hidden ^ {self._names[row]})


def _table() -> QTableWidget:
    table = QTableWidget(0, 2, objectName="gr2st_legend_table")
    table.horizontalHeader().hide()
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW_PX)
    table.setShowGrid(False)
    table.setIconSize(QSize(SWATCH_PX, SWATCH_PX))
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setTextElideMode(Qt.TextElideMode.ElideRight)
    table.setWordWrap(False)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
    return table


def _swatch(colour: tuple[float, ...], *, is_hollow: bool) -> QIcon:
    """A square of a colour, or its frame alone."""
    pixels = QPixmap(SWATCH_PX, SWATCH_PX)
    pixels.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixels)
    painter.setPen(QColor.fromRgbF(*colour[:3]))
    if not is_hollow:
        painter.setBrush(QColor.fromRgbF(*colour[:3]))
    painter.drawRect(1, 1, SWATCH_PX - 3, SWATCH_PX - 3)
    painter.end()
    return QIcon(pixels)
