"""What stands beside the expression in the file of a predicted slide: spots, genes, graphs, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gr2st import keys
from gr2st.prediction import WEIGHTS, adjacencies, graphs_of, provenance_of
from gr2st.slides.cautions import training_pitch_um
from gr2st.training.loop import device_of, limited_threads
from gr2st.types import Prepared

if TYPE_CHECKING:
    from gr2st.io.prediction_writer import PredictionWriter
    from gr2st.models.base import Answer
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


@dataclass(eq=False)
class Gathered:
    """What is kept of the answers beside the expression."""

    details: bool
    space: str = ""
    notes: dict[str, None] = field(default_factory=dict)
    confidence: list[torch.Tensor] = field(default_factory=list)
    reference: list[torch.Tensor] = field(default_factory=list)
    weight: list[torch.Tensor] = field(default_factory=list)

    def take(self, answer: Answer) -> None:
        """Take in the answer of the next part; what stands behind each spot only where `details` are wanted."""
        self.space = answer.space
        self.notes |= dict.fromkeys(answer.notes)
        if answer.confidence is not None:
            self.confidence.append(answer.confidence.cpu())
        if self.details and answer.reference is not None and answer.reference_weight is not None:
            self.reference.append(answer.reference.cpu())
            self.weight.append(answer.reference_weight.cpu())

    def columns(self) -> dict[str, Any]:
        """What each spot has one number of, by its name in the file."""
        return {keys.CONFIDENCE: torch.cat(self.confidence).numpy()} if self.confidence else {}

    def matrices(self) -> dict[str, Any]:
        """What each spot has several numbers of, by its name in the file."""
        if not self.reference:
            return {}
        return {
            keys.REFERENCE: torch.cat(self.reference).numpy().astype(np.int32),
            keys.REFERENCE_WEIGHT: torch.cat(self.weight).numpy().astype(np.float32),
        }


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
    provenance = provenance_of(trained, seen, space=gathered.space, graphs=why_no_graphs or GRAPHS)
    provenance |= {keys.VIRTUAL: _grid(section), keys.NOTES: list(dict.fromkeys([*notes, *gathered.notes]))}
    if not why_no_graphs:
        provenance[keys.ATTENTION] = WEIGHTS
    return {
        "obs": section.table.obs.assign(**gathered.columns()),
        "var": pd.DataFrame({keys.PREDICTED_MEAN: writer.means()}, index=list(trained.recipe.genes)),
        "obsm": {keys.SPATIAL: seen.pixel, **gathered.matrices()},
        "obsp": {} if why_no_graphs else _graphs(trained, seen, writer),
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
