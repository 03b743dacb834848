"""Questions put to the user in a window of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

FILES = "Section, study or prediction (*.h5ad study.csv *.csv);;All files (*)"
PICTURES = "Pictures (*.jpg *.jpeg *.png *.tif *.tiff *.svs *.ndpi);;All files (*)"
TABLES = "Study (*.csv)"
PAGES = "Page (*.html)"
GENES = "Gene names (*.txt *.csv *.tsv);;All files (*)"


def ask_folder(parent: QWidget, title: str) -> str:
    """A folder, empty where the user thought better of it."""
    return str(QFileDialog.getExistingDirectory(parent, title))


def ask_file(parent: QWidget, title: str) -> str:
    """A file, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, title, "", FILES)[0])


def ask_files(parent: QWidget, title: str) -> list[str]:
    """Files, none where the user thought better of it."""
    return list(QFileDialog.getOpenFileNames(parent, title, "", FILES)[0])


def ask_picture(parent: QWidget, title: str) -> str:
    """A picture, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, title, "", PICTURES)[0])


def ask_saving(parent: QWidget, title: str, path: str) -> str:
    """Where to save, `path` being offered; empty where the user thought better of it."""
    return str(QFileDialog.getSaveFileName(parent, title, path, TABLES)[0])


def ask_genes(parent: QWidget, title: str) -> str:
    """A file of gene names, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, title, "", GENES)[0])


def ask_page(parent: QWidget, title: str, path: str) -> str:
    """Where to save a page, `path` being offered; empty where the user thought better of it."""
    return str(QFileDialog.getSaveFileName(parent, title, path, PAGES)[0])
