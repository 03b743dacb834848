"""The page of results: warnings, models, a plot, genes, export."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari.views.card import STRIPES, let_narrow
from gr2st_napari.views.dialogs import ask_folder, ask_page
from gr2st_napari.views.gene_list import GeneList
from gr2st_napari.views.gene_model import GeneModel
from gr2st_napari.views.links import LinkLabel
from gr2st_napari.views.look import SPACE_TIPS, SPACE_WORDS
from gr2st_napari.views.results_models import ModelTable
from gr2st_napari.views.results_plots import BoxPlot, DotPlot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QResizeEvent

    from gr2st_napari._results import Box, Dot, GeneScores, ModelScore
    from gr2st_napari._results_words import ModelLine
    from gr2st_napari._state import Space

GENE_COLUMNS = ("Gene", "from", "to", "PCC spot", "PCC gene")
GENE_TIPS = (
    "Click a gene to see it measured and predicted on the held-out slide below",
    "Lower end of the 95 % interval of the mean over held-out slides, in the scale chosen above",
    "Upper end of the 95 % interval of the mean over held-out slides, in the scale chosen above",
    "Correlation with spot-normalised expression, mean over held-out slides",
    "Correlation with gene-normalised expression, mean over held-out slides",
)
SCORE_COLUMN = {"spot": 3, "gene": 4}
GENE_WIDTHS = {1: 48, 2: 48, 3: 78, 4: 78}
INTERVAL = (1, 2)
ROOMY_PX = 360
"""From this width on there is room for intervals."""
SHOWN_WARNINGS = 1
PLOT_PX, GENES_PX, PAGE_PX = 110, 90, 220
"""Least heights of the plots, of the genes, and of all below the warnings."""
SHARES_PX = [180, 240, 200]
"""Of table, plot and genes, until the user moves the handles between them."""
EXPORTS = {
    "Tables (.csv)…": "tables",
    "Figures (.png)…": "figures",
    "Report (.html)…": "report",
}


class ResultsPage(QWidget):
    """Setters in, signals out."""

    space_chosen = Signal(str)
    section_chosen = Signal(str)
    export_wanted = Signal(str, str)
    """What is to be exported, and where to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.warnings = LinkLabel(objectName="gr2st_warnings", wordWrap=True)
        let_narrow(self.warnings)
        self.warnings.setStyleSheet(
            f"#gr2st_warnings {{ border: 0; border-left: 4px solid {STRIPES['warning']}; padding-left: 6px; }}"
        )
        self.empty = QLabel("Results show here once the first trainings are done.", wordWrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.space = QComboBox(objectName="gr2st_results_space")
        self.export = QPushButton("Export", objectName="gr2st_export")
        self.models = ModelTable()
        self.by_section, self.by_patient = DotPlot("gr2st_dots"), DotPlot("gr2st_patient_dots")
        self.by_gene = BoxPlot("gr2st_boxes")
        self.which = QComboBox(objectName="gr2st_plot")
        self.genes = GeneList(model=GeneModel(columns=GENE_COLUMNS, tips=GENE_TIPS), widths=GENE_WIDTHS)
        self.genes.table.setMinimumHeight(GENES_PX)
        self.section = QComboBox(objectName="gr2st_held_out")
        self._body = QSplitter(Qt.Orientation.Vertical)
        self._page = _scrolling(self._body, PAGE_PX)
        self._warnings: tuple[str, ...] = ()
        self._genes_in = ""
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        for at, (space, words) in enumerate(SPACE_WORDS.items()):
            self.space.addItem(words, space)
            self.space.setItemData(at, SPACE_TIPS[space], Qt.ItemDataRole.ToolTipRole)
        self.which.addItems(["A dot per slide", "A dot per patient", "Box over genes"])
        for box in (self.space, self.which, self.section):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.export.setMenu(self._menu())
        self.export.setToolTip("Write tables, figures or a report of these results")
        self.which.setToolTip("How the scores are drawn: for each slide, for each patient, or over all genes")
        self.section.setToolTip("Held-out slide on which a clicked gene is shown, as predicted without having seen it")
        for part in (
            self.models,
            _column(self.which, _scrolling(_column(*self._plots), PLOT_PX)),
            _column(_row(QLabel("Genes on slide"), self.section), self.genes),
        ):
            self._body.addWidget(part)
        self._body.setChildrenCollapsible(False)
        self._body.setSizes(SHARES_PX)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.empty)
        layout.addWidget(self.warnings)
        layout.addWidget(_row(self.space, self.export))
        layout.addWidget(self._page, 1)

    def _connect(self) -> None:
        self.space.activated.connect(lambda at: self.space_chosen.emit(self.space.itemData(at)))
        self.which.currentIndexChanged.connect(self._on_which)
        self.section.textActivated.connect(self.section_chosen)
        self.warnings.linkActivated.connect(lambda _link: self._show_warnings(len(self._warnings)))
        self._on_which(0)

    def _menu(self) -> QMenu:
        menu = QMenu(self.export, toolTipsVisible=True)
        for label, what in EXPORTS.items():
            menu.addAction(label).triggered.connect(lambda _checked=False, what=what: self._ask_export(what))
        return menu

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        for column in INTERVAL:
            self.genes.table.setColumnHidden(column, event.size().width() < ROOMY_PX)

    def show_any(self, are_there: bool) -> None:
        """Without results there is only the word that there are none."""
        self.empty.setVisible(not are_there)
        for part in (self.space.parentWidget(), self._page):
            part.setVisible(are_there)
        if not are_there:
            self.warnings.hide()

    def show_warnings(self, warnings: Sequence[str]) -> None:
        self._warnings = tuple(warnings)
        self._show_warnings(SHOWN_WARNINGS)

    def _show_warnings(self, most: int) -> None:
        """The first of them, the rest behind a link."""
        shown, more = self._warnings[:most], len(self._warnings) - most
        link = [f"<a href='all'>and {more} more</a>"] if more > 0 else []
        self.warnings.setText("<br>".join([*map(escape, shown), *link]))
        self.warnings.setVisible(bool(shown))

    def show_export(self, why_no_report: str) -> None:
        """Tables and figures can always be written; why the report cannot."""
        report = self.export.menu().actions()[list(EXPORTS.values()).index("report")]
        report.setEnabled(not why_no_report)
        report.setToolTip(why_no_report)

    def show_space(self, space: Space) -> None:
        self.space.setCurrentIndex(self.space.findData(space))
        self.space.setToolTip(SPACE_TIPS[space])

    def show_models(self, lines: Sequence[ModelLine], chosen: str) -> None:
        self.models.show_lines(lines, chosen)

    def show_plots(
        self,
        dots: Sequence[Dot],
        patients: Sequence[Dot],
        boxes: Sequence[Box],
        scores: Sequence[ModelScore],
        words: str,
    ) -> None:
        """All plots; `words` stand under their axes."""
        self.by_section.show_dots(dots, scores, words)
        self.by_patient.show_dots(patients, scores, words)
        self.by_gene.show_boxes(boxes, [score.label for score in scores], words)

    def show_genes(self, scores: GeneScores | None, space: Space) -> None:
        """Genes of the chosen model, best first."""
        if scores is None:
            self.genes.show_genes((), ())
            return
        columns = (scores.low[space], scores.high[space], scores.means["spot"], scores.means["gene"])
        bar, model = self.genes.table.verticalScrollBar(), self.genes.model
        # Numbers that grow while trainings go on leave order and place as the user has them.
        is_new = self._genes_in != space or not model.rowCount()
        order = (SCORE_COLUMN[space], Qt.SortOrder.DescendingOrder) if is_new else model.sorted_by
        place = 0 if is_new else bar.value()
        self._genes_in = space
        self.genes.show_genes(scores.genes, [""] * len(scores.genes), *columns)
        for column in INTERVAL:
            self.genes.table.setColumnHidden(column, self.width() < ROOMY_PX)
        self.genes.table.sortByColumn(*order)
        bar.setValue(place)

    def show_sections(self, names: Sequence[str], current: str) -> None:
        with QSignalBlocker(self.section):
            self.section.clear()
            self.section.addItems(list(names))
            self.section.setCurrentText(current)

    def _on_which(self, at: int) -> None:
        for place, plot in enumerate(self._plots):
            plot.setVisible(place == at)

    @property
    def _plots(self) -> tuple[DotPlot, DotPlot, BoxPlot]:
        """In the order in which they can be chosen."""
        return self.by_section, self.by_patient, self.by_gene

    def _ask_export(self, what: str) -> None:
        if what == "report":
            path = ask_page(self, "Save the report", "report.html")
        else:
            path = ask_folder(self, f"Folder for the {what}")
        if path:
            self.export_wanted.emit(what, path)


def _scrolling(content: QWidget, least_px: int) -> QScrollArea:
    """Many models need more height than a dock has, and a dock more than a small screen has."""
    area = QScrollArea(widgetResizable=True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setMinimumHeight(least_px)
    area.setWidget(content)
    return area


def _row(*parts: QWidget) -> QWidget:
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(4)
    for part in parts:
        line.addWidget(part, 1 if isinstance(part, QComboBox) else 0)
    return holder


def _column(*parts: QWidget) -> QWidget:
    holder = QWidget()
    line = QVBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(3)
    for part in parts:
        line.addWidget(part)
    return holder
