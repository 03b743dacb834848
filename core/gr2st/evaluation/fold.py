"""One model on one fold: reads its own data, seeds itself, writes its own folder, answers again when asked again."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import __version__, keys
from gr2st.cells import cache as cells
from gr2st.config import GeneChoice, Recipe
from gr2st.errors import DataError, Gr2stError
from gr2st.evaluation import scores as scoring
from gr2st.evaluation.calibration import calibration_table
from gr2st.evaluation.labels import label_agreement
from gr2st.evaluation.measured import predict_section
from gr2st.evaluation.metrics import mean_score
from gr2st.evaluation.provenance import provenance_of
from gr2st.evaluation.results import FoldResult, SectionScore, read_result, write_result
from gr2st.evaluation.sections import ranked_genes, section_of, stamp_of
from gr2st.io.prediction import save_prediction
from gr2st.io.store import write_csv
from gr2st.preparation import encoder_identity, prepare
from gr2st.preprocess.genes import select_genes
from gr2st.training.loop import fields_to_learn_from, pick_device, train
from gr2st.types import Fold, Progress, finish

if TYPE_CHECKING:
    from gr2st.evaluation.rows import Row
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Prepared, SectionEntry, Steps

FAULTS = (Gr2stError, OSError, RuntimeError, ArithmeticError, MemoryError)
"""Errors that end a fold, not the evaluation."""


@dataclass(frozen=True, slots=True)
class FoldJob:
    """All that `run_fold` needs, small and picklable: names, paths and settings travel, arrays do not."""

    fold: Fold
    row: Row
    entries: tuple[SectionEntry, ...]
    genes: GeneChoice
    out: Path
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this job writes: one folder per model, seed and fold."""
        return self.out / "folds" / self.row.folder / self.fold.name

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.row.folder}, {self.fold.name} held out"

    @property
    def wants_gpu(self) -> bool:
        """Whether it computes on a GPU where there is one."""
        return self.row.training.device != "cpu"

    def entry(self, name: str) -> SectionEntry:
        """The entry of a section of this fold."""
        return next(entry for entry in self.entries if entry.name == name)

    def digest(self) -> str:
        """Changes with anything that changes the result: files, genes, settings, split, encoder, version of gr2st."""
        used = [self.entry(name) for name in (*self.fold.train, *self.fold.test)]
        text = json.dumps(
            {
                "format": keys.FORMAT,
                "model": self.row.model,
                "train": self.fold.train,
                "test": self.fold.test,
                "files": [stamp_of(entry) for entry in used],
                "scales": [(entry.um_per_px, entry.image_scale) for entry in used],
                "genes": [self.genes.listed, self.genes.n_variable],
                "recipe": dict(self.recipe),
                "encoder": encoder_identity(Recipe(genes=("any",), **self.recipe).encoder),
                "estimate": cells.VERSION,
                "scores": scoring.VERSION,
                "version": __version__,
                "config": self.row.config.model_dump(mode="json"),
                "training": self.row.training.model_dump(mode="json"),
            },
            sort_keys=True,
            default=str,
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_fold(job: FoldJob) -> FoldResult:
    """Run a job to its end (for executors: a process pool, a cluster)."""
    return finish(fold_steps(job))


def fold_steps(job: FoldJob) -> Steps[FoldResult]:
    """Train on the fold's training sections, predict and score its test sections, store all of it.

    A stored result of the very same job is returned without any work.
    """
    stored = read_result(job)
    if stored is not None:
        yield Progress(f"{job.name}: already there", 1, 1)
        return stored
    started = time.perf_counter()
    training = [job.entry(name) for name in job.fold.train]
    row = job.row
    device = str(pick_device(row.training.device))
    sections, recipe = yield from training_sections(training, row.model, job.genes, job.recipe, device=device)
    trained = yield from train(row.model, sections, recipe, training=row.training, config=row.config)
    return (yield from concluded(job, trained, time.perf_counter() - started))


def concluded(job: FoldJob, trained: TrainedModel, training_seconds: float, *more: str) -> Steps[FoldResult]:
    """Predict and score the test sections of a fold with its trained model, and store all of it; `more` are notes."""
    row, genes = job.row, trained.recipe.genes
    seconds = training_seconds / len(job.fold.test)
    ranked = ranked_genes([job.entry(name) for name in job.fold.train])
    variable = [gene for gene in ranked if gene in set(genes)][: scoring.FEW]
    scores: list[SectionScore] = []
    notes = list(more)
    for name in job.fold.test:
        score, noted = yield from _score(job, trained, name, variable, seconds)
        scores.append(score)
        notes += noted
    result = FoldResult(
        label=row.label,
        seed=row.training.seed,
        fold=job.fold.name,
        digest=job.digest(),
        n_genes=len(genes),
        scores=tuple(scores),
        provenance=provenance_of(job, trained),
        notes=tuple(notes),
    )
    write_result(job, result)
    return result


def training_sections(
    entries: Sequence[SectionEntry], model: str, genes: GeneChoice, recipe: Mapping[str, Any], *, device: str = "cpu"
) -> Steps[tuple[list[Prepared], Recipe]]:
    """Choose the genes from the training sections alone, then prepare those sections as the model learns from them.

    The encoder runs on `device`.
    """
    full = Recipe(genes=chosen_genes(genes, entries), **recipe)
    needs = fields_to_learn_from(model)
    sections: list[Prepared] = []
    for entry in entries:
        sections.append((yield from prepare(section_of(entry), full, needs=needs, device=device)))
    return sections, full


def _score(
    job: FoldJob, trained: TrainedModel, name: str, variable: Sequence[str], training_seconds: float
) -> Steps[tuple[SectionScore, tuple[str, ...]]]:
    started = time.perf_counter()
    section = section_of(job.entry(name))
    prediction = yield from predict_section(trained, section)
    save_prediction(prediction, job.folder / f"{name}.h5ad")
    table = scoring.score_table(prediction, section, variable)
    write_csv(job.folder / f"{name}.genes.csv", table)
    write_csv(job.folder / f"{name}.{keys.CALIBRATION}", calibration_table(prediction))
    score = SectionScore(
        section=name,
        pcc_spot=mean_score(table["pcc_spot"].to_numpy(np.float64)),
        pcc_gene=mean_score(table["pcc_gene"].to_numpy(np.float64)),
        n_spots=prediction.table.n_obs,
        n_genes_scored=int(table["pcc_spot"].notna().sum()),
        seconds=round(training_seconds + time.perf_counter() - started, 3),
        more=scoring.further_means(table) | label_agreement(prediction, section.table),
    )
    return score, prediction.notes


def chosen_genes(choice: GeneChoice, training: Sequence[SectionEntry]) -> tuple[str, ...]:
    """The listed genes, or the most variable ones of the training sections alone."""
    if choice.listed:
        return choice.listed
    if choice.n_variable < 1:
        raise DataError("No genes to predict: give a gene list or a number of variable genes.")
    return select_genes([section_of(entry).table for entry in training], choice.n_variable)
