"""`gr2st import-weights`: published weights of GR2ST become a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gr2st.cli.common import (
    CellTypesName,
    CellTypesOption,
    DeviceOption,
    EncoderOption,
    SectionsOption,
    StudyArgument,
    names_of,
    say_notes,
    show_progress,
)
from gr2st.config import PatchConfig
from gr2st.registry import ENCODERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import SectionEntry, Steps

UNKNOWN_TRAINING = (
    "The file does not say which sections its weights were trained on. Where a section was among them, a score on it "
    "says nothing."
)


def import_weights_command(
    weights: Annotated[Path, typer.Argument(help="File of published weights: .pt, .pth or .safetensors.")],
    study: StudyArgument,
    genes: Annotated[Path, typer.Option(help="File with the genes of the weights, in the order of their training.")],
    out: Annotated[Path, typer.Option(help="Folder of the model to write.")],
    sections: SectionsOption = "",
    model: Annotated[str, typer.Option(help="gr2st-v1 (2025, no regression head) or gr2st-v2 (2026).")] = "gr2st-v2",
    encoder: EncoderOption = "phikon-v2",
    um_per_px: Annotated[
        float | None, typer.Option(min=0.01, help="Micrometres per patch pixel. Default: as scanned, as published.")
    ] = None,
    cell_types: CellTypesOption = CellTypesName.none,
    device: DeviceOption = "auto",
) -> None:
    """Make a model of published GR2ST weights; the sections fill the bank that its retrieval looks up.

    The file is read as tensors alone: code in it is never run. Its parameters must be exactly those of the model, for
    as many genes as the list has and as many features as the encoder gives. `gr2st predict` then takes the folder.

    Example: gr2st import-weights fold_0.pt her2st --genes genes.txt --sections C2,C3 --out model
    """
    from gr2st.encoders.weights import encoder_version
    from gr2st.evaluation.crossval import usable_entries
    from gr2st.evaluation.sections import notes_of
    from gr2st.io.study import read_study
    from gr2st.preprocess.gene_list import read_gene_list
    from gr2st.training.checkpoint import check_model_folder, save_model
    from gr2st.training.loop import pick_device
    from gr2st.training.published import open_checkpoint

    spec = ENCODERS[encoder]
    check_model_folder(out)
    pick_device(device)
    listed = read_gene_list(genes)
    # Before minutes of encoding: does the file fit, and is the encoder here?
    open_checkpoint(weights, model, n_genes=len(listed), n_features=spec.width)
    encoder_version(spec)
    found = read_study(study)
    entries = usable_entries(found, names_of(sections))
    patch = PatchConfig(size_px=spec.input_px, um_per_px=um_per_px)
    recipe = {"encoder": encoder, "patch": patch.model_dump(), "cell_types": cell_types.value}
    trained = show_progress(_import(weights, model, entries, listed, recipe, device))
    save_model(trained, out)
    say_notes([*found.notes, *notes_of(entries), UNKNOWN_TRAINING])
    typer.echo(
        f"{model} with the weights of {weights.name} for {len(listed)} genes, and a bank of "
        f"{_n_spots(trained)} spots of {', '.join(trained.sections)}: {out}"
    )
    typer.echo(f"Next: gr2st predict {out} {study} --section NAME --out prediction.h5ad")


def _import(
    weights: Path,
    model: str,
    entries: Sequence[SectionEntry],
    genes: tuple[str, ...],
    recipe: Mapping[str, Any],
    device: str,
) -> Steps[TrainedModel]:
    from gr2st.config import GeneChoice
    from gr2st.evaluation.fold import training_sections
    from gr2st.evaluation.sections import refuse_unreadable
    from gr2st.training.loop import pick_device
    from gr2st.training.published import import_checkpoint

    yield from refuse_unreadable(entries)
    choice, place = GeneChoice(listed=genes), str(pick_device(device))
    sections, full = yield from training_sections(entries, model, choice, recipe, device=place)
    return (yield from import_checkpoint(weights, model, sections, full, device=device))


def _n_spots(trained: TrainedModel) -> int:
    return 0 if trained.module.bank is None else len(trained.module.bank.key)
