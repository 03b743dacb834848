"""The Evaluate dock: how well models do on slides they never saw; set up, followed, and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari._evaluate_words import CARD_WORDS, PROTOCOL_OPTIONS, WAY_OPTIONS
from gr2st_napari.views.card import StatusCard
from gr2st_napari.views.dialogs import ask_file, ask_folder
from gr2st_napari.views.evaluate_setup import SetupPage, StartRow
from gr2st_napari.views.foot import Foot
from gr2st_napari.views.results import ResultsPage
from gr2st_napari.views.study_table import SIGNS, sign_icon
from gr2st_napari.views.trainings import TrainingsPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qtpy.QtGui import QShowEvent

    from gr2st import Finding
    from gr2st_napari._advice import Card
    from gr2st_napari._study_words import Tone

SETUP, TRAININGS, RESULTS = range(3)
FINDING_TONES: dict[str, Tone] = {"good": "sound", "note": "waiting", "warning": "warning", "fault": "error"}
PAGES = ("Set up", "Trainings", "Results")


class EvaluateView(QWidget):
    """Setters in, signals out."""

    study_chosen = Signal(str)
    sample_wanted = Signal()
    evaluation_chosen = Signal(str)
    check_wanted = Signal()
    start_wanted = Signal()
    going_on_wanted = Signal()
    following_wanted = Signal()
    report_unwanted = Signal()
    recent_wanted = Signal()
    dismissed = Signal()
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_evaluate_dock")
        self.card = StatusCard()
        self.name = QLabel(objectName="gr2st_evaluation_name")
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.more = QPushButton("Open evaluation", objectName="gr2st_open_evaluation")
        self.pages = QTabWidget(objectName="gr2st_evaluate_pages", documentMode=True)
        self.setup = SetupPage(PROTOCOL_OPTIONS, WAY_OPTIONS)
        self.findings = _finding_list()
        self.start = StartRow()
        self.trainings = TrainingsPage()
        self.results = ResultsPage()
        self.foot = Foot()
        self._recent = QMenu(self.more)
        self._offered: tuple[dict[str, str], tuple[str, ...]] = ({}, ())
        self._icons = {tone: sign_icon(*sign) for tone, sign in SIGNS.items()}
        self.setMinimumWidth(285)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        asked = QWidget()
        column = QVBoxLayout(asked)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.setup, 1)
        column.addWidget(self.findings)
        column.addWidget(self.start)
        for page, title in zip((asked, self.trainings, self.results), PAGES, strict=True):
            self.pages.addTab(page, title)
        row = QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(self.more)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.card)
        layout.addLayout(row)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.foot)

    def _connect(self) -> None:
        self.more.setMenu(self._recent)
        self._recent.aboutToShow.connect(self.recent_wanted)
        self.card.acted.connect(self._on_action)
        self.start.check.clicked.connect(self.check_wanted)
        self.start.start.clicked.connect(self.start_wanted)
        self.show_recent({}, ())

    def show_card(self, card: Card) -> None:
        self.card.show_card(card, CARD_WORDS)

    def show_name(self, name: str, folder: str, why_no_other: str) -> None:
        """Name of the evaluation in view, and why no other can be opened now; "" where one can."""
        self.name.setText(name)
        self.name.setToolTip(folder)
        self.more.setEnabled(not why_no_other)
        self.more.setToolTip(why_no_other or "Look at one made before, on the command line, or on a cluster")

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """What the check has found."""
        self.findings.clear()
        for finding in findings:
            item = QListWidgetItem(self._icons[FINDING_TONES[finding.kind]], finding.sentence)
            item.setToolTip(finding.sentence)
            self.findings.addItem(item)
        self.findings.setVisible(bool(findings))

    def show_recent(self, recent: Mapping[str, str], damaged: Sequence[str]) -> None:
        """Offer folders of evaluations, with words for each; a sentence for each that cannot be read."""
        if self._recent.actions() and (dict(recent), tuple(damaged)) == self._offered:
            return
        self._offered = dict(recent), tuple(damaged)
        self._recent.clear()
        for sentence in damaged:
            self._recent.addAction(sentence).setEnabled(False)
        for folder, words in recent.items():
            self._recent.addAction(words).triggered.connect(
                lambda _checked=False, folder=folder: self.evaluation_chosen.emit(folder)
            )
        if recent or damaged:
            self._recent.addSeparator()
        self._recent.addAction("Another folder…").triggered.connect(lambda: self._on_action("open-evaluation"))

    def turn_to(self, page: int) -> None:
        self.pages.setCurrentIndex(page)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())

    def _on_action(self, action: str) -> None:
        asked: dict[str, tuple[Any, Callable[[], str]]] = {
            "open-folder": (self.study_chosen, lambda: ask_folder(self, "Folder of a study")),
            "open-file": (self.study_chosen, lambda: ask_file(self, "Study")),
            "open-evaluation": (self.evaluation_chosen, lambda: ask_folder(self, "Folder of an evaluation")),
        }
        told = {
            "open-sample": self.sample_wanted,
            "go-on": self.going_on_wanted,
            "follow": self.following_wanted,
            "stop-report": self.report_unwanted,
            "dismiss": self.dismissed,
        }
        if action in told:
            told[action].emit()
            return
        signal, ask = asked[action]
        path = ask()
        if path:
            signal.emit(path)


def _finding_list() -> QListWidget:
    found = QListWidget(objectName="gr2st_findings", wordWrap=True)
    found.setResizeMode(QListWidget.ResizeMode.Adjust)
    found.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    found.setTextElideMode(Qt.TextElideMode.ElideNone)
    found.setIconSize(QSize(16, 16))
    found.setMaximumHeight(110)
    found.hide()
    return found
