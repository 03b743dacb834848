"""The Slide dock: its view joined to the controller of the viewer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gr2st_napari._controller import controller_of
from gr2st_napari._listening import listen
from gr2st_napari._slides import places
from gr2st_napari._slides_words import CARD_WORDS, can_start, card_of, expected, job_of, scale_words, why_not
from gr2st_napari.views.slide import SlideView

if TYPE_CHECKING:
    import napari.viewer

    from gr2st_napari._state import State


class SlideDock(SlideView):
    """Carries the wish of a viewer into the view and the user's acts to its keeper.

    It may be closed and opened again: wish and work belong to the viewer and stay.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._controller = controller_of(napari_viewer)
        self._placed: object = None
        self._send()
        events = self._state.events
        listen(*((signal, self._show) for signal in (events.slide, events.opened, events.sheet)))
        self._show()

    @property
    def _state(self) -> State:
        return self._controller.state

    def _send(self) -> None:
        """The user's acts, to the keeper of the slide."""
        controller, keeper = self._controller, self._controller.slides
        self.path_chosen.connect(controller.open)
        self.shown_in.connect(controller.live_in)
        self.model_chosen.connect(lambda path: keeper.choose_model(Path(path)))
        self.pitch_chosen.connect(lambda pitch: keeper.wish(pitch_um=pitch))
        self.scale_chosen.connect(lambda scale: keeper.wish(um_per_px=scale or None))
        self.place_chosen.connect(lambda where: keeper.wish(where=where))
        self.everywhere_chosen.connect(lambda is_on: keeper.wish(everywhere=is_on))
        self.started.connect(keeper.start)
        self.foot.cancelled.connect(keeper.stop)
        self.dismissed.connect(keeper.dismiss)

    def _show(self) -> None:
        state, sheet = self._state, self._state.slide
        slide = None if state.opened is None else state.opened.slide
        self.show_card(card_of(state), CARD_WORDS)
        self.show_names("" if slide is None else slide.path.name, "" if sheet.model is None else sheet.model.name)
        self.show_wish(sheet.pitch_um, sheet.um_per_px, scale_words(state))
        placed = (state.sheet.regions, sheet.where, sheet.everywhere)
        if self._placed != placed:
            self._placed = placed
            self.show_places(places(state.sheet.regions, everywhere=sheet.everywhere), sheet.where)
            self.show_everywhere(is_on=sheet.everywhere)
        self.show_expected(expected(state))
        self.show_job(job_of(state), can_start=can_start(state), why_not=why_not(state))
