"""npe2 writer: the prediction behind a heatmap -> a copy as .h5ad, or its values as .csv."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gr2st_napari._opening import Opened


def write_prediction(path: str, _data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the prediction a layer shows.

    Parameters
    ----------
    path : str
        ``.h5ad``: everything, as `gr2st predict` writes it. ``.csv``: predicted values, spots x genes, with the places
        of the spots, and the settings beside it.
    attributes
        Of a Points layer, as napari hands them over.

    Raises
    ------
    DataError
        The layer shows no prediction.
    """
    from gr2st import DataError, prediction_table, prediction_told, save_prediction, section_told, write_values

    opened = _opened_in(attributes)
    prediction = None if opened is None else opened.prediction
    if opened is None or prediction is None:
        raise DataError(
            f"The layer {attributes.get('name', '')!r} shows no prediction: select a heatmap of the Genes dock."
        )
    if Path(path).suffix == ".csv":
        section = opened.section
        told = {"section": opened.name} if section is None else section_told(section)
        table = prediction_table(prediction, None if section is None else section.um_per_px)
        write_values(path, table, {**told, **prediction_told(prediction)})
    else:
        save_prediction(prediction, Path(path))
    return [path]


def _opened_in(attributes: dict[str, Any]) -> Opened | None:
    found: Opened | None = attributes.get("metadata", {}).get("gr2st", {}).get("opened")
    return found
