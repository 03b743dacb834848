"""Copy and Save of a whole table, as it is sorted: by right click, copying by Ctrl+C as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QAction, QCursor, QKeySequence
from qtpy.QtWidgets import QApplication, QMessageBox, QToolTip

from gr2st import Gr2stError, write_csv
from gr2st_napari.views.dialogs import ask_saving_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from qtpy.QtWidgets import QTableView


class TableOut(QObject):
    """Gives a table its two lines of a menu.

    Parameters
    ----------
    table : QTableView
    name : str
        What its file is called.
    content : callable, optional
        What is copied or saved, for a table that knows more digits than it shows; by default what it shows.
    """

    def __init__(self, table: QTableView, name: str, content: Callable[[], pd.DataFrame] | None = None) -> None:
        super().__init__(table)
        self._table, self._name = table, name
        self._content = content or (lambda: displayed(table))
        self.copy, self.save = QAction("Copy table", self), QAction("Save table…", self)
        self.copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        self.copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.copy.triggered.connect(self._on_copy)
        self.save.triggered.connect(self._on_save)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        table.addActions([self.copy, self.save])

    def _on_copy(self) -> None:
        frame = self._content()
        QApplication.clipboard().setText(frame.to_csv(sep="\t", index=False, lineterminator="\n"))
        self._tell(f"{len(frame):,} lines copied, for a spreadsheet")

    def _on_save(self) -> None:
        path = ask_saving_table(self._table, "Save the table", f"{self._name}.csv")
        if not path:
            return
        path = path if path.lower().endswith(".csv") else f"{path}.csv"
        try:
            write_csv(path, self._content())
        except Gr2stError as error:
            QMessageBox.warning(self._table, "Not saved", str(error))
        else:
            self._tell(f"Saved {path}")

    def _tell(self, words: str) -> None:
        QToolTip.showText(QCursor.pos(), words, self._table)


def displayed(table: QTableView) -> pd.DataFrame:
    """All that a table shows, hidden columns too, in its order; columns without any word are left out."""
    model = table.model()
    rows, columns = range(model.rowCount()), range(model.columnCount())
    names = [str(model.headerData(column, Qt.Orientation.Horizontal) or "") for column in columns]
    texts = [[str(model.index(row, column).data() or "") for column in columns] for row in rows]
    frame = pd.DataFrame(texts, columns=names)
    return frame.loc[:, [any(texts[row][at] for row in rows) or not rows for at in columns]]
