"""`gr2st fetch`: the public files of a data set, checked by their hashes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gr2st.cli.common import names_of, say_notes, show_progress
from gr2st.registry import DATASETS, DatasetSpec

if TYPE_CHECKING:
    from gr2st.io.fetch import DatasetFile, Fetched


def fetch_command(
    name: Annotated[str, typer.Argument(help=f"Data set: {', '.join(DATASETS)}.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to. Default: named as the data set, here.")] = None,
    sections: Annotated[str, typer.Option(help="Section names, separated by commas. Default: all.")] = "",
    verify_only: Annotated[
        bool, typer.Option("--verify-only", help="Check the hashes of what is in the folder; fetch nothing.")
    ] = False,
    as_list: Annotated[
        bool, typer.Option("--list", help="List the known files with size and hash; fetch nothing.")
    ] = False,
) -> None:
    """Fetch the public files of a data set into a folder that the other commands read.

    Each file is checked by its hash, and what is there already is not fetched again: a fetch that was stopped goes on
    where it was when the same command runs again.

    Example: gr2st fetch her2st --out her2st --sections C2,C3,C4
    """
    from gr2st.io.fetch import fetch, listed_files, verify

    spec = DATASETS[name]
    folder = out or Path(spec.name)
    chosen = names_of(sections)
    if as_list:
        _list(listed_files(spec, folder, chosen))
        return
    steps = verify if verify_only else fetch
    _tell(spec, show_progress(steps(spec, folder, chosen)), verified=verify_only)


def _list(known: list[DatasetFile]) -> None:
    for file in known:
        size = f"{file.n_bytes} bytes" if file.n_bytes else "size not known"
        typer.echo(f"{file.section}  {file.path}  {size}  {file.digest or 'hash not known'}")
    typer.echo(f"{len(known)} files. What is not known here, pictures too, is asked for when a section is fetched.")


def _tell(spec: DatasetSpec, fetched: Fetched, *, verified: bool) -> None:
    from gr2st.io.fetch import MEGABYTE
    from gr2st.io.tables import plural

    say_notes(fetched.notes)
    told = "as published" if verified else f"{fetched.new_bytes / MEGABYTE:.1f} MB of them fetched now"
    typer.echo(
        f"{spec.name}: {plural(len(fetched.sections), 'section')}, {plural(fetched.n_files, 'file')}, "
        f"{fetched.n_bytes / MEGABYTE:.1f} MB, {told}: {fetched.folder}"
    )
    typer.echo(f"Licence: {spec.licence}")
    typer.echo(f"Please cite: {spec.citation}")
    typer.echo(f"Next: gr2st inspect {fetched.folder}")
