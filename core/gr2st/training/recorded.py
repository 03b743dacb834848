"""Steps of a stack on a GPU as recordings: what a step launches is recorded once, then asked for as a whole.

A step of a hundred networks launches some 500 operations. One by one that takes a processor about as long as it takes
a GPU to compute them, and it is the same operations on the same memory each time a section is shown (CUDA graphs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from gr2st.models.memory import SECTIONS
from gr2st.training.batches import size_of

if TYPE_CHECKING:
    from torch import Tensor

    from gr2st.models.base import Batch

Step = Callable[["Batch", Sequence[bool]], Mapping[str, "Tensor"]]
"""A section, and which networks may learn from it -> losses of all networks by name, on the device."""

Key = tuple[str, tuple[bool, ...]]


def recorded(step: Step, device: torch.device) -> Step:
    """The step itself, on a GPU as recordings."""
    return Recordings(step) if device.type == "cuda" else step


class Recordings:
    """A step that is done as it is for every section's first time, and replayed from then on.

    The first time fills what is kept per section and the memory of the optimiser: nothing of that may happen while a
    step is recorded. Recordings share their memory, so the losses of a section hold until it is shown again.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._seen: dict[Key, Batch] = {}
        self._played: dict[Key, tuple[torch.cuda.CUDAGraph, Mapping[str, Tensor]]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, batch: Batch, learns: Sequence[bool]) -> Mapping[str, Tensor]:
        """As the step."""
        key = batch.section, tuple(learns)
        if key not in self._seen or len(self._seen) > SECTIONS:
            self._seen[key] = batch
            return self._step(batch, learns)
        if key not in self._played:
            self._record_all()
        graph, losses = self._played[key]
        graph.replay()
        return losses

    def _record_all(self) -> None:
        """Record what was seen, the largest section first: the others find room in its memory."""
        for key in sorted(self._seen.keys() - self._played.keys(), key=lambda key: -size_of(self._seen[key])):
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                losses = self._step(self._seen[key], key[1])
            self._played[key] = graph, losses
