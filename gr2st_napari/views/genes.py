"""The Genes dock: which gene, how it is shown, what is known of the clicked spot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, QSize, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gr2st_napari.views.card import NARROWEST_PX, StatusCard, open_menu
from gr2st_napari.views.classes import ColourBy, Legend
from gr2st_napari.views.dialogs import SESSIONS, ask_file, ask_folder, ask_session, ask_target
from gr2st_napari.views.export_button import ExportButton
from gr2st_napari.views.foot import Foot
from gr2st_napari.views.gene_columns import ColumnChooser
from gr2st_napari.views.gene_list import GeneList
from gr2st_napari.views.gene_lists import ListBar
from gr2st_napari.views.look import LookControls, ModeButtons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QShowEvent


USUAL_PX = 300
"""As wide as the dock opens: buttons stand in two rows, and words beside what they are of."""


class GenesView(QWidget):
    """Setters in, signals out."""

    path_chosen = Signal(str)
    model_chosen = Signal(str)
    sample_wanted = Signal()
    section_chosen = Signal(str)
    session_saved = Signal(str)
    """Where what is on the screen is to be kept."""
    dismissed = Signal()
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_genes_dock")
        self.card = StatusCard()
        self.sections = QComboBox(objectName="gr2st_sections")
        self.sections.setToolTip("Section of the study")
        self.sections.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.more = QPushButton("Open…", objectName="gr2st_more")
        self.export = ExportButton()
        self.lists = ListBar()
        self.genes = GeneList()
        self.columns = ColumnChooser(self.genes)
        self.modes = ModeButtons()
        self.look = LookControls()
        self.notes = _text("gr2st_notes")
        self.colour_by = ColourBy()
        self.classes = Legend()
        self.legend = _text("gr2st_legend")
        self.foot = Foot()
        self._filler = QWidget()
        self.setMinimumWidth(NARROWEST_PX)
        # napari puts a stretch under docks that do not ask for height, and it takes half from the second one on.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.sections, 1)
        row.addWidget(self.more)
        row.addWidget(self.export)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.card)
        layout.addLayout(row)
        layout.addWidget(self.lists)
        layout.addWidget(self.genes, 1)
        layout.addWidget(self._filler, 1)
        for part in (self.colour_by, self.modes, self.look, self.classes, self.notes, self.legend, self.foot):
            layout.addWidget(part)
        self.colour_by.hide()
        self.classes.hide()

    def _connect(self) -> None:
        menu = open_menu(self.more, self._on_action)
        menu.addAction("The sample").triggered.connect(lambda: self._on_action("open-sample"))
        menu.addAction("A session…").triggered.connect(lambda: self._on_action("open-session"))
        self.keep = menu.addAction("Save session…")
        self.keep.triggered.connect(self._on_keep)
        menu.addSeparator()
        menu.addAction("Predict with a model…").triggered.connect(lambda: self._on_action("predict"))
        self.more.setMenu(menu)
        self.more.setToolTip("Open another section, a prediction or a session, or predict with a model")
        self.card.acted.connect(self._on_action)
        self.sections.textActivated.connect(self.section_chosen)

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(max(USUAL_PX, hint.width()), hint.height())

    def show_sections(self, names: Sequence[str], current: str) -> None:
        """Offer the sections of a study; one alone is only named."""
        with QSignalBlocker(self.sections):
            self.sections.clear()
            self.sections.addItems(list(names))
            self.sections.setCurrentText(current)
        self.sections.setVisible(bool(names))
        self.more.setVisible(bool(names))

    def show_gene_tools(self, is_shown: bool) -> None:
        """Without anything open only the card is there."""
        for part in (self.lists, self.genes, self.modes, self.look, self.export):
            part.setVisible(is_shown)
        self._filler.setVisible(not is_shown)

    def show_look(self, *, of_classes: bool) -> None:
        """Colours and limits of a gene, or the legend of classes."""
        self.classes.setVisible(of_classes)
        self.look.setVisible(not of_classes and not self.genes.isHidden())

    def show_notes(self, notes: Sequence[str]) -> None:
        """What the user should know about the maps."""
        self.notes.setText("\n".join(notes))
        self.notes.setVisible(bool(notes))

    def show_legend(self, html: str) -> None:
        """What the edges of the clicked spot mean; empty where none is clicked."""
        self.legend.setText(html)
        self.legend.setVisible(bool(html))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())

    def _on_action(self, action: str) -> None:
        if action == "open-folder":
            self._emit_path(ask_folder(self, "Folder of a section or a study"))
        elif action == "open-file":
            self._emit_path(ask_file(self, "Section, study or prediction"))
        elif action == "open-session":
            self._emit_path(ask_session(self))
        elif action == "open-sample":
            self.sample_wanted.emit()
        elif action == "predict":
            model = ask_folder(self, "Folder of a trained model")
            if model:
                self.model_chosen.emit(model)
        else:
            self.dismissed.emit()

    def _on_keep(self) -> None:
        path = ask_target(self, "Save what is on the screen", f"{self.sections.currentText()}.gr2st", SESSIONS)
        if path:
            self.session_saved.emit(path)

    def _emit_path(self, path: str) -> None:
        if path:
            self.path_chosen.emit(path)


def _text(name: str) -> QLabel:
    label = QLabel(objectName=name, wordWrap=True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.hide()
    return label
