"""What an evaluation asks: ticks and radio buttons with their sentences, and where it is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QButtonGroup, QCheckBox, QLabel, QLineEdit, QRadioButton, QSizePolicy, QVBoxLayout, QWidget
from superqt import QCollapsible

from gr2st_napari.views.plan_choices import CalmSpinBox, OptionBox, small_text

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from gr2st_napari._evaluation import Place
    from gr2st_napari._options import Option

MOST_PROCESSES = 64


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
            box.setToolTip(option.about or option.name)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.setChecked(are_fixed)
            box.setEnabled(not are_fixed)
            box.clicked.connect(lambda: self.chosen.emit(self.names))
            self.boxes[option.name] = box
            self._layout.addWidget(box)
            if option.about:
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
        self.processes.setToolTip("Trainings done at once, each in a process of its own with memory of its own")
        self.scheduler = QLineEdit(objectName="gr2st_scheduler", placeholderText="tcp://host:8786")
        self.scheduler.setToolTip("Address of a running dask scheduler")
        self._options = tuple(options)
        self._place: Place | None = None
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

    def _choose(self, **changes: Any) -> None:
        assert self._place is not None, "what was never shown cannot be changed"
        self.chosen.emit(replace(self._place, **changes))


def heading(words: str) -> QLabel:
    """Words above a group."""
    label = QLabel(words)
    label.setStyleSheet("font-weight: bold;")
    return label


def folded(title: str, content: QWidget) -> QCollapsible:
    """What few will want to see, behind its title."""
    holder = QCollapsible(title)
    holder.setDuration(0)
    holder.setExpandedIcon("▾")
    holder.setCollapsedIcon("▸")
    holder.layout().setContentsMargins(0, 0, 0, 0)
    holder.addWidget(content)
    holder.collapse(animate=False)
    return holder


def _about(option: Option) -> QLabel:
    label = small_text(f"gr2st_about_{option.name}")
    label.setText(option.about)
    label.show()
    label.setContentsMargins(22, 0, 0, 3)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    return label
