"""The page on which an evaluation is set up: what is held out, which models, on what, and where it is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gr2st import GeneChoice
from gr2st_napari._options import CELL_TYPE_OPTIONS, DEVICE_OPTIONS
from gr2st_napari.views.card import let_narrow
from gr2st_napari.views.evaluate_choices import Choices, PlaceChoice, Question, folded, heading
from gr2st_napari.views.plan_choices import CalmSpinBox, GenesChoice, OptionBox, SectionList
from gr2st_napari.views.settings_form import SettingsForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._evaluation import Design
    from gr2st_napari._options import Option, SectionOption

MOST_SEEDS = 100
LEFT_OUT_OF_TRAINING = ("device",)
"""Asked once for all models."""


class ModelSettings(QWidget):
    """Settings and training of one of the models that are compared."""

    settings_changed = Signal(str, object)
    training_changed = Signal(str, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = OptionBox("settings_of")
        self.training, self.settings = SettingsForm(), SettingsForm()
        self._design: Design | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.model, heading("Training"), self.training, heading("Model"), self.settings):
            layout.addWidget(part)
        self.model.chosen.connect(lambda _name: self._show_forms())
        self.training.changed.connect(lambda new: self.training_changed.emit(self.model.current, new))
        self.settings.changed.connect(lambda new: self.settings_changed.emit(self.model.current, new))

    def show_design(self, design: Design, options: Sequence[Option]) -> None:
        """Offer the models of a design."""
        self._design = design
        names = [option.name for option in options]
        self.model.show_options(options, self.model.current if self.model.current in names else names[0])
        self._show_forms()

    def _show_forms(self) -> None:
        design, name = self._design, self.model.current
        assert design is not None, "settings are those of a design"
        registered = type(design)().training_of(name), type(design)().config_of(name)
        self.training.show_settings(registered[0], design.training_of(name), LEFT_OUT_OF_TRAINING)
        self.settings.show_settings(registered[1], design.config_of(name))


class SetupPage(QScrollArea):
    """Shows a design; says which of its fields were changed."""

    changed = Signal(dict)
    """Fields of a `Design` with what they are to be."""
    gene_file_chosen = Signal(str)

    def __init__(self, protocols: Sequence[Option], ways: Sequence[Option], parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="gr2st_setup")
        self.protocol = Question(protocols, "protocol")
        self.count = QLabel(objectName="gr2st_training_count", wordWrap=True)
        let_narrow(self.count)
        self.models, self.references, self.parts = Choices("model"), Choices("reference"), Choices("part")
        self.sections, self.genes = SectionList(), GenesChoice()
        self.encoder, self.cell_types, self.device = OptionBox("encoder"), OptionBox("cell_types"), OptionBox("device")
        self.place = PlaceChoice(ways)
        self.seeds = CalmSpinBox(objectName="gr2st_seeds", minimum=1, maximum=MOST_SEEDS)
        self.seeds.setToolTip("How often each model that draws lots is trained, with another start each time")
        self.settings = ModelSettings()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        page = QWidget(objectName="gr2st_setup_page")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 4, 6, 4)
        layout.setSpacing(4)
        parts = (
            (heading("What is held out"), self.protocol, self.count),
            (heading("Models to compare"), self.models),
            (heading("Always beside them"), self.references),
            (heading("Slides"), self.sections),
            (heading("Genes"), self.genes),
            (heading("What is seen of a slide"), self.encoder),
            (heading("Cell types"), self.cell_types),
            (heading("Computed"), self.place, self.device),
            (folded("Leave out one part", self.parts), folded("Repeats and settings", self._further())),
        )
        for part in (part for group in parts for part in group):
            layout.addWidget(part)
        layout.addStretch(1)
        self.setWidget(page)

    def _further(self) -> QWidget:
        holder, row = QWidget(), QHBoxLayout()
        row.addWidget(QLabel("Times each is trained"))
        row.addWidget(self.seeds)
        row.addStretch(1)
        layout = QVBoxLayout(holder)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.settings)
        return holder

    def _connect(self) -> None:
        self.protocol.chosen.connect(lambda name: self.changed.emit({"protocol": name}))
        self.models.chosen.connect(lambda names: self.changed.emit({"models": tuple(names)}))
        self.parts.chosen.connect(lambda names: self.changed.emit({"ablations": tuple(names)}))
        self.sections.chosen.connect(lambda names: self.changed.emit({"sections": tuple(names)}))
        self.genes.number_chosen.connect(self._on_number)
        self.genes.file_chosen.connect(self.gene_file_chosen)
        for box, field in ((self.encoder, "encoder"), (self.cell_types, "cell_types"), (self.device, "device")):
            box.chosen.connect(lambda name, field=field: self.changed.emit({field: name}))
        self.place.chosen.connect(lambda place: self.changed.emit({"place": place}))
        self.seeds.valueChanged.connect(lambda number: self.changed.emit({"seeds": number}))

    def show_design(self, design: Design, count: str) -> None:
        """Show what is asked for, and in words how much that is."""
        self.protocol.show_chosen(design.protocol)
        self.count.setText(count)
        self.count.setVisible(bool(count))
        self.models.show_chosen(design.models)
        self.parts.show_chosen(design.ablations)
        self.genes.show_genes(design.genes, design.genes_source)
        self.cell_types.show_options(CELL_TYPE_OPTIONS, design.cell_types)
        self.device.show_options(DEVICE_OPTIONS, design.device)
        self.place.show_place(design.place)
        with QSignalBlocker(self.seeds):
            self.seeds.setValue(design.seeds)

    def show_sections(self, options: Sequence[SectionOption], chosen: Sequence[str]) -> None:
        self.sections.show_sections(options, chosen)

    def show_encoders(self, options: Sequence[Option], current: str) -> None:
        self.encoder.show_options(options, current)

    def _on_number(self, number: int) -> None:
        self.changed.emit({"genes": GeneChoice(n_variable=number), "genes_source": ""})


class StartRow(QWidget):
    """Check and Start, with the reason where one of them cannot be used."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check = QPushButton("Check", objectName="gr2st_check")
        self.start = QPushButton("Start", objectName="gr2st_start")
        self.told = QLabel(objectName="gr2st_start_told", wordWrap=True)
        let_narrow(self.told)
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.check)
        row.addWidget(self.start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.told)
        layout.addLayout(row)

    def show_start(self, why_not: str, told: str, *, is_busy: bool) -> None:
        """What stands in the way of starting, or else what the check said."""
        self.start.setEnabled(not why_not)
        self.start.setToolTip(why_not or "Train and score every model")
        self.check.setEnabled(not is_busy)
        self.check.setToolTip("See whether everything is there, and how long it takes; nothing is trained")
        words = f"Not yet: {why_not}" if why_not else told
        self.told.setText(words)
        self.told.setVisible(bool(words))
