"""Tiny prepared sections with a known relation between features and expression."""

from __future__ import annotations

import numpy as np

from gr2st.config import Recipe
from gr2st.preprocess.normalise import gene_normalise, spot_normalise
from gr2st.types import Prepared

N_FEATURES = 12
GENES = tuple(f"GENE{index}" for index in range(9))


def toy_recipe() -> Recipe:
    return Recipe(genes=GENES)


def toy_section(name: str = "A1", *, side: int = 6, seed: int = 0, patient: str = "A") -> Prepared:
    """A square section whose counts follow its features; the relation is the same for every seed."""
    rng = np.random.default_rng(seed)
    relation = np.random.default_rng(99).normal(size=(N_FEATURES, len(GENES))) * 0.4
    n_spots = side * side
    features = rng.normal(size=(n_spots, N_FEATURES)).astype(np.float32)
    counts = rng.poisson(np.exp(1.5 + features @ relation)).astype(np.float32)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(np.int64)
    return Prepared(
        section=name,
        patient=patient,
        spots=tuple(f"{x}x{y}" for x, y in grid),
        pixel=grid * 290.0,
        grid=grid,
        position=grid.astype(np.float64),
        features=features,
        spot_expression=spot_normalise(counts),
        gene_expression=gene_normalise(counts),
        depth=counts.sum(axis=1),
        digests={"recipe": toy_recipe().digest()},
    )
