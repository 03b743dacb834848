"""Our training step beside the published one (`benchmarks.published`): same section, same loss, ratios of one run.

Both sides take turns, and the fastest of each counts: what else runs on the machine then weighs least.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from benchmarks.bench_step import GRID, N_GENES, section
from benchmarks.published import Published, optimiser
from gr2st.encoder_specs import HANDCRAFTED
from gr2st.models.gr2st import Gr2st
from gr2st.registry import MODELS
from gr2st.training.fit import optimiser_of
from gr2st.training.memory import reuse_freed_memory

TURNS = 3
OURS_PER_TURN = 8
SECTIONS = 2
"""Training sections of an epoch: of three sections one is held out."""


class AgainstPublished:
    """How many times as long the published way takes, with the threads torch takes by itself."""

    params = ([185, 360, 700], ["v1", "v2"], [1024, HANDCRAFTED.width])
    param_names = ("spots", "model", "features")
    timeout = 600
    unit = "times"

    def setup(self, spots: int, model: str, features: int) -> None:
        torch.manual_seed(0)
        reuse_freed_memory()  # As a training does first.
        spec = MODELS[f"gr2st-{model}"]
        self.training = spec.training
        self.batch = section(spots, n_features=features)
        sizes = {"n_genes": N_GENES, "n_features": features}
        self.ours = Gr2st(spec.config, **sizes, grid_size=GRID).train()
        self.published = Published(spec.config, **sizes).train()

    def track_step(self, spots: int, model: str, features: int) -> float:
        """Loss, gradient and Adam, the optimiser kept from step to step."""
        ours, published = optimiser_of(self.ours, self.training, 0), optimiser(self.published, self.training)
        return ratio(lambda: self.our_step(ours), lambda: self.published_step(published))

    def track_epoch(self, spots: int, model: str, features: int) -> float:
        """An epoch of two sections, with a new optimiser where the version makes one each epoch (v1)."""
        ours, published = optimiser_of(self.ours, self.training, 0), optimiser(self.published, self.training)

        def our_epoch() -> None:
            used = optimiser_of(self.ours, self.training, 0) if self.training.reset_each_epoch else ours
            for _ in range(SECTIONS):
                self.our_step(used)

        def published_epoch() -> None:
            used = optimiser(self.published, self.training) if self.training.reset_each_epoch else published
            for _ in range(SECTIONS):
                self.published_step(used)

        return ratio(our_epoch, published_epoch)

    def our_step(self, used: torch.optim.Optimizer) -> None:
        used.zero_grad(set_to_none=True)
        self.ours.loss(self.batch).total.backward()
        used.step()

    def published_step(self, used: torch.optim.Optimizer) -> None:
        used.zero_grad()
        self.published.loss(self.batch).backward()
        used.step()


def ratio(ours: Callable[[], None], published: Callable[[], None]) -> float:
    """Fastest published run over our fastest one, in turns."""
    ours()
    published()
    times = [(min(seconds(ours) for _ in range(OURS_PER_TURN)), seconds(published)) for _ in range(TURNS)]
    return min(slow for _, slow in times) / min(fast for fast, _ in times)


def seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
