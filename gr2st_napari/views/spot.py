"""The Spot dock: why a spot was predicted so, how far to trust it, and how the gene does over all spots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from gr2st_napari._spot_words import CARD_WORDS, GRAPH_TIP
from gr2st_napari.views.card import StatusCard
from gr2st_napari.views.dialogs import ask_file, ask_folder
from gr2st_napari.views.foot import Foot
from gr2st_napari.views.scatter import ScatterPage
from gr2st_napari.views.spot_case import CasePage
from gr2st_napari.views.trust import TrustPage

if TYPE_CHECKING:
    from qtpy.QtGui import QShowEvent

    from gr2st_napari._advice import Card

CASE, TRUST, SCATTER = range(3)
PAGES = ("Why", "Trust", "Scatter")


class SpotView(QWidget):
    """Setters in, signals out."""

    path_chosen = Signal(str)
    model_chosen = Signal(str)
    sample_wanted = Signal()
    dismissed = Signal()
    shown_in = Signal(QWidget)
    """The window the dock has come to stand in."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gr2st_spot_dock")
        self.card, self.foot = StatusCard(), Foot(can_cancel=False)
        self.pages = QTabWidget(objectName="gr2st_spot_pages", documentMode=True)
        self.case, self.trust, self.scatter = CasePage(GRAPH_TIP), TrustPage(GRAPH_TIP), ScatterPage()
        for page, title in zip((self.case, self.trust, self.scatter), PAGES, strict=True):
            self.pages.addTab(page, title)
        self.setMinimumWidth(300)
        # napari puts a stretch under docks that do not ask for height, and it takes half from the second one on.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.card)
        layout.addWidget(self.pages, 1)
        layout.addWidget(self.foot)
        self.card.acted.connect(self._on_action)

    def show_card(self, card: Card) -> None:
        self.card.show_card(card, CARD_WORDS)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown_in.emit(self.window())

    def _on_action(self, action: str) -> None:
        if action == "open-folder":
            _if_any(ask_folder(self, "Folder of a section or a study"), self.path_chosen.emit)
        elif action == "open-file":
            _if_any(ask_file(self, "Section, study or prediction"), self.path_chosen.emit)
        elif action == "predict":
            _if_any(ask_folder(self, "Folder of a trained model"), self.model_chosen.emit)
        elif action == "open-sample":
            self.sample_wanted.emit()
        else:
            self.dismissed.emit()


def _if_any(path: str, act: object) -> None:
    if path:
        act(path)  # type: ignore[operator]
