"""`predict_slide`: a trained model and a virtual section in, a prediction file out, never all of it in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gr2st import keys
from gr2st.errors import DataError
from gr2st.io.prediction_writer import writing_prediction
from gr2st.prediction import WEIGHTS, adjacencies, graphs_of, provenance_of
from gr2st.registry import MODELS
from gr2st.slides.cautions import cautions, training_pitch_um
from gr2st.slides.features import TileFeatures
from gr2st.slides.grid import LAYOUT
from gr2st.slides.parts import Parts, positions
from gr2st.training.loop import device_of, limited_threads
from gr2st.types import Prepared, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.io.prediction_writer import PredictionWriter
    from gr2st.models.base import Answer, Batch
    from gr2st.models.survey import SectionScale
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Float64, Section, Steps

DETAILS_UP_TO = 5000
"""Spots up to which graphs and the training spots behind each spot are stored."""
FINEST_GRAPH = 0.5
"""Pitch over training pitch from which on graphs are drawn: below, every spot has hundreds of neighbours."""


def predict_slide(trained: TrainedModel, section: Section, out: Path) -> Steps[Path]:
    """Predict the genes of a model at every spot of a virtual section and write them as .h5ad.

    The picture is read tile by tile and its features are kept in the user's cache: the same call goes on where it was
    left, also after its process was killed. The tissue is then surveyed (features are standardised over all its spots)
    and predicted in parts, with their surroundings. The file appears under its name when it is complete.

    Parameters
    ----------
    trained : TrainedModel
    section : Section
        From `virtual_section`.
    out : Path

    Returns
    -------
    Path
        `out`; ``uns["gr2st"]["notes"]`` tells what is to be said of scale and colours.

    Raises
    ------
    DataError
        The section is none that was laid on a slide, or the model reads counts.
    WeightsMissing, StorageError
        As `TileFeatures.encode` and `writing_prediction`.
    """
    _check(trained, section)
    features = TileFeatures(section, trained.recipe, str(device_of(trained.module)))
    notes = (*section.notes, *cautions(section, trained.recipe.patch, trained.appearances))
    yield from features.encode()
    _close(section)
    task = _Task(trained, section, positions(section, trained.appearances), features)
    scale = yield from task.survey()
    with writing_prediction(out, section.n_spots, trained.recipe.genes) as writer:
        gathered = yield from task.predict(scale, writer)
        writer.finish(_tables(task, gathered, writer, notes))
    return out


def _check(trained: TrainedModel, section: Section) -> None:
    if section.layout != LAYOUT:
        raise DataError(f"{section.name} is a section with spots of its own: predict it as one (`gr2st predict`).")
    if MODELS[trained.name].is_oracle:
        raise DataError(f"{trained.name} reads the counts of the section it predicts, and a slide has none.")


def _close(section: Section) -> None:
    """Let the pixels go: what follows needs their features alone."""
    if section.slide is not None:
        section.slide.close()


@dataclass(eq=False)
class _Gathered:
    """What is kept of the answers beside the expression."""

    space: str = ""
    notes: dict[str, None] = field(default_factory=dict)
    confidence: list[torch.Tensor] = field(default_factory=list)
    reference: list[torch.Tensor] = field(default_factory=list)
    weight: list[torch.Tensor] = field(default_factory=list)

    def take(self, answer: Answer, *, details: bool) -> None:
        """Take in one answer; what stands behind each spot only where `details` are wanted."""
        self.space = answer.space
        self.notes |= dict.fromkeys(answer.notes)
        if answer.confidence is not None:
            self.confidence.append(answer.confidence.cpu())
        if details and answer.reference is not None and answer.reference_weight is not None:
            self.reference.append(answer.reference.cpu())
            self.weight.append(answer.reference_weight.cpu())


class _Task:
    """A model, the section it is to predict, and the parts it sees of it."""

    def __init__(self, trained: TrainedModel, section: Section, position: Float64, features: TileFeatures) -> None:
        self.trained, self.section, self.position = trained, section, position
        module = trained.module
        self._parts = Parts(features, position, reach=module.reach, device=device_of(trained.module))
        self.details = section.n_spots <= DETAILS_UP_TO

    def survey(self) -> Steps[SectionScale | None]:
        """What the parts must know of the whole; None where the model asks for nothing."""
        survey = self.trained.module.survey()
        if survey is None:
            return None
        stage, total = f"Surveying {self.section.name}", survey.rounds * len(self._parts)
        for number in range(survey.rounds):
            for done, part in enumerate(self._parts):
                yield Progress(stage, number * len(self._parts) + done, total)
                with limited_threads(self.trained.training.threads):
                    survey.see(part, number)
        return survey.scale()

    def predict(self, scale: SectionScale | None, writer: PredictionWriter) -> Steps[_Gathered]:
        """Predict part by part into the file; what else the answers say comes back."""
        gathered = _Gathered()
        for part in self._parts:
            yield Progress(f"Predicting {self.section.name}", writer.rows, self.section.n_spots)
            answer = self._answer(replace(part, scale=scale))
            writer.add(answer.expression.cpu().numpy().astype(np.float32))
            gathered.take(answer, details=self.details)
        return gathered

    def _answer(self, part: Batch) -> Answer:
        with torch.no_grad(), limited_threads(self.trained.training.threads):
            return self.trained.module.predict(part)


def _tables(task: _Task, gathered: _Gathered, writer: PredictionWriter, notes: tuple[str, ...]) -> dict[str, Any]:
    """Everything of the file but the expression."""
    import pandas as pd

    seen = _as_prepared(task)
    why_no_graphs = _why_no_graphs(task)
    provenance = provenance_of(task.trained, seen, space=gathered.space, graphs=why_no_graphs or _GRAPHS)
    all_notes = list(dict.fromkeys([*notes, *gathered.notes]))
    provenance |= {keys.VIRTUAL: _grid(task.section), keys.NOTES: all_notes}
    obsm: dict[str, Any] = {keys.SPATIAL: seen.pixel}
    if gathered.reference:
        obsm[keys.REFERENCE] = torch.cat(gathered.reference).numpy().astype(np.int32)
        obsm[keys.REFERENCE_WEIGHT] = torch.cat(gathered.weight).numpy().astype(np.float32)
    obs = task.section.table.obs
    if gathered.confidence:
        obs = obs.assign(**{keys.CONFIDENCE: torch.cat(gathered.confidence).numpy()})
    tables: dict[str, Any] = {
        "obs": obs,
        "var": pd.DataFrame({keys.PREDICTED_MEAN: writer.means()}, index=list(task.trained.recipe.genes)),
        "obsm": obsm,
        "uns": {keys.PROVENANCE: provenance},
    }
    if why_no_graphs:
        return tables
    provenance[keys.ATTENTION] = WEIGHTS
    return tables | {"obsp": _graphs(task, seen, writer)}


_GRAPHS = "over the predicted expression; places in the array are those of the training pitch"


def _why_no_graphs(task: _Task) -> str:
    """Why no graphs are drawn over this section, empty where they are."""
    if not task.details:
        return f"not drawn above {DETAILS_UP_TO:,} spots"
    section, step = task.section, training_pitch_um(task.trained.appearances)
    if step is not None and section.grid_pitch * (section.um_per_px or 0) < FINEST_GRAPH * step:
        return "not drawn on a grid finer than half the training pitch"
    return ""


def _graphs(task: _Task, seen: Prepared, writer: PredictionWriter) -> dict[str, Any]:
    with limited_threads(task.trained.training.threads):
        expression = torch.tensor(writer.predicted(), device=device_of(task.trained.module))
        return adjacencies(graphs_of(task.trained, seen, expression))


def _as_prepared(task: _Task) -> Prepared:
    section = task.section
    return Prepared(
        section=section.name,
        patient=None,
        spots=section.spot_names,
        pixel=np.asarray(section.table.obsm[keys.SPATIAL]),
        grid=np.rint(task.position).astype(np.int64),
        position=task.position,
        digests={"recipe": task.trained.recipe.digest(), "image": section.slide.digest() if section.slide else ""},
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
