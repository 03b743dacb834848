"""Questions put to the user in a window of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

FILES = "Section, study or prediction (*.h5ad study.csv *.csv);;All files (*)"


def ask_folder(parent: QWidget, title: str) -> str:
    """A folder, empty where the user thought better of it."""
    return str(QFileDialog.getExistingDirectory(parent, title))


def ask_file(parent: QWidget, title: str) -> str:
    """A file, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, title, "", FILES)[0])
