"""Keeps the classes the user wants to see: worked out in a thread, when they are first asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gr2st_napari._background import Background
from gr2st_napari._classes import classes_of, offers, source_of
from gr2st_napari._problems import problem_of

if TYPE_CHECKING:
    from concurrent.futures import Future

    from gr2st_napari._state import State


class ClassKeeper:
    """Keeps `state.classes` those of `state.wish` and `state.expression`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._background = Background()
        self._asked: tuple[Any, ...] | None = None
        state.events.wish.connect(self._look)
        state.events.expression.connect(self._look)

    @property
    def is_busy(self) -> bool:
        return self._background.is_busy

    def close(self) -> None:
        """Work nothing out any more."""
        self._state.events.wish.disconnect(self._look)
        self._state.events.expression.disconnect(self._look)
        self._background.close()

    def _look(self) -> None:
        expression, wish = self._state.expression, self._state.wish
        if self._state.classes is not None and self._state.classes.source[0] is not expression:
            self._state.classes = None
        if expression is None or not wish.colour_by:
            self._asked = None
            self._background.forget()
            return
        if wish.colour_by not in offers(expression):
            self._state.wish = replace(wish, colour_by="", hidden=frozenset())
            return
        source, known = source_of(expression, wish), self._state.classes
        if known is not None and known.source == source:
            self._asked = None
            self._background.forget()
        elif source != self._asked:
            self._asked = source
            self._background.run(lambda: classes_of(source), self._take)

    def _take(self, future: Future[Any]) -> None:
        self._asked = None
        error = future.exception()
        if error is None:
            self._state.classes = future.result()
        else:
            self._state.problem = problem_of(error)
            self._state.wish = replace(self._state.wish, colour_by="")
