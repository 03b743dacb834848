"""The command for a slide without spots."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gr2st.cli.common import DeviceOption, new_file, say_notes, show_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.regions import Region


class ShapeName(StrEnum):
    """How the spots are laid."""

    square = "square"
    hexagonal = "hexagonal"


def predict_slide_command(
    model: Annotated[Path, typer.Argument(help="Folder of a trained model.")],
    slide: Annotated[Path, typer.Argument(help="The picture: JPEG, PNG, TIFF, SVS or OME-TIFF.")],
    out: Annotated[Path, typer.Option(help="The .h5ad file to write.")],
    pitch: Annotated[float, typer.Option(help="Micrometres between neighbouring spots of the grid.")] = 100.0,
    um_per_px: Annotated[
        float | None, typer.Option(min=0.01, help="Micrometres per pixel of the slide. Default: as its file tells.")
    ] = None,
    region: Annotated[
        Path | None, typer.Option(help="GeoJSON with the regions to predict. Default: all tissue.")
    ] = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="Also where no tissue is found.")] = False,
    shape: Annotated[ShapeName, typer.Option(help="Shape of the grid.")] = ShapeName.square,
    device: DeviceOption = "auto",
) -> None:
    """Predict a slide that has no spots, on a grid of its tissue. What was stopped goes on with the same command.

    Example: gr2st predict-slide model slide.svs --pitch 100 --out slide.h5ad
    """
    from gr2st.io.prediction import read_prediction
    from gr2st.io.slide import open_slide
    from gr2st.slides.grid import virtual_section
    from gr2st.slides.stream import predict_slide
    from gr2st.training.checkpoint import load_model
    from gr2st.training.loop import pick_device

    new_file(out, ".h5ad")
    regions = _regions(region)
    with open_slide(slide) as picture:
        section = virtual_section(
            picture, pitch, um_per_px=um_per_px, shape=shape.value, regions=regions, everywhere=everywhere
        )
        trained = load_model(model, device=str(pick_device(device)))
        typer.echo(f"{section.n_spots:,} spots, {pitch:g} um apart, on {slide.name}", err=True)
        show_progress(predict_slide(trained, section, out))
    say_notes(read_prediction(out, in_memory=False).notes)
    typer.echo(f"{len(trained.recipe.genes)} genes in {section.n_spots:,} spots of {slide.name}: {out}")


def _regions(path: Path | None) -> Sequence[Region]:
    from gr2st.io.regions import read_regions

    return () if path is None else read_regions(path)
