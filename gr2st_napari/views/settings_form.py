"""A form made from settings: one row per field, so that window, file and command line never disagree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gr2st import first_fault
from gr2st_napari._fields import fields_of, shown
from gr2st_napari.views.card import STRIPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QWheelEvent

    from gr2st import Settings
    from gr2st_napari._fields import Field


class NoNumber(ValueError):
    """What was typed is no number of the kind that is wanted."""


class CalmComboBox(QComboBox):
    """A combo box that narrows with its dock, and that the wheel passes over instead of changing it."""

    def __init__(self, parent: QWidget | None = None, **properties: Any) -> None:
        super().__init__(parent, **properties)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class FieldEditor(QWidget):
    """Edits one field: a check box, a choice or a line to type; a check box before it where it may be none."""

    edited = Signal()

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self.given = QCheckBox(objectName=f"gr2st_given_{field.name}")
        self.entry = self._entry()
        self.entry.setObjectName(f"gr2st_field_{field.name}")
        self.given.setVisible(field.may_be_none)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.given)
        row.addWidget(self.entry, 1)
        for part in (self, self.given, self.entry):
            part.setToolTip(field.tip)
        self.given.setToolTip(f"Without a tick: none.\n{field.tip}")
        self.given.clicked.connect(self._on_given)

    def _entry(self) -> QWidget:
        if self.field.kind == "switch":
            entry = QCheckBox()
            entry.clicked.connect(self.edited)
        elif self.field.kind == "choice":
            entry = CalmComboBox()
            entry.addItems(list(self.field.choices))
            entry.activated.connect(self.edited)
        else:
            entry = QLineEdit()
            entry.setMinimumWidth(40)
            entry.textEdited.connect(self.edited)
        return entry

    @property
    def value(self) -> Any:
        """What is given; NoNumber where that is none."""
        if self.field.may_be_none and not self.given.isChecked():
            return None
        if isinstance(self.entry, QCheckBox):
            return self.entry.isChecked()
        if isinstance(self.entry, QComboBox):
            return self.entry.currentText()
        return _parsed(self.field, self.entry.text().strip())

    def show_value(self, value: Any) -> None:
        with QSignalBlocker(self.entry):
            self.given.setChecked(value is not None)
            self.entry.setEnabled(value is not None or not self.field.may_be_none)
            if isinstance(self.entry, QCheckBox):
                self.entry.setChecked(bool(value))
            elif isinstance(self.entry, QComboBox):
                self.entry.setCurrentText(str(value))
            else:
                self.entry.setText("" if value is None else shown(value))
                self.entry.setPlaceholderText("none" if value is None else "")

    def show_fault(self, is_faulty: bool) -> None:
        self.entry.setStyleSheet(f"border: 1px solid {STRIPES['error']};" if is_faulty else "")

    def _on_given(self, is_given: bool) -> None:
        self.show_value(self.field.start if is_given else None)
        self.edited.emit()


class SettingsForm(QWidget):
    """Shows settings and lets them be changed; what is not as registered is bold.

    Fields that hold several values, as other settings do, are carried along and not shown.
    """

    changed = Signal(object)
    """New settings, checked."""
    faulted = Signal(str)
    """What is wrong with what was typed, in words; the settings stay as they were."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.editors: dict[str, FieldEditor] = {}
        self.labels: dict[str, QLabel] = {}
        self._registered: Settings | None = None
        self._settings: Settings | None = None
        self._fault = ""
        self.fault_line = QLabel(objectName="gr2st_fault", wordWrap=True)
        self.fault_line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.fault_line.setStyleSheet(f"color: {STRIPES['error']};")
        self.fault_line.hide()
        self.reset = QPushButton("As registered", objectName="gr2st_as_registered")
        self.reset.setToolTip("Take back every change: the settings the model is registered with")
        self.reset.clicked.connect(self._on_reset)
        self._rows = QFormLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setVerticalSpacing(4)
        self._rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._rows)
        layout.addWidget(self.fault_line)
        layout.addWidget(self.reset, alignment=Qt.AlignmentFlag.AlignLeft)

    @property
    def settings(self) -> Settings | None:
        """The last settings that were right."""
        return self._settings

    @property
    def fault(self) -> str:
        """What is wrong with what is typed now; "" where nothing is."""
        return self._fault

    def show_settings(self, registered: Settings, current: Settings, leave_out: Sequence[str] = ()) -> None:
        """Show `current`; `registered` is what it is compared with and can go back to."""
        fields = fields_of(type(current), leave_out)
        if [editor.field for editor in self.editors.values()] != list(fields):
            self._rebuild(fields)
        is_news = current != self._settings or registered != self._registered
        self._registered = registered
        if is_news:
            self._settings = current
            for name, editor in self.editors.items():
                editor.show_value(getattr(current, name))
            self._show_fault("", "")
        self._mark()

    def _rebuild(self, fields: Sequence[Field]) -> None:
        while self._rows.rowCount():
            self._rows.removeRow(0)
        self.editors, self.labels, self._settings = {}, {}, None
        for field in fields:
            editor, label = FieldEditor(field), QLabel(field.words)
            label.setToolTip(field.tip)
            editor.edited.connect(self._on_edited)
            self.editors[field.name], self.labels[field.name] = editor, label
            self._rows.addRow(label, editor)

    def _on_edited(self) -> None:
        assert self._settings is not None, "a form without settings has no field to edit"
        kept = {name: getattr(self._settings, name) for name in type(self._settings).model_fields}
        name = ""
        try:
            typed = {}
            for name, editor in self.editors.items():
                typed[name] = editor.value
            settings = type(self._settings).model_validate(kept | typed)
        except NoNumber as error:
            self._fail(name, str(error))
        except ValidationError as error:
            [where, *_] = error.errors()[0]["loc"] or ("",)
            self._fail(str(where), first_fault(error).partition(": ")[2])
        else:
            self._settings = settings
            self._show_fault("", "")
            self._mark()
            self.changed.emit(settings)

    def _fail(self, name: str, words: str) -> None:
        label = self.editors[name].field.words if name in self.editors else "Settings"
        self._show_fault(name, f"{label}: {words}.")
        self.faulted.emit(self._fault)

    def _show_fault(self, name: str, words: str) -> None:
        self._fault = words
        self.fault_line.setText(words)
        self.fault_line.setVisible(bool(words))
        for of, editor in self.editors.items():
            editor.show_fault(of == name)
        self.reset.setEnabled(bool(words) or self._settings != self._registered)

    def _mark(self) -> None:
        """What is not as registered is bold."""
        for name, label in self.labels.items():
            is_own = getattr(self._settings, name) != getattr(self._registered, name)
            label.setStyleSheet("font-weight: bold;" if is_own else "")
        self.reset.setEnabled(bool(self._fault) or self._settings != self._registered)

    def _on_reset(self) -> None:
        assert self._registered is not None
        left_out = {
            name: getattr(self._settings, name)
            for name in type(self._registered).model_fields
            if name not in self.editors
        }
        settings = self._registered.model_copy(update=left_out)
        self._settings = None
        self.show_settings(self._registered, settings, self._left_out())
        self.changed.emit(settings)

    def _left_out(self) -> list[str]:
        assert self._registered is not None
        return [name for name in type(self._registered).model_fields if name not in self.editors]


def _parsed(field: Field, text: str) -> Any:
    if field.kind == "text":
        return text
    try:
        number = int(text) if field.kind == "whole" else float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        kind = "a whole number" if field.kind == "whole" else "a number"
        raise NoNumber(f"{text!r} is not {kind}" if text else f"{kind} is wanted")
    return number
