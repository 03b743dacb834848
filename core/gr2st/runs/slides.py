"""A planned slide: laid out, looked ahead at, predicted."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gr2st.errors import Gr2stError, WeightsMissing
from gr2st.io.preflight import Finding, Preflight, size_in_words, time_in_words
from gr2st.io.regions import read_regions
from gr2st.io.slide import open_slide
from gr2st.runs.disk import disk_finding
from gr2st.runs.timing import seconds_per_patch
from gr2st.slides.cautions import cautions
from gr2st.slides.features import TileFeatures
from gr2st.slides.grid import virtual_section
from gr2st.slides.parts import Parts, positions
from gr2st.slides.stream import predict_slide
from gr2st.training.checkpoint import load_model
from gr2st.training.loop import device_of, limited_threads, pick_device
from gr2st.types import Progress

if TYPE_CHECKING:
    from gr2st.plans import SlidePlan
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Float32, Section, Slide, Steps

ONE_PIECE = 1 << 30
"""Bytes of a picture of one piece from which on it is told that all of it is decoded."""


def laid_out(plan: SlidePlan) -> Section:
    """The virtual section of a plan; errors as `open_slide`, `read_regions` and `virtual_section`."""
    regions = () if plan.regions is None else read_regions(plan.regions)
    return virtual_section(
        open_slide(plan.slide),
        plan.pitch_um,
        um_per_px=plan.um_per_px,
        shape=plan.shape,
        regions=regions,
        everywhere=plan.everywhere,
    )


def run_slide(plan: SlidePlan, out: Path, *, device: str = "auto") -> Steps[Path]:
    """Predict a slide as planned; the same call goes on where it was left (`predict_slide`)."""
    yield Progress(f"Looking for tissue on {plan.slide.name}")
    section = laid_out(plan)
    yield Progress("Loading the model")
    trained = load_model(plan.model, device=str(pick_device(device)))
    return (yield from predict_slide(trained, section, out))


def check_slide(plan: SlidePlan, out: Path) -> Steps[Preflight]:
    """Look ahead at the prediction of a slide: spots, cautions, room on the disk, and how long it will take.

    Returns
    -------
    Preflight
        All that can be told; a fault in place of an error.
    """
    yield Progress(f"Looking for tissue on {plan.slide.name}")
    try:
        section = laid_out(plan)
        trained = load_model(plan.model, device=str(pick_device("auto")))
    except WeightsMissing as error:
        return Preflight((Finding("fault", "weights", str(error)),), None, 0)
    except Gr2stError as error:
        return Preflight((Finding("fault", "files", str(error)),), None, 0)
    findings = [_spots(section, plan), *_remarks(section, trained)]
    features = TileFeatures(section, trained.recipe, str(device_of(trained.module)))
    missing = sum(_size(features.tiles[number]) for number in features.missing())
    numbers = section.n_spots * len(trained.recipe.genes) + missing * trained.n_features
    findings.append(disk_finding(4 * numbers, out))
    yield Progress("Timing a few patches")
    seconds = missing * seconds_per_patch(section, trained.recipe, str(device_of(trained.module))) if missing else 0.0
    yield Progress("Timing the model")
    seconds += _seconds_to_predict(trained, section, features)
    findings.append(_time(seconds, section.n_spots, missing))
    return Preflight(tuple(findings), seconds, 0)


def _spots(section: Section, plan: SlidePlan) -> Finding:
    return Finding(
        "good",
        "slide",
        f"{section.n_spots:,} spots, {plan.pitch_um:g} µm apart; {section.um_per_px:.3g} µm per pixel "
        f"({section.um_per_px_source}).",
    )


def _remarks(section: Section, trained: TrainedModel) -> list[Finding]:
    found = cautions(section, trained.recipe.patch, trained.appearances)
    listed = [Finding("warning", "slide", sentence) for sentence in found]
    listed += [Finding("note", "slide", sentence) for sentence in section.notes]
    slide = section.slide
    size = 0 if slide is None or not _is_one_piece(slide) else 3 * slide.width * slide.height
    if size > ONE_PIECE:
        sentence = f"The picture is of one piece and takes {size_in_words(size)} of memory: save it as a tiled TIFF."
        listed.append(Finding("warning", "memory", sentence))
    return listed


def _is_one_piece(slide: Slide) -> bool:
    """Whether the whole of a picture is decoded to read any of it."""
    level = slide.levels[0]
    return tuple(getattr(level, "chunks", level.shape))[:2] == tuple(level.shape[:2])


def _size(rows: slice) -> int:
    return int(rows.stop - rows.start)


class _ByLot(TileFeatures):
    """Features drawn by lot, to see how long a model takes over them."""

    width = 0

    def of(self, number: int) -> Float32:
        lots = np.random.default_rng(number)
        return lots.standard_normal((_size(self.tiles[number]), self.width), dtype=np.float32)


def _seconds_to_predict(trained: TrainedModel, section: Section, features: TileFeatures) -> float:
    """How long the model takes over all parts, from one in the middle of the tissue."""
    device = device_of(trained.module)
    position = positions(section, trained.appearances)
    by_lot = _ByLot(section, trained.recipe, str(device))
    by_lot.width = trained.n_features
    parts = Parts(by_lot, position, reach=trained.module.reach, device=device)
    part = parts.part(max(range(len(parts)), key=lambda number: _size(features.tiles[number])))
    survey = trained.module.survey()
    began = time.perf_counter()
    with limited_threads(trained.training.threads):
        if survey is not None:
            for number in range(survey.rounds):
                survey.see(part, number)
        trained.module.predict(replace(part, scale=None if survey is None else survey.scale()))
    asked = len(part.features) if part.asked is None else int(part.asked.sum())  # type: ignore[arg-type]
    return (time.perf_counter() - began) * section.n_spots / asked


def _time(seconds: float, n_spots: int, missing: int) -> Finding:
    words = time_in_words(seconds)
    kept = n_spots - missing
    known = f" {kept:,} spots were looked at before." if kept else ""
    return Finding("good", "time", f"{words[0].upper()}{words[1:]} on this machine.{known}")
