"""One training step of GR2ST: loss, gradient and Adam, at the sizes of the published data."""

from __future__ import annotations

import torch

from gr2st.models.base import Batch
from gr2st.models.gr2st import Gr2st
from gr2st.registry import MODELS
from gr2st.training.fit import optimiser_of
from gr2st.training.memory import reuse_freed_memory

N_FEATURES, N_GENES, GRID = 1024, 785, 64


class TrainingStep:
    """Seconds of a step on a section of so many spots, with the threads torch takes by itself."""

    params = ([185, 360, 700], ["v1", "v2"])
    param_names = ("spots", "model")
    timeout = 120

    def setup(self, spots: int, model: str) -> None:
        torch.manual_seed(0)
        reuse_freed_memory()  # As a training does first.
        spec = MODELS[f"gr2st-{model}"]
        self.batch = section(spots)
        self.module = Gr2st(spec.config, n_genes=N_GENES, n_features=N_FEATURES, grid_size=GRID).train()
        self.optimiser = optimiser_of(self.module, spec.training, epoch=0)
        self.time_step(spots, model)

    def time_step(self, spots: int, model: str) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        self.module.loss(self.batch).total.backward()
        self.optimiser.step()


def section(spots: int, n_features: int = N_FEATURES) -> Batch:
    """Random numbers on three quarters of a square grid."""
    side = int((spots / 0.75) ** 0.5) + 1
    cells = torch.randperm(side * side)[:spots].sort().values
    grid = torch.stack([cells % side, cells // side], dim=1)
    return Batch(
        section="benchmark",
        features=torch.randn(spots, n_features),
        grid=grid,
        position=grid.double(),
        cell_type=torch.randint(0, 6, (spots,)),
        spot_expression=torch.rand(spots, N_GENES),
        gene_expression=torch.rand(spots, N_GENES),
    )
