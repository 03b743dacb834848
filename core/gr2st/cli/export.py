"""The command that writes a prediction as a table."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gr2st.cli.common import names_of, new_file
from gr2st.errors import DataError

if TYPE_CHECKING:
    from gr2st.types import Prediction, Section


class ValuesName(StrEnum):
    """Which values of a prediction are written."""

    predicted = "predicted"
    measured = "measured"
    measured_gene = "measured-gene"


def export_command(
    prediction: Annotated[Path, typer.Argument(help="Prediction file (.h5ad).")],
    out: Annotated[Path, typer.Option(help="The .csv file to write; its settings go beside it.")],
    values: Annotated[
        ValuesName, typer.Option(help="Predicted values, or the measured ones: spot-normalised, gene-normalised.")
    ] = ValuesName.predicted,
    genes: Annotated[str, typer.Option(help="Gene names, separated by commas. Default: all that are predicted.")] = "",
    study: Annotated[Path | None, typer.Option(help="Its study, for the places of the spots in micrometres.")] = None,
) -> None:
    """Write the values of a prediction as a table: spots x genes, with the place of each spot.

    Example: gr2st export B1.h5ad --study sample_data --out B1.csv
    """
    from gr2st.io.prediction import read_prediction
    from gr2st.io.values import prediction_table, write_values

    new_file(out, ".csv")
    read = read_prediction(prediction)
    section = None if study is None else _section_of(read, study)
    um_per_px = None if section is None else section.um_per_px
    table = prediction_table(read, um_per_px, what=values.value, genes=names_of(genes))
    write_values(out, table, _settings(prediction, read, values, section))
    places = 4 if um_per_px else 2
    typer.echo(f"{table.shape[1] - places} genes in {len(table)} spots of {read.section}: {out}")


def _section_of(prediction: Prediction, study: Path) -> Section:
    from gr2st.io.prediction import is_prediction_of
    from gr2st.io.section import read_section
    from gr2st.io.study import read_study

    section = read_section(read_study(study).entry(prediction.section))
    if not is_prediction_of(prediction, section):
        raise DataError(f"The prediction is not of section {section.name} as it lies in {study}: its spots differ.")
    return section


def _settings(path: Path, prediction: Prediction, values: ValuesName, section: Section | None) -> dict[str, Any]:
    from gr2st.io.sidecar import prediction_told, section_told

    told = {"section": prediction.section} if section is None else section_told(section)
    return {"values": values.value, **told, "prediction": str(path.absolute()), **prediction_told(prediction)}
