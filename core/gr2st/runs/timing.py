"""How long trainings will take on this machine: a few real steps on numbers drawn by lot, of the shapes to come."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from gr2st import keys
from gr2st.encoders.base import load_encoder
from gr2st.encoders.cache import FeatureKey, feature_path
from gr2st.preparation import array_positions
from gr2st.preprocess.patches import cut_patches
from gr2st.registry import ENCODERS, MODELS
from gr2st.training.batches import Portions, to_batch
from gr2st.training.fit import Fit
from gr2st.training.inner import inner_folds
from gr2st.training.loop import build, cuda_devices, limited_threads, remember
from gr2st.types import Prepared, finish

if TYPE_CHECKING:
    from gr2st.config import Recipe, Settings, TrainConfig
    from gr2st.models.base import SpotModel
    from gr2st.types import Section

MOST_SIZES = 3
"""Sizes of sections that are timed; what lies between them is interpolated."""
ENOUGH_S, MOST_STEPS = 0.5, 7
"""Seconds after which steps of one size have been timed enough, and how many at most."""
TIMED_RATE = 1e-9
"""Learning rate of the steps that are timed: they are to take time, not to learn."""
FEW_PATCHES = 8
"""Patches that are encoded to see how long all will take."""


def stand_in(section: Section, recipe: Recipe) -> Prepared:
    """A section of the same places and shapes, whose features and expression are drawn by lot."""
    lots = np.random.default_rng(0)
    spots, genes = section.n_spots, len(recipe.genes)
    pixel = np.asarray(section.table.obsm[keys.SPATIAL], dtype=np.float64)
    obs = section.table.obs
    grid = np.column_stack([obs[keys.ARRAY_COL], obs[keys.ARRAY_ROW]]).astype(np.int64)
    values = lots.random((spots, genes), dtype=np.float32)
    return Prepared(
        section=section.name,
        patient=section.patient,
        spots=section.spot_names,
        pixel=pixel,
        grid=grid,
        position=array_positions(grid, pixel, section.grid_pitch),
        features=lots.standard_normal((spots, ENCODERS[recipe.encoder].width), dtype=np.float32),
        cell_type=lots.integers(0, 6, spots) if recipe.cell_types != "none" else None,
        spot_expression=values,
        gene_expression=values,
        depth=values.sum(axis=1),
    )


def module_for(model: str, config: Settings, sections: Sequence[Prepared], recipe: Recipe) -> SpotModel:
    """The untrained model for sections of these shapes; the random numbers of others stay as they were."""
    with torch.random.fork_rng(devices=[]):
        return build(MODELS[model], config, sections, recipe)


@dataclass(frozen=True, eq=False)
class StepTimes:
    """Seconds of a step by the number of its spots, or of the whole of a model in closed form."""

    training: TrainConfig
    closed_form: float = 0.0
    by_spots: Mapping[int, float] = field(default_factory=dict)

    def seconds(self, sections: Sequence[Prepared]) -> float:
        """How long one training on these sections takes, its inner folds with it."""
        folds = [learned_from for learned_from, _ in inner_folds(sections, self.training.inner_folds)]
        return sum(self._one(learned_from) for learned_from in (*folds, sections))

    def _one(self, sections: Sequence[Prepared]) -> float:
        if not self.training.epochs:
            return self.closed_form
        spots, size = [len(section.spots) for section in sections], self.training.batch_spots
        steps = spots if size is None else [size] * -(-sum(spots) // size)
        known = sorted(self.by_spots)
        return self.training.epochs * float(np.interp(steps, known, [self.by_spots[n] for n in known]).sum())


def step_times(
    module: SpotModel, sections: Sequence[Prepared], training: TrainConfig, device: torch.device
) -> StepTimes:
    """Time steps of training on sections of the smallest, middle and largest size, or all of a closed form."""
    fields = module.needs | module.learns_from
    with limited_threads(training.threads), torch.random.fork_rng(devices=cuda_devices(device)):
        module = module.to(device)
        if not training.epochs:
            batches = [to_batch(section, fields, device) for section in sections]
            return StepTimes(training, closed_form=_timed(lambda: finish(remember(module, batches)), device))
        # A rate that makes numbers drawn by lot diverge says nothing of real ones, and no step is quicker for it.
        fit = Fit.begun(module.train(), training.model_copy(update={"learning_rate": TIMED_RATE}))
        timed: dict[int, float] = {}
        for section in _of_each_size(sections) if training.batch_spots is None else sections[-1:]:
            portions = Portions.of([to_batch(section, fields, device)], training.batch_spots)
            batch = portions.step(list(range(portions.units)), 0)
            fit.step(batch)
            timed[len(section.spots)] = _usual(partial(fit.step, batch), device)
    return StepTimes(training, by_spots=timed)


def _of_each_size(sections: Sequence[Prepared]) -> list[Prepared]:
    by_size = sorted({len(section.spots): section for section in sections}.items())
    chosen = np.unique(np.linspace(0, len(by_size) - 1, MOST_SIZES).round().astype(int))
    return [by_size[index][1] for index in chosen]


def _usual(step: Callable[[], object], device: torch.device) -> float:
    """Median of some short steps, the first of a long one: other programs disturb a single short one."""
    times = [_timed(step, device)]
    while sum(times) < ENOUGH_S and len(times) < MOST_STEPS:
        times.append(_timed(step, device))
    return float(np.median(times))


def _timed(step: Callable[[], object], device: torch.device) -> float:
    began = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def seconds_to_encode(sections: Sequence[Section], recipe: Recipe, device: str) -> float:
    """How long the pictures take that are not in the cache yet, from a few patches of one of them."""
    where = device if ENCODERS[recipe.encoder].needs_weights else "cpu"
    to_do = [section for section in sections if not _is_cached(section, recipe, where)]
    spots = sum(section.n_spots for section in to_do)
    return spots * seconds_per_patch(to_do[0], recipe, where) if to_do else 0.0


def seconds_per_patch(section: Section, recipe: Recipe, device: str) -> float:
    """How long a patch of a section takes, from a few of them; a CPU where the encoder has no weights."""
    where = device if ENCODERS[recipe.encoder].needs_weights else "cpu"
    encoder = load_encoder(recipe.encoder, device=where)
    assert section.slide is not None
    places = np.asarray(section.table.obsm[keys.SPATIAL])[:FEW_PATCHES]
    patches = cut_patches(section.slide, places, recipe.patch, section.um_per_px, batch=FEW_PATCHES)
    encoder.encode(next(patches)[:1])
    began = time.perf_counter()
    for batch in cut_patches(section.slide, places, recipe.patch, section.um_per_px, batch=FEW_PATCHES):
        encoder.encode(batch)
    section.slide.close()
    return (time.perf_counter() - began) / len(places)


def _is_cached(section: Section, recipe: Recipe, device: str) -> bool:
    if section.slide is None:
        return False
    places = np.asarray(section.table.obsm[keys.SPATIAL])
    return feature_path(FeatureKey.of(section.slide, places, recipe, section.um_per_px, device=device)).is_file()
