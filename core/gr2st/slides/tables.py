"""What stands beside the expression in the file of a predicted slide: spots, genes, graphs, where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gr2st import keys
from gr2st.prediction import (
    WEIGHTS,
    adjacencies,
    behind_spots,
    behind_values,
    columns_of_genes,
    columns_of_spots,
    compared_with,
    graphs_of,
    provenance_of,
)
from gr2st.slides.cautions import training_pitch_um
from gr2st.training.loop import device_of, limited_threads
from gr2st.types import Prepared

if TYPE_CHECKING:
    from gr2st.io.prediction_writer import PredictionWriter
    from gr2st.models.base import Answer, Batch
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Float64, Section

DETAILS_UP_TO = 5000
"""Spots up to which graphs and the training spots behind each spot are stored."""
FINEST_GRAPH = 0.5
"""Pitch over training pitch from which on graphs are drawn: below, every spot has hundreds of neighbours."""
GRAPHS = "over the predicted expression; places in the array are those of the training pitch"


def has_details(section: Section) -> bool:
    """Whether a section is small enough for graphs and training spots to be stored."""
    return section.n_spots <= DETAILS_UP_TO


class Gathered:
    """What the answers to the parts say beside the expression; what stands behind it only where `details` are kept."""

    def __init__(self, *, details: bool) -> None:
        self._details = details
        self._last: Answer | None = None
        self._notes: dict[str, None] = {}
        self._columns: list[dict[str, Any]] = []
        self._matrices: list[dict[str, Any]] = []
        self._layers: list[dict[str, Any]] = []

    def take(self, trained: TrainedModel, answer: Answer, part: Batch) -> None:
        """Take in the answer to the next part."""
        self._last = answer
        self._notes |= dict.fromkeys(answer.notes)
        self._columns.append(columns_of_spots(trained, answer, part))
        if self._details:
            self._matrices.append(behind_spots(answer))
            self._layers.append(behind_values(answer))

    @property
    def answer(self) -> Answer:
        """The last one: space and shares are those of all."""
        assert self._last is not None, "a section has a part at least"
        return self._last

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def columns(self) -> dict[str, Any]:
        """What each spot has one number of, by its name in obs."""
        return _joined(self._columns)

    def matrices(self) -> dict[str, Any]:
        """What each spot has several numbers of, by its slot in obsm."""
        return _joined(self._matrices)

    def layers(self) -> dict[str, Any]:
        """What each value has a number of, by its layer."""
        return _joined(self._layers)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else {})}


def tables_of(
    trained: TrainedModel,
    section: Section,
    position: Float64,
    gathered: Gathered,
    writer: PredictionWriter,
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """Parts of the file by name, for `PredictionWriter.finish`; `position` (n, 2) in steps of the training array."""
    import pandas as pd

    seen = _as_prepared(trained, section, position)
    why_no_graphs = _why_no_graphs(trained, section)
    graphs = {} if why_no_graphs else _graphs(trained, seen, writer)
    of_genes = {keys.PREDICTED_MEAN: writer.means(), **columns_of_genes(trained, gathered.answer)}
    of_spots = gathered.columns()
    provenance = provenance_of(trained, seen, space=gathered.answer.space, graphs=why_no_graphs or GRAPHS)
    provenance |= {keys.VIRTUAL: _grid(section), keys.NOTES: list(dict.fromkeys([*notes, *gathered.notes]))}
    provenance |= compared_with(trained) if keys.DISTANCE in of_spots else {}
    provenance |= {keys.ATTENTION: WEIGHTS} if graphs else {}
    return {
        "obs": section.table.obs.assign(**of_spots),
        "var": pd.DataFrame(of_genes, index=list(trained.recipe.genes)),
        "obsm": {keys.SPATIAL: seen.pixel, **gathered.matrices()},
        "obsp": graphs,
        "layers": gathered.layers(),
        "uns": {keys.PROVENANCE: provenance},
    }


def _why_no_graphs(trained: TrainedModel, section: Section) -> str:
    """Why no graphs are drawn over this section, empty where they are."""
    if not has_details(section):
        return f"not drawn above {DETAILS_UP_TO:,} spots"
    step = training_pitch_um(trained.appearances)
    if step is not None and section.grid_pitch * (section.um_per_px or 0) < FINEST_GRAPH * step:
        return "not drawn on a grid finer than half the training pitch"
    return ""


def _graphs(trained: TrainedModel, seen: Prepared, writer: PredictionWriter) -> dict[str, Any]:
    with limited_threads(trained.training.threads):
        expression = torch.tensor(writer.predicted(), device=device_of(trained.module))
        return adjacencies(graphs_of(trained, seen, expression))


def _as_prepared(trained: TrainedModel, section: Section, position: Float64) -> Prepared:
    return Prepared(
        section=section.name,
        patient=None,
        spots=section.spot_names,
        pixel=np.asarray(section.table.obsm[keys.SPATIAL]),
        grid=np.rint(position).astype(np.int64),
        position=position,
        digests={"recipe": trained.recipe.digest(), "image": section.slide.digest() if section.slide else ""},
    )


def _grid(section: Section) -> dict[str, Any]:
    """Where the spots of the prediction come from."""
    scale = section.um_per_px or 0.0
    return {
        "slide": "" if section.slide is None else str(section.slide.path.absolute()),
        "pitch_um": section.grid_pitch * scale,
        "um_per_px": scale,
        "um_per_px_source": section.um_per_px_source,
    }
