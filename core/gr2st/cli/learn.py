"""Commands that learn and score: train, predict, evaluate."""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gr2st.cli.common import (
    CellTypesName,
    CellTypesOption,
    DeviceOption,
    EncoderOption,
    EpochsOption,
    GenesOption,
    PrecisionName,
    PrecisionOption,
    SectionsOption,
    SeedOption,
    StudyArgument,
    UmPerPxOption,
    VariableOption,
    names_of,
    new_file,
    say_notes,
    show_progress,
)
from gr2st.config import PatchConfig, TrainConfig
from gr2st.errors import DataError
from gr2st.registry import ENCODERS, MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st.evaluation.crossval import Evaluation
    from gr2st.evaluation.fold import GeneChoice
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import SectionEntry, Steps


class ProtocolName(StrEnum):
    """What is held out."""

    patient = "patient"
    section = "section"


CELL_TITLES = {"none": "", "files": ", cell types from files", "estimate": ", cell types estimated from the picture"}


def train_command(
    study: StudyArgument,
    out: Annotated[Path, typer.Option(help="Folder of the model to write.")],
    sections: SectionsOption = "",
    model: Annotated[str, typer.Option(help="Model; see `gr2st list`.")] = "gr2st",
    genes: GenesOption = None,
    variable_genes: VariableOption = 100,
    encoder: EncoderOption = "handcrafted",
    um_per_px: UmPerPxOption = None,
    cell_types: CellTypesOption = CellTypesName.none,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = PrecisionName.float32,
) -> None:
    """Train a model on sections of a study. A training that was stopped goes on with the same command.

    Example: gr2st train sample_data --sections A1,A2 --out model
    """
    from gr2st.evaluation.crossval import usable_entries
    from gr2st.evaluation.sections import notes_of
    from gr2st.io.study import read_study
    from gr2st.training.checkpoint import check_model_folder, save_model
    from gr2st.training.loop import pick_device

    MODELS[model]
    check_model_folder(out)
    pick_device(device)
    found = read_study(study)
    entries = usable_entries(found, names_of(sections))
    unfinished = out.with_name(f"{out.name}.unfinished")
    trained = show_progress(
        _train(
            entries,
            model,
            gene_choice(genes, variable_genes),
            recipe_fields(encoder, um_per_px, cell_types),
            training_of(model, epochs, seed, device, precision),
            unfinished,
        )
    )
    save_model(trained, out)
    shutil.rmtree(unfinished, ignore_errors=True)
    say_notes([*found.notes, *notes_of(entries)])
    typer.echo(
        f"{model}, trained on {', '.join(trained.sections)} for {len(trained.recipe.genes)} genes"
        f"{CELL_TITLES[trained.recipe.cell_types]}: {out}"
    )
    _say_choice(trained)
    typer.echo(f"Next: gr2st predict {out} {study} --section NAME --out prediction.h5ad")


def _say_choice(trained: TrainedModel) -> None:
    """Which settings the inner folds chose in place of the registered ones."""
    given = MODELS[trained.name].config.model_dump()
    chosen = {name: value for name, value in trained.config.model_dump().items() if given[name] != value}
    if chosen:
        typer.echo(f"Chosen on inner folds: {', '.join(f'{name} {value}' for name, value in chosen.items())}")


def predict_command(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
    study: StudyArgument,
    section: Annotated[str, typer.Option(help="Name of the section to predict.")],
    out: Annotated[Path, typer.Option(help="The .h5ad file to write.")],
    device: DeviceOption = "auto",
) -> None:
    """Predict the expression of a section from its picture; measured values and scores are laid beside it.

    Example: gr2st predict model sample_data --section B1 --out B1.h5ad
    """
    from gr2st.evaluation.measured import predict_section
    from gr2st.io.prediction import save_prediction
    from gr2st.io.section import read_section
    from gr2st.io.study import read_study
    from gr2st.training.checkpoint import load_model
    from gr2st.training.loop import pick_device

    new_file(out, ".h5ad")
    trained = load_model(model, device=str(pick_device(device)))
    read = read_section(read_study(study).entry(section))
    prediction = show_progress(predict_section(trained, read))
    save_prediction(prediction, out)
    say_notes([*read.notes, *prediction.notes])
    if section in trained.sections:
        typer.echo(f"Note: the model was trained on section {section}; its scores here say nothing.", err=True)
    typer.echo(f"{len(prediction.genes)} genes in {prediction.table.n_obs} spots of {section}: {out}")
    typer.echo(f"Next: gr2st view {study} --section {section} --prediction {out}")


def evaluate_command(
    study: StudyArgument,
    out: Annotated[Path, typer.Option(help="Folder of the evaluation; finished folds in it are kept.")],
    sections: SectionsOption = "",
    protocol: Annotated[ProtocolName, typer.Option(help="Hold out a patient (honest) or a section (as published).")] = (
        ProtocolName.patient
    ),
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "gr2st,ridge,knn,mean,depth-oracle",
    genes: GenesOption = None,
    variable_genes: VariableOption = 100,
    encoder: EncoderOption = "handcrafted",
    um_per_px: UmPerPxOption = None,
    cell_types: CellTypesOption = CellTypesName.none,
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    precision: PrecisionOption = PrecisionName.float32,
    ablate: Annotated[
        str, typer.Option(help="Parts to leave out of GR2ST, one at a time, separated by commas; `list` names them.")
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="How often each model that draws lots is trained.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Folds computed at once, each in a process of its own.")] = 1,
    together: Annotated[
        int | None,
        typer.Option(min=1, help="Networks trained at once as one computation. Default: 1, on a GPU as many as fit."),
    ] = None,
    scheduler: Annotated[str, typer.Option(help="Address of a dask.distributed cluster that computes the folds.")] = "",
) -> None:
    """Train and score models on held-out patients or sections.

    Example: gr2st evaluate sample_data --models gr2st,ridge,mean --out evaluation
    """
    from gr2st.evaluation.crossval import Plan, evaluate, usable_entries
    from gr2st.evaluation.executors import executor_of
    from gr2st.evaluation.sections import notes_of
    from gr2st.io.study import read_study

    names = names_of(models)
    plan = Plan(
        models=names,
        genes=gene_choice(genes, variable_genes),
        protocol=protocol.value,
        sections=names_of(sections),
        recipe=recipe_fields(encoder, um_per_px, cell_types),
        training={name: training_of(name, epochs, seed, device, precision) for name in names},
        ablations=names_of(ablate),
        seeds=seeds,
    )
    found = read_study(study)
    with executor_of(workers, scheduler) as executor:
        evaluation = show_progress(evaluate(found, plan, out, executor=executor, together=together))
    print_summary(evaluation.summary)
    _report_failures(evaluation)
    say_notes([*found.notes, *notes_of(usable_entries(found, plan.sections)), *evaluation.notes])
    typer.echo(f"Written: {out}/summary.json, sections.csv, genes.csv, folds/")


def recipe_fields(
    encoder: str, um_per_px: float | None, cell_types: CellTypesName = CellTypesName.none
) -> dict[str, Any]:
    """Fields of a recipe other than its genes, for an encoder at its own resolution unless told otherwise.

    WeightsMissing, before any section is read, where the encoder's weights are not on this machine.
    """
    from gr2st.encoders.weights import encoder_version

    spec = ENCODERS[encoder]
    encoder_version(spec)
    patch = PatchConfig(size_px=spec.input_px, um_per_px=um_per_px or spec.um_per_px)
    return {"encoder": encoder, "patch": patch.model_dump(), "cell_types": cell_types.value}


def gene_choice(path: Path | None, variable: int) -> GeneChoice:
    """The genes of a file, or a number of variable ones."""
    from gr2st.evaluation.fold import GeneChoice
    from gr2st.preprocess.gene_list import read_gene_list

    return GeneChoice(n_variable=variable) if path is None else GeneChoice(listed=read_gene_list(path))


def training_of(
    model: str, epochs: int | None, seed: int, device: str, precision: PrecisionName = PrecisionName.float32
) -> TrainConfig:
    """The model's own training settings with what the user changed; closed-form models have no epochs to change."""
    registered = MODELS[model].training
    changes: dict[str, Any] = {"seed": seed, "device": device}
    if registered.epochs:
        changes |= {"epochs": registered.epochs if epochs is None else epochs, "precision": precision.value}
    return registered.model_copy(update=changes)


def _train(
    entries: Sequence[SectionEntry],
    model: str,
    genes: GeneChoice,
    recipe: Mapping[str, Any],
    training: TrainConfig,
    keep_in: Path,
) -> Steps[TrainedModel]:
    from gr2st.evaluation.fold import training_sections
    from gr2st.evaluation.sections import refuse_unreadable
    from gr2st.training.loop import pick_device, train

    yield from refuse_unreadable(entries)
    device = str(pick_device(training.device))
    sections, full = yield from training_sections(entries, model, genes, recipe, device=device)
    return (yield from train(model, sections, full, training=training, keep_in=keep_in))


def print_summary(summary: Mapping[str, Any]) -> None:
    """The table of models: mean Pearson r per gene in both expression spaces."""
    title = (
        f"Pearson r per gene, {summary['protocol']} held out, {summary['genes']} genes, {summary['encoder']} features"
        f"{CELL_TITLES[summary['cell_types']]}"
    )
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", overflow="fold")
    table.add_column("spot-normalised", justify="right", no_wrap=True)
    table.add_column("gene-normalised", justify="right", no_wrap=True)
    for name, row in summary["models"].items():
        shown = f"{name} (oracle: reads the test section)" if MODELS[name.partition(".")[0]].is_oracle else name
        table.add_row(shown, *(_cell(row, key) for key in ("pcc_spot", "pcc_gene")))
    Console().print(table)
    if any("minus_ridge" in row for row in summary["models"].values()):
        typer.echo("Below each score: its difference to ridge, paired by section, with the 95 % interval.")
    if summary["warning"]:
        typer.echo(f"Note: {summary['warning']}")


def _cell(row: Mapping[str, Any], key: str) -> str:
    """A score; below it how much better it is than ridge, section by section, with the 95 % interval of that."""
    told = row.get("minus_ridge", {}).get(key)
    if told is None:
        return _score(row[key])
    interval = "" if told["low"] is None else f" [{told['low']:+.3f}, {told['high']:+.3f}]"
    return f"{_score(row[key])}\n[dim]{told['mean']:+.4f}{escape(interval)}[/dim]"


def _score(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _report_failures(evaluation: Evaluation) -> None:
    from gr2st.io.tables import plural

    for failure in evaluation.failures:
        typer.echo(f"Failed: {failure.model}, {failure.fold} held out: {failure.message}", err=True)
    if evaluation.failures:
        failed = plural(len(evaluation.failures), "fold")
        raise DataError(f"{failed} failed; run the same command again to repeat only what failed.")
