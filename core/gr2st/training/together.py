"""Many trainings of one model as one computation: the folds and seeds of an evaluation, and their inner folds.

Every step shows one section to all networks that may learn from it. Filling the bank, choosing and predicting is done
network by network, as after `train`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch

from gr2st.errors import DataError, TrainingFailed
from gr2st.models.plain import plain_operations
from gr2st.preparation import MEASURED
from gr2st.registry import MODELS
from gr2st.training.batches import to_batch
from gr2st.training.fit import INTERVAL, adam, begin_anew, learning_rate, not_finite, order_of, set_rate
from gr2st.training.inner import best_choice, inner_folds
from gr2st.training.loop import (
    build,
    check_sections,
    cuda_devices,
    limited_threads,
    pick_device,
    remember,
    trained_model,
)
from gr2st.training.memory import reuse_freed_memory
from gr2st.training.precision import check_precision
from gr2st.training.recorded import recorded
from gr2st.training.stack import MOST_SPOTS, Stack
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from gr2st.config import Recipe, Settings, TrainConfig
    from gr2st.models.base import Batch, SpotModel
    from gr2st.registry import ModelSpec
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.training.recorded import Step
    from gr2st.types import Prepared, Steps


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one of the trainings sees, and its seed. A section of several lessons is one and the same value in all."""

    sections: tuple[Prepared, ...]
    seed: int = 0


def train_together(
    model: str,
    lessons: Sequence[Lesson],
    recipe: Recipe,
    *,
    at_once: int,
    training: TrainConfig | None = None,
    config: Settings | None = None,
) -> Steps[list[TrainedModel | TrainingFailed]]:
    """Train a registered model once per lesson, many networks in one computation.

    Parameters
    ----------
    model : str
        A name of `gr2st.registry.MODELS` that is trained by epochs, by whole sections.
    lessons : sequence of Lesson
        Their sections were prepared with one recipe.
    recipe : Recipe
    at_once : int
        Networks computed at once; an inner fold is one as well.
    training, config : optional
        As for `train`; the seeds are those of the lessons.

    Returns
    -------
    list of TrainedModel or TrainingFailed
        In the order of the lessons; a failure where the loss of a lesson stopped being finite. Started from the
        parameters that `train` starts from. The order of the sections and the lots of dropout are drawn for all
        at once: scores differ from those of `train` as they do between two seeds.

    Raises
    ------
    DataError
        No lesson, a lesson without a section, sections of another recipe, two sections of one name, a section of more
        spots than a stack can be shown, mixed batches, or an arithmetic that the device lacks.
    TrainingFailed
        The memory of the device does not suffice.
    """
    spec = MODELS[model]
    training = training or spec.training
    config = config or spec.config
    if training.batch_spots is not None:
        raise DataError("Networks are trained together by whole sections; batch_spots mixes their spots: use `train`.")
    class_room = _ClassRoom(spec, config, training, recipe, _sections_of(lessons, recipe), pick_device(training.device))
    check_precision(training.precision, class_room.device)
    reuse_freed_memory()
    with limited_threads(training.threads), torch.random.fork_rng(devices=cuda_devices(class_room.device)):
        return (yield from _taught(class_room, lessons, at_once))


def networks_of(training: TrainConfig) -> int:
    """Networks that one training trains at most: its own, and one for each inner fold."""
    return 1 + training.inner_folds


@dataclass(frozen=True, eq=False)
class _ClassRoom:
    """What all networks share: settings, and every section once on the device."""

    spec: ModelSpec
    config: Settings
    training: TrainConfig
    recipe: Recipe
    sections: tuple[Prepared, ...]
    device: torch.device

    def built(self, config: Settings, sections: Sequence[Prepared]) -> SpotModel:
        return build(self.spec, config, sections, self.recipe).to(self.device)


@dataclass(eq=False)
class _Course:
    """How far a lesson is: the scores of its inner folds, then the trained model or the first failure."""

    lesson: Lesson
    scores: list[Mapping[Settings, float]] = field(default_factory=list)
    outcome: TrainedModel | TrainingFailed | None = None


@dataclass(eq=False)
class _Pupil:
    """One network of a course: which sections it learns from, and which it is asked about as an inner fold."""

    course: _Course
    sections: Sequence[Prepared]
    held_out: Sequence[Prepared] = ()
    failure: TrainingFailed | None = None


def _taught(room: _ClassRoom, lessons: Sequence[Lesson], at_once: int) -> Steps[list[TrainedModel | TrainingFailed]]:
    courses = [_Course(lesson) for lesson in lessons]
    pupils = [pupil for course in courses for pupil in _pupils_of(course, room.training)]
    template = room.built(room.config, room.sections)
    fields = template.needs | template.learns_from
    batches = {section.section: to_batch(section, fields, room.device) for section in room.sections}
    for start in range(0, len(pupils), at_once):
        present = pupils[start : start + at_once]
        stack = yield from _trained(room, template, present, list(batches.values()))
        for number, pupil in enumerate(present):
            yield from _examined(room, template, stack, number, pupil, batches)
    return [course.outcome for course in courses if course.outcome is not None]


def _pupils_of(course: _Course, training: TrainConfig) -> Iterator[_Pupil]:
    """The networks of a lesson; that of the lesson itself comes last, when the inner folds have chosen."""
    for learned_from, held_out in inner_folds(course.lesson.sections, training.inner_folds):
        yield _Pupil(course, learned_from, held_out)
    yield _Pupil(course, course.lesson.sections)


def _trained(room: _ClassRoom, template: SpotModel, pupils: Sequence[_Pupil], batches: Sequence[Batch]) -> Steps[Stack]:
    """A stack of these networks after the last epoch; a network whose loss is not finite carries its failure."""
    try:
        stack = Stack(template, (_beginner(room, pupil) for pupil in pupils))
        torch.manual_seed(pupils[0].course.lesson.seed)
        yield from _fit(stack, pupils, batches, room.training)
    except torch.OutOfMemoryError as error:
        raise TrainingFailed(
            f"{len(pupils)} networks at once need more memory than {room.device} has free. Train fewer together: "
            f"--together {max(1, len(pupils) // 2)}."
        ) from error
    return stack


def _beginner(room: _ClassRoom, pupil: _Pupil) -> SpotModel:
    """The network that `train` would start from."""
    torch.manual_seed(pupil.course.lesson.seed)
    return room.built(room.config, pupil.sections)


def _fit(stack: Stack, pupils: Sequence[_Pupil], batches: Sequence[Batch], training: TrainConfig) -> Steps[None]:
    stage = f"Training {len(pupils)} networks together"
    optimiser = adam(stack.rows, training, epoch=0, recordable=True)
    step = recorded(partial(stack.step, optimiser=optimiser, precision=training.precision), stack.rows[0].device)
    for epoch in range(training.epochs):
        if training.reset_each_epoch:
            begin_anew(optimiser)
        set_rate(optimiser, learning_rate(training, epoch))
        order = [batches[index] for index in order_of(len(batches))]
        order = [batch for batch in order if any(_learns(pupil, batch) for pupil in pupils)]
        learns = [[_learns(pupil, batch) for pupil in pupils] for batch in order]
        steps = yield from _epoch(step, order, learns, Progress(stage, epoch, training.epochs))
        losses = _EpochLosses.of(steps)
        _note_failures(pupils, [batch.section for batch in order], learns, losses, epoch)
        if all(pupil.failure for pupil in pupils):
            return
        values = losses.means(torch.tensor(learns) & torch.tensor([pupil.failure is None for pupil in pupils]))
        yield Progress(stage, epoch + 1, training.epochs, f"mean loss {values['loss']:.3f}", values)


def _epoch(
    step: Step, order: Sequence[Batch], learns: Sequence[Sequence[bool]], standing: Progress
) -> Steps[list[Mapping[str, Tensor]]]:
    """Losses of every step, still on the device; a word now and then, so that a cancel is heard."""
    told = time.monotonic()
    steps: list[Mapping[str, Tensor]] = []
    for batch, may_learn in zip(order, learns, strict=True):
        steps.append(step(batch, may_learn))
        if time.monotonic() - told > INTERVAL:
            told = time.monotonic()
            yield standing
    return steps


def _learns(pupil: _Pupil, batch: Batch) -> bool:
    return pupil.failure is None and batch.section in {section.section for section in pupil.sections}


@dataclass(frozen=True, eq=False)
class _EpochLosses:
    """Losses of an epoch on the CPU, ``values`` (names, sections, networks): read once, when all is under way."""

    names: tuple[str, ...]
    values: Tensor

    @classmethod
    def of(cls, steps: Sequence[Mapping[str, Tensor]]) -> _EpochLosses:
        names = tuple(steps[0])
        return cls(names, torch.stack([torch.stack([step[name] for step in steps]) for name in names]).cpu())

    @property
    def total(self) -> Tensor:
        """(sections, networks)."""
        return self.values[self.names.index("loss")]

    def numbers(self, step: int, network: int) -> dict[str, float]:
        return dict(zip(self.names, self.values[:, step, network].tolist(), strict=True))

    def means(self, counted: Tensor) -> dict[str, float]:
        """Mean of every loss over the pairs (sections, networks) that count."""
        return dict(zip(self.names, self.values[:, counted].double().mean(dim=1).tolist(), strict=True))


def _note_failures(
    pupils: Sequence[_Pupil], shown: Sequence[str], learns: Sequence[Sequence[bool]], losses: _EpochLosses, epoch: int
) -> None:
    """Give every network its first loss that is not finite on a section it learns from."""
    broken = torch.tensor(learns) & ~losses.total.isfinite()
    for step, network in broken.nonzero().tolist():
        if pupils[network].failure is None:
            pupils[network].failure = not_finite(epoch, shown[step], losses.numbers(step, network))


def _examined(
    room: _ClassRoom, template: SpotModel, stack: Stack, number: int, pupil: _Pupil, batches: Mapping[str, Batch]
) -> Steps[None]:
    """Let a network of an inner fold say how it would choose; make the model of the lesson of the last one."""
    course = pupil.course
    course.outcome = course.outcome or pupil.failure
    if course.outcome is not None:
        return
    config = room.config if pupil.held_out else best_choice(course.scores, room.config)
    with room.device:
        module = build(room.spec, config, pupil.sections, room.recipe)
    module.keep_with(template)
    stack.load_into(module, number)
    yield from _remembered(module, [batches[section.section] for section in pupil.sections])
    if not pupil.held_out:
        training = room.training.model_copy(update={"seed": course.lesson.seed})
        course.outcome = trained_model(room.spec, module.eval(), config, training, room.recipe, pupil.sections)
    for section in pupil.held_out:
        course.scores.append(module.choices(to_batch(section, module.needs | MEASURED, room.device)))


def _remembered(module: SpotModel, batches: Sequence[Batch]) -> Steps[None]:
    """As `remember`, by the operations of the stack: a GPU is not waited for, and knows each section already."""

    def plainly(batch: Batch) -> None:
        with plain_operations():
            module.remember(batch)

    yield from remember(module, batches, plainly)


def _sections_of(lessons: Sequence[Lesson], recipe: Recipe) -> tuple[Prepared, ...]:
    """Every section once, ordered by name."""
    known: dict[str, Prepared] = {}
    for lesson in lessons:
        check_sections(lesson.sections, recipe)
        for section in lesson.sections:
            if len(section.spots) > MOST_SPOTS:
                raise DataError(
                    f"Section {section.section} has {len(section.spots):,} spots; networks are trained together on "
                    f"sections of up to {MOST_SPOTS:,}. Train one after the other: --together 1."
                )
            if known.setdefault(section.section, section) is not section:
                raise DataError(f"Two different sections are called {section.section!r}; each needs its own name.")
    if not known:
        raise DataError("Training needs at least one lesson; none was given.")
    return tuple(known[name] for name in sorted(known))
