"""Values per spot as a table: x and y in pixels and micrometres, then a column per gene or map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import keys
from gr2st.errors import DataError, UnknownName
from gr2st.io.sidecar import write_sidecar
from gr2st.io.store import write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from gr2st.types import Float64, Prediction

LAYERS = {"predicted": keys.PREDICTED, "measured": keys.MEASURED_SPOT, "measured-gene": keys.MEASURED_GENE}
"""What of a prediction can be a table: predicted values, measured ones spot-normalised or gene-normalised."""


def spot_table(
    spots: Sequence[str], xy: Float64, um_per_px: float | None, columns: Mapping[str, npt.NDArray[Any]]
) -> pd.DataFrame:
    """A line per spot: its name, its place, and columns (n,) of values or words.

    Parameters
    ----------
    spots : names (n,)
    xy : (n, 2)
        In level-0 pixels.
    um_per_px : float or None
        Without it there are no columns in micrometres.
    """
    import pandas as pd

    places = {"x_px": xy[:, 0], "y_px": xy[:, 1]}
    if um_per_px is not None:
        places |= {"x_um": np.round(xy[:, 0] * um_per_px, 3), "y_um": np.round(xy[:, 1] * um_per_px, 3)}
    return pd.DataFrame({**places, **columns}, index=pd.Index(list(spots), name="spot"))


def prediction_table(
    prediction: Prediction, um_per_px: float | None = None, *, what: str = "predicted", genes: Sequence[str] = ()
) -> pd.DataFrame:
    """Values of a prediction, spots x genes.

    Parameters
    ----------
    what : str
        One of `LAYERS`.
    genes : names
        None: all that are predicted.

    Raises
    ------
    DataError
        No measured values lie beside the prediction.
    UnknownName
        A gene is none of the predicted ones.
    """
    layer, known = LAYERS[what], prediction.genes
    if layer not in prediction.table.layers:
        raise DataError(f"No {what} values lie beside this prediction of {prediction.section}: predict it anew.")
    for gene in genes:
        if gene not in known:
            raise UnknownName.of("gene of this prediction", gene, known)
    chosen = list(genes) or list(known)
    values = prediction.table[:, chosen].layers[layer]
    dense = np.asarray(values.toarray() if hasattr(values, "toarray") else values, np.float32)
    xy = np.asarray(prediction.table.obsm[keys.SPATIAL], np.float64)[:, :2]
    columns = {gene: dense[:, at] for at, gene in enumerate(chosen)}
    return spot_table(list(map(str, prediction.table.obs_names)), xy, um_per_px, columns)


def write_values(path: Path | str, table: pd.DataFrame, settings: Mapping[str, Any]) -> Path:
    """Write a table of values as .csv, and the settings that made it beside it."""
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise DataError(f"Values are a .csv file, not {path.name}: give it that ending.")
    write_csv(path, table, index=True)
    write_sidecar(path, "values", settings)
    return path
