"""The training loop: sections in, a trained model out, in the order things happen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from gr2st.errors import DataError, TrainingFailed
from gr2st.preparation import MEASURED
from gr2st.registry import MODELS, ModelSpec, load
from gr2st.training.batches import to_batch
from gr2st.training.checkpoint import TrainedModel, versions
from gr2st.training.memory import free_bytes, refuse_too_large
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.config import Recipe, Settings, TrainConfig
    from gr2st.models.base import Batch, Loss, SpotModel
    from gr2st.types import Prepared, Steps


def train(
    model: str,
    sections: Sequence[Prepared],
    recipe: Recipe,
    *,
    training: TrainConfig | None = None,
    config: Settings | None = None,
) -> Steps[TrainedModel]:
    """Train a registered model on prepared sections.

    Parameters
    ----------
    model : str
        A name of `gr2st.registry.MODELS`.
    sections : sequence of Prepared
        Training sections, with expression. Nothing of any other section is seen.
    recipe : Recipe
        The recipe the sections were prepared with; stored in the model.
    training, config : optional
        Settings other than the model's registered ones.

    Returns
    -------
    TrainedModel

    Raises
    ------
    DataError
        No section, or sections of another recipe.
    TrainingFailed
        The loss stopped being finite, at the epoch and section the message names; or a section is too large for the
        memory that is free.
    """
    spec = MODELS[model]
    training = training or spec.training
    config = config or spec.config
    _check(sections, recipe)
    device = pick_device(training.device)
    with limited_threads(training.threads), torch.random.fork_rng(devices=_cuda_devices(device)):
        torch.manual_seed(training.seed)
        module = build(spec, config, sections, recipe).to(device)
        fields = module.needs | module.learns_from
        batches = [to_batch(section, fields, device) for section in sections]
        refuse_too_large(module, sections, free=free_bytes(device))
        yield from _fit(module, batches, training)
        yield from _remember(module, batches)
    return TrainedModel(
        name=model,
        module=module.eval(),
        config=config,
        training=training,
        recipe=recipe,
        n_features=_n_features(sections),
        grid_size=_grid_size(sections),
        sections=tuple(section.section for section in sections),
        patients=tuple(sorted({section.patient for section in sections if section.patient})),
        digests={section.section: dict(section.digests) for section in sections},
        versions=versions(),
    )


def build(spec: ModelSpec, config: Settings, sections: Sequence[Prepared], recipe: Recipe) -> SpotModel:
    """The untrained module, sized by what the sections hold."""
    module: SpotModel = load(spec.factory)(
        config,
        n_genes=len(recipe.genes),
        n_features=_n_features(sections),
        grid_size=_grid_size(sections),
    )
    return module


def fields_to_learn_from(model: str) -> frozenset[str]:
    """Fields of a prepared section that training may read: what the model predicts from, and all that was measured."""
    module: type[SpotModel] = load(MODELS[model].factory)
    return module.needs | MEASURED | {"grid", "position", "cell_type"}


def optimiser_of(module: SpotModel, training: TrainConfig, epoch: int) -> torch.optim.Optimizer:
    """Adam with the L2 penalty inside the gradient, as published."""
    return torch.optim.Adam(
        [parameter for parameter in module.parameters() if parameter.requires_grad],
        lr=learning_rate(training, epoch),
        weight_decay=training.weight_decay,
        fused=True,
    )


def learning_rate(training: TrainConfig, epoch: int) -> float:
    """Rate of one epoch (from 0): divided by ten from `drop_epoch` on."""
    dropped = training.drop_epoch is not None and epoch >= training.drop_epoch
    return training.learning_rate / 10 if dropped else training.learning_rate


def _fit(module: SpotModel, batches: Sequence[Batch], training: TrainConfig) -> Steps[None]:
    if not training.epochs:
        return
    module.train()
    optimiser = optimiser_of(module, training, epoch=0)
    for epoch in range(training.epochs):
        if training.reset_each_epoch and epoch:
            optimiser = optimiser_of(module, training, epoch)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(training, epoch)
        seen: list[dict[str, float]] = []
        for index in torch.randperm(len(batches)).tolist():
            loss = module.loss(batches[index])
            _check_finite(loss, epoch, batches[index].section)
            optimiser.zero_grad(set_to_none=True)
            loss.total.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            seen.append(loss.numbers())
        values = {name: sum(step[name] for step in seen) / len(seen) for name in seen[0]}
        yield Progress("Training", epoch + 1, training.epochs, f"loss {values['loss']:.3f}", values)


def _remember(module: SpotModel, batches: Sequence[Batch]) -> Steps[None]:
    module.eval()
    with torch.no_grad():
        for done, batch in enumerate(batches, start=1):
            module.remember(batch)
            yield Progress("Filling the reference bank", done, len(batches))
        module.conclude()


def _check(sections: Sequence[Prepared], recipe: Recipe) -> None:
    if not sections:
        raise DataError("Training needs at least one section; none was given.")
    other = [s.section for s in sections if s.digests.get("recipe", recipe.digest()) != recipe.digest()]
    if other:
        raise DataError(f"Sections {', '.join(other)} were prepared with another recipe than the one to train with.")


def _check_finite(loss: Loss, epoch: int, section: str) -> None:
    total = float(loss.total.detach())
    if math.isfinite(total):
        return
    parts = ", ".join(f"{name} {value:.4g}" for name, value in loss.numbers().items())
    raise TrainingFailed(
        f"The loss is not finite in epoch {epoch + 1} on section {section} ({parts}). "
        "Lower the learning rate, or look for extreme values in this section."
    )


def _n_features(sections: Sequence[Prepared]) -> int:
    features = sections[0].features
    return 0 if features is None else int(features.shape[1])


def _grid_size(sections: Sequence[Prepared]) -> int:
    """Rows of a position table: one more than the largest array coordinate of the training sections."""
    return 1 + max(int(section.grid.max()) for section in sections)


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is the first GPU or else the CPU.

    Raises
    ------
    DataError
        A GPU was asked for by name and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DataError(f"Device {name!r} was asked for, but torch sees no GPU here. Use --device cpu or auto.")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise DataError(f"{name!r} is no device of torch; use auto, cpu, cuda or cuda:1.") from error


def _cuda_devices(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Let torch use `threads` CPU threads while the block runs; none: as many as this process was given."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
