"""`run_training`: a plan becomes a model in a folder that can be watched, left at any moment and gone on with."""

from __future__ import annotations

import os
import platform
import shutil
import traceback
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gr2st import keys
from gr2st.errors import Cancelled, DataError
from gr2st.evaluation.crossval import usable_entries
from gr2st.evaluation.fold import training_sections
from gr2st.evaluation.measured import measured_counts, normalised
from gr2st.evaluation.sections import notes_of, refuse_unreadable, section_of
from gr2st.io.lock import held
from gr2st.io.run_writer import RunWriter, begin_run, last_word
from gr2st.io.runs import AT_WORK, read_run
from gr2st.io.stop import heeding
from gr2st.io.study import read_study
from gr2st.preparation import MEASURED, prepare
from gr2st.preprocess.normalise import spot_normalise
from gr2st.registry import MODELS
from gr2st.training.checkpoint import save_model, versions
from gr2st.training.loop import fields_to_learn_from, pick_device, train
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.config import Recipe
    from gr2st.plans import TrainPlan
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Prepared, Section, SectionEntry, Steps, Study


def run_training(plan: TrainPlan, folder: Path | str) -> Steps[Path]:
    """Train as planned in a folder of its own, which tells how it goes (`gr2st.io.runs`).

    Called again on the same folder it goes on where it was, also after its process was killed: on the CPU to the same
    bits as if it had never been left. A finished run is not trained again.

    Parameters
    ----------
    plan : TrainPlan
    folder : Path
        A run of the same plan, an empty folder, or one that is yet to be made.

    Returns
    -------
    Path
        Folder of the model, inside `folder`.

    Raises
    ------
    DataError
        The folder holds something else, another run, or one that another process is training; and as `train`.
    SectionInvalid
        All sections that cannot be read.
    TrainingFailed
        As `train`.
    Cancelled
        `gr2st.ask_to_stop` was called for the folder.
    """
    folder = Path(folder)
    refuse_other_content(folder)
    if not _is_finished(folder, plan):
        with held(folder):
            # Whoever held it before may have come to the end in the meantime.
            if not _is_finished(folder, plan):
                return (yield from _run(plan, folder))
    yield Progress("Already trained", 1, 1)
    return folder / keys.RUN_MODEL


def _run(plan: TrainPlan, folder: Path) -> Steps[Path]:
    """The training in a folder that is ours."""
    if not (folder / keys.RUN_CARD).is_file():
        begin_run(folder, plan, device=str(pick_device(plan.training.device)), versions=versions())
    writer = RunWriter(folder)
    try:
        model = yield from heeding(folder, _heard(writer, _saved(plan, writer)))
        writer.end("finished")
    except (GeneratorExit, KeyboardInterrupt, Cancelled):
        with last_word(folder):
            writer.end("stopped")
        raise
    except Exception as error:
        with last_word(folder):
            writer.end("failed", str(error) or type(error).__name__, "".join(traceback.format_exception(error)))
        raise
    shutil.rmtree(folder / keys.RUN_UNFINISHED, ignore_errors=True)
    return model


def learn(parts: Parts, plan: TrainPlan, keep_in: Path, sketch_in: Path | None = None) -> Steps[TrainedModel]:
    """Read and prepare the sections, choose the genes, and train; `keep_in` and `sketch_in` as `train` takes them."""
    yield from refuse_unreadable(parts.entries)
    device = str(pick_device(plan.training.device))
    sections, recipe = yield from training_sections(
        parts.learned_from, plan.model, plan.genes, plan.recipe, device=device
    )
    watched = []
    for entry in parts.held_out:
        watched.append((yield from _watched_section(section_of(entry), plan.model, recipe, device)))
    return (
        yield from train(
            plan.model,
            sections,
            recipe,
            training=plan.training,
            config=plan.config,
            keep_in=keep_in,
            watched=watched,
            sketch_in=sketch_in,
        )
    )


def _watched_section(section: Section, model: str, recipe: Recipe, device: str) -> Steps[Prepared]:
    """A section to be predicted and held against what was measured; genes it lacks have no score."""
    shown = fields_to_learn_from(model) - MEASURED | ({"depth"} if MODELS[model].is_oracle else set())
    prepared = yield from prepare(section, recipe, needs=shown, device=device)
    measured = normalised(measured_counts(section.table, recipe.genes), spot_normalise)
    return replace(prepared, spot_expression=measured)


@dataclass(frozen=True, slots=True)
class Parts:
    """Sections of a study that a training learns from, and those it is scored on while it goes on."""

    learned_from: tuple[SectionEntry, ...]
    held_out: tuple[SectionEntry, ...] = ()

    @property
    def entries(self) -> tuple[SectionEntry, ...]:
        """All of them."""
        return (*self.learned_from, *self.held_out)


def parts_of(study: Study, plan: TrainPlan) -> Parts:
    """What a plan learns from and what it holds out.

    Raises
    ------
    UnknownName
        A section that the study does not have.
    DataError
        A section without a picture, or none that is left to learn from.
    """
    entries = usable_entries(study, plan.sections)
    if not plan.held_out:
        return Parts(entries)
    held_out = usable_entries(study, (plan.held_out,))
    learned_from = tuple(entry for entry in entries if entry.name != plan.held_out)
    if not learned_from:
        raise DataError(
            f"Section {plan.held_out} is held out, and no other is left to learn from. Add a section, or hold none out."
        )
    return Parts(learned_from, held_out)


def _is_finished(folder: Path, plan: TrainPlan) -> bool:
    """Whether there is nothing to do any more; DataError where it is not for us to do."""
    if not (folder / keys.RUN_CARD).is_file():
        return False
    run = read_run(folder)
    if run.plan != plan:
        raise DataError(f"{folder} holds a run with other settings or other data. Choose another folder.")
    if run.state in AT_WORK and run.pid != os.getpid():
        raise DataError(f"{folder} is being trained by process {run.pid}. Wait for it, or stop it there first.")
    return run.state == "finished"


def refuse_other_content(folder: Path) -> None:
    """DataError where a folder that is to become a run holds something else."""
    if (folder / keys.RUN_CARD).is_file():
        return
    if folder.is_file():
        raise DataError(f"{folder} is a file; a run is a folder. Choose another name.")
    if folder.is_dir() and any(path.name != keys.RUN_LOCK for path in folder.iterdir()):
        raise DataError(f"{folder} is not empty and holds no run. Choose another folder.")


def _saved(plan: TrainPlan, writer: RunWriter) -> Steps[Path]:
    writer.log(f"{plan.model}, in process {os.getpid()} of {platform.node()}")
    study = read_study(plan.study)
    parts = parts_of(study, plan)
    sketches = writer.folder / keys.RUN_SKETCHES if plan.sketch else None
    trained = yield from learn(parts, plan, writer.folder / keys.RUN_UNFINISHED, sketches)
    for note in (*study.notes, *notes_of(parts.entries)):
        writer.log(f"Note: {note}")
    yield Progress("Saving the model")
    return save_model(trained, writer.folder / keys.RUN_MODEL)


def _heard(writer: RunWriter, steps: Steps[Path]) -> Steps[Path]:
    """The same steps, each told to the writer first."""
    with closing(steps):
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                model: Path = stop.value
                return model
            writer.hear(progress)
            yield progress
