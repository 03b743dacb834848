"""The command for a slide without spots."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gr2st.cli.common import DeviceOption, new_file, say_notes, show_progress


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
    from gr2st.plans import SlidePlan
    from gr2st.runs.slides import run_slide

    new_file(out, ".h5ad")
    plan = SlidePlan(
        model=model,
        slide=slide,
        pitch_um=pitch,
        um_per_px=um_per_px,
        shape=shape.value,
        regions=region,
        everywhere=everywhere,
    )
    show_progress(run_slide(plan, out, device=device))
    prediction = read_prediction(out, in_memory=False)
    say_notes(prediction.notes)
    typer.echo(f"{len(prediction.genes)} genes in {prediction.table.n_obs:,} spots of {slide.name}: {out}")
