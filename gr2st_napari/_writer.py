"""npe2 writer: the prediction behind a heatmap -> a copy as .h5ad, or its values as .csv."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gr2st import Prediction


def write_prediction(path: str, _data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write the prediction a layer shows.

    Parameters
    ----------
    path : str
        ``.h5ad``: everything, as `gr2st predict` writes it. ``.csv``: predicted values, spots x genes.
    attributes
        Of a Points layer, as napari hands them over.

    Raises
    ------
    DataError
        The layer shows no prediction.
    """
    from gr2st import DataError, save_prediction, write_csv

    prediction = _prediction_in(attributes)
    if prediction is None:
        raise DataError(
            f"The layer {attributes.get('name', '')!r} shows no prediction: select a heatmap of the Genes dock."
        )
    if Path(path).suffix == ".csv":
        from gr2st import keys

        write_csv(path, prediction.table.to_df(layer=keys.PREDICTED), index=True)
    else:
        save_prediction(prediction, Path(path))
    return [path]


def _prediction_in(attributes: dict[str, Any]) -> Prediction | None:
    opened = attributes.get("metadata", {}).get("gr2st", {}).get("opened")
    return None if opened is None else opened.prediction
