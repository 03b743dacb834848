"""Questions put to the user in a window of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from qtpy.QtWidgets import QFileDialog, QMessageBox

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

FILES = "Section, study, prediction or session (*.h5ad study.csv *.csv *.gr2st);;All files (*)"
SESSIONS = "Session (*.gr2st)"
FIGURES = "Picture of 300 dots per inch (*.png);;Drawing, text stays text (*.svg)"
PREDICTIONS = "Prediction (*.h5ad)"
PICTURES = "Pictures (*.jpg *.jpeg *.png *.tif *.tiff *.svs *.ndpi);;All files (*)"
TABLES = "Study (*.csv)"
PAGES = "Page (*.html)"
AREAS = "Regions (*.geojson *.json)"
COMPARISONS = "Table (*.csv)"
GENES = "Gene names (*.txt *.csv *.tsv);;All files (*)"
LISTS = "Lists of genes (*.txt *.csv *.tsv *.gmt);;All files (*)"
ENDINGS = (".png", ".svg", ".csv", ".h5ad", ".html", ".gr2st")
SAVED_LISTS = "Text (*.txt);;Table (*.csv);;Gene sets (*.gmt)"


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


def ask_gene_lists(parent: QWidget, title: str) -> str:
    """A file with one list of genes or several, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, title, "", LISTS)[0])


def ask_saving_genes(parent: QWidget, title: str, path: str) -> str:
    """Where to save a list of genes, empty where the user thought better of it."""
    return str(QFileDialog.getSaveFileName(parent, title, path, SAVED_LISTS)[0])


def ask_page(parent: QWidget, title: str, path: str) -> str:
    """Where to save a page, `path` being offered; empty where the user thought better of it."""
    return str(QFileDialog.getSaveFileName(parent, title, path, PAGES)[0])


def ask_regions(parent: QWidget) -> str:
    """A file of regions, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, "Regions to add", "", AREAS)[0])


def ask_regions_target(parent: QWidget) -> str:
    """Where to write regions, empty where the user thought better of it."""
    return str(QFileDialog.getSaveFileName(parent, "Write the regions", "regions.geojson", AREAS)[0])


def ask_saving_table(parent: QWidget, title: str, path: str) -> str:
    """Where to save a table, `path` being offered; empty where the user thought better of it."""
    return str(QFileDialog.getSaveFileName(parent, title, path, COMPARISONS)[0])


def ask_target(parent: QWidget, title: str, path: str, kinds: str) -> str:
    """Where to save one of these kinds, with its ending; empty where the user thought better of it."""
    found, kind = QFileDialog.getSaveFileName(parent, title, path, kinds)
    ending = "." + kind.partition("*.")[2].partition(")")[0] if "*." in kind else ""
    return f"{found}{ending}" if found and ending and not found.lower().endswith(ENDINGS) else str(found)


def ask_session(parent: QWidget) -> str:
    """A session, empty where the user thought better of it."""
    return str(QFileDialog.getOpenFileName(parent, "Open a session", "", SESSIONS)[0])


BACKGROUND_WORDS = (
    "Nothing that was learned is lost. In the background it goes on without a window, and the next window finds it "
    "again. Stopped, it can be resumed at any time."
)
ENDING_WORDS = (
    "{} ends with the window, and nothing is lost: what was looked at is kept. Start it again in the Slide dock, with "
    "the same slide and model, and it goes on where it was."
)


def ask_leaving(
    parent: QWidget, lasting: Sequence[str], ending: Sequence[str] = ()
) -> Literal["background", "stop", "stay"]:
    """What is to become of unfinished work when the window closes: `lasting` can go on without it, `ending` cannot."""
    work = [*lasting, *ending]
    box = QMessageBox(parent, objectName="gr2st_leaving")
    box.setWindowTitle("Close the window?")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(f"{' and '.join(work)} {'is' if len(work) == 1 else 'are'} still at work.")
    words = [BACKGROUND_WORDS] * bool(lasting) + [ENDING_WORDS.format(name) for name in ending]
    box.setInformativeText("\n\n".join(words))
    background = box.addButton("Continue in the background", QMessageBox.ButtonRole.AcceptRole) if lasting else None
    stop = box.addButton("Stop and close", QMessageBox.ButtonRole.DestructiveRole)
    stay = box.addButton("Keep the window open", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(stay)
    box.setEscapeButton(stay)
    box.exec()
    clicked = box.clickedButton()
    return "background" if lasting and clicked is background else "stop" if clicked is stop else "stay"
