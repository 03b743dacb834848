"""Memory and time of a training step on a large section: ``python -m benchmarks.large_section MODEL SPOTS``.

Prints one line of JSON: GB (1e9 bytes) in use before the step and at its peak, as the operating system counts them,
the estimate that training refuses by, and processor seconds. Numbers are random, spots lie on a square array.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import torch

from benchmarks.bench_step import N_FEATURES, N_GENES, section
from gr2st.models.gr2st import Gr2st
from gr2st.registry import MODELS
from gr2st.training.fit import optimiser_of

BYTES = 1 if sys.platform == "darwin" else 1024
"""Unit of `ru_maxrss`."""


def main(model: str, spots: int) -> None:
    torch.manual_seed(0)
    spec = MODELS[model]
    batch = section(spots)
    module = Gr2st(spec.config, n_genes=N_GENES, n_features=N_FEATURES, grid_size=int(batch.grid.max()) + 1).train()
    optimiser = optimiser_of(module, spec.training, epoch=0)
    before, started = peak(), time.process_time()
    module.loss(batch).total.backward()
    optimiser.step()
    found = {"before": before, "peak": peak(), "estimate": module.step_bytes(spots) / 1e9}
    rounded = {name: round(value, 2) for name, value in found.items()}
    print(json.dumps(rounded | {"cpu_seconds": round(time.process_time() - started, 1)}))  # noqa: T201


def peak() -> float:
    """Largest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES / 1e9


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
