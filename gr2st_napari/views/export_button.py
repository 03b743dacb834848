"""One button for everything that can be written: figures, values, reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from gr2st_napari.views.dialogs import COMPARISONS, FIGURES, PAGES, PREDICTIONS, ask_target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qtpy.QtGui import QAction


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the menu: its words, the kinds of files to choose from, what its file is called after the name."""

    words: str
    kinds: str
    ending: str


CHOICES: Mapping[str, Mapping[str, Choice]] = {
    "&Figure": {
        "figure-view": Choice("Of what is in &view…", FIGURES, ".png"),
        "figure-whole": Choice("Of the whole &section…", FIGURES, ".png"),
    },
    "&Values": {
        "values-view": Choice("Of what is in &view (.csv)…", COMPARISONS, "_values.csv"),
        "values-all": Choice("Of all predicted &genes (.csv)…", COMPARISONS, "_predicted.csv"),
        "prediction": Choice("The whole &prediction (.h5ad)…", PREDICTIONS, "_prediction.h5ad"),
    },
    "&Report": {
        "report-best": Choice("Of the &best and worst predicted genes…", PAGES, "_report.html"),
        "report-favourites": Choice("Of my &favourites…", PAGES, "_report.html"),
        "report-list": Choice("Of the genes in the &list below…", PAGES, "_report.html"),
    },
}


class ExportButton(QPushButton):
    """Setters in, a signal out."""

    wanted = Signal(str, str)
    """What is to be written, and where."""
    opening = Signal()
    """The menu is about to be seen: time to say what can be written."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("E&xport", parent, objectName="gr2st_export_menu")
        self.setToolTip("Write a figure, values or a report of what is shown (Alt+X)")
        self._view_name = self._section_name = "section"
        self.actions_of: dict[str, QAction] = {}
        self.setMenu(self._menu())

    def show_names(self, section: str, view: str) -> None:
        """What files are called: of the section, and of what is in view."""
        self._section_name, self._view_name = section, view

    def show_reasons(self, reasons: Mapping[str, str]) -> None:
        """For every line of the menu, why it cannot be used; empty where it can."""
        for what, action in self.actions_of.items():
            reason = reasons.get(what, "")
            action.setEnabled(not reason)
            action.setToolTip(reason)

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.aboutToShow.connect(self.opening)
        for title, choices in CHOICES.items():
            part = menu.addMenu(title)
            part.setToolTipsVisible(True)
            for what, choice in choices.items():
                action = self.actions_of[what] = part.addAction(choice.words)
                action.triggered.connect(lambda _checked=False, what=what, choice=choice: self._ask(what, choice))
        return menu

    def _ask(self, what: str, choice: Choice) -> None:
        name = self._view_name if what.endswith("-view") or what == "figure-whole" else self._section_name
        title = choice.words.replace("&", "").rstrip("…")
        path = ask_target(self, title, f"{name}{choice.ending}", choice.kinds)
        if path:
            self.wanted.emit(what, path)
