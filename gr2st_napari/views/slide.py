"""The Slide dock: a slide without spots, the model that predicts it, on which grid and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gr2st_napari.views.card import StatusCard, let_narrow
from gr2st_napari.views.dialogs import ask_folder, ask_picture
from gr2st_napari.views.foot import Foot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QDragEnterEvent, QDropEvent, QShowEvent

    from gr2st_napari._advice import Card
    from gr2st_napari._state import Job

PITCHES = (5.0, 2000.0)
MOST_UM_PER_PX = 50.0


class SlideView(QWidget):
    """Setters in, signals out."""

    path_chosen = Signal(str)
    model_chosen = Signal(str)
    pitch_chosen = Signal(float)
    scale_chosen = Signal(float)
    """Micrometres per pixel; 0 where the file is to tell."""
    place_chosen = Signal(str)
    everywhere_chosen = Signal(bool)
    """Whether spots are also laid where no tissue is found."""
    started = Signal()
    dismissed = Signal()
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_slide_dock")
        self.setAcceptDrops(True)
        self.card, self.foot = StatusCard(), Foot()
        self.slide = _choice("gr2st_choose_slide", "Open a slide without spots; or drop one here")
        self.model = _choice("gr2st_choose_slide_model", "Choose the folder of a trained model")
        self.pitch = QDoubleSpinBox(objectName="gr2st_pitch", decimals=0, suffix=" µm", singleStep=25)
        self.pitch.setRange(*PITCHES)
        self.pitch.setToolTip("Distance between neighbouring spots of the grid: half of it means four times the spots")
        self.scale = QDoubleSpinBox(objectName="gr2st_um_per_px", decimals=4, singleStep=0.05)
        self.scale.setRange(0.0, MOST_UM_PER_PX)
        self.scale.setToolTip(
            "Micrometres per pixel, where the file does not tell or tells wrong; 0: as the file tells"
        )
        for box in (self.pitch, self.scale):
            # What is half typed is no wish: the field would be filled with it before the next key.
            box.setKeyboardTracking(False)
        self.place = QComboBox(objectName="gr2st_slide_place")
        self.place.setToolTip("Draw regions in the Regions dock to predict only these")
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.everywhere = QCheckBox("Also where no tissue is found", objectName="gr2st_slide_everywhere")
        self.everywhere.setToolTip(
            "For pale stains and fat, which are not told from glass: glass is then predicted, too"
        )
        self.expected = QLabel(objectName="gr2st_slide_expected", wordWrap=True)
        self.start = QPushButton("Predict the slide", objectName="gr2st_predict_slide")
        self.setMinimumWidth(285)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        let_narrow(self.expected)
        form = QFormLayout()
        form.setSpacing(6)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for words, part in (
            ("Slide", self.slide),
            ("Model", self.model),
            ("Spots every", self.pitch),
            ("µm per pixel", self.scale),
            ("Where", self.place),
        ):
            form.addRow(words, part)
        form.addRow(self.everywhere)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.card)
        layout.addLayout(form)
        layout.addWidget(self.expected)
        layout.addWidget(self.start)
        layout.addStretch(1)
        layout.addWidget(self.foot)

    def _connect(self) -> None:
        self.slide.clicked.connect(lambda: _if_any(ask_picture(self, "A slide without spots"), self.path_chosen.emit))
        self.model.clicked.connect(
            lambda: _if_any(ask_folder(self, "Folder of a trained model"), self.model_chosen.emit)
        )
        self.pitch.valueChanged.connect(self.pitch_chosen)
        self.scale.valueChanged.connect(self.scale_chosen)
        self.place.activated.connect(lambda: self.place_chosen.emit(self.place.currentData()))
        self.everywhere.clicked.connect(self.everywhere_chosen)
        self.start.clicked.connect(self.started)
        self.card.acted.connect(lambda _action: self.dismissed.emit())

    def show_card(self, card: Card, words: dict[str, str]) -> None:
        self.card.show_card(card, words)

    def show_names(self, slide: str, model: str) -> None:
        """What is chosen; empty where nothing is."""
        for button, name in ((self.slide, slide), (self.model, model)):
            shown = button.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, 190)
            button.setText(shown or "Choose…")
            button.setStatusTip(name)

    def show_wish(self, pitch_um: float, um_per_px: float | None, scale_words: str) -> None:
        """The grid that is asked for; `scale_words` stand in the field where no scale is stated."""
        with QSignalBlocker(self.pitch), QSignalBlocker(self.scale):
            self.scale.setSpecialValueText(scale_words)
            if self.pitch.value() != pitch_um:
                self.pitch.setValue(pitch_um)
            if self.scale.value() != (um_per_px or 0.0):
                self.scale.setValue(um_per_px or 0.0)

    def show_places(self, places: Sequence[tuple[str, str]], chosen: str) -> None:
        """Where can be predicted: values and their words."""
        self.place.clear()
        for value, words in places:
            self.place.addItem(words, value)
        self.place.setCurrentIndex(max(self.place.findData(chosen), 0))

    def show_everywhere(self, *, is_on: bool) -> None:
        """Whether spots are also laid where no tissue is found."""
        self.everywhere.setChecked(is_on)

    def show_expected(self, words: str) -> None:
        """Spots and time; empty where they are not known."""
        self.expected.setText(words)
        self.expected.setVisible(bool(words))

    def show_job(self, job: Job, *, can_start: bool, why_not: str) -> None:
        """What goes on, and whether more can be started."""
        self.foot.show_job(job)
        self.start.setEnabled(can_start)
        self.start.setToolTip(why_not or "Predict all genes of the model at every spot of the grid")
        for part in (self.slide, self.model, self.pitch, self.scale, self.place, self.everywhere):
            part.setEnabled(not job.is_running)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _path_in(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _path_in(event)
        if path:
            event.acceptProposedAction()
            self.path_chosen.emit(path)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())


def _choice(name: str, tip: str) -> QPushButton:
    button = QPushButton("Choose…", objectName=name)
    button.setToolTip(tip)
    button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return button


def _if_any(path: str, act: object) -> None:
    if path:
        act(path)  # type: ignore[operator]


def _path_in(event: QDropEvent) -> str:
    """The one file that is dropped, empty where there is none or several."""
    urls = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    return urls[0] if len(urls) == 1 else ""
