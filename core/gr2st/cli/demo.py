"""`gr2st demo`: the whole road on the sample study, with one patient held out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gr2st import keys
from gr2st.cli.common import show_progress
from gr2st.cli.evaluate import print_summary
from gr2st.cli.learn import recipe_fields
from gr2st.config import GeneChoice
from gr2st.errors import DataError, TrainingFailed
from gr2st.evaluation.crossval import Evaluation, evaluate
from gr2st.evaluation.figure_file import write_figure
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.section_maps import best_gene, gene_maps, section_figure
from gr2st.io.prediction import read_prediction
from gr2st.io.sample import sample_study_path
from gr2st.io.section import read_section
from gr2st.io.sidecar import prediction_told, section_told
from gr2st.io.store import atomic_path
from gr2st.io.study import read_study
from gr2st.types import Fold

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.types import Study

MODELS_SHOWN = ("gr2st", "ridge", "knn", "mean", "depth-oracle")
GENES = 150


def run_demo(out: Path, show: Callable[..., None] | None) -> None:
    """Train, predict, score and show; everything written lies in `out`."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file; --out names a folder.")
    # Asked once: the picture of the window may start a virtual display.
    opens_window = show is not None and has_display()
    study = read_study(sample_study_path())
    fold = held_out(study)
    typer.echo(
        f"Sample study: training on {', '.join(fold.train)}; patient {fold.name} ({', '.join(fold.test)}) held out."
    )
    plan = Plan(
        models=MODELS_SHOWN,
        genes=GeneChoice(n_variable=GENES),
        sections=(*fold.train, *fold.test),
        folds=(fold,),
        recipe=recipe_fields("handcrafted", None),
    )
    evaluation = show_progress(evaluate(study, plan, out))
    _refuse_failures(evaluation)
    print_summary(evaluation.summary)
    section = fold.test[0]
    prediction_path = _bring_out(out, fold, section)
    prediction = read_prediction(prediction_path)
    read = read_section(study.entry(section))
    gene = best_gene(prediction)
    shown = section_figure(read, prediction, gene_maps(read, prediction, gene), f"Section {section}, held out")
    settings = {"gene": gene, **section_told(read), **prediction_told(prediction)}
    picture = show_progress(write_figure(out / f"{section}_{gene}.png", shown, read.slide, settings))
    written = [prediction_path, out / keys.SUMMARY, out / keys.GENE_SCORES, picture]
    window = out / "window.png"
    if show is not None and not opens_window:
        show(read, prediction, gene=gene, screenshot=window, study=study)
        written.append(window)
    _say_what_next(written, study, section, prediction_path, gene)
    if show is not None and opens_window:
        show(read, prediction, gene=gene, study=study)


def held_out(study: Study) -> Fold:
    """The last patient of the study held out; sections without an image, or shown twice in two layouts, left aside."""
    entries = [entry for entry in study.entries if entry.patient and not entry.without_image]
    patient = sorted({str(entry.patient) for entry in entries})[-1]
    train = tuple(entry.name for entry in entries if entry.patient != patient)
    test = tuple(entry.name for entry in entries if entry.patient == patient)
    return Fold(name=patient, train=train, test=test)


def has_display() -> bool:
    """Whether a window can open here."""
    import os
    import sys

    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _refuse_failures(evaluation: Evaluation) -> None:
    if evaluation.failures:
        raise TrainingFailed("; ".join(f"{failure.model}: {failure.message}" for failure in evaluation.failures))


def _bring_out(out: Path, fold: Fold, section: str) -> Path:
    source = out / "folds" / MODELS_SHOWN[0] / fold.name / f"{section}.h5ad"
    target = out / f"{section}.h5ad"
    with atomic_path(target) as part:
        shutil.copyfile(source, part)
    return target


def _say_what_next(written: list[Path], study: Study, section: str, prediction: Path, gene: str) -> None:
    typer.echo("\nWritten:")
    for path in written:
        typer.echo(f"  {path}")
    typer.echo(
        "\nTry next:\n"
        f"  gr2st view {study.path} --section {section} --prediction {prediction} --gene {gene}\n"
        f"  gr2st evaluate {study.path} --out evaluation\n"
        "  gr2st inspect YOUR_STUDY"
    )
