"""Regions drawn on the open section, what is chosen to be compared, and the comparison. No Qt, no files, no viewer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gr2st import Cancelled, DataError, Region, benjamini_hochberg, compare_regions, spots_inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt
    import pandas as pd

    from gr2st_napari._expression import Expression, Float64, Kind
    from gr2st_napari._state import Problem, Space

REST = ""
"""In the place of region B: every spot that is not in A."""
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#d55e00", "#0072b2", "#f0e442")
"""A cycle that the colour-blind can tell apart."""
BLOCK = 256
KEPT = ("n_a", "n_b", "mean_a", "mean_b", "difference", "detected_a", "detected_b", "p", "q", "reason")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Genes of region `a` against `b`: measured and, where there is a prediction, predicted.

    Attributes
    ----------
    table : DataFrame
        A row per gene; columns of `gr2st.compare_regions` after ``measured_`` and ``predicted_``.
    is_outdated : bool
        Regions, section or prediction have changed since.
    """

    a: str
    b: str
    space: Space
    predicted_space: str
    table: pd.DataFrame
    is_outdated: bool = False

    @property
    def has_predicted(self) -> bool:
        return "predicted_q" in self.table


@dataclass(frozen=True, eq=False)
class Sheet:
    """What the Regions dock shows.

    Attributes
    ----------
    inside : tuple of (n,) bool
        The spots of each region.
    n_recalled : int
        How many of them came back from an earlier window, until one is changed.
    n_known : int
        How many regions of the file read last were there already, until one is changed.
    tool : str
        What the mouse does on the layer; empty where it is none of the dock's tools.
    """

    regions: tuple[Region, ...] = ()
    inside: tuple[npt.NDArray[np.bool_], ...] = ()
    a: str = ""
    b: str = REST
    comparison: Comparison | None = None
    is_comparing: bool = False
    tool: str = ""
    note: str = ""
    n_recalled: int = 0
    n_known: int = 0
    problem: Problem | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(region.name for region in self.regions)

    @property
    def choices(self) -> tuple[str, ...]:
        """What can be compared: each region, and all regions of a class together where there are several."""
        kinds = [region.kind for region in self.regions if region.kind]
        several = [_all_of(kind) for kind in dict.fromkeys(kinds) if kinds.count(kind) > 1]
        return (*self.names, *(name for name in several if name not in self.names))

    def marks(self, choice: str) -> npt.NDArray[np.bool_]:
        """The spots (n,) of one of `choices`."""
        if choice in self.names:
            return self.inside[self.names.index(choice)]
        parts = zip(self.regions, self.inside, strict=True)
        return np.any([inside for region, inside in parts if _all_of(region.kind) == choice], axis=0)

    @property
    def sides(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """The spots of A and of B, or of the rest."""
        in_a = self.marks(self.a)
        return in_a, ~in_a if self.b == REST else self.marks(self.b)


def redrawn(sheet: Sheet, regions: tuple[Region, ...], xy: Float64, note: str = "") -> Sheet:
    """Other regions; a choice that is gone falls back to the first region, or to the rest."""
    inside = tuple(spots_inside(region, xy) for region in regions)
    after = replace(outdated(sheet), regions=regions, inside=inside, note=note, n_recalled=0, n_known=0)
    choices = after.choices
    a = sheet.a if sheet.a in choices else next(iter(choices), "")
    return replace(after, a=a, b=sheet.b if sheet.b in choices and sheet.b != a else REST)


def chosen(sheet: Sheet, a: str, b: str) -> Sheet:
    """Compare `a` with `b`; a region is not compared with itself but with the rest."""
    return replace(sheet, a=a, b=REST if a == b else b, problem=None)


def outdated(sheet: Sheet) -> Sheet:
    """The comparison, if there is one, is not of what is shown any more."""
    known = sheet.comparison
    return sheet if known is None else replace(sheet, comparison=replace(known, is_outdated=True))


def renamed(regions: Iterable[Region], name: str, new: str) -> tuple[Region, ...]:
    """Another name for a region.

    Raises
    ------
    DataError
        The name is blank, or another region has it.
    """
    listed, new = tuple(regions), new.strip()
    if not new:
        raise DataError(f"A region needs a name of its own, and none was typed: it is still called {name}.")
    if new != name and any(region.name == new for region in listed):
        raise DataError(
            f"Another region is called {new} already: this one is still called {name}. Choose another name."
        )
    return tuple(replace(region, name=new) if region.name == name else region for region in listed)


def classed(regions: Iterable[Region], names: Iterable[str], kind: str) -> tuple[Region, ...]:
    """Another class for these regions, with the colour that class has already."""
    listed, which, kind = tuple(regions), set(names), kind.strip()
    colour = next((region.colour for region in listed if region.kind == kind and region.name not in which), None)
    return tuple(replace(region, kind=kind, colour=colour) if region.name in which else region for region in listed)


def added(regions: Iterable[Region], more: Iterable[Region]) -> tuple[Region, ...]:
    """More regions, each with a name of its own: those without get that of their class and a number."""
    listed = list(regions)
    for region in more:
        listed.append(replace(region, name=free_name(region, [known.name for known in listed])))
    return tuple(listed)


def free_name(region: Region, taken: Sequence[str]) -> str:
    """The name of a region where it is free, else with the next number in the place of its own."""
    if region.name and region.name not in taken:
        return region.name
    stem = stem_of(region.name) or region.kind or "Region"
    return next(name for name in (f"{stem} {number}" for number in range(1, len(taken) + 2)) if name not in taken)


def stem_of(name: str) -> str:
    """A name without the number it ends with."""
    return re.sub(r" \d+$", "", name)


def colours(regions: Iterable[Region]) -> tuple[str, ...]:
    """A colour for each region: that of its file, else one for each class, else one for each region without class."""
    listed = tuple(regions)
    groups = list(dict.fromkeys(region.kind or f"\0{region.name}" for region in listed))
    return tuple(_colour(region, groups.index(region.kind or f"\0{region.name}")) for region in listed)


def compared(expression: Expression, space: Space, sheet: Sheet, is_wanted: Callable[[], bool]) -> Comparison:
    """Test every gene between the two sides of a sheet.

    Raises
    ------
    DataError
        The two regions overlap.
    Cancelled
        `is_wanted` said no on the way.
    """
    import pandas as pd

    parts = [pd.DataFrame(index=pd.Index(expression.genes, name="gene"))]
    for kind in _kinds(expression):
        tested = _tested(expression, kind, space, sheet, is_wanted)
        # Nearly every predicted value is above zero: "detected" says something of counts alone.
        kept = [name for name in KEPT if kind == "measured" or not name.startswith("detected")]
        parts.append(tested.set_index("gene")[kept].add_prefix(f"{kind}_").reindex(parts[0].index))
    table = pd.concat(parts, axis=1).reset_index()
    return Comparison(sheet.a, sheet.b, space, expression.predicted_space, table)


def _all_of(kind: str) -> str:
    return f"all {kind}"


def _kinds(expression: Expression) -> list[Kind]:
    known: dict[Kind, bool] = {"measured": expression.has_measured, "predicted": expression.has_predicted}
    return [kind for kind, is_known in known.items() if is_known]


def _tested(
    expression: Expression, kind: Kind, space: Space, sheet: Sheet, is_wanted: Callable[[], bool]
) -> pd.DataFrame:
    """All genes of one kind; a block at a time, since all values of a large section are more than memory holds."""
    import pandas as pd

    genes = [gene for gene in expression.genes if kind == "measured" or expression.predicts(gene)]
    found = []
    for start in range(0, len(genes), BLOCK):
        if not is_wanted():
            raise Cancelled("The comparison was stopped.")
        block = genes[start : start + BLOCK]
        values = np.column_stack([expression.fresh(gene, kind, space) for gene in block])
        found.append(compare_regions(values, block, *sheet.sides))
    table = pd.concat(found, ignore_index=True)
    table["q"] = benjamini_hochberg(table["p"])
    return table


def _colour(region: Region, number: int) -> str:
    if region.colour is not None:
        return "#{:02x}{:02x}{:02x}".format(*region.colour)
    return COLOURS[number % len(COLOURS)]
