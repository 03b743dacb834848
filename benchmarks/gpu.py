"""What a GPU makes of this project: ``python -m benchmarks.gpu``; with ``--try`` a tiny run of the same code on a CPU.

Two lines are measured: HER2ST's leave-one-section-out of `gr2st` (32 folds, 200 epochs, features and expression drawn
at random in the real sizes) by `train_together`, and patches per second through a ViT-L with random weights. With
``--epochs`` fewer of the epochs are measured, and the line says what all of them would take. Without a GPU nothing is
measured, and the table says so.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from gr2st.config import Gr2stConfig, Precision, Recipe
from gr2st.encoder_specs import SAFETENSORS, EncoderSpec
from gr2st.encoders.timm_vit import TimmVit, build_vit
from gr2st.encoders.weights import facts_of
from gr2st.errors import Gr2stError, TrainingFailed
from gr2st.registry import ENCODERS, MODELS
from gr2st.training.batches import to_batch
from gr2st.training.capacity import networks_that_fit
from gr2st.training.fit import adam
from gr2st.training.loop import build
from gr2st.training.stack import Stack
from gr2st.training.together import Lesson, train_together
from gr2st.types import Prepared, Steps

R = TypeVar("R")

SPOTS = (
    *(325, 359, 343, 332, 360),
    *(295, 270, 298, 283, 289, 277),
    *(176, 187, 180, 184, 181, 178),
    *(306, 303, 301, 302, 306, 315),
    *(587, 572, 570),
    *(691, 695, 712),
    *(441, 467, 463),
)
"""Spots of the 32 sections of HER2ST that are evaluated as published, A2 to G3."""

PATIENTS = "AAAAABBBBBBCCCCCCDDDDDDEEEFFFGGG"
NO_GPU = "no GPU here: not measured"


@dataclass(frozen=True)
class Size:
    """How much is done: sections, what is known of a spot, epochs, patches, and the encoder that reads them."""

    spots: tuple[int, ...]
    n_genes: int
    n_features: int
    config: Gr2stConfig
    epochs: int
    at_once: int | None
    encoder: EncoderSpec
    patches: int
    measured_epochs: int


def full_size() -> Size:
    """HER2ST with Phikon-v2's width, and UNI's network, a ViT-L/16."""
    config = MODELS["gr2st"].config
    assert isinstance(config, Gr2stConfig)
    return Size(
        SPOTS, 785, 1024, config, epochs=200, at_once=None, encoder=ENCODERS["uni"], patches=10_240, measured_epochs=200
    )


def tiny_size() -> Size:
    """Three sections and two epochs: the same code in seconds on a CPU."""
    whole = full_size()
    config = whole.config.model_copy(update={"projection": 16, "heads": 2, "kernel_landmarks": 64})
    facts = replace(
        facts_of(whole.encoder),
        architecture="vit_tiny_patch16_224",
        options={"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 2, "num_heads": 2},
    )
    encoder = replace(whole.encoder, name="tiny", width=16, input_px=32, timm=facts)
    return Size((25, 30, 36), 20, 12, config, epochs=2, at_once=6, encoder=encoder, patches=32, measured_epochs=2)


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    setting: str
    result: str


def main(arguments: Sequence[str]) -> None:
    """Measure on the GPU, or say that there is none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--try", dest="tiny", action="store_true", help="a tiny run on the CPU: measures nothing")
    parser.add_argument("--epochs", type=int, help="measure so many of the 200 epochs")
    given = parser.parse_args(arguments)
    tiny = given.tiny
    device = "cpu" if tiny or not torch.cuda.is_available() else "cuda"
    table = Table("what", "setting", "result", title=f"GR2ST-napari on {_name_of(device)}, torch {torch.__version__}")
    size = tiny_size() if tiny else full_size()
    size = replace(size, measured_epochs=given.epochs or size.epochs)
    for line in lines(size, device, measured=tiny or device == "cuda"):
        table.add_row(line.what, line.setting, line.result)
    Console(width=120).print(table)


def lines(size: Size, device: str, *, measured: bool) -> Iterator[Line]:
    """Every line of the table, one after the other."""
    on_gpu = device == "cuda" or not measured
    what = f"leave-one-out of gr2st, {len(size.spots)} folds, {size.epochs} epochs"
    for precision in ("float32", "tf32", "bf16") if on_gpu else ("float32", "bf16"):
        for inner in (0, MODELS["gr2st"].training.inner_folds):
            setting = f"{precision}, {inner} inner folds"
            yield _told(what, setting, measured, partial(folds_line, size, device, precision, inner))
    yield Line("one training step", f"{_mean_spots(size)} spots", count_line(size))
    what = f"patches through {facts_of(size.encoder).architecture}"
    yield _told(what, "bf16" if on_gpu else "float32", measured, partial(encoder_line, size, device))


def _told(what: str, setting: str, measured: bool, measure: Callable[[], str]) -> Line:
    if not measured:
        return Line(what, setting, NO_GPU)
    try:
        return Line(what, setting, measure())
    except Gr2stError as error:
        return Line(what, setting, f"failed: {error}")


# --------------------------------------------------------------------------------------------------------- networks


def folds_line(size: Size, device: str, precision: Precision, inner: int) -> str:
    """Seconds of a leave-one-section-out, from prepared sections to trained models."""
    recipe = _recipe(size)
    sections = [section(size, number, spots) for number, spots in enumerate(size.spots)]
    lessons = [Lesson(tuple(s for s in sections if s is not held_out)) for held_out in sections]
    changes = {"epochs": size.measured_epochs, "device": device, "precision": precision, "inner_folds": inner}
    training = MODELS["gr2st"].training.model_copy(update=changes)
    at_once = size.at_once or networks_that_fit("gr2st", sections, recipe, training=training, config=size.config)
    steps = train_together("gr2st", lessons, recipe, at_once=at_once, training=training, config=size.config)
    of_steps, of_rest, outcomes = _timed(steps)
    for outcome in outcomes:
        if isinstance(outcome, TrainingFailed):
            raise outcome
    spent = f"{of_steps + of_rest:.1f} s ({of_steps:.1f} s training, {of_rest:.1f} s bank, kernel branch and choice)"
    found = f"{spent}, {min(at_once, len(lessons) * (1 + inner))} networks at once"
    if size.measured_epochs == size.epochs:
        return found
    would_take = of_steps / size.measured_epochs * size.epochs + of_rest
    return f"{found}; {size.measured_epochs} epochs, {size.epochs} would take {would_take:.0f} s"


def count_line(size: Size) -> str:
    """Work of a training step, counted on the CPU: it is the same on every device."""
    recipe, one = _recipe(size), section(size, 0, _mean_spots(size))
    network = build(MODELS["gr2st"], size.config, [one], recipe)
    stack = Stack(network, [network])
    optimiser = adam(stack.rows, MODELS["gr2st"].training, epoch=0)
    batch = to_batch(one, network.needs | network.learns_from, torch.device("cpu"))
    stack.step(batch, [True], optimiser)
    with FlopCounterMode(display=False) as flops, _Launches() as launches:
        stack.step(batch, [True], optimiser)
    operations = flops.get_total_flops()
    return f"{operations / 1e9:.3g} GFLOP of products a network, {launches.count} operations for all networks together"


class _Launches(TorchDispatchMode):
    """Counts operations that compute something: on a GPU each is at least one kernel to launch."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def _mean_spots(size: Size) -> int:
    return round(sum(size.spots) / len(size.spots))


def _recipe(size: Size) -> Recipe:
    return Recipe(genes=tuple(f"G{number}" for number in range(size.n_genes)))


def section(size: Size, number: int, spots: int) -> Prepared:
    """One section of random numbers on three quarters of a square grid."""
    made = np.random.default_rng(number)
    side = int((spots / 0.75) ** 0.5) + 1
    cells = np.sort(made.permutation(side * side)[:spots])
    grid = np.stack([cells % side, cells // side], axis=1)
    features = made.standard_normal((spots, size.n_features), dtype=np.float32)
    spot, gene = made.random((2, spots, size.n_genes), dtype=np.float32)
    return Prepared(
        section=f"{PATIENTS[number]}-{number}",
        patient=PATIENTS[number],
        spots=tuple(map(str, range(spots))),
        pixel=grid * 290.0,
        grid=grid,
        position=grid.astype(np.float64),
        features=features,
        spot_expression=spot,
        gene_expression=gene,
        depth=spot.sum(axis=1),
    )


def _timed(steps: Steps[R]) -> tuple[float, float, R]:
    """Seconds in training steps, seconds in all else, and the result."""
    spent, before = [0.0, 0.0], time.perf_counter()
    while True:
        try:
            is_training = next(steps).stage.startswith("Training")
        except StopIteration as stop:
            return spent[0], spent[1] + time.perf_counter() - before, stop.value
        now = time.perf_counter()
        spent[not is_training] += now - before
        before = now


# ---------------------------------------------------------------------------------------------------------- encoder


def encoder_line(size: Size, device: str) -> str:
    """Patches per second, from pixels in the computer's memory to features there."""
    encoder = _encoder_of_random_weights(size.encoder, device)
    made = np.random.default_rng(0)
    patches = made.integers(0, 256, (encoder.batch, size.encoder.input_px, size.encoder.input_px, 3), dtype=np.uint8)
    for _ in range(2):
        encoder.encode(patches)
    started, done = time.perf_counter(), 0
    while done < size.patches:
        done += len(encoder.encode(patches))
    return f"{done / (time.perf_counter() - started):,.0f} patches/s, {encoder.batch} at once"


def _encoder_of_random_weights(spec: EncoderSpec, device: str) -> TimmVit:
    made = torch.Generator().manual_seed(0)
    shapes = {name: value.shape for name, value in build_vit(facts_of(spec)).state_dict().items()}
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, GR2ST_WEIGHTS=folder):
        path = Path(folder) / spec.name / SAFETENSORS
        path.parent.mkdir()
        save_file({name: torch.randn(shape, generator=made) * 0.02 for name, shape in shapes.items()}, path)
        return TimmVit(spec, device=device)


def _name_of(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "the CPU"


if __name__ == "__main__":
    main(sys.argv[1:])
