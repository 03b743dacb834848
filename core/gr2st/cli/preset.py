"""`evaluate --preset`: what the user typed beside it, and the reported scores beside ours."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from gr2st.cli.common import names_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st.config import GeneChoice
    from gr2st.evaluation.plan import Plan
    from gr2st.evaluation.preset import Wish
    from gr2st.types import Study


class PresetName(StrEnum):
    """Settings for a whole evaluation."""

    paper = "paper"


PresetOption = Annotated[
    PresetName | None,
    typer.Option(
        help="paper: sections, settings and epochs as GR2ST was published on HER2ST, cSCC or the Visium breast "
        "sections, whichever the study is; options given beside it win, and are named in the result."
    ),
]


def plan_of_preset(context: typer.Context, study: Study) -> Plan:
    """The plan of the published evaluation of this study, with what was typed beside --preset in its place."""
    from gr2st.evaluation.preset import published_plan

    plan = published_plan(study, wish_of(context))
    rows = ", ".join(row.folder for row in plan.rows())
    typer.echo(f"{plan.preset['study']} as published: {len(plan.sections)} sections; {rows}.", err=True)
    for departure in plan.preset["departs"]:
        typer.echo(f"Not as published: {departure}", err=True)
    return plan


def wish_of(context: typer.Context) -> Wish:
    """What was typed; defaults of the command line are no wish."""
    from gr2st.evaluation.preset import Wish

    def typed(name: str) -> Any:
        source = context.get_parameter_source(name)
        return context.params[name] if source is not None and source.name == "COMMANDLINE" else None

    protocol, cell_types = typed("protocol"), typed("cell_types")
    return Wish(
        genes=_genes(typed("genes"), typed("variable_genes")),
        sections=names_of(typed("sections") or ""),
        protocol=None if protocol is None else protocol.value,
        models=names_of(typed("models") or ""),
        encoder=typed("encoder"),
        um_per_px=typed("um_per_px"),
        cell_types=None if cell_types is None else cell_types.value,
        epochs=typed("epochs"),
        seed=context.params["seed"],
        device=context.params["device"],
        precision=context.params["precision"].value,
        ablations=names_of(context.params["ablate"]),
        seeds=context.params["seeds"],
    )


def _genes(path: Path | None, variable: int | None) -> GeneChoice | None:
    from gr2st.config import GeneChoice
    from gr2st.preprocess.gene_list import read_gene_list

    if path is not None:
        return GeneChoice(listed=read_gene_list(path))
    return None if variable is None else GeneChoice(n_variable=variable)


def print_reported(summary: Mapping[str, Any]) -> None:
    """The scores of the paper beside those measured here, on the scale the paper used."""
    preset = summary.get("preset")
    if preset is None:
        return
    table = Table(
        title=f"{preset['study']}, gene-normalised", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("model", overflow="fold")
    for heading in ("measured here", "as reported"):
        table.add_column(heading, justify="right", no_wrap=True)
    measured = {name: row["pcc_gene"] for name, row in summary["models"].items()}
    for name, reported in preset["reported"].items():
        table.add_row(name, _score(measured.get(name)), _score(reported))
    Console().print(table)
    typer.echo("As reported: by GR2ST's repository. Models other than GR2ST and mclSTExp may have been scored")
    typer.echo("against spot-normalised expression there, as in their own repositories.")
    for sentence in preset["differs"]:
        typer.echo(f"Note: {sentence}", err=True)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
