"""`gr2st encoders`: the patch encoders, what they need, and which are ready on this machine."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from gr2st.cli.common import show_progress
from gr2st.errors import DataError
from gr2st.registry import ENCODERS, EncoderSpec

HEADINGS = ("name", "width", "input px", "um/px", "licence", "gated", "ready here")
NUMBERS = frozenset({"width", "input px", "um/px"})


def encoders_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    download: Annotated[str, typer.Option(help="Download the weights of this encoder, with your own login.")] = "",
) -> None:
    """List the patch encoders and whether they are ready here, or download the weights of one.

    Example: gr2st encoders --download phikon-v2
    """
    if download:
        _download(download)
        return
    rows = [_row(spec) for spec in ENCODERS.values()]
    if as_json:
        typer.echo(json.dumps({"encoders": rows}, indent=2))
        return
    _print(rows)


def _download(name: str) -> None:
    from gr2st.encoders.weights import download_weights

    path = show_progress(download_weights(ENCODERS[name]))
    typer.echo(f"Weights of {name}: {path}")
    typer.echo(f"Next: gr2st train STUDY --encoder {name} --out model")


def _row(spec: EncoderSpec) -> dict[str, Any]:
    missing = _missing(spec)
    return {
        "name": spec.name,
        "title": spec.title,
        "width": spec.width,
        "input_px": spec.input_px,
        "um_per_px": spec.um_per_px,
        "licence": spec.licence,
        "gated": spec.gated,
        "page": spec.timm.page if spec.timm else None,
        "ready": not missing,
        "missing": missing,
    }


def _missing(spec: EncoderSpec) -> list[str]:
    """What must still be brought here: "timm", "weights"; nothing is downloaded to find out."""
    from gr2st.encoders.weights import find_weights

    if not spec.needs_weights:
        return []
    weights = [] if find_weights(spec) else ["weights"]
    # timm takes seconds to import: it is tried only where the weights are there.
    works = find_spec("timm") is not None if weights else not _timm_fault()
    return ([] if works else ["timm"]) + weights


@lru_cache(maxsize=1)
def _timm_fault() -> str:
    """Why timm cannot be imported here, with what to do; empty where it can."""
    from gr2st.encoders.timm_vit import import_timm

    try:
        import_timm()
    except DataError as error:
        return str(error)
    return ""


def _print(rows: list[dict[str, Any]]) -> None:
    from gr2st.encoders.weights import weights_dir

    table = Table(
        title="Patch encoders", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for heading in HEADINGS:
        table.add_column(
            heading,
            justify="right" if heading in NUMBERS else "left",
            min_width=len(heading),
            no_wrap=heading != "licence",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)
    typer.echo(f"Weights: gr2st encoders --download NAME, or files in {weights_dir()}")
    if any("timm" in row["missing"] for row in rows):
        typer.echo(_timm_fault())


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ready = f"{' and '.join(row['missing'])} missing" if row["missing"] else "yes"
    facts = (row[name] for name in ("name", "width", "input_px", "um_per_px", "licence"))
    return (*map(str, facts), "yes" if row["gated"] else "no", ready)
