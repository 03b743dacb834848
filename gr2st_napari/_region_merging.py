"""Regions that two windows have changed come together, so that nothing that was drawn is lost. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gr2st import Region
from gr2st_napari._regions import added, stem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SAME_PX = 0.05
"""Corners so close are the same: a layer keeps them with fewer digits than a file."""
NAMED = 3
"""Regions a sentence tells by name; of more it tells the number."""


def merged(before: Sequence[Region], ours: Sequence[Region], theirs: Sequence[Region]) -> tuple[Region, ...]:
    """What is to be kept when both sides began with `before`: a region is known by its outline, else by its name.

    What one side alone has drawn, changed or removed is as that side has it; where both have given another name, ours
    holds. Where both have changed outline or class, both regions stay, theirs under the next free name; what one has
    changed and the other removed stays.
    """
    here, there = _followed(before, ours), _followed(before, theirs)
    of_theirs = {at: region for region, at in there if at is not None}
    kept: list[Region] = []
    more: list[Region] = []
    for region, at in here:
        if at is not None and at in of_theirs:
            one, *other = _together(before[at], region, of_theirs[at])
            kept.append(one)
            more += other
        elif at is None or not _is_same(region, before[at]):
            kept.append(region)
    seen = {at for _, at in here if at is not None}
    new = [region for region, at in here if at is None]
    for region, at in there:
        if at not in seen and not any(_is_same(region, known) for known in (new if at is None else [before[at]])):
            more.append(region)
    return _with_names(kept, more)


def _followed(before: Sequence[Region], after: Sequence[Region]) -> list[tuple[Region, int | None]]:
    """Regions, each with the number it had before; None where it is new."""
    numbers = {region.name: at for at, region in enumerate(before)}
    found = {
        place: numbers[region.name]
        for place, region in enumerate(after)
        if region.name in numbers and _lie_alike(before[numbers[region.name]], region)
    }
    for is_known in (_lie_alike, _are_called_alike):
        left = dict.fromkeys(sorted({*range(len(before))} - {*found.values()}))
        for place, region in enumerate(after):
            at = None if place in found else next((at for at in left if is_known(before[at], region)), None)
            if at is not None:
                found[place] = at
                del left[at]
    return [(region, found.get(place)) for place, region in enumerate(after)]


def _together(before: Region, ours: Region, theirs: Region) -> tuple[Region, ...]:
    """One region as both sides have changed it; both where that cannot be."""
    drawn = _changed(before, ours, theirs, _lie_alike)
    classed = _changed(before, ours, theirs, _are_classed_alike)
    if drawn is None or classed is None:
        return (ours, theirs)
    name = theirs.name if ours.name == before.name else ours.name
    return (Region(name, classed.kind, drawn.polygons, classed.colour),)


def _changed(
    before: Region, ours: Region, theirs: Region, are_alike: Callable[[Region, Region], bool]
) -> Region | None:
    """The side that has changed something; None where both have, and not to the same."""
    if are_alike(before, ours):
        return theirs
    return ours if are_alike(before, theirs) or are_alike(ours, theirs) else None


def _with_names(kept: Sequence[Region], more: Sequence[Region]) -> tuple[Region, ...]:
    """All of them under names of their own; those whose names are free keep them."""
    named = added((), kept)
    taken = {region.name for region in named}
    return added(named, sorted(more, key=lambda region: region.name in taken))


def not_there(regions: Sequence[Region], more: Sequence[Region]) -> tuple[Region, ...]:
    """Those of `more` that are not among the regions: with class, outline and the name they were given there."""
    return tuple(region for region in more if not any(_came_as(region, known) for known in regions))


def are_same(some: Sequence[Region], others: Sequence[Region]) -> bool:
    """Whether these are the same regions in the same order."""
    return len(some) == len(others) and all(map(_is_same, some, others))


def meeting_words(before: Sequence[Region], after: Sequence[Region]) -> str:
    """What another window has done to the regions of this one."""
    found = _followed(before, after)
    left = {at for _, at in found}
    parts = {
        "came from there": [region.name for region, at in found if at is None],
        "changed there": [region.name for region, at in found if at is not None and not _is_same(region, before[at])],
        "removed there": [region.name for at, region in enumerate(before) if at not in left],
    }
    told = "; ".join(f"{words}: {_listed(names)}" for words, names in parts.items() if names)
    return f"Regions of this slide were drawn in another window too. {told[:1].upper()}{told[1:]}."


def _is_same(one: Region, other: Region) -> bool:
    return _are_called_alike(one, other) and _are_classed_alike(one, other) and _lie_alike(one, other)


def _came_as(region: Region, known: Region) -> bool:
    """Whether this is the region as `added` has named it: a name that was taken got a number, one without a new one."""
    is_named_so = not region.name or stem_of(region.name) == stem_of(known.name)
    return is_named_so and region.kind == known.kind and _lie_alike(region, known)


def _are_classed_alike(one: Region, other: Region) -> bool:
    return (one.kind, one.colour) == (other.kind, other.colour)


def _are_called_alike(one: Region, other: Region) -> bool:
    return one.name == other.name


def _lie_alike(one: Region, other: Region) -> bool:
    rings, others = ([ring for polygon in region.polygons for ring in polygon] for region in (one, other))
    return [len(polygon) for polygon in one.polygons] == [len(polygon) for polygon in other.polygons] and all(
        ring.shape == known.shape and np.allclose(ring, known, rtol=0, atol=SAME_PX)
        for ring, known in zip(rings, others, strict=True)
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{len(names)} regions"
