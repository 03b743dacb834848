"""The command that evaluates, and how its results are told."""

from __future__ import annotations

from dataclasses import replace
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
    say_notes,
    show_progress,
)
from gr2st.cli.learn import CELL_TITLES, gene_choice, recipe_fields, training_of
from gr2st.cli.preset import PresetOption, plan_of_preset, print_reported
from gr2st.errors import DataError
from gr2st.registry import MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st.evaluation.crossval import Evaluation
    from gr2st.evaluation.plan import Plan
    from gr2st.types import Study


class ProtocolName(StrEnum):
    """What is held out."""

    patient = "patient"
    section = "section"


def evaluate_command(
    context: typer.Context,
    study: StudyArgument,
    out: Annotated[Path, typer.Option(help="Folder of the evaluation; finished folds in it are kept.")],
    preset: PresetOption = None,
    sections: SectionsOption = "",
    protocol: Annotated[ProtocolName, typer.Option(help="Hold out a patient (honest) or a section (as published).")] = (
        ProtocolName.patient
    ),
    folds: Annotated[
        Path | None,
        typer.Option(
            help="Table of your own splits: columns fold, section and perhaps role (test or train); in the place of "
            "--protocol."
        ),
    ] = None,
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "gr2st,ridge,knn,mean,depth-oracle",
    genes: GenesOption = None,
    variable_genes: VariableOption = 100,
    score_genes: Annotated[
        Path | None, typer.Option(help="File with genes that are scored by themselves too, beside all genes.")
    ] = None,
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
    from gr2st.evaluation.crossval import evaluate
    from gr2st.evaluation.executors import executor_of
    from gr2st.evaluation.plan import Plan
    from gr2st.io.study import read_study

    names, found = names_of(models), read_study(study)
    plan = (
        plan_of_preset(context, found)
        if preset
        else Plan(
            models=names,
            genes=gene_choice(genes, variable_genes),
            protocol=protocol.value,
            sections=names_of(sections),
            recipe=recipe_fields(encoder, um_per_px, cell_types),
            training={name: training_of(name, epochs, seed, device, precision) for name in names},
            ablations=names_of(ablate),
            seeds=seeds,
        )
    )
    if folds is not None and preset:
        raise DataError("The published splits are part of --preset: leave out --folds, or --preset.")
    plan = _with_files(plan, found, folds, score_genes)
    with executor_of(workers, scheduler) as executor:
        evaluation = show_progress(evaluate(found, plan, out, executor=executor, together=together))
    _tell(evaluation, found, plan, out)


def _with_files(plan: Plan, study: Study, folds: Path | None, score_genes: Path | None) -> Plan:
    """The plan with the splits and the genes of files, where some are given."""
    from gr2st.evaluation.crossval import usable_entries
    from gr2st.evaluation.folds import read_folds
    from gr2st.preprocess.gene_list import read_gene_list

    if folds is not None:
        plan = replace(plan, folds=read_folds(folds, usable_entries(study, plan.sections)))
    return plan if score_genes is None else replace(plan, score_genes=read_gene_list(score_genes))


def _tell(evaluation: Evaluation, study: Study, plan: Plan, out: Path) -> None:
    """What came out, what failed (as an error), what is to be known, and where it is written."""
    from gr2st.evaluation.crossval import usable_entries
    from gr2st.evaluation.sections import notes_of

    print_summary(evaluation.summary)
    print_reported(evaluation.summary)
    _report_failures(evaluation)
    say_notes([*study.notes, *notes_of(usable_entries(study, plan.sections)), *evaluation.notes])
    typer.echo(f"Written: {out}/summary.json, sections.csv, genes.csv, calibration.csv, folds/")
    typer.echo(f"Report: gr2st report {out}")


def print_summary(summary: Mapping[str, Any]) -> None:
    """The table of models: mean Pearson r per gene in both expression spaces."""
    from gr2st.evaluation.folds import OWN_FOLDS

    protocol = summary["protocol"]
    held_out = protocol if protocol == OWN_FOLDS else f"{protocol} held out"
    title = (
        f"Pearson r per gene, {held_out}, {summary['genes']} genes, {summary['encoder']} features"
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
    for warning in summary["warnings"]:
        typer.echo(f"Note: {warning}")


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
