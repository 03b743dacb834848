"""What the counts of the section in view say about its genes: computed beside the window, one thing after the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, Signal

from gr2st import detected_shares, spatial_patterns, variability_ranks
from gr2st_napari._background import Background, run_through
from gr2st_napari._problems import problem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from gr2st import Progress, Section, Steps
    from gr2st_napari._expression import Expression
    from gr2st_napari._state import State

Float: TypeAlias = npt.NDArray[np.float64]

WORK: dict[str, Callable[[Section], Float] | Callable[[Section], Steps[Float]]] = {
    "detected": detected_shares,
    "variability": variability_ranks,
    "pattern": spatial_patterns,
}
"""Quick ones first: each is shown as soon as it is there."""


@dataclass(frozen=True, eq=False)
class GeneFacts:
    """Facts of the genes of one section; `known` has those of `WORK` that are there so far, (genes,) each.

    `under_way` is the one that is being worked out, `done` how much of it, 0 to 1.
    """

    genes: tuple[str, ...]
    known: Mapping[str, Float] = field(default_factory=dict)
    under_way: str = ""
    done: float = 0.0

    def of(self, what: str, genes: Sequence[str]) -> Float | None:
        """One fact of each gene, NaN where the section does not have the gene; None while it is not there."""
        if what not in self.known:
            return None
        found = dict(zip(self.genes, self.known[what], strict=True))
        return np.array([found.get(gene, np.nan) for gene in genes], dtype=np.float64)


class FactsKeeper(QObject):
    """Keeps `state.facts` those of the section in view; what is worked out of another one is left at once."""

    _told = Signal(object, object)
    """A section, and how far its fact is that takes long."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state
        self._background = Background()
        self._section: Section | None = None
        self._told.connect(self._on_told)
        state.events.expression.connect(self._on_expression)

    @property
    def is_busy(self) -> bool:
        return self._background.is_busy

    def close(self) -> None:
        self._section = None
        self._state.events.expression.disconnect(self._on_expression)
        self._background.close()

    def _on_expression(self, expression: Expression | None) -> None:
        section = None if expression is None else expression.section
        if section is self._section:
            return
        self._section = section
        self._background.forget()
        self._state.facts = None if section is None or not section.genes else GeneFacts(section.genes)
        self._go_on()

    def _go_on(self) -> None:
        section, facts = self._section, self._state.facts
        what = None if facts is None else next((name for name in WORK if name not in facts.known), None)
        if section is not None and facts is not None and what is not None:
            self._state.facts = replace(facts, under_way=what, done=0.0)
            self._background.run(lambda: self._found(what, section), lambda future: self._take(what, future))

    def _found(self, what: str, section: Section) -> Float:
        """In the thread: one fact, as long as its section is in view."""
        work: Any = WORK[what](section)
        if isinstance(work, np.ndarray):
            return work
        found: Float = run_through(
            work, lambda: self._section is section, lambda progress: self._told.emit(section, progress)
        )
        return found

    def _on_told(self, section: Section, progress: Progress) -> None:
        facts = self._state.facts
        if section is self._section and facts is not None and progress.total:
            self._state.facts = replace(facts, done=progress.done / progress.total)

    def _take(self, what: str, future: Future[Any]) -> None:
        facts, error = self._state.facts, future.exception()
        if error is not None:
            self._state.problem = problem_of(error)
        elif facts is not None:
            self._state.facts = replace(facts, known={**facts.known, what: future.result()}, under_way="")
            self._go_on()
