"""The commands that write pages: of an evaluation, of a section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr2st.cli.common import StudyArgument, names_of, new_file, show_progress


def report_command(
    evaluation: Annotated[Path, typer.Argument(help="Folder of an evaluation, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="The page. Default: report.html in the folder.")] = None,
) -> None:
    """Write an evaluation as one page for reading, printing and sending.

    Example: gr2st report evaluation --out report.html
    """
    from gr2st.evaluation.report import REPORT, write_report

    page = show_progress(write_report(evaluation, new_file(out or evaluation / REPORT, ".html")))
    typer.echo(f"Written: {page}")


def report_section_command(
    study: StudyArgument,
    section: Annotated[str, typer.Option(help="Name of the section.")],
    out: Annotated[Path, typer.Option(help="The page.")],
    prediction: Annotated[Path | None, typer.Option(help="Its prediction file. Without it: what was measured.")] = None,
    genes: Annotated[str, typer.Option(help="Genes whose maps are shown, separated by commas.")] = "",
    gene_file: Annotated[Path | None, typer.Option(help="File with such genes: one per line, or a table.")] = None,
    best: Annotated[int | None, typer.Option(min=0, help="And so many of the best predicted. Default: 6 or 0.")] = None,
    worst: Annotated[int | None, typer.Option(min=0, help="And of the worst predicted. Default: 3 or 0.")] = None,
) -> None:
    """Write one section as a page: maps of chosen genes, scores, how far to trust them, settings.

    Example: gr2st report-section sample_data --section B1 --prediction B1.h5ad --out B1.html
    """
    from gr2st.evaluation.section_report import Wanted, report_files
    from gr2st.preprocess.gene_list import read_gene_list

    listed = (*names_of(genes), *(() if gene_file is None else read_gene_list(gene_file)))
    wanted = Wanted.of(listed, best, worst)
    page = show_progress(report_files(study, section, prediction, new_file(out, ".html"), wanted))
    typer.echo(f"Written: {page}")
