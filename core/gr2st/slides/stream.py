"""`predict_slide`: a trained model and a virtual section in, a prediction file out, never all of it in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from gr2st.errors import DataError
from gr2st.io.prediction_writer import writing_prediction
from gr2st.registry import MODELS
from gr2st.slides.cautions import cautions
from gr2st.slides.features import TileFeatures
from gr2st.slides.grid import LAYOUT
from gr2st.slides.parts import Parts, positions
from gr2st.slides.tables import Gathered, has_details, tables_of
from gr2st.training.loop import device_of, limited_threads
from gr2st.types import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.io.prediction_writer import PredictionWriter
    from gr2st.models.survey import SectionScale
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Float64, Section, Steps


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
    notes = (*cautions(section, trained.recipe.patch, trained.appearances), *section.notes)
    yield from features.encode()
    _close(section)
    task = _Task(trained, section, positions(section, trained.appearances), features)
    scale = yield from task.survey()
    with writing_prediction(out, section.n_spots, trained.recipe.genes) as writer:
        gathered = yield from task.predict(scale, writer)
        writer.finish(tables_of(trained, section, task.position, gathered, writer, notes))
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


class _Task:
    """A model, the section it is to predict, and the parts it sees of it."""

    def __init__(self, trained: TrainedModel, section: Section, position: Float64, features: TileFeatures) -> None:
        self.trained, self.section, self.position = trained, section, position
        module = trained.module
        self._parts = Parts(features, position, reach=module.reach, device=device_of(trained.module))

    def survey(self) -> Steps[SectionScale | None]:
        """What the parts must know of the whole; None where the model asks for nothing."""
        survey = self.trained.module.survey()
        if survey is None:
            return None
        stage, total = "Surveying the tissue", survey.rounds * len(self._parts)
        for number in range(survey.rounds):
            for done, part in enumerate(self._parts):
                yield Progress(stage, number * len(self._parts) + done, total)
                with limited_threads(self.trained.training.threads):
                    survey.see(part, number)
        return survey.scale()

    def predict(self, scale: SectionScale | None, writer: PredictionWriter) -> Steps[Gathered]:
        """Predict part by part into the file; what else the answers say comes back."""
        gathered = Gathered(details=has_details(self.section))
        for part in self._parts:
            yield Progress("Predicting", writer.rows, self.section.n_spots)
            with torch.no_grad(), limited_threads(self.trained.training.threads):
                scaled = replace(part, scale=scale)
                answer = self.trained.module.predict(scaled)
                gathered.take(self.trained, answer, scaled)
            writer.add(answer.expression.cpu().numpy().astype(np.float32))
        return gathered
