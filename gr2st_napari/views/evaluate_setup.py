"""The page on which an evaluation is set up: what is held out, which models, on what, and where it is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from gr2st_napari._options import CELL_TYPE_OPTIONS, DEVICE_OPTIONS
from gr2st_napari.views.plan_choices import CalmSpinBox, GenesChoice, OptionBox, SectionList, small_text
from gr2st_napari.views.settings_form import SettingsForm

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gr2st import GeneChoice
    from gr2st_napari._evaluation import Design, Place
    from gr2st_napari._options import Option, SectionOption

MOST_PROCESSES = 64
MOST_SEEDS = 100
LEFT_OUT_OF_TRAINING = ("device",)
"""Asked once for all models."""


class Choices(QWidget):
    """Options with a tick each and a plain sentence below."""

    chosen = Signal(list)
    """Names of the ticked ones, in the order of the options."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QCheckBox] = {}
        self._name = name
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(1)

    def show_options(self, options: Sequence[Option], *, are_fixed: bool = False) -> None:
        """Offer these options; fixed ones are ticked and stay so."""
        for option in options:
            box = QCheckBox(option.title, objectName=f"gr2st_{self._name}_{option.name}")
            box.setToolTip(option.about)
            box.setChecked(are_fixed)
            box.setEnabled(not are_fixed)
            box.clicked.connect(lambda: self.chosen.emit(self.names))
            self.boxes[option.name] = box
            self._layout.addWidget(box)
            self._layout.addWidget(_about(option))

    @property
    def names(self) -> list[str]:
        """Names of the ticked options."""
        return [name for name, box in self.boxes.items() if box.isChecked()]

    def show_chosen(self, names: Collection[str]) -> None:
        for name, box in self.boxes.items():
            box.setChecked(name in names)


class Question(QWidget):
    """One of several options as radio buttons, each with its sentence."""

    chosen = Signal(str)

    def __init__(self, options: Sequence[Option], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QRadioButton] = {}
        self._group = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        for option in options:
            button = QRadioButton(option.title, objectName=f"gr2st_{name}_{option.name}")
            button.setToolTip(option.about)
            button.clicked.connect(lambda _checked, chosen=option.name: self.chosen.emit(chosen))
            self._group.addButton(button)
            self.buttons[option.name] = button
            layout.addWidget(button)
            layout.addWidget(_about(option))

    def show_chosen(self, name: str) -> None:
        self.buttons[name].setChecked(True)


class PlaceChoice(QWidget):
    """Where trainings are computed, with the number of processes or the address of a cluster."""

    chosen = Signal(object)
    """A `Place`."""

    def __init__(self, options: Sequence[Option], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.way = OptionBox("way")
        self.processes = CalmSpinBox(objectName="gr2st_processes", minimum=1, maximum=MOST_PROCESSES)
        self.processes.setSuffix(" processes")
        self.scheduler = QLineEdit(objectName="gr2st_scheduler", placeholderText="tcp://host:8786")
        self.scheduler.setToolTip("Address of a running dask scheduler")
        self._options, self._place = tuple(options), None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self.way, self.processes, self.scheduler):
            layout.addWidget(part)
        self.way.chosen.connect(lambda way: self._choose(way=way))
        self.processes.valueChanged.connect(lambda number: self._choose(processes=number))
        self.scheduler.editingFinished.connect(lambda: self._choose(scheduler=self.scheduler.text()))

    def show_place(self, place: Place) -> None:
        self._place = place
        self.way.show_options(self._options, place.way)
        with QSignalBlocker(self.processes):
            self.processes.setValue(place.processes)
        if not self.scheduler.hasFocus():
            self.scheduler.setText(place.scheduler)
        self.processes.setVisible(place.way == "processes")
        self.scheduler.setVisible(place.way == "cluster")

    def _choose(self, **changes: object) -> None:
        assert self._place is not None, "what was never shown cannot be changed"
        self.chosen.emit(replace(self._place, **changes))


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
        self.count.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
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
        from gr2st import GeneChoice

        genes: GeneChoice = GeneChoice(n_variable=number)
        self.changed.emit({"genes": genes, "genes_source": ""})


class StartRow(QWidget):
    """Check and Start, with the reason where one of them cannot be used."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check = QPushButton("Check", objectName="gr2st_check")
        self.start = QPushButton("Start", objectName="gr2st_start")
        self.told = QLabel(objectName="gr2st_start_told", wordWrap=True)
        self.told.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
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


def heading(words: str) -> QLabel:
    """Words above a group."""
    label = QLabel(words)
    label.setStyleSheet("font-weight: bold;")
    return label


def folded(title: str, content: QWidget) -> QCollapsible:
    """What few will want to see, behind its title."""
    holder = QCollapsible(title)
    holder.setDuration(0)
    holder.addWidget(content)
    holder.collapse(animate=False)
    return holder


def _about(option: Option) -> QLabel:
    label = small_text(f"gr2st_about_{option.name}")
    label.setText(option.about)
    label.setVisible(bool(option.about))
    label.setContentsMargins(22, 0, 0, 3)
    return label
