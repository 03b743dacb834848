"""The command itself: its groups, its one place for errors."""

from __future__ import annotations

import signal
import sys
import traceback
from typing import Annotated

import typer

from gr2st import __version__
from gr2st.cli import INTERRUPTED
from gr2st.cli.cells import cells_command
from gr2st.cli.common import STOPPED
from gr2st.cli.encoders import encoders_command
from gr2st.cli.evaluate import evaluate_command
from gr2st.cli.export import export_command
from gr2st.cli.fetch import fetch_command
from gr2st.cli.import_weights import import_weights_command
from gr2st.cli.learn import predict_command, train_command
from gr2st.cli.look import demo_command, inspect_command, lists, view_command
from gr2st.cli.report import report_command, report_section_command
from gr2st.cli.resume import resume_command
from gr2st.cli.slides import predict_slide_command
from gr2st.errors import Cancelled, Gr2stError
from gr2st.processes import share_the_cores

app = typer.Typer(
    name="gr2st",
    help="Gene expression predicted from histology, beside the measured one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("fetch")(fetch_command)
app.command("inspect")(inspect_command)
app.command("train")(train_command)
app.command("import-weights")(import_weights_command)
app.command("resume")(resume_command)
app.command("predict")(predict_command)
app.command("predict-slide")(predict_slide_command)
app.command("evaluate")(evaluate_command)
app.command("report")(report_command)
app.command("report-section")(report_section_command)
app.command("export")(export_command)
app.command("cells")(cells_command)
app.command("view")(view_command)
app.command("demo")(demo_command)
app.command("list")(lists)
app.command("encoders")(encoders_command)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Gene expression predicted from histology, beside the measured one.

    Example: gr2st demo
    """
    if version:
        typer.echo(f"gr2st {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of ours are one sentence and exit code 2."""
    share_the_cores()
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        signal.signal(signal.SIGINT, _stop)
        app(args=(["--debug"] if debug else []) + arguments, standalone_mode=True)
    except Cancelled as error:
        _end(str(error), INTERRUPTED, debug=debug)
    except Gr2stError as error:
        _end(f"Error: {error}", 2, debug=debug)
    except OSError as error:
        _end(f"Error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), 2, debug=debug)


def _stop(*_: object) -> None:
    raise Cancelled(STOPPED)


def _end(message: str, code: int, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    typer.echo(message, err=True)
    raise SystemExit(code)
