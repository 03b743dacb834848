"""The page of the clicked spot: its picture, values and trust, reference spots, experts, parts, edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QSpinBox, QVBoxLayout, QWidget

from gr2st_napari.views.bars import Bars
from gr2st_napari.views.card import let_narrow
from gr2st_napari.views.edge_legend import EdgeLegend
from gr2st_napari.views.narrow_button import NarrowButton
from gr2st_napari.views.picture_pair import PicturePair
from gr2st_napari.views.reference_list import ReferenceTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st_napari._spot_words import Bar, ReferenceLine

MOST_REFERENCES = 50
COUNT_PX = 84


class CasePage(QScrollArea):
    """Setters in, signals out."""

    count_chosen = Signal(int)
    reference_chosen = Signal(int)
    going_wanted = Signal()
    return_wanted = Signal()

    def __init__(self, graph_tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pair = PicturePair()
        self.values = _text("gr2st_spot_values")
        self.trust = _text("gr2st_spot_trust")
        self.heading = _text("gr2st_reference_heading")
        self.count = QSpinBox(objectName="gr2st_reference_count", minimum=1, maximum=MOST_REFERENCES)
        self.count.setToolTip("How many reference spots are listed, those with the highest weight first")
        self.count.setKeyboardTracking(False)
        self.count.setFixedWidth(COUNT_PX)
        self.references = ReferenceTable()
        self.patients = _text("gr2st_patient_warning")
        self.there = NarrowButton("Show there", name="gr2st_show_there")
        self.back = NarrowButton("Back", name="gr2st_way_back")
        self.part_words, self.parts = _text("gr2st_part_words"), Bars("gr2st_parts")
        self.expert_words, self.experts = _text("gr2st_expert_words"), Bars("gr2st_experts")
        self.edge_words = _text("gr2st_edge_words")
        self.edges = EdgeLegend(graph_tip)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        row = QHBoxLayout()
        row.addWidget(self.heading, 1)
        row.addWidget(self.count)
        self._content = QWidget()
        layout = QVBoxLayout(self._content)
        layout.setContentsMargins(0, 4, 4, 0)
        layout.setSpacing(5)
        layout.addWidget(self.values)
        layout.addWidget(self.trust)
        layout.addWidget(self.pair)
        layout.addLayout(row)
        for part in (self.references, self.patients, self.there):
            layout.addWidget(part)
        for part in (self.edge_words, self.edges, self.part_words, self.parts, self.expert_words, self.experts):
            layout.addWidget(part)
        layout.addStretch(1)
        around = QWidget()
        outer = QVBoxLayout(around)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.back)
        outer.addWidget(self._content)
        outer.addStretch(1)
        self.setWidget(around)

    def _connect(self) -> None:
        self.count.valueChanged.connect(self.count_chosen)
        self.references.chosen.connect(self.reference_chosen)
        self.there.clicked.connect(self.going_wanted)
        self.back.clicked.connect(self.return_wanted)

    def show_any(self, is_any: bool) -> None:
        """Without a clicked spot there is nothing to see."""
        self._content.setVisible(is_any)

    def show_texts(self, values: str, trust: str) -> None:
        """Measured and predicted value, and how far it can be trusted."""
        self.values.setText(values)
        self.trust.setText(trust)
        self.trust.setVisible(bool(trust))

    def show_references(self, heading: str, lines: Sequence[ReferenceLine], chosen: int, warning: str) -> None:
        """The list of reference spots, and what to think of where they come from."""
        self.heading.setText(heading)
        self.heading.setVisible(bool(heading))
        self.references.show_lines(lines, chosen)
        self.count.setVisible(bool(lines))
        self.patients.setText(warning)
        self.patients.setVisible(bool(warning))

    def show_count(self, count: int) -> None:
        """How many are listed at most."""
        with QSignalBlocker(self.count):
            self.count.setValue(count)

    def show_ways(self, there: str, why_not: str, back: str) -> None:
        """The way to the slide of a reference spot and back; empty where there is none."""
        self.there.setText(there)
        self.there.setVisible(bool(there))
        self.there.setEnabled(not why_not)
        self.there.setToolTip(why_not or there)
        self.back.setText(back)
        self.back.setToolTip(back)
        self.back.setVisible(bool(back))

    def show_bars(self, part_words: str, parts: Sequence[Bar], expert_words: str, experts: Sequence[Bar]) -> None:
        """Shares of the parts of the model, and weights of its experts."""
        for label, words, bars, shown in (
            (self.part_words, part_words, self.parts, parts),
            (self.expert_words, expert_words, self.experts, experts),
        ):
            label.setText(words)
            label.setVisible(bool(words) and bool(shown))
            bars.show_bars(shown)


def _text(name: str) -> QLabel:
    label = QLabel(objectName=name, wordWrap=True)
    let_narrow(label)
    return label
