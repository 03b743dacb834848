"""`prepare`: one section and a recipe in, all that a model may be shown out. The one place that chains the rooms."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from gr2st import keys
from gr2st.cells.source import spot_cells_of
from gr2st.encoders.cache import encode_section
from gr2st.encoders.weights import encoder_version
from gr2st.errors import DataError
from gr2st.preprocess.appearance import appearance_of
from gr2st.preprocess.genes import counts_of
from gr2st.preprocess.normalise import gene_normalise, spot_normalise
from gr2st.registry import ENCODERS
from gr2st.types import Float32, Float64, Int64, Prepared, Progress

if TYPE_CHECKING:
    from gr2st.config import Recipe
    from gr2st.types import Section, Slide, SpotCells, Steps

ALL = frozenset({"features", "grid", "position", "cell_type", "spot_expression", "gene_expression", "depth"})
MEASURED = frozenset({"spot_expression", "gene_expression", "depth"})
"""Fields made from the counts of the section itself; `predict` gets none of them."""


def prepare(section: Section, recipe: Recipe, *, needs: frozenset[str] = ALL, device: str = "cpu") -> Steps[Prepared]:
    """Turn a section into what the recipe says a model sees.

    Parameters
    ----------
    section : Section
    recipe : Recipe
    needs : set of str
        Fields to fill; patches are encoded only for "features", counts are read only for the measured fields, cell
        types and their proportions only for "cell_type".
    device : str
        Where an encoder with weights runs.

    Returns
    -------
    Prepared
        Fields that were not asked for are None.

    Raises
    ------
    DataError
        The section has no image although features are needed, no scale, lacks genes of the recipe, or has no cell
        types although the recipe takes them from files.
    WeightsMissing
        The weights of the recipe's encoder are not on this machine.
    """
    digests = {"recipe": recipe.digest()}
    # Counts first: an unknown gene is found before minutes of encoding.
    measured = _measured(section, recipe) if needs & MEASURED else {}
    if measured:
        digests["counts"] = values_digest(measured["counts"])
    cells = (yield from _cells(section, recipe)) if "cell_type" in needs else None
    if cells is not None:
        digests["cells"] = values_digest(cells.cell_type)
    appearance = appearance_of(section) if "features" in needs else None
    features = (yield from _features(section, recipe, device, digests)) if "features" in needs else None
    pixel, grid = _positions(section)
    return Prepared(
        section=section.name,
        patient=section.patient,
        spots=section.spot_names,
        pixel=pixel,
        grid=grid,
        position=array_positions(grid, pixel, section.grid_pitch),
        features=features,
        cell_type=None if cells is None else cells.cell_type,
        cell_share=None if cells is None else cells.cell_share,
        spot_expression=measured.get("spot_expression"),
        gene_expression=measured.get("gene_expression"),
        depth=measured.get("depth"),
        digests=digests,
        appearance=appearance,
    )


def _features(section: Section, recipe: Recipe, device: str, digests: dict[str, str]) -> Steps[Float32]:
    """Patch features of a section; what they were made from is added to `digests`."""
    slide = _slide_of(section)
    digests["image"] = slide.digest()
    digests["encoder"] = encoder_identity(recipe.encoder)
    features = yield from encode_section(
        slide,
        np.asarray(section.table.obsm[keys.SPATIAL]),
        recipe=recipe,
        um_per_px=section.um_per_px,
        section=section.name,
        device=device,
    )
    slide.close()
    return features


def _cells(section: Section, recipe: Recipe) -> Steps[SpotCells | None]:
    """Cell types as the recipe wants them; what the user should know of them goes into the progress."""
    cells = yield from spot_cells_of(section, recipe.cell_types, recipe.patch)
    if cells is not None and cells.notes:
        yield Progress(f"Cell types of {section.name}", 1, 1, "; ".join(cells.notes))
    return cells


def why_without_picture(section: Section) -> str:
    """Why no model can be shown this section, with what was noticed when its pictures were looked at."""
    noticed = f" {' '.join(section.notes)}" if section.notes else ""
    return (
        f"Section {section.name} has no picture that patches can be cut from.{noticed} Put its picture beside the "
        "counts, or name it in the image column of study.csv."
    )


def encoder_identity(name: str) -> str:
    """Name, version and weights of an encoder: what must agree between a model and the section it predicts.

    Raises
    ------
    UnknownName
        No encoder has this name.
    WeightsMissing
        Its weights are not on this machine.
    """
    spec = ENCODERS[name]
    return f"{spec.name}/{encoder_version(spec)}"


def array_positions(grid: Int64, pixel: Float64, pitch: float) -> Float64:
    """Spot positions (n, 2) in units of the array step, so that neighbouring spots are 1 apart.

    A square array (legacy ST) has its own coordinates in just these units, free of the printer's jitter; on any other
    array (hexagonal Visium, interleaved 2k arrays) the pixel positions are divided by the pitch.
    """
    if _is_square(grid):
        return grid.astype(np.float64)
    return pixel / pitch


def _is_square(grid: Int64) -> bool:
    """Whether most spots have a neighbour one step away along an axis of the array."""
    if len(grid) < 2:
        return True
    distance = np.asarray(cKDTree(grid).query(grid, k=2)[0])
    return bool(np.median(distance[:, 1]) == 1.0)


def _slide_of(section: Section) -> Slide:
    if section.slide is None:
        raise DataError(why_without_picture(section))
    return section.slide


def _measured(section: Section, recipe: Recipe) -> dict[str, Float32]:
    counts = counts_of(section.table, recipe.genes)
    return {
        "counts": counts,
        "spot_expression": spot_normalise(counts),
        "gene_expression": gene_normalise(counts),
        "depth": counts.sum(axis=1, dtype=np.float64).astype(np.float32),
    }


def _positions(section: Section) -> tuple[Float64, Int64]:
    pixel = np.asarray(section.table.obsm[keys.SPATIAL], dtype=np.float64)
    obs = section.table.obs
    grid = np.column_stack([obs[keys.ARRAY_COL], obs[keys.ARRAY_ROW]]).astype(np.int64)
    return pixel, grid


def values_digest(values: Float32 | Int64) -> str:
    """Sixteen hex digits that change with any value."""
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]
