"""The foot of every dock: what the worker does, how far it is, and a button to stop it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, QUrl, Signal
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gr2st_napari.views.links import LinkLabel

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st_napari._state import Job

BESIDE_NAME_PX, NAME_PX = 140, 60
"""Room for the words round the name of a file, and the least for the name."""


class Foot(QWidget):
    """One line of words, a bar and, unless the dock has buttons of its own, Cancel while something runs."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None, *, can_cancel: bool = True) -> None:
        super().__init__(parent)
        self._can_cancel = can_cancel
        self._saved: Path | None = None
        self.line = LinkLabel("Idle", objectName="gr2st_worker_line")
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar(objectName="gr2st_worker_bar", textVisible=False)
        self.bar.setMaximumHeight(8)
        self.line.linkActivated.connect(lambda _link: self._show_folder())
        self.button = QPushButton("Cancel", objectName="gr2st_cancel")
        self.button.setToolTip("Stop what is being done; what is shown stays")
        self.button.clicked.connect(self.cancelled)
        row = QHBoxLayout()
        row.addWidget(self.line, 1)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        self.bar.hide()
        self.button.hide()

    def show_saved(self, path: Path | None) -> None:
        """Say where something was written, until something else runs; None forgets it."""
        self._saved = path
        if not self.bar.isVisible():
            self._show_words("")

    def show_job(self, job: Job) -> None:
        """Show a job, or that nothing runs."""
        count = f" {job.done:,} of {job.total:,}" if job.total else ""
        words = (
            f"Stopping: {job.label}" if job.is_stopping else f"{job.label}{count}{f' · {job.note}' if job.note else ''}"
        )
        self._show_words(words if job.is_running else "")
        self.bar.setRange(0, job.total)
        self.bar.setValue(min(job.done, job.total))
        self.bar.setVisible(job.is_running)
        self.button.setVisible(job.is_running and self._can_cancel)
        self.button.setEnabled(not job.is_stopping)
        self.button.setText("Stopping…" if job.is_stopping else "Cancel")

    def _show_words(self, words: str) -> None:
        """What runs; else what was written last, with a link to its folder; else that nothing runs."""
        if words:
            self._saved = None
        if self._saved is None:
            self.line.setText(words or "Idle")
            self.line.setToolTip(words)
            return
        room = max(NAME_PX, self.width() - BESIDE_NAME_PX)
        name = self.line.fontMetrics().elidedText(self._saved.name, Qt.TextElideMode.ElideMiddle, room)
        self.line.setText(f"Saved {escape(name)} · <a href='folder'>show folder</a>")
        self.line.setToolTip(str(self._saved))

    def _show_folder(self) -> None:
        if self._saved is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._saved.parent)))
