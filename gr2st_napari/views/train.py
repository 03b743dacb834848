"""The Train dock: what is to be learned, how it goes, and the runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari._train_words import CARD_WORDS
from gr2st_napari.views.card import StatusCard, open_menu
from gr2st_napari.views.curves import CurvesView
from gr2st_napari.views.dialogs import ask_file, ask_folder
from gr2st_napari.views.foot import Foot
from gr2st_napari.views.plan_choices import GenesChoice, OptionBox, SectionList, small_text
from gr2st_napari.views.runs import RunsView
from gr2st_napari.views.settings_form import SettingsForm
from gr2st_napari.views.study_table import SIGNS, sign_icon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QHideEvent, QShowEvent

    from gr2st_napari._advice import Card
    from gr2st_napari._state import Job
    from gr2st_napari._study_words import Tone
    from gr2st_napari._train_words import Ends

PLAN, PROGRESS, RUNS = range(3)


class Fold(QWidget):
    """A title that shows and hides what is under it."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QToolButton(text=title, checkable=True, objectName="gr2st_fold")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setStyleSheet("QToolButton { border: 0; font-weight: bold; }")
        self.content = content
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(content)
        self.button.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def _on_toggled(self, is_open: bool) -> None:
        self.button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.content.setVisible(is_open)


class PlanView(QScrollArea):
    """What is to be learned, from what, by which model, how."""

    name_typed = Signal(str)
    sketch_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.study = QLabel(objectName="gr2st_train_study", wordWrap=True)
        self.study.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.other = QPushButton("Other study…", objectName="gr2st_other_study")
        self.other.setToolTip("Train on the slides of another study than the one that is open")
        self.sections = SectionList()
        self.watch = OptionBox("watch")
        self.sketch = QCheckBox("Draw it on the slide", objectName="gr2st_sketch")
        self.sketch_about = small_text("gr2st_sketch_about")
        self.genes = GenesChoice()
        self.model = OptionBox("model")
        self.encoder = OptionBox("encoder")
        self.cell_types = OptionBox("cell_types")
        self.device = OptionBox("device")
        self.name = QLineEdit(objectName="gr2st_run_name", placeholderText="date, model and study")
        self.name.setToolTip("Name of the folder that holds this training")
        self.training, self.config = SettingsForm(), SettingsForm()
        self.patch, self.recipe = SettingsForm(), SettingsForm()
        self.more = Fold("More", self._more())
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self._content())
        self.name.editingFinished.connect(lambda: self.name_typed.emit(self.name.text()))
        self.sketch.clicked.connect(self.sketch_wanted)

    def _content(self) -> QWidget:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(2, 6, 6, 2)
        layout.setSpacing(6)
        layout.addWidget(self.study)
        layout.addWidget(self.other, alignment=Qt.AlignmentFlag.AlignLeft)
        for title, part in (
            ("Train on", self.sections),
            ("Watch while training", self.watch),
            ("Genes", self.genes),
            ("Model", self.model),
            ("Encoder of the picture", self.encoder),
            ("Cell types", self.cell_types),
            ("Computed on", self.device),
            ("Name of the run", self.name),
        ):
            layout.addWidget(_heading(title))
            layout.addWidget(part)
            if part is self.watch:
                layout.addWidget(self.sketch)
                layout.addWidget(self.sketch_about)
        layout.addWidget(self.more)
        layout.addStretch(1)
        return content

    def _more(self) -> QWidget:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        for title, form in (
            ("How it learns", self.training),
            ("The model", self.config),
            ("Patches of the picture", self.patch),
            ("Preparation", self.recipe),
        ):
            layout.addWidget(_heading(title))
            layout.addWidget(form)
        return content

    def show_study(self, name: str, path: str) -> None:
        """The study to learn from; without one there is nothing to plan."""
        self.study.setText(f"<b>{name}</b>")
        self.study.setToolTip(path)
        self.widget().setVisible(bool(name))
        bars = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(bars.ScrollBarAsNeeded if name else bars.ScrollBarAlwaysOff)

    def show_sketch(self, about: str, why_not: str, *, is_wanted: bool) -> None:
        """Whether what is watched is drawn on its slide; why it cannot be."""
        self.sketch.setChecked(is_wanted and not why_not)
        self.sketch.setEnabled(not why_not)
        self.sketch.setToolTip(why_not or about)
        self.sketch_about.setText(about)
        self.sketch_about.setVisible(self.sketch.isChecked())

    def show_name(self, name: str) -> None:
        if not self.name.hasFocus():
            with QSignalBlocker(self.name):
                self.name.setText(name)


class ProgressView(QWidget):
    """What was found before the start, and the curves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.findings = QListWidget(objectName="gr2st_preflight", wordWrap=True)
        self.findings.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.findings.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.findings.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.findings.setSpacing(2)
        self.hint = QLabel(objectName="gr2st_progress_hint", wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.curves = CurvesView()
        self.sketched = small_text("gr2st_sketched")
        self._icons = {tone: sign_icon(*sign) for tone, sign in SIGNS.items()}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 6, 2, 2)
        for part in (self.findings, self.hint, self.curves, self.sketched):
            layout.addWidget(part)

    def show_findings(self, findings: Sequence[tuple[Tone, str]], hint: str) -> None:
        """What was found; `hint` stands where there is nothing to see yet."""
        if [self.findings.item(at).text() for at in range(self.findings.count())] != [words for _, words in findings]:
            self.findings.clear()
            for tone, words in findings:
                item = QListWidgetItem(self._icons[tone], words)
                item.setToolTip(words)
                self.findings.addItem(item)
        self.findings.setVisible(bool(findings))
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))

    def show_sketched(self, words: str) -> None:
        """Where the gene is drawn that is being learned."""
        self.sketched.setText(words)
        self.sketched.setVisible(bool(words))


class TrainView(QWidget):
    """Setters in, signals out; the parts of its pages speak for themselves."""

    study_chosen = Signal(str)
    sample_wanted = Signal()
    check_wanted = Signal()
    start_wanted = Signal()
    pause_wanted = Signal()
    resume_wanted = Signal()
    stop_wanted = Signal()
    predict_wanted = Signal()
    dismissed = Signal()
    seen = Signal(bool)
    """Whether the dock can be seen."""
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_train_dock")
        self.card = StatusCard()
        self.plan, self.progress, self.runs = PlanView(), ProgressView(), RunsView()
        self.pages = QTabWidget(objectName="gr2st_train_pages")
        self.check = QPushButton("Check", objectName="gr2st_check")
        self.start = QPushButton("Start", objectName="gr2st_start")
        self.rest = QPushButton("Pause", objectName="gr2st_pause")
        self.stop = QPushButton("Stop", objectName="gr2st_stop")
        self.foot = Foot(can_cancel=False)
        self._goes_on = False
        self.setMinimumWidth(285)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        for title, page in (("Plan", self.plan), ("Progress", self.progress), ("Runs", self.runs)):
            self.pages.addTab(page, title)
        self.pages.setDocumentMode(True)
        buttons = QGridLayout()
        buttons.setSpacing(3)
        for at, button in enumerate((self.check, self.start, self.rest, self.stop)):
            buttons.addWidget(button, 0, at)
            button.setMinimumWidth(40)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(6)
        layout.addWidget(self.card)
        layout.addWidget(self.pages, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.foot)

    def _connect(self) -> None:
        menu = open_menu(self.plan.other, self._on_action)
        menu.addAction("The sample").triggered.connect(self.sample_wanted)
        self.plan.other.setMenu(menu)
        self.card.acted.connect(self._on_action)
        self.check.clicked.connect(self.check_wanted)
        self.start.clicked.connect(self.start_wanted)
        self.stop.clicked.connect(self.stop_wanted)
        self.rest.clicked.connect(self._on_rest)

    def show_card(self, card: Card) -> None:
        self.card.show_card(card, CARD_WORDS)

    def show_ends(self, ends: Ends) -> None:
        """What may be pressed; what may not says why."""
        self._goes_on = ends.goes_on
        self.rest.setText(ends.pause_words)
        self.stop.setText(ends.stop_words)
        for button, reason, tip in (
            (self.check, ends.check, "Look at files, genes, memory, disk and time, and start nothing"),
            (self.start, ends.start, "Check, and train unless something hinders it"),
            (self.rest, ends.pause, "Go on where it was" if ends.goes_on else "Let the training rest; nothing is lost"),
            (self.stop, ends.stop, "End here; what was learned is kept, and Resume goes on"),
        ):
            button.setEnabled(not reason)
            button.setToolTip(reason or tip)

    def show_page(self, page: int) -> None:
        self.pages.setCurrentIndex(page)

    def show_job(self, job: Job) -> None:
        self.foot.show_job(job)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())
        self.seen.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.seen.emit(False)

    def _on_rest(self) -> None:
        if self._goes_on:
            self.resume_wanted.emit()
        else:
            self.pause_wanted.emit()

    def _on_action(self, action: str) -> None:
        if action == "open-folder":
            self._emit(ask_folder(self, "Folder of a study"))
        elif action == "open-file":
            self._emit(ask_file(self, "Study"))
        else:
            acts: dict[str, Any] = {
                "open-sample": self.sample_wanted,
                "predict": self.predict_wanted,
                "dismiss": self.dismissed,
            }
            acts[action].emit()

    def _emit(self, path: str) -> None:
        if path:
            self.study_chosen.emit(path)


def _heading(title: str) -> QLabel:
    label = QLabel(title)
    label.setStyleSheet("font-weight: bold;")
    return label
