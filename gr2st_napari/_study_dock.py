"""The Study dock: its view joined to the controller of the viewer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st_napari import _study
from gr2st_napari._controller import controller_of
from gr2st_napari._frames import show_genes
from gr2st_napari._listening import listen
from gr2st_napari._state import Job
from gr2st_napari._study_words import (
    PATIENT,
    SECTION,
    card_of,
    findings,
    lines,
    why_not_open,
    why_not_save,
)
from gr2st_napari.views.study import StudyView

if TYPE_CHECKING:
    import napari.viewer

    from gr2st_napari._study import Draft


class StudyDock(StudyView):
    """Carries the draft of a viewer into the view and the user's acts to its builder.

    It may be closed and opened again: the draft belongs to the viewer and stays.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._controller = controller_of(napari_viewer)
        self._send()
        listen((self._controller.state.events.draft, self._show))
        self._show(self._controller.state.draft)

    def _send(self) -> None:
        """The user's acts, to the builder."""
        builder = self._controller.builder
        self.paths_added.connect(builder.add)
        self.sample_wanted.connect(builder.add_sample)
        self.dismissed.connect(builder.dismiss)
        self.foot.cancelled.connect(builder.stop)
        self.shown_in.connect(self._controller.live_in)
        self.removal_wanted.connect(partial(builder.change, _study.removed))
        self.rereading_wanted.connect(partial(builder.change, _study.to_read_again))
        self.picture_chosen.connect(lambda key, path: builder.change(_study.with_picture, key, Path(path)))
        self.table.typed.connect(self._on_typed)
        self.saving_wanted.connect(lambda path: builder.save(path, self._open))
        self.opening_wanted.connect(self._open_saved)

    def _show(self, draft: Draft) -> None:
        self.show_card(card_of(draft))
        self.show_lines(lines(draft))
        self.show_findings(findings(draft))
        self.show_ends(why_not_save(draft), why_not_open(draft), "" if draft.home is None else str(draft.home))
        done = sum(row.is_read for row in draft.rows)
        self.show_job(Job("Reading sections", done, len(draft.rows)) if draft.is_reading else Job())

    def _on_typed(self, keys: list[int], column: int, text: str) -> None:
        change = self._controller.builder.change
        if column == SECTION:
            change(_study.renamed, keys[0], text)
        else:
            change(_study.with_patient if column == PATIENT else _study.with_um_per_px, keys, text)

    def _open_saved(self) -> None:
        saved = self._controller.state.draft.saved
        if saved is not None:
            self._open(saved)

    def _open(self, path: Path) -> None:
        """Show the study in the viewer, with the Genes dock beside this one."""
        show_genes(self._viewer)
        self._controller.open(path)
