"""How far the prediction can be trusted: which map is shown, which spots are marked, how error grows; whole graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gr2st_napari._neighbours import EDGE_KINDS
from gr2st_napari._trust import MEASURE_TIPS, MEASURE_WORDS
from gr2st_napari.views.card import let_narrow
from gr2st_napari.views.spot_plots import ErrorCurve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st_napari._calibration import Curve

ABOUT: dict[str, str] = {measure: tip for measure, tip in MEASURE_TIPS.items() if measure != "expression"}
GRAPH_WORDS = {"spatial": "All spatial edges", "functional": "All functional edges"}


class TrustPage(QWidget):
    """Setters in, signals out."""

    measure_chosen = Signal(str)
    marking_chosen = Signal(bool)
    graph_switched = Signal(str, bool)

    def __init__(self, graph_tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measure = QComboBox(objectName="gr2st_measure")
        self.measure.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.measure.setToolTip(
            "What the map shows: the gene, or one of the measures of how far its prediction is to be trusted"
        )
        for at, (measure, words) in enumerate(MEASURE_WORDS.items()):
            self.measure.addItem(words, measure)
            self.measure.setItemData(at, MEASURE_TIPS[measure], Qt.ItemDataRole.ToolTipRole)
        self.about = _text("gr2st_measure_about")
        self.outside = QCheckBox("Mark spots unlike the training", objectName="gr2st_mark_outside")
        self.outside.setToolTip(
            "Crossed out, or hatched where crosses have no room: the picture is further from the training slides than "
            "99 of 100 training spots are"
        )
        self.outside_words = _text("gr2st_outside_words")
        self.curve = ErrorCurve()
        self.curve_words = _text("gr2st_calibration_words")
        self.graphs = {kind: QCheckBox(GRAPH_WORDS[kind], objectName=f"gr2st_graph_{kind}") for kind in EDGE_KINDS}
        self.graph_words = _text("gr2st_graph_words")
        for box in self.graphs.values():
            box.setToolTip(f"{graph_tip} Out of sight while the mouse moves over spots.")
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        parts: Sequence[QWidget] = (
            _heading("Show on the slide"),
            self.measure,
            self.about,
            self.outside,
            self.outside_words,
            _heading("Does error grow with it?"),
            self.curve,
            self.curve_words,
            _heading("The whole graph"),
            *self.graphs.values(),
            self.graph_words,
        )
        for part in parts:
            layout.addWidget(part, 1 if part is self.curve else 0)
        layout.addStretch(0)

    def _connect(self) -> None:
        self.measure.activated.connect(lambda at: self.measure_chosen.emit(self.measure.itemData(at)))
        self.outside.clicked.connect(self.marking_chosen)
        for kind, box in self.graphs.items():
            box.clicked.connect(lambda on, kind=kind: self.graph_switched.emit(kind, on))

    def show_measures(self, reasons: Mapping[str, str], current: str) -> None:
        """Offer what can be shown; the reason why something cannot is told, for all of it at once."""
        for at in range(self.measure.count()):
            measure = self.measure.itemData(at)
            self.measure.model().item(at).setEnabled(not reasons[measure])
            tip = reasons[measure] or MEASURE_TIPS[measure]
            self.measure.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
        with QSignalBlocker(self.measure):
            self.measure.setCurrentIndex(self.measure.findData(current))
        missing = dict.fromkeys(filter(None, reasons.values()))
        self.about.setText("\n".join(missing) or ABOUT.get(current, ""))
        self.about.setVisible(bool(self.about.text()))

    def show_outside(self, words: str, *, is_known: bool, is_marked: bool) -> None:
        """How many spots are unlike the training slides, and whether they are marked."""
        self.outside.setText(
            "Mark spots unlike the training" if is_known else "Mark spots unlike the training: not known"
        )
        self.outside.setEnabled(is_known)
        self.outside.setChecked(is_known and is_marked)
        self.outside_words.setText(words)
        self.outside_words.setVisible(bool(words))

    def show_curve(self, curve: Curve | None, axis: str, words: str) -> None:
        """How the error of held-out spots grows; without a curve, how to get one."""
        self.curve.setVisible(curve is not None)
        if curve is not None:
            self.curve.show_curve(curve, axis)
        self.curve_words.setText(words)

    def show_graphs(self, shown: Sequence[str], reasons: Mapping[str, str], words: str) -> None:
        """Which whole graphs are to be seen; one that is not there is off and says why."""
        for kind, box in self.graphs.items():
            box.setChecked(kind in shown)
            box.setEnabled(not reasons[kind])
        self.graph_words.setText(words)
        self.graph_words.setVisible(bool(words))


def _heading(words: str) -> QLabel:
    label = QLabel(f"<b>{words}</b>", wordWrap=True)
    let_narrow(label)
    return label


def _text(name: str) -> QLabel:
    label = QLabel(objectName=name, wordWrap=True)
    let_narrow(label)
    return label
