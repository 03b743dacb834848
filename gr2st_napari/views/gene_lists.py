"""Which genes the list is narrowed to, and lists of genes in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QWidget

from gr2st_napari.views.dialogs import ask_gene_lists, ask_saving_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL = "All genes"


class ListBar(QWidget):
    """Setters in, signals out."""

    chosen = Signal(str)
    """A name, empty for all genes."""
    opened = Signal(str)
    saved = Signal(str)
    mean_wanted = Signal(str)
    """The name of the list whose mean z-score is to be shown as a map."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.which = QComboBox(objectName="gr2st_gene_lists")
        self.which.setToolTip("Show all genes, your favourites, those seen last, or a list you opened")
        self.which.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.more = QPushButton("List…", objectName="gr2st_gene_list_menu")
        self.more.setToolTip("Open a list of genes, or save the genes shown below")
        self.more.setMenu(self._menu())
        self.mean = QPushButton("Mean z", objectName="gr2st_gene_list_mean")
        self.mean.setToolTip(
            "Show the list as one map: each gene in standard deviations from its mean over the slide, then their mean"
        )
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(self.which, 1)
        line.addWidget(self.mean)
        line.addWidget(self.more)
        self.which.activated.connect(lambda at: self.choose(self.which.itemData(at)))
        self.mean.clicked.connect(lambda: self.mean_wanted.emit(self.name))
        self.show_names(())

    def show_names(self, names: Sequence[str]) -> None:
        """Offer names beside all genes; the one chosen stays where it is still there."""
        before = self.which.currentData() or ""
        with QSignalBlocker(self.which):
            self.which.clear()
            for name in ("", *names):
                self.which.addItem(name or ALL, name)
            self.which.setCurrentIndex(max(0, self.which.findData(before)))
        self.mean.setVisible(bool(self.name))

    def choose(self, name: str) -> None:
        """Show one of the names as chosen, and say so."""
        self.which.setCurrentIndex(self.which.findData(name))
        self.mean.setVisible(bool(name))
        self.chosen.emit(name)

    @property
    def name(self) -> str:
        """The one chosen; empty for all genes."""
        return str(self.which.currentData() or "")

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction("Open a list of genes…").triggered.connect(self._ask_open)
        menu.addAction("Save the genes below…").triggered.connect(self._ask_save)
        return menu

    def _ask_open(self) -> None:
        path = ask_gene_lists(self, "Open a list of genes")
        if path:
            self.opened.emit(path)

    def _ask_save(self) -> None:
        path = ask_saving_genes(self, "Save the genes below", "genes.txt")
        if path:
            self.saved.emit(path)
