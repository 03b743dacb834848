"""The foot of every dock: what the worker does, how far it is, and a button to stop it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from gr2st_napari._state import Job


class Foot(QWidget):
    """One line of words, a bar and, unless the dock has buttons of its own, Cancel while something runs."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None, *, can_cancel: bool = True) -> None:
        super().__init__(parent)
        self._can_cancel = can_cancel
        self.line = QLabel("Idle", objectName="gr2st_worker_line")
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.bar = QProgressBar(objectName="gr2st_worker_bar", textVisible=False)
        self.bar.setMaximumHeight(8)
        self.button = QPushButton("Cancel", objectName="gr2st_cancel")
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

    def show_job(self, job: Job) -> None:
        """Show a job, or that nothing runs."""
        count = f" {job.done:,} of {job.total:,}" if job.total else ""
        words = (
            f"Stopping: {job.label}" if job.is_stopping else f"{job.label}{count}{f' · {job.note}' if job.note else ''}"
        )
        self.line.setText(words if job.is_running else "Idle")
        self.line.setToolTip(words)
        self.bar.setRange(0, job.total)
        self.bar.setValue(min(job.done, job.total))
        self.bar.setVisible(job.is_running)
        self.button.setVisible(job.is_running and self._can_cancel)
        self.button.setEnabled(not job.is_stopping)
        self.button.setText("Stopping…" if job.is_stopping else "Cancel")
