"""The attention of `benchmarks.published` beside torch_geometric's: ``python -m benchmarks.geometric [TURNS]``.

The published code uses GATConv of torch_geometric, which this project does not depend on: ``pip install
torch_geometric`` where this is run. Prints for each size how much processor time on one thread the published step
takes with GATConv in it, as a multiple of the step with the stand-in, and how far the two losses are apart without
dropout.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch_geometric.nn import GATConv

from benchmarks.bench_step import N_FEATURES, N_GENES, section
from benchmarks.published import Published, optimiser
from gr2st.registry import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.models.base import Batch


class Attention(GATConv):
    """GATConv as the published code calls it: on an edge list, with the weights of the edges."""

    def forward(self, state: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        out, (_, weight) = super().forward(state, edges, return_attention_weights=True)
        return out, weight


def main(turns: int) -> None:
    torch.set_num_threads(1)
    for name in ("gr2st-v1", "gr2st-v2"):
        for spots in (185, 360, 700):
            print(name, spots, "spots:", compared(name, section(spots), turns))  # noqa: T201


def compared(name: str, batch: Batch, turns: int) -> str:
    both = published(name), with_geometric(published(name))
    both[1].load_state_dict(both[0].state_dict(), strict=True)
    stand_in, real = (float(module.eval().loss(batch).detach()) for module in both)
    steps = [step_of(name, module.train(), batch) for module in both]
    times = [[processor_seconds(step) for step in steps] for _ in range(turns + 1)][1:]
    fastest = [min(run[way] for run in times) for way in (0, 1)]
    return f"{fastest[1] / fastest[0]:.2f} times as long, losses {abs(real - stand_in):.1e} apart"


def published(name: str) -> Published:
    torch.manual_seed(0)
    return Published(MODELS[name].config, n_genes=N_GENES, n_features=N_FEATURES)


def with_geometric(module: Published) -> Published:
    config = module.config
    for place in ("dynamic_gat", "spatial_gat"):
        attention = Attention(config.projection, config.projection, heads=config.heads, dropout=config.dropout)
        setattr(module, place, attention)
    return module


def step_of(name: str, module: Published, batch: Batch) -> Callable[[], None]:
    used = optimiser(module, MODELS[name].training)

    def step() -> None:
        used.zero_grad()
        module.loss(batch).backward()
        used.step()

    return step


def processor_seconds(run: Callable[[], None]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
