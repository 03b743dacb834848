"""Prediction files: .h5ad with the predicted layer, the graphs and where they came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import keys
from gr2st.errors import DataError, RecipeMismatch
from gr2st.io.hdf5 import opened, read_anndata
from gr2st.io.store import write_h5ad
from gr2st.types import Prediction

if TYPE_CHECKING:
    from anndata import AnnData

    from gr2st.types import Section

SPACE_NAMES = {"spot": "spot-normalised", "gene": "gene-normalised", "mixed": "mixed scale"}
"""How an expression space is called on screen and in files."""


def save_prediction(prediction: Prediction, path: Path) -> Path:
    """Write a prediction as .h5ad, under a temporary name first."""
    write_h5ad(path, prediction.table)
    return path


SAME_PLACE_PX = 1.0


def read_prediction(path: Path | str, *, in_memory: bool = True) -> Prediction:
    """Read a prediction file.

    Parameters
    ----------
    path : Path or str
    in_memory : bool
        Without, the values of a slide's prediction (gigabytes, perhaps) stay in the file, which is kept open: its layer
        "predicted" is an `h5py.Dataset` that is read where it is indexed, quickly by gene, and ``X`` is None.

    Raises
    ------
    DataError
        The file is no prediction, or cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"There is no prediction file at {path}. Make one with `gr2st predict`.")
    try:
        table = read_anndata(path) if in_memory or not is_of_slide(path) else _left_in_file(path)
    except DataError as error:
        raise DataError(f"No prediction can be read from {path}. {error} `gr2st predict` writes one.") from error
    if keys.PREDICTED not in table.layers or keys.PROVENANCE not in table.uns:
        raise DataError(
            f"{path} is an .h5ad file but no prediction: layers[{keys.PREDICTED!r}] or uns[{keys.PROVENANCE!r}] "
            "is missing. Make one with `gr2st predict`."
        )
    provenance = table.uns[keys.PROVENANCE]
    if int(provenance["format"]) > keys.FORMAT:
        raise RecipeMismatch(f"{path} has format {provenance['format']}; this version reads up to {keys.FORMAT}.")
    return Prediction(section=str(provenance["section"]), model=str(provenance["model"]), table=table)


def is_of_slide(path: Path | str) -> bool:
    """Whether a file holds a prediction on a grid laid over a slide; DataError where it cannot be read."""
    with opened(Path(path)) as file:
        return f"uns/{keys.PROVENANCE}/{keys.VIRTUAL}" in file


def _left_in_file(path: Path) -> AnnData:
    """The table of a prediction, its values not read."""
    import h5py
    from anndata import AnnData
    from anndata.io import read_elem

    with opened(path) as file:
        parts: dict[str, Any] = {name: read_elem(file[name]) for name in ("obs", "var", "obsm", "obsp", "uns")}
        layers = {name: read_elem(file["layers"][name]) for name in file["layers"] if name != keys.PREDICTED}
    # Open for as long as the table lives: h5py closes it with the last dataset.
    layers[keys.PREDICTED] = h5py.File(path, "r")[f"layers/{keys.PREDICTED}"]
    return AnnData(**parts, layers=layers)


def is_prediction(path: Path) -> bool:
    """Whether an .h5ad file holds a prediction; False for any other path, readable or not."""
    import h5py

    if path.suffix.lower() != ".h5ad" or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path) as file:
            return f"layers/{keys.PREDICTED}" in file and f"uns/{keys.PROVENANCE}" in file
    except OSError:
        return False


def is_prediction_of(prediction: Prediction, section: Section) -> bool:
    """Whether a prediction was made for this section: its spots are there, in the same places.

    Names alone do not tell: the arrays of legacy sections are all numbered alike, and files are renamed.
    """
    import pandas as pd

    names, predicted_names = (pd.Index(table.obs_names) for table in (section.table, prediction.table))
    # To look half a million names up takes a fifth of a second the first time, to compare them none.
    is_same = names.equals(predicted_names)
    here = np.arange(len(names)) if is_same else names.get_indexer(predicted_names)
    found = here >= 0
    if not found.any():
        return False
    places = np.asarray(section.table.obsm[keys.SPATIAL])[here[found]]
    predicted = np.asarray(prediction.table.obsm[keys.SPATIAL])[found]
    return bool(np.abs(places - predicted).max() < SAME_PLACE_PX)
