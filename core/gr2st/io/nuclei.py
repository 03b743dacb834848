"""Files of nuclei: HoVer-Net's JSON, its QuPath table, and GeoJSON as QuPath exports it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st.errors import DataError
from gr2st.io.cell_names import classes_of_names, classes_of_numbers
from gr2st.io.geojson import FEATURES, nuclei_of_features
from gr2st.io.tables import numbers, read_frame, read_text, some
from gr2st.types import Nuclei

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

SUFFIXES = (".json", ".geojson", ".tsv")
"""Endings of files of nuclei, in the order in which a folder is searched."""
_COLUMNS = ("x", "y", "name")


@dataclass(frozen=True, eq=False, slots=True)
class NucleiFile:
    """Nuclei of one file, in the pixels the file counts.

    ``magnification`` is that of these pixels where the file says so (HoVer-Net on whole slides), else None;
    ``notes`` tell what was left out.
    """

    nuclei: Nuclei
    magnification: float | None = None
    notes: tuple[str, ...] = ()


def read_nuclei(path: Path) -> NucleiFile:
    """Read a file of nuclei; what it is, is decided by its content.

    Parameters
    ----------
    path : Path
        HoVer-Net's JSON (``{"mag": ..., "nuc": {"1": {"centroid": [x, y], "type": 1, ...}}}``), a table with the
        columns x, y and name as HoVer-Net writes it for QuPath, or a GeoJSON FeatureCollection. Packed or not.

    Returns
    -------
    NucleiFile
        Possibly without any nucleus.

    Raises
    ------
    DataError
        None of these, no finite centroids, classes that are not known, or nuclei without a class in the JSON.
    """
    text = read_text(path)
    if text.lstrip()[:1] not in "{[":
        return _of_table(path)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path.name} is not readable as JSON ({error}); it may be cut off.") from error
    if isinstance(content, Mapping) and isinstance(content.get("nuc"), Mapping):
        return _of_hovernet(path.name, content)
    if isinstance(content, list) or (isinstance(content, Mapping) and FEATURES in content):
        return NucleiFile(*nuclei_of_features(path.name, content))
    raise DataError(
        f"{path.name} is JSON, but neither HoVer-Net's (an object with 'nuc') nor GeoJSON (a FeatureCollection)."
    )


def _of_hovernet(where: str, content: Mapping[str, Any]) -> NucleiFile:
    found = content["nuc"].values()
    try:
        xy = [nucleus["centroid"] for nucleus in found]
        kinds = [nucleus["type"] for nucleus in found]
    except (KeyError, TypeError) as error:
        raise DataError(f"{where} has nuclei without a centroid or a type; HoVer-Net writes both.") from error
    magnification = content.get("mag")
    return NucleiFile(
        Nuclei(as_positions(xy, where), np.array(classes_of_numbers(kinds, where), np.int64)),
        None if magnification is None else _magnification(magnification, where),
    )


def _magnification(value: object, where: str) -> float:
    if isinstance(value, int | float) and np.isfinite(value) and value > 0:
        return float(value)
    raise DataError(f"{where} has the magnification {value!r}; a positive number is wanted.")


def _of_table(path: Path) -> NucleiFile:
    frame = read_frame(path, text=("name", "class"))
    missing = [column for column in _COLUMNS if column not in frame]
    if missing:
        raise DataError(
            f"{path.name} is no table of nuclei: it lacks {' and '.join(missing)}; its columns are "
            f"{some(map(repr, frame.columns), 8)}. HoVer-Net writes x, y, class, name and color."
        )
    xy = np.column_stack([numbers(frame, "x"), numbers(frame, "y")])
    kinds = classes_of_names(_texts(frame["name"]), path.name)
    return NucleiFile(Nuclei(as_positions(xy, path.name), np.array(kinds, np.int64)))


def _texts(column: pd.Series[Any]) -> list[str]:
    return column.fillna("").astype(str).tolist()


def as_positions(values: Sequence[Any] | np.ndarray[Any, Any], where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Centroids (n, 2) float64; DataError where one is no pair of finite numbers."""
    try:
        xy = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} has centroids that are no pairs of numbers.") from error
    xy = xy.reshape(0, 2) if not xy.size else xy
    if xy.ndim != 2 or xy.shape[1] != 2 or not np.isfinite(xy).all():
        raise DataError(f"{where} has centroids that are no pairs of finite numbers.")
    return xy
