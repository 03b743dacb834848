"""Cuts the pictures of the clicked spot and of its reference spots, section by section, beside the window."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gr2st import Gr2stError, needs_pyramid
from gr2st_napari._background import Background
from gr2st_napari._patch_pictures import cut, find_source, source_on_table
from gr2st_napari._problems import problem_of
from gr2st_napari._spot import place_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gr2st import Study
    from gr2st_napari._opening import Opened
    from gr2st_napari._patch_pictures import Pixels, Source, SpotPlace
    from gr2st_napari._spot import Why
    from gr2st_napari._state import State

MOST_PICTURES = 400
"""Pictures that are kept: some 30 MB."""


class PictureKeeper:
    """Changes `State.why.pictures`; everything returns at once."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()
        self._sources: dict[str, Source] = {}
        self._study: Study | None = None
        state.events.opened.connect(self._on_opened)

    def look(self) -> None:
        """See to it that what the case in view needs is there, or on its way."""
        why = self._state.why
        missing = [place for place in _needed(why) if place not in why.pictures]
        if not missing:
            self._background.forget()
            self._put(is_cutting=False)
            return
        section = missing[0][0]
        places = [place for place in missing if place[0] == section]
        opened, sources = self._state.opened, self._sources
        self._put(is_cutting=True)
        self._background.run(
            lambda: _cut_all(section, places, opened, sources), lambda future: self._take(places, future)
        )

    def close(self) -> None:
        """Cut nothing any more."""
        self._state.events.opened.disconnect(self._on_opened)
        self._background.close()

    def _take(self, places: list[SpotPlace], future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            found: dict[SpotPlace, Any] = dict(zip(places, future.result(), strict=True))
        else:
            if not isinstance(error, Gr2stError):
                self._state.problem = problem_of(error)
            found = dict.fromkeys(places, problem_of(error).sentence)
        known = {**self._state.why.pictures, **found}
        needed = set(_needed(self._state.why))
        for place in [place for place in known if place not in needed][: max(0, len(known) - MOST_PICTURES)]:
            del known[place]
        self._put(pictures=known)
        self.look()

    def _on_opened(self, opened: Opened | None) -> None:
        study = None if opened is None else opened.study
        if study is not self._study:
            self._study = study
            self._sources = {}
            self._put(pictures={})

    def _put(self, **changes: Any) -> None:
        why = self._state.why
        if any(getattr(why, name) is not value for name, value in changes.items()):
            self._state.why = replace(why, **changes)


def _needed(why: Why) -> list[SpotPlace]:
    """Places of the clicked spot and of the reference spots in the list, each once."""
    if why.case is None:
        return []
    places = (place_of(reference) for reference in why.references)
    return list(dict.fromkeys([why.case.place, *(place for place in places if place is not None)]))


def _cut_all(name: str, places: list[SpotPlace], opened: Opened | None, sources: dict[str, Source]) -> list[Pixels]:
    """Pictures of places of one section; what is decoded for them is let go of where the viewer does not need it."""
    on_table = None if opened is None or opened.name != name else source_on_table(opened)
    if on_table is None and name not in sources:
        sources[name] = find_source(None if opened is None else opened.study, name)
    source = on_table or sources[name]
    try:
        return cut(source, [place[1] for place in places])
    finally:
        if on_table is None or needs_pyramid(source.slide):
            source.slide.close()
