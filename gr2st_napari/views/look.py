"""How the gene is shown: what to compare, on which scale, in which colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QLinearGradient, QPainter, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QWidget,
)

from gr2st_napari._state import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtpy.QtGui import QResizeEvent

    from gr2st_napari._state import Limits, Wish

MODE_WORDS = {
    "measured": "Measured",
    "predicted": "Predicted",
    "side by side": "Side by side",
    "difference": "Difference",
    "swipe": "Swipe",
    "flicker": "Flicker",
}
MODE_TIPS = {
    "measured": "What was measured in the spots",
    "predicted": "What the model predicts from the slide",
    "side by side": "Measured on the left, predicted on the right, with equal colour limits",
    "difference": "Predicted minus measured: red is predicted too high, blue too low",
    "swipe": "Measured left of a line, predicted right of it: drag the line over the slide",
    "flicker": "Measured and predicted by turns in the same place: what differs blinks",
}
SPACE_WORDS = {"spot": "Relative to the spot", "gene": "Relative to the gene"}
SPACE_TIPS = {
    "spot": "Spot-normalised: log10(1 + 10,000 x share of this gene in its spot). Depth of the spot is taken out.",
    "gene": "Gene-normalised: log10(1 + 10,000 x share of this spot in its gene). Depth of the spot stays in.",
}
CLIP_TIP = "Percent of the spots that may lie beyond the limits, at each end"
KEPT_TIP = "The limits are kept as they are: untick Keep these limits, and they follow the values again."
KEEP_TIP = "Keep these limits for every gene, map and slide. Off: they follow the values shown."
LOG_TIP = (
    "On: log10(1 + parts per 10,000), on which differences between weak genes can be seen and on which models learn. "
    "Off: parts per 10,000, on which twice the colour is twice the share. A prediction is one of the logarithm: "
    "taken back, it is lower than the mean it stands for."
)
MODE_COLUMNS = 3
"""Buttons beside each other; one fewer where their words have no room."""
SPACING_PX = 3
ROUND_NAME_PX = 70
"""What a box of colour maps has beside the name: strip, arrow, padding."""


class ModeButtons(QWidget):
    """Measured, predicted, side by side, difference, swipe, flicker; the last two with what can be set about them."""

    chosen = Signal(str)
    divider_moved = Signal(float)
    flicker_chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACING_PX)
        _let_narrow(self)
        for mode in MODES:
            button = QPushButton(MODE_WORDS[mode], checkable=True, objectName=f"gr2st_mode_{mode.replace(' ', '_')}")
            button.clicked.connect(lambda _checked, mode=mode: self.chosen.emit(mode))
            self._group.addButton(button)
            self.buttons[mode] = button
        self.divider = QSlider(Qt.Orientation.Horizontal, objectName="gr2st_divider", maximum=1000)
        self.divider.setToolTip("Where the measured map ends and the predicted one begins")
        self.divider.valueChanged.connect(lambda value: self.divider_moved.emit(value / self.divider.maximum()))
        self.flicker = _spin("gr2st_flicker", 0.2, 5, " s each", "How long each of the two maps is shown", decimals=1)
        self.flicker.valueChanged.connect(self.flicker_chosen)
        self._columns = 0
        self._lay_out(MODE_COLUMNS)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        widest = max(button.minimumSizeHint().width() for button in self.buttons.values())
        room = self.width() - (MODE_COLUMNS - 1) * SPACING_PX
        self._lay_out(MODE_COLUMNS if room >= MODE_COLUMNS * widest else MODE_COLUMNS - 1)

    def _lay_out(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for at, button in enumerate(self.buttons.values()):
            self._grid.addWidget(button, at // columns, at % columns)
        for part in (self.divider, self.flicker):
            self._grid.addWidget(part, len(self.buttons) // columns, 0, 1, columns)

    def show_divider(self, divider: float) -> None:
        """Show where the line is."""
        with QSignalBlocker(self.divider):
            self.divider.setValue(round(divider * self.divider.maximum()))

    def show_flicker(self, seconds: float) -> None:
        """Show how long each map stands."""
        with QSignalBlocker(self.flicker):
            self.flicker.setValue(seconds)

    def show_modes(self, mode: str, reasons: Mapping[str, str], keys: Mapping[str, str]) -> None:
        """Check the mode in use, none where it is empty; a button that cannot be used is off and says why."""
        # An exclusive group would keep one of them checked.
        self._group.setExclusive(False)
        for name, button in self.buttons.items():
            button.setEnabled(not reasons[name])
            button.setChecked(name == mode)
            button.setToolTip(reasons[name] or f"{MODE_TIPS[name]} ({keys[name]})")
        self._group.setExclusive(bool(mode))
        self.divider.setVisible(mode == "swipe")
        self.flicker.setVisible(mode == "flicker")


class LookControls(QWidget):
    """Scale of the values, colour map, colour limits."""

    space_chosen = Signal(str)
    log_chosen = Signal(bool)
    colormap_chosen = Signal(str)
    limits_chosen = Signal(object)
    clip_chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.space = QComboBox(objectName="gr2st_space")
        for at, (space, words) in enumerate(SPACE_WORDS.items()):
            self.space.addItem(words, space)
            self.space.setItemData(at, SPACE_TIPS[space], Qt.ItemDataRole.ToolTipRole)
        self.colormap = QComboBox(objectName="gr2st_colormap")
        self.colormap.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.colormap.setToolTip("Colours of the map, from the lowest to the highest value")
        self.log = QCheckBox("Log", objectName="gr2st_log", checked=True, toolTip=LOG_TIP)
        self.keep = QCheckBox("Keep these limits", objectName="gr2st_keep", toolTip=KEEP_TIP)
        self.clip = _spin("gr2st_clip", 0, 25, " %", CLIP_TIP, decimals=1)
        self.clip.setPrefix("clip ")
        self.low = _spin("gr2st_low", -1e6, 1e6, "", "Lowest colour: values below it look the same")
        self.high = _spin("gr2st_high", -1e6, 1e6, "", "Highest colour: values above it look the same")
        self._shown: Limits = (0.0, 1.0)
        self._form = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        _let_narrow(self)
        form.addRow("Values", self.space)
        form.addRow("Colours", _row(self.colormap, self.clip))
        form.addRow("Limits", _row(self.low, QLabel("to"), self.high))
        form.addRow("", _row(self.keep, self.log))
        self._connect()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Not left to the form: one that may put its words above its fields asks for that height in a wide dock, too.
        widest = sum(map(self._widest, (QFormLayout.ItemRole.LabelRole, QFormLayout.ItemRole.FieldRole)))
        has_room = self.width() >= widest + self._form.horizontalSpacing()
        policy = QFormLayout.RowWrapPolicy
        self._form.setRowWrapPolicy(policy.DontWrapRows if has_room else policy.WrapLongRows)

    def _widest(self, role: QFormLayout.ItemRole) -> int:
        parts = (self._form.itemAt(row, role) for row in range(self._form.rowCount()))
        return max(part.minimumSize().width() for part in parts if part is not None)

    def _connect(self) -> None:
        self.space.activated.connect(lambda at: self.space_chosen.emit(self.space.itemData(at)))
        self.colormap.activated.connect(lambda at: self.colormap_chosen.emit(self.colormap.itemData(at)))
        self.log.clicked.connect(self.log_chosen)
        self.keep.clicked.connect(lambda on: self.limits_chosen.emit(self._shown if on else None))
        self.clip.valueChanged.connect(self.clip_chosen)
        for box in (self.low, self.high):
            box.valueChanged.connect(self._on_limit)

    def show_colormaps(self, maps: Mapping[str, Sequence[tuple[float, float, float]]]) -> None:
        """Offer these colour maps, each with a strip of its colours."""
        self.colormap.clear()
        for name, colours in maps.items():
            self.colormap.addItem(_strip(colours), name, name)
        # However narrow the dock, no name is cut off. Qt counts the letters of a minimum as X, which takes too much.
        metrics = self.colormap.fontMetrics()
        self.colormap.setMinimumWidth(ROUND_NAME_PX + max(map(metrics.horizontalAdvance, maps)))

    def show_wish(self, wish: Wish, limits: Limits, is_enabled: bool) -> None:
        """Show the settings in use and the limits they led to."""
        parts = (self.space, self.log, self.colormap, self.keep, self.clip, self.low, self.high)
        blockers = [QSignalBlocker(part) for part in parts]
        is_kept = (wish.bound if wish.mode == "difference" else wish.limits) is not None
        self.space.setCurrentIndex(self.space.findData(wish.space))
        self.space.setToolTip(SPACE_TIPS[wish.space])
        self.colormap.setCurrentIndex(self.colormap.findData(wish.colormap))
        self.log.setChecked(wish.log)
        self.keep.setChecked(is_kept)
        self.clip.setValue(wish.clip)
        self.clip.setEnabled(not is_kept)
        self.clip.setToolTip(KEPT_TIP if is_kept else CLIP_TIP)
        self._shown = limits
        for box, value in zip((self.low, self.high), limits, strict=True):
            box.setDecimals(decimals_for(limits[1] - limits[0]))
            box.setValue(value)
        del blockers
        self.setEnabled(is_enabled)
        self.colormap.setEnabled(wish.mode != "difference")

    def _limits(self) -> tuple[float, float]:
        low, high = self.low.value(), self.high.value()
        return (low, high) if high > low else (low, low + 10 ** -self.low.decimals())

    def _on_limit(self) -> None:
        self.limits_chosen.emit(self._limits())


def decimals_for(span: float) -> int:
    """Decimals that tell a hundredth of a span, two at least."""
    return max(2, 2 - math.floor(math.log10(span))) if span > 0 else 2


def _spin(name: str, low: float, high: float, suffix: str, tip: str, decimals: int = 2) -> QDoubleSpinBox:
    box = QDoubleSpinBox(objectName=name, decimals=decimals, minimum=low, maximum=high, singleStep=0.1, suffix=suffix)
    box.setKeyboardTracking(False)
    box.setToolTip(tip)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setMinimumWidth(48)
    return box


def _let_narrow(part: QWidget) -> None:
    """Ask for no width: what stands in it is put in other rows where there is little."""
    part.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)


def _row(*parts: QWidget) -> QWidget:
    holder = QWidget()
    line = QHBoxLayout(holder)
    line.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        line.addWidget(part, 0 if isinstance(part, QLabel | QCheckBox) else 1)
    return holder


def _strip(colours: Sequence[tuple[float, float, float]]) -> QIcon:
    pixels = QPixmap(48, 14)
    gradient = QLinearGradient(0, 0, pixels.width(), 0)
    for at, (red, green, blue) in enumerate(colours):
        gradient.setColorAt(at / (len(colours) - 1), QColor.fromRgbF(red, green, blue))
    painter = QPainter(pixels)
    painter.fillRect(pixels.rect(), gradient)
    painter.end()
    return QIcon(pixels)
