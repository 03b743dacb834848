"""Spots in classes (pathologist label, cell type, cluster) in the place of a gene. Pure: no viewer, no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy import sparse

from gr2st import (
    CELL_CLASSES,
    NOT_MEASURED,
    DataError,
    PatchConfig,
    UnknownName,
    clusters,
    finish,
    keys,
    spot_cells_of,
    spot_normalise,
    variability_ranks,
)
from gr2st_napari._colours import class_colours
from gr2st_napari._raster import POINTS_UP_TO

if TYPE_CHECKING:
    import pandas as pd

    from gr2st_napari._expression import Expression, Float32
    from gr2st_napari._state import Wish

Colour: TypeAlias = tuple[float, float, float, float]

CLUSTERS, CELLS = "clusters", "cells"
"""Sources that are worked out; every other one is a column of the spots."""
WORDS = {
    CLUSTERS: "Clusters of measured expression (k-means)",
    CELLS: "Cell type (most frequent nuclei)",
    keys.LABEL: "Pathologist label",
}
CELL_WORDS = {
    "necros": "necrotic",
    "neopla": "neoplastic",
    "inflam": "inflammatory",
    "connec": "connective",
    "no-neo": "non-neoplastic epithelial",
}
"""The classes of nuclei as a pathologist calls them; what is not here is no class."""
NO_CLASSES = (keys.ARRAY_ROW, keys.ARRAY_COL, keys.OUTSIDE, "in_tissue")
"""Columns of spots that tell something else; spots unlike the training are crossed out."""
MOST_CLASSES = 60
CLUSTERED_GENES = 1000
NO_CLASS = ""
NO_CLASS_WORDS = "no class"


@dataclass(frozen=True, eq=False)
class Classes:
    """A class per spot.

    Attributes
    ----------
    source : tuple
        What it was made from, as `source_of` names it.
    words : str
        What it is, for people.
    codes : (n,) float32
        Place in `names`, as colours take it; NaN where a spot has no class.
    """

    source: tuple[Any, ...]
    words: str
    names: tuple[str, ...]
    codes: Float32

    @property
    def counts(self) -> tuple[int, ...]:
        """Spots of each class."""
        known = self.codes[np.isfinite(self.codes)].astype(np.int64)
        return tuple(np.bincount(known, minlength=len(self.names)).tolist())

    @property
    def n_without(self) -> int:
        """Spots without a class."""
        return int(np.isnan(self.codes).sum())

    def name_of(self, spot: int) -> str:
        """Class of one spot; empty where it has none."""
        code = self.codes[spot]
        return "" if np.isnan(code) else self.names[int(code)]


def offers(expression: Expression) -> dict[str, str]:
    """What spots can be coloured by beside genes, each with its words."""
    found = [*expression.class_columns]
    if expression.section is not None and expression.section.cells is not None:
        found.append(CELLS)
    if _can_be_clustered(expression):
        found.append(CLUSTERS)
    return {name: WORDS.get(name, name.replace("_", " ").capitalize()) for name in found}


def named(expression: Expression, name: str) -> str:
    """The key of `offers` that a user means by its key or its words; UnknownName telling those there are."""
    there = offers(expression)
    meant = {word.casefold(): key for key, words in there.items() for word in (words, key)}
    if name.casefold() not in meant:
        raise UnknownName.of("kind of class", name, there)
    return meant[name.casefold()]


def source_of(expression: Expression, wish: Wish) -> tuple[Any, ...]:
    """What classes are made from: two wishes with the same source need them only once."""
    return (expression, wish.colour_by, wish.n_clusters if wish.colour_by == CLUSTERS else 0)


def classes_of(source: tuple[Any, ...]) -> Classes:
    """The classes of a source; k-means and files of nuclei take seconds.

    Raises
    ------
    DataError
        The cell types cannot be read, or the spots do not make so many clusters.
    """
    expression, colour_by, n_clusters = source
    if colour_by == CLUSTERS:
        names = _clustered(expression, n_clusters)
    elif colour_by == CELLS:
        names = _cell_types(expression)
    else:
        names = _texts(expression.class_columns[colour_by])
    # Numbers in their order: 2 before 10.
    known = sorted(set(names) - {NO_CLASS}, key=lambda name: (not name.isdigit(), name.isdigit() and int(name), name))
    place = {name: float(at) for at, name in enumerate(known)} | {NO_CLASS: np.nan}
    codes = np.array([place[name] for name in names], np.float32)
    return Classes(source, offers(expression)[colour_by], tuple(known), codes)


def legend_lines(classes: Classes) -> tuple[tuple[str, ...], tuple[int, ...], tuple[Colour, ...]]:
    """Names, numbers of spots and colours (RGBA), for a legend; spots without a class come last."""
    names, counts = classes.names, classes.counts
    colours = tuple((red, green, blue, 1.0) for red, green, blue in class_colours(len(names)))
    if classes.n_without:
        return (*names, NO_CLASS), (*counts, classes.n_without), (*colours, NOT_MEASURED)
    return names, counts, colours


def columns_of_classes(obs: pd.DataFrame) -> dict[str, pd.Series]:
    """Columns of a table of spots that put each spot into one of a few classes."""
    return {str(name): obs[name] for name in obs if _is_class(obs[name])}


def _is_class(column: pd.Series) -> bool:
    if column.dtype.kind in "fiu" or column.name in NO_CLASSES:
        return False
    # The first thousand tell most columns of names apart, without looking through all.
    if column.iloc[:1000].nunique() > MOST_CLASSES:
        return False
    return 0 < column.nunique() <= min(MOST_CLASSES, len(column) // 2)


def _texts(column: pd.Series) -> list[str]:
    return [NO_CLASS if known else str(value).strip() for value, known in zip(column, column.isna(), strict=True)]


def _cell_types(expression: Expression) -> list[str]:
    assert expression.section is not None, "cell types are offered for a section"
    found = finish(spot_cells_of(expression.section, "files", PatchConfig()))
    assert found is not None, "files tell a type of every spot"
    return [CELL_WORDS.get(CELL_CLASSES[kind], NO_CLASS) for kind in found.cell_type]


def _can_be_clustered(expression: Expression) -> bool:
    return expression.has_measured and 2 < len(expression.spots) <= POINTS_UP_TO


def _clustered(expression: Expression, count: int) -> list[str]:
    values = _values_to_cluster(expression)
    known = np.isfinite(values).all(axis=1)
    found = clusters(values[known], count) if known.sum() > count else None
    if found is None:
        raise DataError(f"The measured expression of {expression.name} does not make {count} clusters: choose fewer.")
    names = np.full(len(values), NO_CLASS, dtype=object)
    names[known] = [str(number) for number in _largest_first(found)]
    return names.tolist()


def _values_to_cluster(expression: Expression) -> Float32:
    """Spot-normalised values (n, genes) of the most variable genes; without counts, of those beside the prediction."""
    section = expression.section
    if section is None or not section.genes:
        assert expression.prediction is not None, "clusters are offered where something is measured"
        genes = expression.prediction.genes
        return np.column_stack([expression.fresh(gene, "measured", "spot") for gene in genes])
    ranks = variability_ranks(section)
    # In a section of few spots no gene may be counted often enough to be ranked.
    n_ranked = int(np.isfinite(ranks).sum()) or len(ranks)
    counts = sparse.csc_array(section.table.X)
    depth = np.asarray(counts.sum(axis=1), np.float64).ravel()
    return spot_normalise(counts[:, np.argsort(ranks)[: min(CLUSTERED_GENES, n_ranked)]], depth)


def _largest_first(found: Any) -> Any:
    """Clusters numbered from 1, by how many spots they have."""
    numbers = np.argsort(np.argsort(-np.bincount(found), kind="stable"), kind="stable") + 1
    return numbers[found]
