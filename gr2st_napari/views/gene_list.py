"""A searchable, sortable list of genes: fluid with 20,000 of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, Qt, Signal
from qtpy.QtGui import QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari.views.gene_model import FORMATS, GENE, PCC, STAR, TIPS, VARIABILITY, WIDTHS, GeneModel
from gr2st_napari.views.table_out import TableOut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class GeneList(QWidget):
    """A line to type in and the list below it; says which gene was picked."""

    picked = Signal(str)
    starred = Signal(str)
    """A gene that is to become a favourite, or none any more."""

    def __init__(
        self, parent: QWidget | None = None, *, model: GeneModel | None = None, widths: Mapping[int, int] = WIDTHS
    ) -> None:
        super().__init__(parent)
        self.model = model or GeneModel(self, formats=FORMATS, upward=(VARIABILITY,))
        self.line = QLineEdit(
            objectName="gr2st_search", clearButtonEnabled=True, placeholderText="Find a gene, e.g. ERBB2"
        )
        self.line.setToolTip(
            "Symbol or Ensembl identifier; Enter takes the first match, arrow keys walk through the list"
        )
        self.table = _table(self.model, widths)
        self.out = TableOut(self.table, "genes", self.model.as_table)
        self.count = QLabel(objectName="gr2st_gene_count", wordWrap=True)
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for part in (self.line, self.table, self.count):
            layout.addWidget(part)
        self.line.textChanged.connect(self._on_text)
        self.line.returnPressed.connect(lambda: self.table.selectRow(0))
        self.table.clicked.connect(self._on_click)
        self.table.horizontalHeader().sectionClicked.connect(self.table.scrollToTop)
        QShortcut("F", self.table, self._star_current, context=Qt.ShortcutContext.WidgetShortcut)
        self._shown = ""
        self._source = ""
        self.model.modelReset.connect(self._on_reset)
        self.table.selectionModel().currentRowChanged.connect(self._on_row)

    def show_genes(self, genes: Sequence[str], aliases: Sequence[str], *numbers: Any) -> None:
        """Fill the list: genes, aliases, and a column of numbers each; one that is None is hidden."""
        self.model.set_genes(genes, aliases, *numbers)
        for column, known in enumerate(numbers, start=1):
            self.table.setColumnHidden(column, known is None)
        self.table.horizontalHeader().setSortIndicator(*self.model.sorted_by)

    def step(self, by: int) -> None:
        """Go some genes down the list; it ends where it ends."""
        row = self.table.currentIndex().row() + by
        if 0 <= row < self.model.rowCount():
            self.table.selectRow(row)

    def sort_by(self, column: int) -> None:
        """Sort by a column: highest first, but names from A and ranks from 1."""
        self.table.sortByColumn(column, self.model.first_order(column))

    def show_source(self, words: str) -> None:
        """Say where the scores are from; without words they are those of this section."""
        self._source = words
        self.model.set_tip(PCC, words or TIPS[PCC])
        self._show_count()

    def show_gene(self, gene: str) -> None:
        """Mark the gene that is shown, without saying it was picked."""
        self._shown = gene
        row = self.model.row_of(gene)
        if row >= 0 and row != self.table.currentIndex().row():
            self.table.selectRow(row)
            self.table.scrollTo(self.model.index(row, GENE), QAbstractItemView.ScrollHint.PositionAtCenter)

    def _on_text(self, text: str) -> None:
        self.model.search(text)
        if self.model.rowCount():
            self.table.scrollToTop()

    def _on_reset(self) -> None:
        self._show_count()
        row = self.model.row_of(self._shown)
        if row >= 0:
            self.table.selectRow(row)

    def _show_count(self) -> None:
        total, shown = len(self.model._genes), self.model.rowCount()
        words = "" if not total else f"{total:,} genes" if shown == total else f"{shown:,} of {total:,} genes"
        if total and not shown and self.line.text():
            words = f'No gene here has "{self.line.text()}" in its name. Empty the line above to see the others.'
        self.count.setText(" · ".join(filter(None, (words, self._source))))

    def _on_click(self, index: QModelIndex) -> None:
        if index.column() == STAR:
            self.starred.emit(self.model.gene_at(index.row()))

    def _star_current(self) -> None:
        gene = self.model.gene_at(self.table.currentIndex().row())
        if gene:
            self.starred.emit(gene)

    def _on_row(self, current: QModelIndex, _previous: QModelIndex) -> None:
        gene = self.model.gene_at(current.row()) if current.isValid() else ""
        if gene and gene != self._shown:
            self._shown = gene
            self.picked.emit(gene)


def _table(model: GeneModel, widths: Mapping[int, int]) -> QTableView:
    table = QTableView(objectName="gr2st_genes", showGrid=False, sortingEnabled=True)
    table.setModel(model)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setMinimumHeight(68)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(22)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    header.setSectionResizeMode(GENE, QHeaderView.ResizeMode.Stretch)
    for column in range(1, model.columnCount()):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
        header.resizeSection(column, widths.get(column, 60))
    return table
