"""Which columns of the list of genes are shown: those wanted, as many as fit, the one it is sorted by always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import QHeaderView, QMenu

from gr2st_napari.views.gene_model import DETECTED, GENE, HIGH, LOW, MEAN, MORAN, PCC, STAR, VARIABILITY, WIDTHS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtCore import QPoint

    from gr2st_napari.views.gene_list import GeneList

PRIORITY = (PCC, MEAN, LOW, HIGH, MORAN, DETECTED, VARIABILITY)
"""In which order columns are given room."""
NAMES = {
    MEAN: "mean",
    DETECTED: "found",
    VARIABILITY: "rank",
    MORAN: "moran",
    PCC: "pcc",
    LOW: "low",
    HIGH: "high",
}
"""What columns are called where the wanted ones are remembered."""
NAME_PX = 96
"""Room that the name of a gene keeps."""


class ColumnChooser(QObject):
    """Fits the columns of a list to its width, and asks which are wanted in the menu of its header."""

    chosen = Signal(object)
    """The names of the columns the user wants, the one given room first in front."""

    def __init__(self, genes: GeneList, wanted: Sequence[int] = PRIORITY) -> None:
        super().__init__(genes)
        self._genes, self._wanted = genes, tuple(wanted)
        self._under_way: Mapping[int, float] = {}
        header = genes.table.horizontalHeader()
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._ask)
        header.sortIndicatorChanged.connect(self.fit)
        header.moveSection(header.visualIndex(STAR), 0)
        header.setMinimumSectionSize(WIDTHS[STAR])
        header.setSectionResizeMode(STAR, QHeaderView.ResizeMode.Fixed)
        genes.table.viewport().installEventFilter(self)
        self.fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.fit()
        return super().eventFilter(watched, event)

    def fit(self) -> None:
        """Show what fits."""
        shown = self._fitting()
        for column in PRIORITY:
            self._genes.table.setColumnHidden(column, column not in shown)

    def show_wanted(self, names: Sequence[str]) -> None:
        """Show the columns of these names, as far as they fit; names that are not known are passed over."""
        known = {name: column for column, name in NAMES.items()}
        wanted = tuple(known[name] for name in names if name in known)
        if wanted != self._wanted:
            self._wanted = wanted
            self.fit()

    def show_under_way(self, done: Mapping[int, float]) -> None:
        """The columns that are being worked out, and how much of each is done, 0 to 1."""
        self._under_way = done

    def menu(self) -> QMenu:
        """The columns, wanted ones ticked; one that is not known here, or not yet, cannot be chosen."""
        menu = QMenu(self._genes.table)
        for column in range(GENE + 1, STAR):
            done = self._under_way.get(column)
            how_far = "" if done is None else f" (being worked out: {done:.0%})"
            action = menu.addAction(f"{self._genes.model.words_of(column)}{how_far}")
            action.setCheckable(True)
            action.setChecked(column in self._wanted)
            action.setEnabled(self._genes.model.knows(column))
            action.toggled.connect(lambda is_on, column=column: self.want(column, is_on=is_on))
        return menu

    def want(self, column: int, *, is_on: bool) -> None:
        """Show a column before all others and sort by it, or leave it out."""
        others = tuple(wanted for wanted in self._wanted if wanted != column)
        self._wanted = (column, *others) if is_on else others
        if is_on:
            self._genes.sort_by(column)
        elif self._genes.model.sorted_by[0] == column:
            self._genes.sort_by(next(filter(self._genes.model.knows, others), GENE))
        self.fit()
        self.chosen.emit(tuple(NAMES[wanted] for wanted in self._wanted))

    def _fitting(self) -> set[int]:
        model, room = self._genes.model, self._genes.table.viewport().width()
        by = model.sorted_by[0]
        wanted = sorted(filter(model.knows, self._wanted), key=lambda column: column != by)
        room -= NAME_PX + WIDTHS[STAR]
        # However narrow the list, there is one.
        shown = set(wanted[:1])
        for column in wanted:
            room -= WIDTHS[column]
            if room >= 0:
                shown.add(column)
        return shown

    def _ask(self, place: QPoint) -> None:
        self.menu().popup(self._genes.table.horizontalHeader().mapToGlobal(place))
