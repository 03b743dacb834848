"""What is drawn, as values: one panel for each cell of the canvas, and what belongs to all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gr2st_napari._classes import Classes
    from gr2st_napari._colours import ClassColours
    from gr2st_napari._expression import Float32
    from gr2st_napari._state import Limits, Mode


@dataclass(frozen=True, eq=False)
class Panel:
    """One cell of the canvas: values (n,) with their title, limits and colours."""

    kind: str
    title: str
    values: Float32
    limits: Limits
    colormap: str | ClassColours


@dataclass(frozen=True, eq=False)
class Display:
    """All that is drawn, and what the user should know about it.

    For one gene, for the `members` of a list, or, in the place of genes, for `classes`.
    """

    gene: str
    mode: Mode
    panels: tuple[Panel, ...]
    notes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    classes: Classes | None = None
