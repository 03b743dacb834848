"""The Regions dock: draw and name areas of the slide, and see which genes differ between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gr2st_napari._regions import REST
from gr2st_napari._regions_words import CARD_WORDS, REST_WORDS
from gr2st_napari.views.card import StatusCard, let_narrow
from gr2st_napari.views.dialogs import ask_file, ask_folder, ask_regions, ask_regions_target, ask_saving_table
from gr2st_napari.views.foot import Foot
from gr2st_napari.views.region_tables import ComparedTable, RegionTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QShowEvent

    from gr2st_napari._advice import Card
    from gr2st_napari._regions_words import Column, RegionLine
    from gr2st_napari._state import Job

TOOL_WORDS = {
    "polygon": ("Polygon", "Click corner after corner; Enter or a double click ends the region"),
    "lasso": ("Lasso", "Click, move round the region, click again; or drag round it"),
    "change": ("Change", "Move corners; a selected region goes with Delete"),
    "move": ("Look", "Put the tool away: the mouse moves the view again"),
}


class RegionsView(QWidget):
    """Setters in, signals out."""

    path_chosen = Signal(str)
    sample_wanted = Signal()
    tool_chosen = Signal(str)
    removal_wanted = Signal(list)
    sides_chosen = Signal(str, str)
    comparison_wanted = Signal()
    import_chosen = Signal(str)
    export_chosen = Signal(str)
    copy_wanted = Signal(list)
    """Rows of the table of genes, as they are shown."""
    save_chosen = Signal(str, list)
    dismissed = Signal()
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_regions_dock")
        self.card, self.foot = StatusCard(), Foot()
        self.tools = {
            tool: QPushButton(words, objectName=f"gr2st_{tool}", checkable=True)
            for tool, (words, _) in TOOL_WORDS.items()
        }
        self.regions, self.compared = RegionTable(), ComparedTable()
        self.remove = QPushButton("Remove", objectName="gr2st_remove_region")
        self.load = QPushButton("Import…", objectName="gr2st_import_regions")
        self.export = QPushButton("Export…", objectName="gr2st_export_regions")
        self.a, self.b = (QComboBox(objectName=f"gr2st_region_{side}") for side in "ab")
        self.compare = QPushButton("Compare", objectName="gr2st_compare")
        self.heading = QLabel(objectName="gr2st_compared_heading", wordWrap=True)
        self.copy = QPushButton("Copy", objectName="gr2st_copy_compared")
        self.save = QPushButton("Save…", objectName="gr2st_save_compared")
        self.setMinimumWidth(285)
        self._lay_out()
        self._connect()
        self._tell()

    def _lay_out(self) -> None:
        let_narrow(self.heading)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addWidget(self.card)
        layout.addLayout(_row(*self.tools.values()))
        layout.addWidget(self.regions, 1)
        layout.addLayout(_row(self.load, self.export, self.remove))
        layout.addLayout(self._choice())
        layout.addWidget(self.heading)
        layout.addWidget(self.compared, 3)
        layout.addLayout(_row(self.copy, self.save))
        layout.addStretch(0)
        layout.addWidget(self.foot)

    def _choice(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setSpacing(3)
        for at, (letter, box) in enumerate((("A", self.a), ("B", self.b))):
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            grid.addWidget(QLabel(letter), 0, 2 * at)
            grid.addWidget(box, 0, 2 * at + 1)
            grid.setColumnStretch(2 * at + 1, 1)
        grid.addWidget(self.compare, 1, 0, 1, 4)
        return grid

    def _connect(self) -> None:
        for tool, button in self.tools.items():
            button.clicked.connect(lambda _checked=False, tool=tool: self.tool_chosen.emit(tool))
        self.card.acted.connect(self._on_action)
        self.regions.chosen.connect(lambda names: self.remove.setEnabled(bool(names)))
        self.remove.clicked.connect(lambda: self.removal_wanted.emit(self.regions.names()))
        for box in (self.a, self.b):
            box.activated.connect(lambda: self.sides_chosen.emit(self.a.currentData(), self.b.currentData()))
        self.compare.clicked.connect(self.comparison_wanted)
        self.load.clicked.connect(lambda: _if_any(ask_regions(self), self.import_chosen.emit))
        self.export.clicked.connect(lambda: _if_any(ask_regions_target(self), self.export_chosen.emit))
        self.copy.clicked.connect(lambda: self.copy_wanted.emit(self.compared.genes.order))
        self.save.clicked.connect(self._on_save)

    def _tell(self) -> None:
        for tool, (_, tip) in TOOL_WORDS.items():
            self.tools[tool].setToolTip(tip)
        self.a.setToolTip("A region, or all regions of a class, whose genes are compared with those of B")
        self.b.setToolTip("What A is compared with: another region, or all spots that are not in A")
        self.remove.setEnabled(False)
        self.remove.setToolTip("Remove the selected regions")
        self.load.setToolTip("Add regions of a GeoJSON file, as QuPath exports annotations")
        self.export.setToolTip("Write all regions as GeoJSON, which QuPath opens")
        self.copy.setToolTip("Copy the whole table, as sorted, for a spreadsheet")
        self.save.setToolTip("Save the whole table, as sorted, as .csv")

    def show_card(self, card: Card) -> None:
        self.card.show_card(card, CARD_WORDS)

    def show_tool(self, tool: str) -> None:
        """Which tool is in hand, none of ours where it is empty."""
        for name, button in self.tools.items():
            button.setChecked(name == tool)

    def show_sides(self, choices: Sequence[str], a: str, b: str) -> None:
        """What can be compared, and what is chosen; A is not offered as B, where arrow keys could not go past it."""
        entries = [(choice, choice) for choice in choices]
        _fill(self.a, entries, a)
        _fill(self.b, [(REST_WORDS, REST), *(entry for entry in entries if entry[1] != a)], b)

    def show_regions(self, lines: Sequence[RegionLine], *, is_open: bool) -> None:
        """The list; without an open slide there is nothing to draw on."""
        self.regions.regions.show_lines(lines)
        for part in (*self.tools.values(), self.load):
            part.setEnabled(is_open)
        self.export.setEnabled(bool(lines))

    def show_reason(self, reason: str, job: Job) -> None:
        """Whether a comparison can be asked for, and if not, why."""
        self.compare.setEnabled(not reason and not job.is_running)
        self.compare.setToolTip(reason or "Test every gene between A and B, beside the window")
        self.foot.show_job(job)

    def show_compared(self, heading: str, genes: Sequence[str], tips: Sequence[str], columns: Sequence[Column]) -> None:
        """The table of genes; without one there is nothing to see, copy or save."""
        self.heading.setText(heading)
        self.compared.show_columns(genes, tips, columns)
        for part in (self.heading, self.compared, self.copy, self.save):
            part.setVisible(bool(columns))

    def show_heading(self, heading: str) -> None:
        self.heading.setText(heading)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())

    def _on_action(self, action: str) -> None:
        if action == "open-folder":
            _if_any(ask_folder(self, "Folder of a section or study"), self.path_chosen.emit)
        elif action == "open-file":
            _if_any(ask_file(self, "Section, study or prediction"), self.path_chosen.emit)
        elif action == "open-sample":
            self.sample_wanted.emit()
        else:
            self.dismissed.emit()

    def _on_save(self) -> None:
        path = ask_saving_table(self, "Save the comparison", f"{self.a.currentText()} vs {self.b.currentText()}.csv")
        if path:
            self.save_chosen.emit(path, self.compared.genes.order)


def _row(*parts: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(3)
    for part in parts:
        row.addWidget(part, 1)
    return row


def _fill(box: QComboBox, entries: Sequence[tuple[str, str]], chosen: str) -> None:
    """Replace the entries of a box where they are others, and choose one without saying so."""
    if entries != [(box.itemText(at), box.itemData(at)) for at in range(box.count())]:
        box.clear()
        for words, name in entries:
            box.addItem(words, name)
    box.setCurrentIndex(box.findData(chosen))


def _if_any(path: str, act: object) -> None:
    if path:
        act(path)  # type: ignore[operator]
