"""A look ahead: what stands in the way of a training or an evaluation, and how long it will take here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gr2st.config import Recipe
from gr2st.encoders.weights import encoder_version
from gr2st.errors import DataError, Gr2stError, TrainingFailed, WeightsMissing
from gr2st.evaluation.crossval import jobs_of, usable_entries
from gr2st.evaluation.fold import chosen_genes
from gr2st.evaluation.results import read_result
from gr2st.evaluation.sections import refuse_unreadable, section_of
from gr2st.io.preflight import Finding, Preflight, size_in_words, time_in_words
from gr2st.io.study import read_study
from gr2st.io.tables import plural, some
from gr2st.registry import ENCODERS
from gr2st.runs.disk import disk_finding
from gr2st.runs.timing import StepTimes, module_for, seconds_to_encode, stand_in, step_times
from gr2st.runs.training import parts_of, refuse_other_content
from gr2st.training.loop import pick_device
from gr2st.training.memory import free_bytes, refuse_too_large
from gr2st.training.precision import check_precision
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st.config import GeneChoice, Precision, Settings, TrainConfig
    from gr2st.encoder_specs import EncoderSpec
    from gr2st.evaluation.plan import Plan
    from gr2st.models.base import SpotModel
    from gr2st.plans import TrainPlan
    from gr2st.types import Prepared, Section, SectionEntry, Steps, Study

KEPT = 4
"""Of the parameters: the model at the end; until then its weights and both moments of Adam."""
LAYERS = 6
"""Matrices of spots by genes in a stored prediction, at most."""
NEAR = 0.8
"""Share of the free memory from which a step is told to be tight."""


@dataclass(frozen=True, slots=True)
class Task:
    """One training to come: a model with its settings, what it learns from, and what it is then asked about."""

    model: str
    config: Settings
    training: TrainConfig
    recipe: Mapping[str, Any]
    learned_from: tuple[SectionEntry, ...]
    asked_about: tuple[SectionEntry, ...] = ()

    @property
    def entries(self) -> tuple[SectionEntry, ...]:
        """All sections it needs."""
        return (*self.learned_from, *self.asked_about)


def check_training(plan: TrainPlan, folder: Path | str) -> Steps[Preflight]:
    """Look ahead at a training, without training or writing anything.

    Parameters
    ----------
    plan : TrainPlan
    folder : Path
        Where the run would lie.

    Returns
    -------
    Preflight
        All that can be told; a fault in place of an error.
    """

    def tasks() -> list[Task]:
        refuse_other_content(Path(folder))
        parts = parts_of(read_study(plan.study), plan)
        return [Task(plan.model, plan.config, plan.training, plan.recipe, parts.learned_from, parts.held_out)]

    return (yield from _looked(tasks, plan.genes, Path(folder), workers=1))


def check_evaluation(study: Study, plan: Plan, out: Path | str, workers: int = 1) -> Steps[Preflight]:
    """Look ahead at an evaluation, without training or writing anything; finished folds are not counted.

    Parameters
    ----------
    study : Study
    plan : Plan
    out : Path
        Where the evaluation would lie, or lies.
    workers : int
        Processes that would share the folds.

    Returns
    -------
    Preflight
        As `check_training`.
    """

    def tasks() -> list[Task]:
        jobs = jobs_of(usable_entries(study, plan.sections), plan, Path(out))
        return [
            Task(
                job.row.model,
                job.row.config,
                job.row.training,
                job.recipe,
                tuple(map(job.entry, job.fold.train)),
                tuple(map(job.entry, job.fold.test)),
            )
            for job in jobs
            if read_result(job) is None
        ]

    return (yield from _looked(tasks, plan.genes, Path(out), workers=workers))


def _looked(tasks_of: Callable[[], list[Task]], genes: GeneChoice, out: Path, *, workers: int) -> Steps[Preflight]:
    """Everything in turn; what cannot be looked at after a fault is left out."""
    findings: list[Finding] = []
    try:
        tasks = tasks_of()
        entries = tuple({entry.name: entry for task in tasks for entry in task.entries}.values())
        yield from refuse_unreadable(entries)
    except WeightsMissing as error:
        return Preflight((Finding("fault", "weights", str(error)),), None, 0)
    except Gr2stError as error:
        return Preflight((Finding("fault", "files", str(error)),), None, 0)
    if not tasks:
        return Preflight((Finding("good", "time", "All of it is done already."),), 0.0, 0)
    sections = {entry.name: section_of(entry) for entry in entries}
    spots = sum(section.n_spots for section in sections.values())
    findings.append(
        Finding("good", "files", f"{plural(len(entries), 'section')} with pictures can be read: {spots:,} spots.")
    )
    yield Progress("Looking at the genes")
    found = _genes(tasks, genes, sections)
    findings += [found[0], *_devices(tasks), *_weights(tasks)]
    if any(finding.kind == "fault" for finding in findings):
        return Preflight(tuple(findings), None, len(tasks))
    seconds = yield from _measured(tasks, found[1], sections, out, findings)
    if seconds is None:
        return Preflight(tuple(findings), None, len(tasks))
    seconds /= min(workers, len(tasks))
    findings.append(_time(seconds, tasks, workers))
    return Preflight(tuple(findings), seconds, len(tasks))


def _genes(
    tasks: Sequence[Task], choice: GeneChoice, sections: Mapping[str, Section]
) -> tuple[Finding, tuple[str, ...]]:
    """What there is to say of the genes, and those the first training would learn."""
    shared = set.intersection(*(set(section.genes) for section in sections.values()))
    missing = [gene for gene in choice.listed if gene not in shared]
    held = plural(len(sections), "section")
    if missing:
        lacking = [name for name, section in sections.items() if not set(missing) <= set(section.genes)]
        sentence = (
            f"{len(missing)} of {plural(len(choice.listed), 'listed gene')} are not measured in {', '.join(lacking)}: "
            f"{some(missing)}. Take them out of the list, or leave these sections out."
        )
        trains = {entry.name for task in tasks for entry in task.learned_from} & set(lacking)
        return Finding("fault" if trains else "warning", "genes", sentence), choice.listed
    try:
        genes = chosen_genes(choice, tasks[0].learned_from)
    except DataError as error:
        return Finding("fault", "genes", str(error)), ()
    return Finding("good", "genes", f"{len(genes)} genes; {len(shared):,} are measured in all of {held}."), genes


def _devices(tasks: Sequence[Task]) -> list[Finding]:
    """One for each device that any of them asks for."""
    wanted: dict[str, list[Precision]] = {}
    for task in tasks:
        wanted.setdefault(task.training.device, []).append(task.training.precision)
    return list(dict.fromkeys(_device(name, precisions) for name, precisions in wanted.items()))


def _device(wanted: str, precisions: Iterable[Precision]) -> Finding:
    try:
        device = pick_device(wanted)
        for precision in precisions:
            check_precision(precision, device)
    except DataError as error:
        sentence = str(error)
        if wanted.startswith("cuda") and not torch.cuda.is_available():
            sentence = f"A GPU ({wanted}) was asked for, but there is none here that can be used: choose auto or cpu."
        return Finding("fault", "device", sentence)
    return Finding("good", "device", f"Computes on {_called(device)}.")


def _called(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor of this machine"


def _weights(tasks: Sequence[Task]) -> list[Finding]:
    """One for each encoder that any of them reads pictures with."""
    return [_weight(ENCODERS[name]) for name in dict.fromkeys(_recipe(task, ("any",)).encoder for task in tasks)]


def _weight(spec: EncoderSpec) -> Finding:
    try:
        encoder_version(spec)
    except WeightsMissing as error:
        return Finding("fault", "weights", str(error))
    here = "its weights are here" if spec.needs_weights else "it needs no weights"
    return Finding("good", "weights", f"Pictures are read by {spec.name}: {here}.")


def _recipe(task: Task, genes: tuple[str, ...]) -> Recipe:
    return Recipe(genes=genes, **task.recipe)


def _measured(
    tasks: Sequence[Task],
    genes: tuple[str, ...],
    sections: Mapping[str, Section],
    out: Path,
    findings: list[Finding],
) -> Steps[float | None]:
    """Seconds of all trainings one after the other; None where one does not fit. Adds memory and disk to `findings`."""
    recipe = _recipe(tasks[0], genes)
    stand_ins = {name: stand_in(section, recipe) for name, section in sections.items()}
    kinds = {_kind(task): task for task in tasks}
    modules: list[SpotModel] = []
    times: dict[str, StepTimes] = {}
    for done, (kind, task) in enumerate(kinds.items()):
        yield Progress("Timing a few steps", done, len(kinds), task.model)
        device = pick_device(task.training.device)
        learned_from = [stand_ins[entry.name] for entry in task.learned_from]
        modules.append(module_for(task.model, task.config, list(stand_ins.values()), recipe))
        try:
            refuse_too_large(modules[-1], learned_from, free=free_bytes(device))
            times[kind] = step_times(modules[-1], learned_from, task.training, device)
        except TrainingFailed as error:
            findings.append(Finding("fault", "memory", str(error)))
            return None
    spots = max(len(one.spots) for one in stand_ins.values())
    findings.append(_memory(max(module.step_bytes(spots) for module in modules), free_bytes(device)))
    findings.append(disk_finding(_bytes_written(tasks, modules, stand_ins, len(genes)), out))
    yield Progress("Timing a few patches")
    encoding = seconds_to_encode(list(sections.values()), recipe, str(device))
    trainings = [times[_kind(task)].seconds([stand_ins[entry.name] for entry in task.learned_from]) for task in tasks]
    return encoding + sum(trainings)


def _kind(task: Task) -> str:
    """Tasks of one kind take the same time for the same sections: seeds and folds do not count."""
    return f"{task.model} {task.config.digest()} {task.training.model_copy(update={'seed': 0}).digest()}"


def _memory(needed: int, free: int) -> Finding:
    if not needed:
        return Finding("good", "memory", f"Needs little memory; {size_in_words(free)} are free.")
    sentence = f"Needs about {size_in_words(needed)} of memory; {size_in_words(free)} are free."
    if needed > NEAR * free:
        return Finding("warning", "memory", f"{sentence} Close other programs before you start.")
    return Finding("good", "memory", sentence)


def _bytes_written(
    tasks: Sequence[Task], modules: Sequence[SpotModel], sections: Mapping[str, Prepared], n_genes: int
) -> int:
    """The largest model while it is trained, all predictions, and a bank."""
    weights: int = max(sum(tensor.nbytes for tensor in module.state_dict().values()) for module in modules)
    spots = sum(len(section.spots) for section in sections.values())
    predicted = sum(len(sections[entry.name].spots) for task in tasks for entry in task.asked_about)
    return KEPT * weights + 4 * n_genes * (LAYERS * predicted + 2 * spots)


def _time(seconds: float, tasks: Sequence[Task], workers: int) -> Finding:
    device = pick_device(tasks[0].training.device)
    shared = f", shared by {min(workers, len(tasks))} processes" if min(workers, len(tasks)) > 1 else ""
    words = time_in_words(seconds)
    where = "this CPU" if device.type == "cpu" else "this GPU"
    return Finding(
        "good", "time", f"{words[0].upper()}{words[1:]} on {where}: {plural(len(tasks), 'training')}{shared}."
    )
