"""Sections in one AnnData file (``.h5ad``, or ``.h5`` by content), the picture in ``uns["spatial"]`` included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from gr2st import keys
from gr2st.errors import DataError
from gr2st.io.count_values import check_counts
from gr2st.io.geometry import (
    VISIUM_PITCH_UM,
    VISIUM_SPOT_UM,
    are_positions,
    fit_lattice,
    grid_from_positions,
    nearest_spacing,
)
from gr2st.io.h5ad_picture import choose_picture
from gr2st.io.hdf5 import opened, read_anndata
from gr2st.io.tables import (
    Found,
    Reading,
    Report,
    build_table,
    note_empty_spots,
    plural,
    repeated,
    some,
)
from gr2st.io.tenx import gene_table
from gr2st.types import SectionEntry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData

    from gr2st.types import Float64, Int64

LAYOUT = "h5ad"
SUFFIXES = (".h5ad", ".h5")
_PLACES = (keys.ARRAY_ROW, keys.ARRAY_COL, "in_tissue")
_COUNTS_LAYERS = ("counts", "raw_counts")
_ID_COLUMNS = ("gene_id", "gene_ids", "ensembl_id", "ensembl_ids")
_SYMBOL_COLUMNS = ("gene_symbol", "gene_symbols", "feature_name", "gene_name", "SYMBOL")
_VISIUM_RATIO = (1.3, 1.9)
"""Spot distance over spot diameter as Space Ranger states it (100 um over 55 to 70 um), with some play."""


def find(path: Path) -> Found:
    """The section in an AnnData file, or those of a folder of such files; nothing is loaded."""
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in SUFFIXES and p.is_file())
    found = Found()
    for file in files:
        if file.name.startswith("."):
            continue
        reason = why_no_section(file)
        if reason and (file.suffix == ".h5ad" or file == path):
            found.notes.append(reason)
        elif not reason:
            found.entries.append(SectionEntry(name=file.stem, patient=None, path=file, layout=LAYOUT))
    return found


def why_no_section(path: Path) -> str:
    """Why a file is no section in AnnData form, "" where it is one."""
    try:
        with opened(path) as file:
            groups, is_prediction = set(file), f"uns/{keys.PROVENANCE}" in file
    except DataError as error:
        return str(error)
    if is_prediction:
        return f"{path.name} is a prediction made by GR2ST, not a section with counts."
    if "matrix" in groups:
        return f"{path.name} is a 10x count matrix without positions; give the Space Ranger folder round it instead."
    if not {"obs", "var"} <= groups:
        return f"{path.name} is no AnnData file: obs and var are wanted, it holds {some(sorted(groups)) or 'nothing'}."
    return ""


def read(entry: SectionEntry, report: Report) -> Reading | None:
    """Read counts, positions and picture of an AnnData file; None where a problem was reported."""
    adata = report.attempt(_load, entry.path)
    if adata is None:
        return None
    counts, source = _counts(adata, entry.path.name, report)
    xy = report.attempt(_positions, adata, entry.path)
    library = report.attempt(_library, adata, entry.path)
    if twice := repeated(map(str, adata.obs_names)):
        report.problems.append(f"{entry.path.name} names {plural(len(twice), 'spot')} more than once: {some(twice)}.")
    keep = _on_tissue(adata, report)
    if xy is None or library is None or report.problems:
        return None
    factors = _factors(library)
    geometry = report.attempt(_geometry, adata, xy, keep, factors, report)
    if geometry is None:
        return None
    rows = np.flatnonzero(keep)
    table = build_table(
        counts[rows],
        [str(name) for name in adata.obs_names[rows]],
        _genes(source, report),
        (geometry.array[rows, 1].tolist(), geometry.array[rows, 0].tolist()),
        xy[rows],
    )
    for name in _classes(adata.obs):
        table.obs[name] = adata.obs[name].array[rows]
    note_empty_spots(table, report)
    return _with_picture(table, geometry, library, factors, entry, report)


def _classes(obs: pd.DataFrame) -> list[str]:
    """The label, and columns that put each spot into a class: clusters, cell types, and what else is categorical."""
    columns = [name for name in map(str, obs) if name not in _PLACES]
    return [name for name in columns if name == keys.LABEL or obs[name].dtype == "category"]


def _load(path: Path) -> AnnData:
    if reason := why_no_section(path):
        raise DataError(reason)
    return read_anndata(path)


def _counts(adata: AnnData, where: str, report: Report) -> tuple[sparse.csr_matrix, pd.DataFrame]:
    """Raw counts and their gene table: a counts layer, else ``raw``, else ``X``; the first that holds counts."""
    sources: list[tuple[str, Any, pd.DataFrame]] = [
        (f"layers[{name!r}]", adata.layers[name], adata.var) for name in _COUNTS_LAYERS if name in adata.layers
    ]
    if adata.raw is not None:
        sources.append(("raw.X", adata.raw.X, adata.raw.var))
    if adata.X is not None:
        sources.append(("X", adata.X, adata.var))
    for name, values, var in sources:
        matrix = sparse.csr_matrix(values)
        trial = Report(name)
        check_counts(matrix, list(adata.obs_names), list(var.index), name, trial)
        if not trial.problems:
            if name != sources[-1][0]:
                report.notes.append(f"Counts of {where} taken from {name}.")
            return matrix, var
    if not sources:
        report.problems.append(
            f"{where} holds no counts: X, raw or layers['counts'] is wanted, and it has none of them. Write the file "
            "again with its counts."
        )
        return sparse.csr_matrix(adata.shape), adata.var
    check_counts(matrix, list(adata.obs_names), list(var.index), f"{name} of {where}", report)
    return matrix, var


def _positions(adata: AnnData, path: Path) -> Float64:
    if keys.SPATIAL not in adata.obsm:
        raise DataError(
            f"{path.name} has counts but no positions: obsm['{keys.SPATIAL}'] is wanted; obsm holds "
            f"{some(adata.obsm.keys()) or 'nothing'}. Put x and y of each spot there, in full-resolution pixels."
        )
    values = np.asarray(adata.obsm[keys.SPATIAL])
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "iuf":
        raise DataError(
            f"obsm['{keys.SPATIAL}'] of {path.name} should hold x, y per spot; its shape is {values.shape}."
        )
    xy: Float64 = values[:, :2].astype(np.float64)
    broken = int((~are_positions(xy)).sum())
    if broken:
        raise DataError(
            f"obsm['{keys.SPATIAL}'] of {path.name} places {plural(broken, 'spot')} nowhere: x or y is NaN, "
            "infinite or larger than any slide. Mend these spots or take them out."
        )
    return xy


def _library(adata: AnnData, path: Path) -> Mapping[str, Any]:
    """The one library of ``uns["spatial"]``, empty where there is none."""
    libraries = adata.uns.get(keys.SPATIAL, {})
    if not hasattr(libraries, "keys"):
        return {}
    if len(libraries) > 1:
        raise DataError(f"{path.name} holds {len(libraries)} sections ({some(libraries)}); write one file per section.")
    only: Any = next(iter(libraries.values()), {})
    return only if hasattr(only, "keys") else {}


def _factors(library: Mapping[str, Any]) -> dict[str, float]:
    stated: Mapping[str, Any] = library.get("scalefactors", {})
    numeric = {str(name): float(value) for name, value in stated.items() if isinstance(value, int | float | np.number)}
    return {name: value for name, value in numeric.items() if value > 0}


def _on_tissue(adata: AnnData, report: Report) -> Any:
    if "in_tissue" not in adata.obs:
        return np.ones(adata.n_obs, bool)
    keep = adata.obs["in_tissue"].astype(str).isin(["1", "1.0", "True"]).to_numpy()
    if not keep.all():
        report.notes.append(f"{plural(int((~keep).sum()), 'spot')} off the tissue left out.")
    if not keep.any():
        report.problems.append("No spot is marked as in tissue.")
    return keep


@dataclass(frozen=True, eq=False, slots=True)
class _Geometry:
    """Array column and row (n, 2), the step in full-resolution pixels and what it says in micrometres."""

    array: Int64
    pitch: float
    um_per_px: float | None
    source: str
    spot_um: float | None


def _geometry(adata: AnnData, xy: Float64, keep: Any, factors: Mapping[str, float], report: Report) -> _Geometry:
    if {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(adata.obs.columns):
        array = adata.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(np.float64)
        if not are_positions(array).all():
            raise DataError("obs['array_row'] and obs['array_col'] hold cells that are no number.")
        cells = array.astype(np.int64)
        lattice = fit_lattice(cells[keep], xy[keep])
        return _in_um(cells, lattice.pitch, factors, is_visium=lattice.is_hexagonal)
    pitch = nearest_spacing(xy[keep])
    report.notes.append(
        "The file has no array coordinates; rows and columns are counted in half spot distances, and the spot distance "
        f"is the median of the nearest ones ({pitch:.1f} full-resolution px)."
    )
    rows, columns = grid_from_positions(xy, pitch)
    ratio = pitch / factors.get("spot_diameter_fullres", np.inf)
    is_visium = _VISIUM_RATIO[0] <= ratio <= _VISIUM_RATIO[1]
    return _in_um(np.column_stack([columns, rows]), pitch, factors, is_visium=is_visium)


def _in_um(array: Int64, pitch: float, factors: Mapping[str, float], *, is_visium: bool) -> _Geometry:
    if "microns_per_pixel" in factors:
        spot = factors.get("bin_size_um")
        return _Geometry(array, pitch, factors["microns_per_pixel"], "microns_per_pixel of uns['spatial']", spot)
    if is_visium:
        source = f"array pitch of {VISIUM_PITCH_UM:g} µm"
        return _Geometry(array, pitch, VISIUM_PITCH_UM / pitch, source, VISIUM_SPOT_UM)
    return _Geometry(array, pitch, None, "unknown", None)


def _genes(var: pd.DataFrame, report: Report) -> pd.DataFrame:
    """Gene table with unique symbols and, where the file has them, identifiers."""
    names = [str(name) for name in var.index]
    symbols = _column(var, _SYMBOL_COLUMNS)
    if symbols is not None and all(name.startswith("ENS") for name in names):
        return gene_table(names, symbols, report)
    return gene_table(_column(var, _ID_COLUMNS), names, report)


def _column(var: pd.DataFrame, names: tuple[str, ...]) -> list[str] | None:
    present = next((name for name in names if name in var), None)
    return None if present is None else [str(value) for value in var[present]]


def _with_picture(
    table: AnnData,
    geometry: _Geometry,
    library: Mapping[str, Any],
    factors: Mapping[str, float],
    entry: SectionEntry,
    report: Report,
) -> Reading:
    """The reading in pixels of the picture: the one named by the user, else the best inside the file."""
    picture = None
    if "image" not in entry.parts:
        picture = choose_picture(library.get("images", {}), factors, table.obsm[keys.SPATIAL], entry.path, report)
    scale = 1.0 if picture is None else picture.scale
    table.obsm[keys.SPATIAL] = table.obsm[keys.SPATIAL] * scale
    return Reading(
        table=table,
        grid_pitch=geometry.pitch * scale,
        um_per_px=None if geometry.um_per_px is None else geometry.um_per_px / scale,
        um_per_px_source=geometry.source,
        spot_diameter_um=geometry.spot_um,
        image=entry.parts.get("image"),
        slide=None if picture is None else picture.slide,
    )
