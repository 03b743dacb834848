"""The command that tells the cell types of a section: cells."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from gr2st.cli.common import EncoderOption, StudyArgument, UmPerPxOption, new_file, show_progress
from gr2st.cli.learn import recipe_fields
from gr2st.config import PatchConfig
from gr2st.types import CELL_CLASSES

if TYPE_CHECKING:
    from gr2st.types import SpotCells

TITLES = {"files": "Cell types of {} from files", "estimate": "Cell types of {}, ESTIMATED from the picture"}


class SourceName(StrEnum):
    """Where the cell types come from."""

    files = "files"
    estimate = "estimate"


def cells_command(
    study: StudyArgument,
    section: Annotated[str, typer.Option(help="Name of the section.")],
    source: Annotated[SourceName, typer.Option(help="From the files named in study.csv, or an estimate.")],
    out: Annotated[Path, typer.Option(help="The .tsv file to write: spot, type, proportions, source.")],
    encoder: EncoderOption = "handcrafted",
    um_per_px: UmPerPxOption = None,
) -> None:
    """Write the cell type of every spot of a section: from files such as HoVer-Net's, or an estimate.

    Nuclei are counted in the window of the patch that the encoder is shown.

    Example: gr2st cells sample_data --section A1 --source estimate --out summary_spot_types.tsv
    """
    from gr2st.cells.source import spot_cells_of
    from gr2st.io.section import read_section
    from gr2st.io.spot_types import write_spot_types
    from gr2st.io.study import read_study

    new_file(out, ".tsv")
    read = read_section(read_study(study).entry(section))
    patch = PatchConfig(**recipe_fields(encoder, um_per_px)["patch"])
    cells = show_progress(spot_cells_of(read, source.value, patch))
    assert cells is not None, "both sources of this command give cell types"
    write_spot_types(out, read.spot_names, cells)
    _print_cells(section, cells)
    for note in (*read.notes, *cells.notes):
        typer.echo(f"Note: {note}", err=True)
    typer.echo(f"{read.n_spots} spots of {section}: {out}")


def _print_cells(section: str, cells: SpotCells) -> None:
    """Spots of each class, and the mean proportion of its nuclei where it is known."""
    typer.echo(TITLES[cells.source].format(section))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("class", "spots", "share of nuclei"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    spots = Counter(cells.cell_type.tolist())
    for number, name in enumerate(CELL_CLASSES):
        share = "unknown" if cells.cell_share is None else f"{cells.cell_share[:, number].mean():.1%}"
        table.add_row(name, str(spots[number]), share)
    Console().print(table)
