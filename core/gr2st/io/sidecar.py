"""The settings that made a file, beside it: `C4.svg` has `C4.svg.json`."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import __version__, keys
from gr2st.io.store import write_json

if TYPE_CHECKING:
    from gr2st.types import Prediction, Section

MOST_ENTRIES = 64
"""Longer lists of a provenance (rows of the bank, one per spot) stay in the prediction file."""


def sidecar_of(path: Path | str) -> Path:
    """Where the settings of a file stand."""
    path = Path(path)
    return path.with_name(f"{path.name}.json")


def write_sidecar(path: Path | str, what: str, settings: Mapping[str, Any]) -> Path:
    """Write what a file is and the settings that made it beside the file, with versions and time.

    Parameters
    ----------
    path : Path
        The file; its sidecar has the same name and `.json`.
    what : str
        "figure", "values" or "report".
    settings : mapping
        As JSON holds it.
    """
    target = sidecar_of(path)
    told = {"format": keys.FORMAT, "file": Path(path).name, "what": what, **settings, **_now()}
    write_json(target, told)
    return target


def section_told(section: Section) -> dict[str, Any]:
    """A section as a sidecar tells it: name, patient, slide and scale."""
    slide = section.slide
    return {
        "section": section.name,
        "patient": section.patient,
        "spots": section.n_spots,
        "slide": None if slide is None else str(slide.path),
        "um_per_px": section.um_per_px,
        "um_per_px_source": section.um_per_px_source,
        "spot_diameter_um": section.spot_diameter_um,
    }


def prediction_told(prediction: Prediction) -> dict[str, Any]:
    """A prediction as a sidecar tells it: its model, and its provenance without the long lists."""
    provenance = _plain(prediction.table.uns.get(keys.PROVENANCE, {}))
    return {"model": prediction.model, "genes_predicted": len(prediction.genes), "provenance": provenance}


def _now() -> dict[str, Any]:
    import matplotlib
    import pandas as pd

    versions = {"gr2st": __version__, "python": platform.python_version(), "numpy": np.__version__}
    return {
        "versions": {**versions, "pandas": pd.__version__, "matplotlib": matplotlib.__version__},
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _plain(value: Any) -> Any:
    """A value of a provenance as JSON holds it; entries that are too long are left out."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items() if _is_short(one)}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in np.asarray(value, dtype=object).tolist()]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def _is_short(value: Any) -> bool:
    return not isinstance(value, np.ndarray | list | tuple) or len(value) <= MOST_ENTRIES
