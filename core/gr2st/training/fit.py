"""The epochs of one training: every step a place where it can be left and gone on from, to the same bits."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from gr2st.errors import TrainingFailed
from gr2st.training.batches import Portions, size_of
from gr2st.training.memory import out_of_memory
from gr2st.training.precision import forward_in, products_in
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

    from gr2st.config import TrainConfig
    from gr2st.models.base import Batch, SpotModel
    from gr2st.training.keeper import Place
    from gr2st.training.watch import Watch
    from gr2st.types import Steps

INTERVAL = 0.2
"""Seconds between two words from within an epoch: how soon a cancel is heard."""


@dataclass(eq=False)
class Fit:
    """Where a training stands: `epoch` whole epochs, and ``len(seen)`` steps of the next, its units in this `order`."""

    module: SpotModel
    training: TrainConfig
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    order: list[int] = field(default_factory=list)
    seen: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def begun(cls, module: SpotModel, training: TrainConfig) -> Fit:
        """A training before its first step."""
        return cls(module, training, optimiser_of(module, training, epoch=0))

    def begin_epoch(self, units: int) -> None:
        """Draw the order of sections or spots, set the rate, and where the settings say so start the optimiser anew."""
        if self.training.reset_each_epoch and self.epoch:
            self.optimiser = optimiser_of(self.module, self.training, self.epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.training, self.epoch)
        self.order, self.seen = order_of(units), []

    def step(self, batch: Batch) -> None:
        """Learn from one section, or from spots of several; TrainingFailed where the memory does not do."""
        try:
            self._learn_from(batch)
        except (torch.OutOfMemoryError, MemoryError) as error:
            device = next(self.module.parameters()).device
            raise out_of_memory(self.module, batch.section, size_of(batch), device) from error

    def _learn_from(self, batch: Batch) -> None:
        precision, device = self.training.precision, next(self.module.parameters()).device
        with products_in(precision):
            with forward_in(precision, device):
                loss = self.module.loss(batch)
            numbers = loss.numbers()
            if not math.isfinite(numbers["loss"]):
                raise not_finite(self.epoch, batch.section, numbers)
            self.optimiser.zero_grad(set_to_none=True)
            loss.total.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
        self.seen.append(numbers)

    def end_epoch(self) -> dict[str, float]:
        """Mean of the losses of the epoch that ends, by name."""
        means = {name: sum(step[name] for step in self.seen) / len(self.seen) for name in self.seen[0]}
        self.epoch, self.order, self.seen = self.epoch + 1, [], []
        return means

    def tensors(self) -> dict[str, Tensor]:
        """Weights, moments of the optimiser and the state of the random numbers."""
        held = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            held |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        return held | {f"random.{name}": value for name, value in _random_states().items()}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Stand where `tensors` and `numbers` were taken."""
        self.epoch, self.order, self.seen = (numbers[name] for name in ("epoch", "order", "seen"))
        self.module.load_state_dict(_under(tensors, "module"))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimiser").items():
            index, _, kind = name.partition(".")
            moments.setdefault(int(index), {})[kind] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.training, self.epoch)
        _set_random_states(_under(tensors, "random"))

    def numbers(self) -> dict[str, Any]:
        """What `restore` needs beside the tensors."""
        return {"epoch": self.epoch, "order": self.order, "seen": self.seen}


def fit(
    module: SpotModel,
    batches: Sequence[Batch],
    training: TrainConfig,
    place: Place | None = None,
    watch: Watch | None = None,
) -> Steps[None]:
    """Train for all epochs; with a `place`, from where an earlier training was left.

    Closing the steps keeps the training in its place. A `watch` adds its scores to the values of some epochs.
    """
    if not training.epochs:
        return
    module.train()
    state = Fit.begun(module, training)
    if place is not None:
        place.restore(state)
    try:
        yield from _epochs(state, Portions.of(batches, training.batch_spots), place, watch)
    except GeneratorExit:
        if place is not None:
            place.keep(state)
        raise


def _epochs(state: Fit, portions: Portions, place: Place | None, watch: Watch | None) -> Steps[None]:
    total, told = state.training.epochs, time.monotonic()
    while state.epoch < total:
        if not state.order:
            state.begin_epoch(portions.units)
        for number in range(len(state.seen), len(portions)):
            state.step(portions.step(state.order, number))
            if place is not None and place.is_due:
                place.keep(state)
            if len(state.seen) < len(portions) and time.monotonic() - told > INTERVAL:
                told = time.monotonic()
                yield Progress("Training", state.epoch, total, f"loss {state.seen[-1]['loss']:.3f}")
        # Before the epoch ends: one that is left while it is scored is scored when it is gone on with.
        scores = (yield from _scored(watch, state)) if watch is not None else {}
        values = state.end_epoch() | scores
        told = time.monotonic()
        yield Progress("Training", state.epoch, total, _note(values), values)


def _scored(watch: Watch, state: Fit) -> Steps[dict[str, float]]:
    """What the watch says of the epoch that ends, with a word after each section it looks at."""
    if not watch.is_due(state.epoch + 1, state.training.epochs):
        return {}
    for _ in watch.bring_up_to_date():
        yield Progress("Training", state.epoch, state.training.epochs)
    return watch.look(state.epoch + 1)


def _note(values: Mapping[str, float]) -> str:
    held_out = f", r {values['pcc']:.3f} held out" if "pcc" in values else ""
    return f"loss {values['loss']:.3f}{held_out}"


def optimiser_of(module: SpotModel, training: TrainConfig, epoch: int) -> torch.optim.Optimizer:
    """Adam over what a network learns."""
    return adam([parameter for parameter in module.parameters() if parameter.requires_grad], training, epoch)


def adam(
    parameters: Iterable[Tensor], training: TrainConfig, epoch: int, *, recordable: bool = False
) -> torch.optim.Optimizer:
    """Adam with the L2 penalty inside the gradient, as published; where steps are recorded, a GPU has the rate too."""
    learned = list(parameters)
    rate, on_gpu = learning_rate(training, epoch), recordable and learned[0].device.type == "cuda"
    return torch.optim.Adam(
        learned,
        lr=torch.tensor(rate, device=learned[0].device) if on_gpu else rate,
        weight_decay=training.weight_decay,
        fused=True,
        capturable=on_gpu,
    )


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let the next steps have this learning rate."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def begin_anew(optimiser: torch.optim.Optimizer) -> None:
    """Forget all moments, in place: what a new Adam would start from."""
    for moments in optimiser.state.values():
        for value in moments.values():
            value.zero_()


def learning_rate(training: TrainConfig, epoch: int) -> float:
    """Rate of one epoch (from 0): divided by ten from `drop_epoch` on."""
    dropped = training.drop_epoch is not None and epoch >= training.drop_epoch
    return training.learning_rate / 10 if dropped else training.learning_rate


def order_of(count: int) -> list[int]:
    """The order in which an epoch takes its sections or spots: a new lot each time."""
    order: list[int] = torch.randperm(count).tolist()
    return order


def not_finite(epoch: int, section: str, numbers: Mapping[str, float]) -> TrainingFailed:
    """What to say of a loss that is not finite, with its parts."""
    parts = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return TrainingFailed(
        f"The loss is not finite in epoch {epoch + 1} on section {section} ({parts}). "
        "Lower the learning rate, or look for extreme values in this section."
    )


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"cuda{index}": state for index, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _set_random_states(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"].cpu())
    for index in range(len(states) - 1):
        torch.cuda.set_rng_state(states[f"cuda{index}"].cpu(), index)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {name[len(start) :]: value for name, value in tensors.items() if name.startswith(start)}
