"""The command that writes an evaluation as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gr2st.cli.common import new_file, show_progress


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
