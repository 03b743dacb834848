"""Two pictures beside each other: the clicked spot, and the reference spot that is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from gr2st_napari.views.card import let_narrow
from gr2st_napari.views.reference_list import pixmap_of

if TYPE_CHECKING:
    from qtpy.QtGui import QPixmap, QResizeEvent

    from gr2st_napari._patch_pictures import Pixels

MOST_PX = 160
FRAME_PX = 12
"""What the theme leaves free beside the words of a label."""


class SpotPicture(QWidget):
    """One picture with words under it; where there is none the words say why."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixels: object = None
        self._pixmap: QPixmap | None = None
        self.picture = QLabel(objectName=name, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.words = QLabel(objectName=f"{name}_words", alignment=Qt.AlignmentFlag.AlignCenter)
        self._words = ""
        let_narrow(self.words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.picture)
        layout.addWidget(self.words)

    def show_picture(self, picture: Pixels | str, words: str) -> None:
        """Show pixels, or words in their place."""
        self._words = words
        self.words.setToolTip(words)
        if isinstance(picture, str):
            self._pixels = self._pixmap = None
            self.picture.clear()
            self.picture.setText(picture)
        elif picture is not self._pixels:
            self._pixels, self._pixmap = picture, pixmap_of(picture)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shortened = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideMiddle, self.width() - FRAME_PX)
        self.words.setText(shortened)
        side = min(MOST_PX, max(40, self.width()))
        self.picture.setFixedHeight(side)
        if self._pixmap is not None:
            smooth = Qt.TransformationMode.SmoothTransformation
            self.picture.setPixmap(self._pixmap.scaled(QSize(side, side), Qt.AspectRatioMode.KeepAspectRatio, smooth))


class PicturePair(QWidget):
    """The two, equally wide."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.own, self.reference = SpotPicture("gr2st_own_picture"), SpotPicture("gr2st_reference_picture")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.own, 1)
        layout.addWidget(self.reference, 1)
