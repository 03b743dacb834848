"""Commands that look: inspect, view, demo, list."""

from __future__ import annotations

import json
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from gr2st.cli.common import StudyArgument, new_file
from gr2st.errors import DataError, Gr2stError
from gr2st.registry import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gr2st.types import Prediction, Section, SectionEntry, Study

SESSION = ".gr2st"
"""Ending of a session file, which the window saves."""
NUMBERS = frozenset({"spots", "genes", "um/px", "tissue"})


def inspect_command(
    study: StudyArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Say what a study holds: sections, spots, genes, images, scale, alignment.

    Example: gr2st inspect sample_data
    """
    from gr2st.io.study import read_study

    found = read_study(study)
    rows = [_inspected(entry) for entry in found.entries]
    if as_json:
        typer.echo(
            json.dumps(
                {"study": found.name, "path": str(found.path), "notes": list(found.notes), "sections": rows}, indent=2
            )
        )
    else:
        _print_sections(found.name, rows)
        for note in found.notes:
            typer.echo(f"Study: {note}")
    faulty = [row["name"] for row in rows if row["error"]]
    if faulty:
        raise DataError(f"{len(faulty)} of {len(rows)} sections cannot be read: {', '.join(faulty)}.")


class ModeName(StrEnum):
    """How a gene is looked at."""

    measured = "measured"
    predicted = "predicted"
    side_by_side = "side by side"
    difference = "difference"
    swipe = "swipe"
    flicker = "flicker"


def view_command(
    study: Annotated[Path, typer.Argument(help="Study, as elsewhere, a session (.gr2st) or a prediction (.h5ad).")],
    section: Annotated[str, typer.Option(help="Section to open. Default: the first with an image.")] = "",
    prediction: Annotated[Path | None, typer.Option(help="Prediction file to lay beside the measured values.")] = None,
    gene: Annotated[str | None, typer.Option(help="Gene to show first.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Spots by class, not by gene: label, clusters, cells or a column of the spots.")
    ] = None,
    mode: Annotated[
        ModeName | None,
        typer.Option(help="How it is looked at. Default: side by side with a prediction, else measured."),
    ] = None,
    screenshot: Annotated[Path | None, typer.Option(help="Save a picture of the window here and end.")] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw the maps as .png or .svg, without a window.")] = None,
) -> None:
    """Open a section in napari, or save a picture of that window or a figure of its maps.

    Example: gr2st view sample_data --section B1 --prediction demo/B1.h5ad --gene ERBB2 --figure B1.svg
    """
    from gr2st.io.prediction import is_prediction

    show = viewer()
    if screenshot is not None:
        new_file(screenshot, ".png")
    target: dict[str, Any] = {"screenshot": screenshot, "figure": figure}
    first: dict[str, Any] = {"gene": gene, "classes": classes, "mode": mode and mode.value}
    if study.suffix == SESSION:
        _check_that_a_session_decides(study, section=section, prediction=prediction, gene=gene, classes=classes)
        show(None, file=study, **target)
    elif gene is not None and classes is not None:
        raise DataError("Classes are shown in the place of a gene: give --gene or --classes, not both.")
    elif is_prediction(study):
        _check_that_nothing_lies_beside(study, section=section, prediction=prediction)
        show(None, file=study, **first, **target)
    else:
        found, read, predicted = _to_be_shown(study, section, prediction)
        _check_gene(gene, {*read.genes, *(predicted.genes if predicted else ())})
        if gene is not None and predicted is not None and gene not in predicted.genes:
            typer.echo(
                f"Note: {gene} is none of the {len(predicted.genes)} predicted genes; only its measure is shown.",
                err=True,
            )
        show(read, predicted, study=found, **first, **target)
    for path in filter(None, (figure, screenshot)):
        typer.echo(f"Written: {path}")


def _to_be_shown(study: Path, section: str, prediction: Path | None) -> tuple[Study, Section, Prediction | None]:
    """Read what was asked for; DataError where section and prediction do not belong together."""
    from gr2st.io.prediction import is_prediction_of, read_prediction
    from gr2st.io.section import read_section
    from gr2st.io.study import read_study

    found = read_study(study)
    entry = found.entry(section) if section else _first_with_image(found.entries)
    predicted = None if prediction is None else read_prediction(prediction)
    read = read_section(entry)
    if predicted is not None and not is_prediction_of(predicted, read):
        raise DataError(
            f"{prediction} predicts section {predicted.section}, but section {read.name} was to be shown. "
            f"Name the section with --section {predicted.section}, or give a prediction of {read.name}."
        )
    return found, read, predicted


def demo_command(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo"),
    window: Annotated[
        bool, typer.Option(help="Open napari at the end (a picture of it where there is no display).")
    ] = True,
) -> None:
    """Run the whole road on the sample study: train without one patient, predict that patient, score, show.

    Example: gr2st demo
    """
    from gr2st.cli.demo import run_demo

    run_demo(out, viewer() if window else None)


def lists() -> None:
    """List the models and what can be left out of them; the patch encoders have `gr2st encoders`.

    Example: gr2st list
    """
    from gr2st.evaluation.rows import ABLATIONS

    models = Table(title="Models", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "what it is", "epochs"):
        models.add_column(heading)
    for model in MODELS.values():
        models.add_row(model.name, model.title, str(model.training.epochs or "closed form"))
    Console().print(models)
    typer.echo(f"Parts of GR2ST for evaluate --ablate: {', '.join(ABLATIONS)}")
    typer.echo("Patch encoders: gr2st encoders")


def viewer() -> Callable[..., None]:
    """The window, if one is installed; the library itself has none."""
    for point in entry_points(group="gr2st.viewers", name="napari"):
        try:
            show: Callable[..., None] = point.load()
        except ImportError as error:
            raise DataError(
                f"napari is not installed here ({error}). Install it with: pip install 'gr2st-napari[all]'"
            ) from error
        return show
    raise DataError("No viewer is registered in this installation; install gr2st-napari again.")


def _first_with_image(entries: tuple[SectionEntry, ...]) -> SectionEntry:
    for entry in entries:
        if not entry.without_image:
            return entry
    raise DataError("No section of this study has an image.")


def _check_that_a_session_decides(session: Path, **options: object) -> None:
    """DataError where an option asks for what the session says already."""
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise DataError(
            f"{session.name} is a session and says itself what is shown: leave out {', '.join(given)}, or give its "
            "study in the place of the session."
        )


def _check_that_nothing_lies_beside(path: Path, **options: object) -> None:
    """DataError where an option asks for what a prediction by itself does not hold."""
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise DataError(
            f"{path.name} is a prediction and is shown by itself: leave out {', '.join(given)}, or give its study in "
            f"its place, with --prediction {path.name}."
        )


def _check_gene(gene: str | None, genes: set[str]) -> None:
    from gr2st.errors import UnknownName

    if gene is not None and gene not in genes:
        raise UnknownName.of("gene", gene, genes)


def _inspected(entry: SectionEntry) -> dict[str, Any]:
    from gr2st.io.section import read_section

    row: dict[str, Any] = {"name": entry.name, "patient": entry.patient, "layout": entry.layout, "error": None}
    try:
        return row | _facts(read_section(entry, with_image=not entry.without_image), entry)
    except Gr2stError as error:
        return row | {"error": str(error)}


def _facts(section: Section, entry: SectionEntry) -> dict[str, Any]:
    slide = section.slide
    image = None if slide is None else {"path": str(slide.path), "width": slide.width, "height": slide.height}
    alignment = section.alignment
    return {
        "n_spots": section.n_spots,
        "n_genes": section.table.n_vars,
        "image": image,
        "without_image": entry.without_image or None,
        "um_per_px": section.um_per_px,
        "um_per_px_source": section.um_per_px_source,
        "spot_diameter_um": section.spot_diameter_um,
        "grid_pitch": section.grid_pitch,
        "alignment": {
            "verdict": alignment.verdict,
            "inside": alignment.inside,
            "on_tissue": alignment.on_tissue,
            "message": alignment.message,
        },
        "notes": list(section.notes),
    }


def _print_sections(name: str, rows: list[dict[str, Any]]) -> None:
    console = Console()
    table = Table(title=f"Study {name}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("section", "patient", "spots", "genes", "image", "um/px", "alignment", "tissue"):
        # Names may run over several lines; numbers, and the headings above them, stay whole.
        is_number = heading in NUMBERS
        justify: Literal["left", "right"] = "right" if is_number else "left"
        table.add_column(heading, justify=justify, no_wrap=is_number, overflow="fold", min_width=len(heading))
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in rows:
        for line in filter(None, [row["error"], row.get("without_image"), *row.get("notes", [])]):
            console.print(f"{row['name']}: {line}", highlight=False, soft_wrap=True, markup=False)


def _cells(row: dict[str, Any]) -> list[str]:
    patient = row["patient"] or "not given"
    if row["error"]:
        return [row["name"], patient, "", "", "", "", "cannot be read", ""]
    image = row["image"]
    alignment = row["alignment"]
    return [
        row["name"],
        patient,
        str(row["n_spots"]),
        str(row["n_genes"]),
        f"{image['width']} x {image['height']}" if image else "none",
        f"{row['um_per_px']:.3f}" if row["um_per_px"] else "unknown",
        alignment["verdict"] if image else "",
        f"{alignment['on_tissue']:.0%}" if image else "",
    ]
