"""The Regions dock: its view joined to the controller of the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication

from gr2st_napari._controller import controller_of
from gr2st_napari._listening import listen
from gr2st_napari._regions_words import NAME, card_of, clipboard_text, columns, heading, region_lines, why_not_compare
from gr2st_napari._state import Job
from gr2st_napari.views.regions import RegionsView

if TYPE_CHECKING:
    import napari.viewer

    from gr2st_napari._regions import Comparison
    from gr2st_napari._state import State


class RegionsDock(RegionsView):
    """Carries the regions of a viewer into the view and the user's acts to their keeper.

    It may be closed and opened again: the regions belong to the viewer and stay.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._controller = controller_of(napari_viewer)
        self._compared: object = None
        self._send()
        self._controller.regions.get_ready()
        events = self._state.events
        listen(*((signal, self._show) for signal in (events.sheet, events.expression, events.opened)))
        self._show()

    @property
    def _state(self) -> State:
        return self._controller.state

    def _send(self) -> None:
        """The user's acts, to the keeper of the regions."""
        controller, keeper = self._controller, self._controller.regions
        self.path_chosen.connect(controller.open)
        self.sample_wanted.connect(controller.open_sample)
        self.shown_in.connect(controller.live_in)
        self.dismissed.connect(keeper.dismiss)
        self.tool_chosen.connect(keeper.draw)
        self.removal_wanted.connect(keeper.remove)
        self.regions.typed.connect(self._on_typed)
        self.sides_chosen.connect(keeper.choose)
        self.comparison_wanted.connect(keeper.compare)
        self.foot.cancelled.connect(keeper.stop)
        self.import_chosen.connect(lambda path: keeper.read(Path(path)))
        self.export_chosen.connect(lambda path: keeper.write(Path(path)))
        self.copy_wanted.connect(self._on_copy)
        self.save_chosen.connect(lambda path, rows: keeper.save_table(Path(path), rows))
        self.compared.picked.connect(lambda gene: controller.wish(gene=gene))

    def _show(self) -> None:
        sheet = self._state.sheet
        self.show_card(card_of(self._state))
        self.show_regions(region_lines(sheet), is_open=self._state.opened is not None)
        self.show_tool(sheet.tool)
        self.show_sides(sheet.choices, sheet.a, sheet.b)
        self.show_reason(why_not_compare(sheet), Job("Comparing genes") if sheet.is_comparing else Job())
        self._show_table(sheet.comparison)

    def _show_table(self, comparison: Comparison | None) -> None:
        """A comparison that only became outdated keeps its rows, and where the user has scrolled to."""
        table = None if comparison is None else comparison.table
        words = "" if comparison is None else heading(comparison)
        if comparison is not None and table is self._compared:
            self.show_heading(words)
            return
        self._compared = table
        if comparison is None:
            self.show_compared("", (), (), ())
            return
        genes = comparison.table["gene"].tolist()
        reasons = comparison.table.get("measured_reason")
        tips = (
            [""] * len(genes)
            if reasons is None
            else [f"{gene}: {reason}" if reason else gene for gene, reason in zip(genes, reasons, strict=True)]
        )
        self.show_compared(words, genes, tips, columns(comparison))

    def _on_typed(self, names: list[str], column: int, text: str) -> None:
        if column == NAME:
            self._controller.regions.rename(names[0], text)
        else:
            self._controller.regions.classify(names, text)

    def _on_copy(self, rows: list[int]) -> None:
        comparison = self._state.sheet.comparison
        if comparison is not None:
            QApplication.clipboard().setText(clipboard_text(comparison, rows))
