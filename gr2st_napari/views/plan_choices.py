"""What a training and an evaluation ask alike: which sections, which genes, and one of several options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari.views.card import let_narrow
from gr2st_napari.views.dialogs import ask_genes
from gr2st_napari.views.settings_form import CalmComboBox

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qtpy.QtGui import QWheelEvent

    from gr2st import GeneChoice
    from gr2st_napari._options import Option, SectionOption

NAME = Qt.ItemDataRole.UserRole
MOST_GENES = 20_000
TALLEST_PX = 160
"""Height of a list of sections before it scrolls."""


class OptionBox(QWidget):
    """One of several options, with a plain sentence about the one in use; those that cannot be used say why."""

    chosen = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = CalmComboBox(objectName=f"gr2st_{name}")
        self.about = small_text(f"gr2st_{name}_about")
        self._options: tuple[Option, ...] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(self.box)
        layout.addWidget(self.about)
        self.box.activated.connect(lambda _at: self.chosen.emit(self.current))

    @property
    def current(self) -> str:
        """Name of the option in use."""
        return str(self.box.currentData(NAME) or "")

    def show_options(self, options: Sequence[Option], current: str) -> None:
        """Offer these options, `current` being the one in use."""
        if tuple(options) != self._options:
            self._options = tuple(options)
            self._fill()
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(self.box.findData(current, NAME))
        option = next((option for option in self._options if option.name == current), None)
        self.about.setText("" if option is None else option.about)
        self.about.setVisible(option is not None and bool(option.about))
        self.box.setToolTip("" if option is None else "\n".join(filter(None, (option.title, option.about))))

    def _fill(self) -> None:
        with QSignalBlocker(self.box):
            self.box.clear()
            for at, option in enumerate(self._options):
                self.box.addItem(option.title + (" (not ready here)" if option.why_not else ""))
                self.box.setItemData(at, option.name, NAME)
                self.box.setItemData(at, option.why_not or option.about, Qt.ItemDataRole.ToolTipRole)
                if option.why_not:
                    self.box.model().item(at).setEnabled(False)


class SectionList(QWidget):
    """Sections with a tick each, their patient and their number of spots."""

    chosen = Signal(list)
    """Names of the ticked sections, in the order of the study."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = QListWidget(objectName="gr2st_section_list")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setSizeAdjustPolicy(QListWidget.SizeAdjustPolicy.AdjustToContents)
        self.list.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum)
        self.list.setMinimumHeight(40)
        self.list.setMaximumHeight(TALLEST_PX)
        self.count = QLabel(objectName="gr2st_section_count")
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.every = QPushButton("All", objectName="gr2st_all_sections", toolTip="Tick every slide that can be used")
        self.none = QPushButton("None", objectName="gr2st_no_section", toolTip="Untick all slides")
        self._options: tuple[SectionOption, ...] = ()
        row = QHBoxLayout()
        row.addWidget(self.count, 1)
        row.addWidget(self.every)
        row.addWidget(self.none)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.list)
        layout.addLayout(row)
        self.list.itemChanged.connect(lambda _item: self.chosen.emit(self.names))
        self.every.clicked.connect(lambda: self._tick(True))
        self.none.clicked.connect(lambda: self._tick(False))

    @property
    def names(self) -> list[str]:
        """Names of the ticked sections."""
        items = (self.list.item(at) for at in range(self.list.count()))
        return [item.data(NAME) for item in items if item.checkState() == Qt.CheckState.Checked]

    def show_sections(self, options: Sequence[SectionOption], chosen: Iterable[str]) -> None:
        """Offer these sections, `chosen` being ticked."""
        ticked = set(chosen)
        with QSignalBlocker(self.list):
            if tuple(options) != self._options:
                self._options = tuple(options)
                self._fill()
            for at, option in enumerate(self._options):
                is_ticked = option.name in ticked and not option.why_not
                self.list.item(at).setCheckState(Qt.CheckState.Checked if is_ticked else Qt.CheckState.Unchecked)
        self.count.setText(f"{len(self.names)} of {len(self._options)} sections")

    def _fill(self) -> None:
        self.list.clear()
        for option in self._options:
            item = QListWidgetItem(_section_words(option), self.list)
            item.setData(NAME, option.name)
            item.setToolTip(option.why_not or _section_words(option))
            if option.why_not:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)

    def _tick(self, is_ticked: bool) -> None:
        names = [option.name for option in self._options if is_ticked and not option.why_not]
        self.show_sections(self._options, names)
        self.chosen.emit(self.names)


class GenesChoice(QWidget):
    """The most variable genes, or those of a file."""

    number_chosen = Signal(int)
    file_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.way = CalmComboBox(objectName="gr2st_genes_way")
        self.way.addItems(["Most variable", "From a file…"])
        self.way.setToolTip(
            "Which genes are predicted: those that vary most on the training slides, or those of a file"
        )
        self.number = CalmSpinBox(objectName="gr2st_genes_number")
        self.number.setRange(1, MOST_GENES)
        self.number.setFixedWidth(92)
        self.number.setToolTip("How many of the most variable genes of the training sections")
        self.file = QPushButton("Choose…", objectName="gr2st_genes_file")
        self.file.setToolTip("A text file with a gene per line, or a table with a column of names")
        self.told = small_text("gr2st_genes_told")
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.way, 1)
        row.addWidget(self.number)
        row.addWidget(self.file)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addLayout(row)
        layout.addWidget(self.told)
        self.way.activated.connect(self._on_way)
        self.number.valueChanged.connect(self.number_chosen)
        self.file.clicked.connect(self._ask)

    def show_genes(self, genes: GeneChoice, source: str = "") -> None:
        """Show a choice; `source` names the file a list is from."""
        with QSignalBlocker(self.way), QSignalBlocker(self.number):
            self.way.setCurrentIndex(1 if genes.listed else 0)
            if genes.n_variable:
                self.number.setValue(genes.n_variable)
        self.number.setVisible(not genes.listed)
        self.file.setVisible(bool(genes.listed))
        self.told.setVisible(bool(genes.listed))
        self.told.setText(f"{len(genes.listed):,} genes{f' of {source}' if source else ''}")
        self.told.setToolTip(", ".join(genes.listed[:200]))

    def _on_way(self, way: int) -> None:
        if way == 0:
            self.number_chosen.emit(self.number.value())
        else:
            self._ask()

    def _ask(self) -> None:
        path = ask_genes(self, "Genes to learn")
        if path:
            self.file_chosen.emit(path)
        elif not self.file.isVisible():
            self.way.setCurrentIndex(0)


class CalmSpinBox(QSpinBox):
    """A spin box that the wheel passes over, and that tells a number once it is typed in full."""

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **properties)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def small_text(name: str) -> QLabel:
    """A line of explanation: it wraps, and narrows with its dock."""
    label = QLabel(objectName=name, wordWrap=True)
    let_narrow(label)
    label.setStyleSheet("font-size: 11px;")
    label.hide()
    return label


def _section_words(option: SectionOption) -> str:
    patient = f"patient {option.patient}" if option.patient else ""
    spots = "" if option.n_spots is None else f"{option.n_spots:,} spots"
    return " · ".join(filter(None, (option.name, patient, spots, option.why_not)))
