"""What is asked of a slide without spots, and how far it is: values that the state holds. No Qt, no files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gr2st import Preflight, Region
    from gr2st_napari._state import Problem

Phase: TypeAlias = Literal["resting", "checking", "predicting", "stopping"]

WHOLE, ALL_REGIONS = "whole", "regions"
"""Where to predict: on the whole slide, or in every region that is drawn; else the name of a region, after `REGION`."""
REGION = "region:"


@dataclass(frozen=True, eq=False)
class SlideSheet:
    """One slide to be predicted.

    Attributes
    ----------
    model : Path or None
        Folder of a trained model.
    um_per_px : float or None
        As the user states it; None: as the file tells.
    where : str
        `WHOLE`, `ALL_REGIONS` or `REGION` and a name.
    everywhere : bool
        Also where no tissue is found.
    preflight : Preflight or None
        What was found ahead for exactly this; None where it was not looked for yet.
    phase, stage, done, total
        What goes on, in words, and how far it is.
    is_finished : bool
        The prediction of exactly this was made and opened.
    """

    model: Path | None = None
    pitch_um: float = 100.0
    um_per_px: float | None = None
    where: str = WHOLE
    everywhere: bool = False
    preflight: Preflight | None = None
    phase: Phase = "resting"
    stage: str = ""
    done: int = 0
    total: int = 0
    is_finished: bool = False
    problem: Problem | None = None

    @property
    def is_busy(self) -> bool:
        return self.phase in ("predicting", "stopping")


def changed(sheet: SlideSheet, **fields: object) -> SlideSheet:
    """Another wish; what was found ahead for the one before is forgotten."""
    return replace(sheet, **fields, preflight=None, is_finished=False, problem=None)  # type: ignore[arg-type]


def rested(sheet: SlideSheet, problem: Problem | None = None) -> SlideSheet:
    """Nothing goes on any more."""
    return replace(sheet, phase="resting", stage="", done=0, total=0, problem=problem)


def chosen_regions(sheet: SlideSheet, regions: Sequence[Region]) -> tuple[Region, ...]:
    """The regions that are predicted; none means the whole slide."""
    if sheet.where == ALL_REGIONS:
        return tuple(regions)
    return tuple(region for region in regions if sheet.where == REGION + region.name)


def places(regions: Sequence[Region], *, everywhere: bool = False) -> tuple[tuple[str, str], ...]:
    """What `where` can be, each with its words."""
    whole = "Whole picture" if everywhere else "All tissue"
    every = [(ALL_REGIONS, "All regions")] if len(regions) > 1 else []
    return ((WHOLE, whole), *every, *((REGION + region.name, region.name) for region in regions))
