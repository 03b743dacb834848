"""The genes of a list as a table for Qt: numbers in columns, searched, narrowed and sorted without an item per cell."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy.typing as npt

GENE, MEAN, DETECTED, VARIABILITY, MORAN, PCC, LOW, HIGH, STAR = range(9)
COLUMNS = ("Gene", "Mean", "Found", "Rank", "Moran", "PCC", "from", "to", "★")
TIPS = (
    "Symbol of the gene",
    "Mean count per spot (without counts: mean normalised value)",
    "Share of the spots in which the gene is counted",
    "Place among the genes that vary most on this slide; empty for a gene counted in under a tenth of its spots",
    "Moran's I: how alike neighbouring spots are; 0 without a pattern, near 1 where it is smooth",
    "Correlation of predicted and measured over the spots of this section",
    "Lower end of the 95 % interval of the PCC, where an evaluation tells one",
    "Upper end of the 95 % interval of the PCC, where an evaluation tells one",
    "Favourites: click the star, or press F",
)
WIDTHS = {MEAN: 66, DETECTED: 70, VARIABILITY: 64, MORAN: 72, PCC: 56, LOW: 60, HIGH: 48, STAR: 26}
"""Room for the title and the arrow that says the list is sorted by it."""
NO_RANK = 3


def two_digits(value: float) -> str:
    """A number of a table; whole ones from 100 on."""
    # Adding 0 takes the sign from a rounded -0.
    return f"{round(value, 2) + 0:.2f}" if abs(value) < 100 else f"{value:,.0f}"


FORMATS: dict[int, Callable[[float], str]] = {
    DETECTED: lambda value: f"{100 * value:.0f} %",
    VARIABILITY: "{:,.0f}".format,
    STAR: lambda value: "★" if value else "☆",
}


class GeneModel(QAbstractTableModel):
    """Genes with a number in each further column; ordered by how well they match what was typed, then by a column."""

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        columns: Sequence[str] = COLUMNS,
        tips: Sequence[str] = TIPS,
        formats: Mapping[int, Callable[[float], str]] = MappingProxyType({}),
        upward: Collection[int] = (),
    ) -> None:
        super().__init__(parent)
        self._columns, self._tips, self._formats = tuple(columns), tuple(tips), dict(formats)
        self._upward = frozenset(upward)
        self._genes: tuple[str, ...] = ()
        self._lower: list[str] = []
        self._aliases: list[str] = []
        self._numbers: dict[int, npt.NDArray[np.floating[Any]]] = {}
        self._by_name: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._order: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._sort = (GENE, Qt.SortOrder.AscendingOrder)
        self._query = ""
        self._wanted: frozenset[str] | None = None
        self._within: npt.NDArray[np.bool_] | None = None

    def set_genes(
        self, genes: Sequence[str], aliases: Sequence[str], *numbers: npt.NDArray[np.floating[Any]] | None
    ) -> None:
        """Replace all genes, sorted by the last column of numbers that is known; one that is None stays empty."""
        self._genes = tuple(genes)
        self._lower = [gene.lower() for gene in genes]
        self._aliases = [alias.lower() for alias in aliases]
        self._numbers = {column: known for column, known in enumerate(numbers, start=1) if known is not None}
        self._by_name = np.argsort(np.argsort(np.array(self._lower, dtype=str), kind="stable"), kind="stable")
        self._sort = (max(self._numbers, default=GENE), Qt.SortOrder.DescendingOrder)
        self._wanted = self._within = None
        self._reorder()

    def set_column(self, column: int, numbers: npt.NDArray[np.floating[Any]] | None) -> None:
        """Fill one column anew, in the order of the genes; None empties it."""
        if numbers is None:
            self._numbers.pop(column, None)
        else:
            self._numbers[column] = numbers
        if self._sort[0] == column:
            self._reorder()
        elif self.rowCount():
            self.dataChanged.emit(self.index(0, column), self.index(self.rowCount() - 1, column))

    def knows(self, column: int) -> bool:
        """Whether a column has numbers."""
        return column in self._numbers

    def words_of(self, column: int) -> str:
        """A column for a menu: its title and what it means."""
        return f"{self._columns[column]}: {self._tips[column]}"

    def set_tip(self, column: int, tip: str) -> None:
        """Say what a column means now."""
        self._tips = (*self._tips[:column], tip, *self._tips[column + 1 :])

    def search(self, text: str) -> None:
        """Show genes whose symbol or identifier holds `text`: exact first, then beginning, then inside."""
        self._query = text.strip().lower()
        self._reorder()

    def narrow(self, genes: Collection[str] | None) -> None:
        """Show only these genes, by symbol or identifier; None shows all."""
        wanted = None if genes is None else frozenset(gene.lower() for gene in genes)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        names = zip(self._lower, self._aliases, strict=True)
        self._within = None if wanted is None else np.array([not wanted.isdisjoint(name) for name in names], np.bool_)
        self._reorder()

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes that are shown, in their order."""
        return tuple(self._genes[at] for at in self._order)

    def as_table(self) -> pd.DataFrame:
        """The genes shown, in their order, with all digits of what is known of them."""
        names = pd.Index([self._genes[at] for at in self._order])
        known = {self._columns[column]: self._numbers[column][self._order] for column in sorted(self._numbers)}
        return pd.DataFrame({self._columns[GENE]: names, **known})

    def gene_at(self, row: int) -> str:
        return self._genes[self._order[row]] if 0 <= row < len(self._order) else ""

    def row_of(self, gene: str) -> int:
        """Row in which a gene is shown, -1 where it is not."""
        if gene not in self._genes:
            return -1
        rows = np.flatnonzero(self._order == self._genes.index(gene))
        return int(rows[0]) if rows.size else -1

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        return self._sort

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        gene = int(self._order[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            return self._genes[gene] if index.column() == GENE else self._number(index.column(), gene)
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() != GENE:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return " · ".join(filter(None, (self._genes[gene], self._aliases[gene].upper())))
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._columns[section]
        if role == Qt.ItemDataRole.InitialSortOrderRole:
            return self.first_order(section)
        return self._tips[section] if role == Qt.ItemDataRole.ToolTipRole else None

    def first_order(self, column: int) -> Qt.SortOrder:
        """How a column is sorted at first: highest in front, but names from A."""
        is_upward = column == GENE or column in self._upward
        return Qt.SortOrder.AscendingOrder if is_upward else Qt.SortOrder.DescendingOrder

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sort = (column, order)
        self._reorder()

    def _number(self, column: int, gene: int) -> str:
        value = float(self._numbers[column][gene]) if column in self._numbers else np.nan
        return "" if np.isnan(value) else self._formats.get(column, two_digits)(value)

    def _reorder(self) -> None:
        self.beginResetModel()
        ranks = self._ranks()
        column, direction = self._sort
        key = np.asarray(
            self._by_name if column == GENE else self._numbers.get(column, self._by_name), dtype=np.float64
        )
        # NaN sorts last in both directions.
        key = np.where(np.isnan(key), np.inf, key if direction == Qt.SortOrder.AscendingOrder else -key)
        order = np.lexsort((self._by_name, key, ranks))
        self._order = order[ranks[order] < NO_RANK]
        self.endResetModel()

    def _ranks(self) -> npt.NDArray[np.int8]:
        text, ranks = self._query, np.zeros(len(self._genes), np.int8)
        if text:
            names = zip(self._lower, self._aliases, strict=True)
            found = (min(_rank(text, name), _rank(text, alias)) for name, alias in names)
            ranks = np.fromiter(found, np.int8, len(self._genes))
        return ranks if self._within is None else np.where(self._within, ranks, np.int8(NO_RANK))


def _rank(text: str, name: str) -> int:
    """0 exact, 1 beginning, 2 inside, 3 not there."""
    if text not in name:
        return NO_RANK
    return 0 if name == text else 1 if name.startswith(text) else 2
