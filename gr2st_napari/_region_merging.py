"""Regions that two windows have changed come together, so that nothing that was drawn is lost. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gr2st_napari._regions import added

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st import Region

SAME_PX = 0.05
"""Corners so close are the same: a layer keeps them with fewer digits than a file."""
NAMED = 3
"""Regions a sentence tells by name; of more it tells the number."""


def merged(before: Sequence[Region], ours: Sequence[Region], theirs: Sequence[Region]) -> tuple[Region, ...]:
    """What is to be kept when both sides began with `before`: regions are known by their names.

    What one side alone has changed, drawn or removed is as that side has it. Where both have changed a region, or drawn
    another one under the same name, both stay, theirs under another name; what one has changed and the other removed
    stays.
    """
    was, here, there = ({region.name: region for region in regions} for regions in (before, ours, theirs))
    kept = []
    for region in ours:
        is_untouched = _is_same(region, was.get(region.name))
        if not is_untouched:
            kept.append(region)
        elif region.name in there:
            kept.append(there[region.name])
    more = [
        region
        for name, region in there.items()
        if not _is_same(region, was.get(name))
        and not _is_same(region, here.get(name))
        and not (name in here and _is_same(here[name], was.get(name)))
    ]
    # Those whose names are free keep them.
    return added(kept, sorted(more, key=lambda region: region.name in here))


def are_same(some: Sequence[Region], others: Sequence[Region]) -> bool:
    """Whether these are the same regions in the same order."""
    return len(some) == len(others) and all(map(_is_same, some, others))


def meeting_words(before: Sequence[Region], after: Sequence[Region]) -> str:
    """What another window has done to the regions of this one."""
    was, now = ({region.name: region for region in regions} for regions in (before, after))
    parts = {
        "came from there": [name for name in now if name not in was],
        "changed there": [name for name in now if name in was and not _is_same(now[name], was[name])],
        "removed there": [name for name in was if name not in now],
    }
    told = "; ".join(f"{words}: {_listed(names)}" for words, names in parts.items() if names)
    return f"Regions of this slide were drawn in another window too. {told[:1].upper()}{told[1:]}."


def _is_same(one: Region, other: Region | None) -> bool:
    if other is None or (one.name, one.kind, one.colour) != (other.name, other.kind, other.colour):
        return False
    rings, others = ([ring for polygon in region.polygons for ring in polygon] for region in (one, other))
    return [len(polygon) for polygon in one.polygons] == [len(polygon) for polygon in other.polygons] and all(
        ring.shape == known.shape and np.allclose(ring, known, rtol=0, atol=SAME_PX)
        for ring, known in zip(rings, others, strict=True)
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} regions"
