"""How many networks the memory of a GPU holds at once: measured on one of them, before any is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from gr2st.registry import MODELS
from gr2st.training.batches import to_batch
from gr2st.training.loop import build, pick_device
from gr2st.training.memory import free_bytes
from gr2st.training.stack import MOST_SPOTS, Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.config import Recipe, Settings, TrainConfig
    from gr2st.models.base import Batch
    from gr2st.types import Prepared

COPIES = 7
"""Of the parameters: values, those of the networks that learn, gradients, both moments of Adam, and gradients on their
way into one matrix, twice."""

WORKING = 1.25
"""Of what the forward pass keeps: itself, and room for gradients and intermediate values, which come as it goes."""

SHARE = 0.75
"""Of the free memory of a GPU that is planned with."""


def networks_that_fit(
    model: str, sections: Sequence[Prepared], recipe: Recipe, *, training: TrainConfig, config: Settings
) -> int:
    """Networks to train at once: 1 on a CPU and with very large sections, else what the free memory of the GPU holds.

    Parameters
    ----------
    model : str
    sections : sequence of Prepared
        All that any of the networks learns from.
    recipe : Recipe
    training, config : settings of the model
    """
    device = pick_device(training.device)
    if device.type != "cuda" or max(len(section.spots) for section in sections) > MOST_SPOTS:
        return 1
    return max(1, int(SHARE * free_bytes(device)) // bytes_per_network(model, sections, recipe, config))


def bytes_per_network(model: str, sections: Sequence[Prepared], recipe: Recipe, config: Settings) -> int:
    """Memory that one network of a stack takes in training, measured by one forward pass over the largest section."""
    cpu = torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        network = build(MODELS[model], config, sections, recipe)
        largest = max(sections, key=lambda section: len(section.spots))
        batch = to_batch(largest, network.needs | network.learns_from, cpu)
        stack = Stack(network, [network])
        kept = _kept_bytes(stack, batch)
    return COPIES * stack.rows[0].nbytes + int(WORKING * kept)


def _kept_bytes(stack: Stack, batch: Batch) -> int:
    """Bytes that a forward pass keeps for its backward pass, beside the parameters; each memory counts once."""
    stack.losses(batch)  # What is kept for the section itself is made now.
    seen: dict[int, int] = {}

    def note(value: Tensor) -> Tensor:
        seen[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        return value

    with saved_tensors_hooks(note, lambda value: value):
        losses = stack.losses(batch)
    own = stack.rows[0].untyped_storage().data_ptr()
    del losses
    return sum(size for place, size in seen.items() if place != own)
