"""Commands that learn: train and predict."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from gr2st.registry import ENCODERS, MODELS

if TYPE_CHECKING:
    from gr2st.config import GeneChoice
    from gr2st.training.checkpoint import TrainedModel


CELL_TITLES = {"none": "", "files": ", cell types from files", "estimate": ", cell types estimated from the picture"}


def train_command(
    study: StudyArgument,
    out: Annotated[Path, typer.Option(help="Folder of the model to write.")],
    sections: SectionsOption = "",
    held_out: Annotated[str, typer.Option(help="Section left out, and scored while the others train.")] = "",
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
    from gr2st.evaluation.sections import notes_of
    from gr2st.io.study import read_study
    from gr2st.plans import TrainPlan
    from gr2st.runs.training import learn, parts_of
    from gr2st.training.checkpoint import check_model_folder, save_model
    from gr2st.training.loop import pick_device

    MODELS[model]
    check_model_folder(out)
    pick_device(device)
    found = read_study(study)
    plan = TrainPlan.of(
        study=study,
        model=model,
        genes=gene_choice(genes, variable_genes),
        sections=names_of(sections),
        held_out=held_out,
        recipe=recipe_fields(encoder, um_per_px, cell_types),
        training=training_of(model, epochs, seed, device, precision),
    )
    parts = parts_of(found, plan)
    unfinished = out.with_name(f"{out.name}.unfinished")
    trained = show_progress(learn(parts, plan, unfinished))
    save_model(trained, out)
    shutil.rmtree(unfinished, ignore_errors=True)
    say_notes([*found.notes, *notes_of(parts.entries)])
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
    from gr2st.config import GeneChoice
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
