"""What is to be evaluated, and the evaluation in view: values, and what the user makes of them. No Qt, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from gr2st import ENCODERS, MODELS, GeneChoice, PatchConfig, Plan

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st import EvaluationFolder, FoldRow, Preflight, SectionEntry, Settings, Study, TrainConfig
    from gr2st_napari._results import Results
    from gr2st_napari._state import Problem, Space

Protocol: TypeAlias = Literal["patient", "section"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
Way: TypeAlias = Literal["here", "processes", "cluster"]
WAYS: tuple[Way, ...] = get_args(Way)

OWN = tuple(name for name, spec in MODELS.items() if not spec.is_reference)
REFERENCES = tuple(name for name, spec in MODELS.items() if spec.is_reference)
"""Rows that stand in every table."""
N_GENES = 100
AT_WORK = ("running", "paused")
"""States of an evaluation that a process is at."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where trainings are computed: here one after the other, in processes of this machine, or on a dask cluster."""

    way: Way = "here"
    processes: int = 2
    scheduler: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """What the worker is told."""
        if self.way == "processes":
            return {"workers": self.processes}
        return {"scheduler": self.scheduler.strip()} if self.way == "cluster" else {}


@dataclass(frozen=True, slots=True)
class Design:
    """What is to be evaluated, as it stands in the dock.

    Attributes
    ----------
    study : Study or None
        The one that is open.
    sections : tuple of str
        Those that take part.
    models : tuple of str
        Beside the reference rows, which always take part.
    genes_source : str
        Name of the file a list of genes is from.
    training, config : model -> settings
        Where they are not the registered ones.
    """

    study: Study | None = None
    sections: tuple[str, ...] = ()
    protocol: Protocol = "patient"
    models: tuple[str, ...] = OWN[:1]
    ablations: tuple[str, ...] = ()
    seeds: int = 1
    genes: GeneChoice = field(default_factory=lambda: GeneChoice(n_variable=N_GENES))
    genes_source: str = ""
    encoder: str = "handcrafted"
    cell_types: str = "none"
    device: str = "auto"
    training: Mapping[str, TrainConfig] = field(default_factory=dict)
    config: Mapping[str, Settings] = field(default_factory=dict)
    place: Place = field(default_factory=Place)

    @property
    def entries(self) -> tuple[SectionEntry, ...]:
        """The sections that take part."""
        return () if self.study is None else tuple(self.study.entry(name) for name in self.sections)

    @property
    def held_out(self) -> dict[str, list[str]]:
        """What is held out in turn: patient or section -> sections; those without a patient are not in it."""
        groups: dict[str, list[str]] = {}
        for entry in self.entries:
            group = entry.patient if self.protocol == "patient" else entry.name
            if group:
                groups.setdefault(group, []).append(entry.name)
        return groups

    def plan(self) -> Plan:
        """The same as the library takes it."""
        spec = ENCODERS[self.encoder]
        patch = PatchConfig(size_px=spec.input_px, um_per_px=spec.um_per_px)
        models = (*self.models, *REFERENCES)
        return Plan(
            models=models,
            genes=self.genes,
            protocol=self.protocol,
            sections=self.sections,
            recipe={"encoder": self.encoder, "patch": patch.model_dump(), "cell_types": self.cell_types},
            training={name: self.training_of(name) for name in models},
            config=dict(self.config),
            ablations=self.ablations,
            seeds=self.seeds,
        )

    def training_of(self, model: str) -> TrainConfig:
        """How a model is trained."""
        return self.training.get(model, MODELS[model].training).model_copy(update={"device": self.device})

    def config_of(self, model: str) -> Settings:
        """The settings of a model."""
        return self.config.get(model, MODELS[model].config)


Act: TypeAlias = Literal["", "check", "evaluate"]
"""What the worker was asked for."""


@dataclass(frozen=True, slots=True)
class Desk:
    """All that the Evaluate dock shows.

    Attributes
    ----------
    preflight : Preflight or None
        Of the design as it stands; None where it was not checked.
    request : int or None
        What the worker is doing for this dock.
    report : int or None
        The report that is being written, beside whatever the worker does; and what is done for it just now.
    evaluation : EvaluationFolder or None
        The one in view, running or not.
    results : Results or None
        What it amounts to so far.
    recent : tuple of EvaluationFolder
        Those that lie in the user's folder.
    damaged : tuple of str
        A sentence for each there that cannot be read.
    chosen : str
        Model whose genes are listed.
    section : str
        Held-out slide on which a clicked gene is shown.
    told : str
        What was last done, in a sentence.
    """

    design: Design = field(default_factory=Design)
    preflight: Preflight | None = None
    act: Act = ""
    request: int | None = None
    is_paused: bool = False
    is_stopping: bool = False
    report: int | None = None
    report_stage: str = ""
    evaluation: EvaluationFolder | None = None
    results: Results | None = None
    recent: tuple[EvaluationFolder, ...] = ()
    damaged: tuple[str, ...] = ()
    chosen: str = ""
    space: Space = "spot"
    section: str = ""
    told: str = ""
    problem: Problem | None = None

    @property
    def is_evaluating(self) -> bool:
        """Whether the worker of this window is at it."""
        return self.act == "evaluate" and self.request is not None

    @property
    def is_followed(self) -> bool:
        """Whether the evaluation in view may still change."""
        return self.is_evaluating or self.is_elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process is at the evaluation in view."""
        return not self.is_evaluating and self.evaluation is not None and self.evaluation.state in AT_WORK

    @property
    def in_background(self) -> EvaluationFolder | None:
        """One that another process is at, while none is in view here."""
        if self.is_evaluating or self.evaluation is not None:
            return None
        return next((found for found in self.recent if found.state in AT_WORK), None)

    @property
    def can_go_on(self) -> bool:
        """Whether what is missing of the evaluation in view can be asked for."""
        return self.request is None and self.evaluation is not None and self.evaluation.can_go_on


def designed(desk: Desk, **changes: Any) -> Desk:
    """Another design, not checked yet; an unchanged one stays checked."""
    design = replace(desk.design, **changes)
    return desk if design == desk.design else replace(desk, design=design, preflight=None, told="")


def with_study(desk: Desk, study: Study | None) -> Desk:
    """Evaluate this study, with every section that has a picture; what depends on no section stays as it is."""
    before = desk.design.study
    if study is not None and before is not None and study.entries == before.entries:
        return desk
    entries = () if study is None else study.entries
    usable = tuple(entry.name for entry in entries if not entry.without_image)
    return designed(desk, study=study, sections=usable)


def with_settings(desk: Desk, model: str, settings: Settings) -> Desk:
    """Other settings for a model; the registered ones are not written down."""
    return designed(desk, config=_written(desk.design.config, model, settings, MODELS[model].config))


def with_training(desk: Desk, model: str, training: TrainConfig) -> Desk:
    """Another training for a model; the device is that of all."""
    registered = MODELS[model].training
    kept = training.model_copy(update={"device": registered.device})
    return designed(desk, training=_written(desk.design.training, model, kept, registered))


def seen(desk: Desk, **changes: Any) -> Desk:
    """The same results seen otherwise: in another space, genes on another slide."""
    return replace(desk, **changes)


def in_view(desk: Desk, evaluation: EvaluationFolder, results: Results | None) -> Desk:
    """The evaluation as it was just read; model and slide stay chosen where they are still there."""
    labels = () if results is None else results.labels
    scored = [label for label in labels if results is not None and results.sections(label)]
    is_over = desk.evaluation is not None and desk.evaluation.state in AT_WORK and evaluation.state not in AT_WORK
    chosen = desk.chosen if desk.chosen in scored else next(iter(scored), "")
    sections = () if results is None else results.sections(chosen)
    section = desk.section if desk.section in sections else next(iter(sections), "")
    told = "" if is_over else desk.told
    return replace(desk, evaluation=evaluation, results=results, chosen=chosen, section=section, told=told)


def predictions_of(evaluation: EvaluationFolder, label: str, first: str) -> dict[str, Path]:
    """The stored predictions of a model by held-out slide, that of the slide `first` before the others.

    Of several seeds, those of the first one.
    """
    rows = sorted((row for row in evaluation.rows if row.label == label), key=lambda row: -row.seed)
    found = {section: path for row in rows for section, path in row.predictions.items()}
    return dict(sorted(found.items(), key=lambda one: one[0] != first))


def seconds_left(rows: tuple[FoldRow, ...], at_once: int = 1) -> float | None:
    """How long the trainings that wait will take, by what those of the same model took; None where nothing is known."""
    done = [row for row in rows if row.state == "done" and row.seconds is not None]
    waiting = [row for row in rows if row.state == "waiting"]
    if not done:
        return None
    return sum(_mean_seconds(done, row.label) for row in waiting) / max(1, at_once)


def _mean_seconds(done: list[FoldRow], label: str) -> float:
    same = [row.seconds or 0.0 for row in done if row.label == label]
    found = same or [row.seconds or 0.0 for row in done]
    return sum(found) / len(found)


def _written(known: Mapping[str, Any], model: str, settings: Any, registered: Any) -> dict[str, Any]:
    others = {name: value for name, value in known.items() if name != model}
    return others if settings == registered else {**others, model: settings}
