"""A training that is being put together, and how one goes. Frozen values, pure functions; no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from gr2st import ENCODERS, MODELS, Epoch, GeneChoice, PatchConfig, Recipe, TrainConfig, TrainPlan
from gr2st_napari._options import SectionOption

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from gr2st import Preflight, Run, Settings, Study
    from gr2st_napari._state import Problem

FIRST_MODEL = "gr2st"
N_VARIABLE = 100
"""As the command line takes them."""
_FIRST_GENES, _FIRST_RECIPE = GeneChoice(n_variable=N_VARIABLE), Recipe(genes=("any",))
_MARKS = 20
"""Epochs whose pace is remembered."""

Outcome: TypeAlias = Literal["", "finished", "stopped", "failed"]
Phase: TypeAlias = Literal["idle", "checking", "running", "pausing", "paused", "resuming", "stopping"]


@dataclass(frozen=True, slots=True)
class StudySummary:
    """What the Train dock has to know of a study."""

    name: str
    path: Path
    sections: tuple[SectionOption, ...]

    @property
    def usable(self) -> tuple[str, ...]:
        """Names of the sections that can be trained on."""
        return tuple(section.name for section in self.sections if not section.why_not)


@dataclass(frozen=True, slots=True)
class TrainDraft:
    """A training as it stands in the Train dock.

    Attributes
    ----------
    study : StudySummary or None
    is_own_study : bool
        Chosen here; otherwise it follows the one opened in the viewer.
    sections : tuple of str
        Those ticked.
    held_out : str
        The section to watch; "": none.
    sketch : bool
        Whether what is watched is drawn on its slide as it is learned.
    gene_file : str
        Name of the file the genes are from.
    recipe : Recipe
        Its genes are a placeholder.
    fault : str
        What is wrong with what is typed in a form.
    name : str
        Of the run's folder; "": one is made up when it starts.
    """

    study: StudySummary | None = None
    is_own_study: bool = False
    sections: tuple[str, ...] = ()
    held_out: str = ""
    sketch: bool = False
    genes: GeneChoice = _FIRST_GENES
    gene_file: str = ""
    model: str = FIRST_MODEL
    recipe: Recipe = _FIRST_RECIPE
    training: TrainConfig = MODELS[FIRST_MODEL].training
    config: Settings = MODELS[FIRST_MODEL].config
    fault: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Training:
    """What the worker does for the Train dock, and what it did last.

    Attributes
    ----------
    folder : Path or None
        Of the run.
    plan : TrainPlan or None
        Of the run.
    n_epochs : int
        Of the whole training, those of its inner folds included; 0 for closed-form models.
    epochs : tuple of Epoch
        So far, those of earlier parts of the run included.
    marks : tuple of float
        When the last epochs ended, in seconds of a steady clock.
    preflight : Preflight or None
        What was found before the start.
    outcome : str
        "finished", "stopped" or "failed": how the last training ended; "" while none has.
    """

    phase: Phase = "idle"
    folder: Path | None = None
    plan: TrainPlan | None = None
    request: int | None = None
    n_epochs: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    epochs: tuple[Epoch, ...] = ()
    marks: tuple[float, ...] = ()
    preflight: Preflight | None = None
    outcome: Outcome = ""
    problem: Problem | None = None

    @property
    def is_busy(self) -> bool:
        return self.phase != "idle"


# -- the draft ---------------------------------------------------------------------------------------------------------


def summary_of(study: Study, n_spots: Mapping[str, int] | None = None) -> StudySummary:
    """What the dock shows of a study; `n_spots` by section, as far as they are known."""
    known = n_spots or {}
    sections = []
    for entry in study.entries:
        why_not = "no picture" if entry.without_image else ""
        sections.append(SectionOption(entry.name, entry.patient or "", known.get(entry.name), why_not))
    return StudySummary(study.name, study.path, tuple(sections))


def with_study(draft: TrainDraft, study: StudySummary, *, is_own: bool) -> TrainDraft:
    """The draft for this study; another one begins with all its sections."""
    if draft.study is not None and draft.study.path == study.path:
        return replace(draft, study=study, is_own_study=draft.is_own_study or is_own)
    return replace(draft, study=study, is_own_study=is_own, sections=study.usable, held_out="")


def with_sections(draft: TrainDraft, names: Iterable[str]) -> TrainDraft:
    """Train on these; a section that is trained on is not watched."""
    chosen = tuple(names)
    return replace(draft, sections=chosen, held_out="" if draft.held_out in chosen else draft.held_out)


def with_held_out(draft: TrainDraft, name: str) -> TrainDraft:
    """Watch this section, which is then not trained on; the one watched before is trained on again."""
    usable = () if draft.study is None else draft.study.usable
    wanted = {*draft.sections, draft.held_out} - {name}
    return replace(draft, held_out=name, sections=tuple(section for section in usable if section in wanted))


def with_sketch(draft: TrainDraft, is_wanted: bool) -> TrainDraft:
    """Draw what is watched on its slide, or do not."""
    return replace(draft, sketch=is_wanted)


def with_genes(draft: TrainDraft, names: tuple[str, ...], file: str) -> TrainDraft:
    """The genes of a file."""
    return replace(draft, genes=GeneChoice(listed=names), gene_file=file)


def with_number(draft: TrainDraft, number: int) -> TrainDraft:
    """So many of the most variable genes."""
    return replace(draft, genes=GeneChoice(n_variable=number), gene_file="")


def with_model(draft: TrainDraft, name: str) -> TrainDraft:
    """Another model, with the settings it is registered with; device, seed and threads stay."""
    spec, kept = MODELS[name], draft.training
    training = spec.training.model_copy(
        update={"device": kept.device, "seed": kept.seed, "threads": kept.threads, "precision": kept.precision}
    )
    return replace(draft, model=name, training=training, config=spec.config, fault="")


def with_encoder(draft: TrainDraft, name: str) -> TrainDraft:
    """Another encoder, with the patches it was made for."""
    return replace(
        draft, recipe=draft.recipe.model_copy(update={"encoder": name, "patch": registered_patch(name)}), fault=""
    )


def with_recipe(draft: TrainDraft, **changes: Any) -> TrainDraft:
    """Other cell types, patches or stain."""
    return replace(draft, recipe=draft.recipe.model_copy(update=changes), fault="")


def with_training(draft: TrainDraft, training: TrainConfig) -> TrainDraft:
    return replace(draft, training=training, fault="")


def with_config(draft: TrainDraft, config: Settings) -> TrainDraft:
    return replace(draft, config=config, fault="")


def with_device(draft: TrainDraft, device: str) -> TrainDraft:
    return replace(draft, training=draft.training.model_copy(update={"device": device}))


def with_fault(draft: TrainDraft, words: str) -> TrainDraft:
    """Something typed cannot be: the settings stay, and nothing is started until it is mended."""
    return replace(draft, fault=words)


def with_name(draft: TrainDraft, name: str) -> TrainDraft:
    return replace(draft, name=_as_folder(name.strip()))


def registered_patch(encoder: str) -> PatchConfig:
    """The patches an encoder was made for."""
    spec = ENCODERS[encoder]
    return PatchConfig(size_px=spec.input_px, um_per_px=spec.um_per_px)


def plan_of(draft: TrainDraft) -> TrainPlan:
    """What is handed to the worker; DataError where it cannot be."""
    assert draft.study is not None, "a training is started on a study"
    return TrainPlan.of(
        study=draft.study.path,
        model=draft.model,
        genes=draft.genes,
        sections=draft.sections,
        held_out=draft.held_out,
        sketch=draft.sketch and has_looks(draft),
        recipe=draft.recipe.model_dump(mode="json", exclude={"genes"}),
        training=draft.training,
        config=draft.config,
    )


def draft_of(run: Run, draft: TrainDraft, study: StudySummary) -> TrainDraft:
    """The draft that would give the plan of a run once more."""
    plan = run.plan
    return replace(
        draft,
        study=study,
        is_own_study=True,
        sections=plan.sections or study.usable,
        held_out=plan.held_out,
        sketch=plan.sketch,
        genes=plan.genes,
        gene_file=f"{run.folder.name}" if plan.genes.listed else "",
        model=plan.model,
        recipe=Recipe.model_validate({**plan.recipe, "genes": ("any",)}),
        training=plan.training,
        config=plan.config,
        fault="",
    )


def has_looks(draft: TrainDraft) -> bool:
    """Whether slides that do not train are looked at on the way: the one that is watched, or those of inner folds."""
    return bool(draft.training.epochs and (draft.held_out or (draft.training.inner_folds and n_units(draft))))


def default_name(draft: TrainDraft, now: datetime) -> str:
    """Name of the run's folder: when, which model, which study."""
    study = "" if draft.study is None else f"-{draft.study.name}"
    return _as_folder(f"{now:%Y%m%d-%H%M%S}-{draft.model}{study}")


def _as_folder(name: str) -> str:
    """A name that every system takes for a folder; none begins with a full stop."""
    kept = "".join(sign if sign.isalnum() or sign in "-_. " else "-" for sign in name)
    return kept.strip(" .")


# -- how it goes -------------------------------------------------------------------------------------------------------


def begun(folder: Path, plan: TrainPlan, epochs: tuple[Epoch, ...], n_epochs: int) -> Training:
    """A training that was just asked for; `epochs` are those of earlier parts of the run."""
    return Training("running", folder, plan, n_epochs=n_epochs, epochs=epochs, stage="Starting")


def heard(training: Training, event: Mapping[str, Any], now: float) -> Training:
    """A step the worker told of, at a time of a steady clock."""
    stage, done = str(event.get("stage") or training.stage), int(event.get("done", 0))
    training = replace(training, stage=stage, done=done, total=int(event.get("total", 0)))
    values = event.get("values") or {}
    if not values:
        return training
    epoch = Epoch(stage, done, dict(values))
    return replace(training, epochs=with_epoch(training.epochs, epoch), marks=(*training.marks, now)[-_MARKS:])


def with_epoch(epochs: tuple[Epoch, ...], new: Epoch) -> tuple[Epoch, ...]:
    """One more epoch; what is trained again takes the place of the first time, as in the run's own file."""
    if epochs and epochs[-1].stage == new.stage and epochs[-1].epoch < new.epoch:
        return (*epochs, new)
    return (*(one for one in epochs if one.stage != new.stage or one.epoch < new.epoch), new)


def ended(training: Training, outcome: Outcome, problem: Problem | None) -> Training:
    """A training, or the check before it, that goes on no more."""
    return replace(training, phase="idle", request=None, outcome=outcome, problem=problem)


def put_away(training: Training) -> Training:
    """A training whose check and whose good end are no news any more; one that can go on still can."""
    if training.is_busy:
        return training
    return replace(training, preflight=None, outcome="" if training.outcome == "finished" else training.outcome)


def seconds_left(training: Training) -> float | None:
    """By the pace of the last epochs; None while that is not known."""
    if len(training.marks) < 3 or training.stage != training.epochs[-1].stage:
        return None
    paces = [later - earlier for earlier, later in zip(training.marks, training.marks[1:], strict=False)]
    return median(paces) * max(0, training.n_epochs - len(training.epochs))


def is_last_stage(training: Training) -> bool:
    """Whether the training itself has begun, and its inner folds are behind it."""
    stages = {one.stage for one in training.epochs}
    return training.plan is not None and len(stages) * training.plan.training.epochs == training.n_epochs


def epochs_planned(plan: TrainPlan, units: int) -> int:
    """Epochs of the whole training, those of its inner folds included; `units` as of `n_units`."""
    return plan.training.epochs * (1 + min(plan.training.inner_folds, units))


def n_units(draft: TrainDraft) -> int:
    """How many patients, or sections where not several patients are known, inner folds can hold out; none of one."""
    sections = () if draft.study is None else draft.study.sections
    chosen = [section for section in sections if section.name in draft.sections]
    patients = {section.patient for section in chosen}
    units = len(patients) if len(patients) > 1 and "" not in patients else len(chosen)
    return units if units > 1 else 0
