"""Values of one gene per spot, measured or predicted, whichever file they come from. Pure: no viewer, no Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from gr2st import gene_normalise, keys, mean_z, spot_normalise
from gr2st_napari._classes import columns_of_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from scipy.spatial import cKDTree

    from gr2st import Prediction, Section
    from gr2st_napari._state import Space, Wish

Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
Int64: TypeAlias = npt.NDArray[np.int64]
Kind: TypeAlias = Literal["measured", "predicted"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MEASURED_LAYER = {"spot": keys.MEASURED_SPOT, "gene": keys.MEASURED_GENE}
COLUMNS_KEPT = 12
"""Columns of values kept at hand: both maps of a gene are asked for again by every look at a spot."""
SCORE_COLUMN = {"spot": keys.PCC_SPOT, "gene": keys.PCC_GENE}


@dataclass(frozen=True, eq=False)
class Expression:
    """One section and, where there is one, its prediction, spot by spot.

    The spots are those of the section, in its order; without a section those of the prediction. A spot or a gene that
    one of the two does not have is NaN there, never zero.
    """

    section: Section | None
    prediction: Prediction | None
    _positions: dict[str, int] = field(default_factory=dict, init=False)
    _means_of_lists: dict[tuple[tuple[str, ...], Kind, Space], Float32] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        """Name of the section."""
        if self.section is not None:
            return self.section.name
        assert self.prediction is not None, "an expression is made of a section, a prediction or both"
        return self.prediction.section

    @cached_property
    def spots(self) -> tuple[str, ...]:
        return self.section.spot_names if self.section is not None else self._predicted_spots

    @cached_property
    def xy(self) -> Float64:
        """Spot centres (n, 2): x, y in level-0 pixels."""
        source = self.section if self.section is not None else self.prediction
        assert source is not None, "an expression is made of a section, a prediction or both"
        return np.asarray(source.table.obsm[keys.SPATIAL], dtype=np.float64)[:, :2]

    @cached_property
    def array(self) -> Int64 | None:
        """Place of each spot in the array (n, 2): row, column; None where the data does not tell."""
        obs = (self.section or self.prediction).table.obs  # type: ignore[union-attr]
        if not {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(obs.columns):
            return None
        return obs[[keys.ARRAY_ROW, keys.ARRAY_COL]].to_numpy(np.int64)

    @cached_property
    def class_columns(self) -> dict[str, pd.Series]:
        """What the data says about each spot in a few words (label, cluster), by the order of `spots`."""
        found: dict[str, pd.Series] = {}
        for side in (self.prediction, self.section):
            obs = None if side is None else side.table.obs
            if obs is not None:
                of_spots = obs if side is self.section else obs.reindex(list(self.spots))
                found |= columns_of_classes(of_spots)
        return found

    @cached_property
    def tree(self) -> cKDTree:
        """Finds the spots near a place in `xy`."""
        from scipy.spatial import cKDTree

        return cKDTree(self.xy)

    @cached_property
    def genes(self) -> tuple[str, ...]:
        """Predicted genes first, then those only measured."""
        predicted = () if self.prediction is None else self.prediction.genes
        listed = set(predicted)
        measured = () if self.section is None else self.section.genes
        return (*predicted, *(gene for gene in measured if gene not in listed))

    @cached_property
    def aliases(self) -> tuple[str, ...]:
        """Stable identifier of each gene, empty where the data has none."""
        if self.section is None or keys.GENE_ID not in self.section.table.var:
            return ("",) * len(self.genes)
        known = dict(zip(self.section.genes, map(str, self.section.table.var[keys.GENE_ID]), strict=True))
        return tuple(known.get(gene, "") for gene in self.genes)

    @cached_property
    def means(self) -> Float32:
        """Mean count per spot where counts are known, else mean measured or predicted value; NaN where nothing is."""
        means = np.full(len(self.genes), np.nan, np.float32)
        if self.prediction is not None:
            means[: len(self.prediction.genes)] = self._means_in_prediction(self.prediction)
        if self._counts is not None:
            per_gene = np.asarray(self._counts.mean(axis=0)).ravel()
            columns = np.array([self._measured_column.get(gene, -1) for gene in self.genes])
            means[columns >= 0] = per_gene[columns[columns >= 0]]
        return means

    def _means_in_prediction(self, prediction: Prediction) -> Float32:
        """Of the measured values where there are any, else of the predicted ones."""
        layers, var = prediction.table.layers, prediction.table.var
        if keys.MEASURED_SPOT not in layers and keys.PREDICTED_MEAN in var:
            # The values of a slide stay in their file: its means were taken when it was written.
            return var[keys.PREDICTED_MEAN].to_numpy(np.float32)
        shown = layers.get(keys.MEASURED_SPOT, layers.get(keys.PREDICTED))
        return np.full(len(var), np.nan, np.float32) if shown is None else np.asarray(shown.mean(axis=0)).ravel()

    @property
    def means_are_counts(self) -> bool:
        return self._counts is not None

    def scores(self, space: Space) -> Float32 | None:
        """Correlation of prediction and measurement per gene in one space, None where no prediction was scored."""
        if self.prediction is None or SCORE_COLUMN[space] not in self.prediction.table.var:
            return None
        scores = np.full(len(self.genes), np.nan, np.float32)
        scores[: len(self.prediction.genes)] = self.prediction.table.var[SCORE_COLUMN[space]].to_numpy(np.float32)
        return scores

    @property
    def predicted_space(self) -> str:
        """Space of the predicted values: "spot", "gene" or "mixed"; empty without a prediction."""
        return "" if self.prediction is None else str(self.provenance.get("space", "mixed"))

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What the prediction tells of itself; empty without one."""
        found: Mapping[str, Any] = {} if self.prediction is None else self.prediction.table.uns.get(keys.PROVENANCE, {})
        return found

    @property
    def has_measured(self) -> bool:
        return self._counts is not None or self._layer(keys.MEASURED_SPOT) is not None

    @property
    def has_predicted(self) -> bool:
        return self.prediction is not None

    def predicts(self, gene: str) -> bool:
        return gene in self._predicted_column

    def values(self, gene: str, kind: Kind, space: Space) -> Float32:
        """Values (n,) of one gene in the order of `spots`; NaN where there is none."""
        return self._column(gene, kind, space)

    def fresh(self, gene: str, kind: Kind, space: Space) -> Float32:
        """The same, without being kept: for those who go through many genes."""
        return self._predicted(gene) if kind == "predicted" else self._measured(gene, space)

    def shown_values(self, wish: Wish, kind: Kind) -> Float32:
        """Values (n,) of the gene that is wished for, or the mean z-score of its list of genes; NaN where none is."""
        if not wish.members:
            return self.values(wish.gene, kind, wish.space)
        wanted = (wish.members, kind, wish.space)
        if wanted not in self._means_of_lists:
            columns = [self.values(gene, kind, wish.space) for gene in self.listed(wish.members)]
            self._means_of_lists[wanted] = mean_z(np.column_stack([np.empty((len(self.spots), 0)), *columns]))
        return self._means_of_lists[wanted]

    def stored(self, layer: str, gene: str) -> Float32 | None:
        """Values (n,) of one gene in a layer of the prediction file; None where it has no such layer or gene."""
        table = self._layer(layer)
        return None if table is None or not self.predicts(gene) else self._from_layer(table, gene)

    def of_spots(self, column: str) -> Float64 | None:
        """A number (n,) of each spot in the prediction file, NaN for a spot it lacks; None without such a column."""
        if self.prediction is None or column not in self.prediction.table.obs:
            return None
        told, rows = self.prediction.table.obs[column].to_numpy(np.float64), self.rows_of_prediction
        return np.where(rows >= 0, told[rows], np.nan)

    def listed(self, genes: Sequence[str]) -> tuple[str, ...]:
        """Those of some genes that are measured or predicted here; a list may have symbols or identifiers."""
        return tuple(dict.fromkeys(self._gene_called[gene] for gene in genes if gene in self._gene_called))

    @cached_property
    def _gene_called(self) -> dict[str, str]:
        identifiers = {alias: gene for alias, gene in zip(self.aliases, self.genes, strict=True) if alias}
        return identifiers | {gene: gene for gene in self.genes}

    def default_gene(self, space: Space) -> str:
        """The gene to begin with: the best predicted one, else the one with the highest mean."""
        scores = self.scores(space)
        ranked = self.means if scores is None or np.isnan(scores).all() else scores
        return self.genes[int(np.nanargmax(ranked))] if np.isfinite(ranked).any() else next(iter(self.genes), "")

    def warm_up(self) -> None:
        """Work out now, in whatever thread this is, what the first look would have to wait for."""
        gene = self.default_gene("spot")
        for kind in KINDS if gene else ():
            self.values(gene, kind, "spot")
        self.tree, self.aliases, self.rows_of_prediction, self.class_columns  # noqa: B018

    def position(self, spot: str) -> int | None:
        """Row of a spot by its name."""
        if not self._positions:
            self._positions.update({name: row for row, name in enumerate(self.spots)})
        return self._positions.get(spot)

    @cached_property
    def rows_of_prediction(self) -> Int64:
        """For each spot its row in the prediction, -1 where the prediction lacks it."""
        if self.section is None:
            return np.arange(len(self._predicted_spots))
        known = {name: row for row, name in enumerate(self._predicted_spots)}
        return np.array([known.get(name, -1) for name in self.spots], dtype=np.int64)

    @cached_property
    def spots_of_prediction(self) -> Int64:
        """For each spot of the prediction its row here, -1 where the section lacks it."""
        known, rows = self.rows_of_prediction >= 0, self.rows_of_prediction
        back = np.full(len(self._predicted_spots), -1, dtype=np.int64)
        back[rows[known]] = np.flatnonzero(known)
        return back

    @cached_property
    def _predicted_spots(self) -> tuple[str, ...]:
        return () if self.prediction is None else tuple(map(str, self.prediction.table.obs_names))

    @cached_property
    def _predicted_column(self) -> dict[str, int]:
        return {} if self.prediction is None else {gene: at for at, gene in enumerate(self.prediction.genes)}

    @cached_property
    def _measured_column(self) -> dict[str, int]:
        return {} if self.section is None else {gene: at for at, gene in enumerate(self.section.genes)}

    @cached_property
    def _counts(self) -> Any:
        """Counts by column, for fast access to one gene; None where the section has none."""
        if self.section is None or self.section.table.n_vars == 0:
            return None
        from scipy.sparse import csc_array

        return csc_array(self.section.table.X)

    @cached_property
    def _depth(self) -> Float64:
        """Total count of each spot over the genes the spot space lists: the predicted ones, or all without any."""
        listed = [self._measured_column[gene] for gene in self._predicted_column if gene in self._measured_column]
        counts = self._counts if not listed else self._counts[:, listed]
        return np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()

    @cached_property
    def _column(self) -> Callable[[str, Kind, Space], Float32]:
        """`fresh`, with the last ones kept; other threads may ask, too."""
        return lru_cache(COLUMNS_KEPT)(self.fresh)

    def _layer(self, name: str) -> Any:
        return None if self.prediction is None else self.prediction.table.layers.get(name)

    def _predicted(self, gene: str) -> Float32:
        if gene not in self._predicted_column:
            return np.full(len(self.spots), np.nan, np.float32)
        return self._from_layer(self._layer(keys.PREDICTED), gene)

    def _measured(self, gene: str, space: Space) -> Float32:
        layer = self._layer(MEASURED_LAYER[space])
        if layer is not None and gene in self._predicted_column:
            return self._from_layer(layer, gene)
        if self._counts is None or gene not in self._measured_column:
            return np.full(len(self.spots), np.nan, np.float32)
        counts = self._counts[:, [self._measured_column[gene]]]
        return (gene_normalise(counts) if space == "gene" else spot_normalise(counts, self._depth))[:, 0]

    def _from_layer(self, layer: Any, gene: str) -> Float32:
        column = layer[:, [self._predicted_column[gene]]]
        dense = np.asarray(column.toarray() if hasattr(column, "toarray") else column, dtype=np.float32)[:, 0]
        rows = self.rows_of_prediction
        return np.where(rows >= 0, dense[rows], np.float32(np.nan)).astype(np.float32)
