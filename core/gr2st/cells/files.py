"""Cell types from files: a table per spot, one file of nuclei per patch, or one file for the whole slide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.cells.aggregate import counts_in_windows, counts_of_kinds, spot_cells
from gr2st.cells.cache import TilesKey, read_counts, write_counts
from gr2st.errors import DataError, StorageError
from gr2st.io.geometry import inside_image
from gr2st.io.nuclei import SUFFIXES, NucleiFile, read_nuclei
from gr2st.io.spot_types import SpotTypes, is_spot_types, read_spot_types
from gr2st.io.tables import plural, some
from gr2st.preprocess.patches import level_0_per_pixel
from gr2st.types import CELL_CLASSES, Nuclei, Progress, SpotCells

if TYPE_CHECKING:
    from gr2st.config import PatchConfig
    from gr2st.types import Int64, Section, Steps

SOURCE = "files"
OBJECTIVE_UM = 10.0
"""Micrometres per pixel times magnification, nearly: 0.25 at 40x."""
_RATIOS = (0.25, 0.5, 1.0, 2.0, 4.0)
_RATIO_TOLERANCE = 0.1
_MOST_OUTSIDE = 0.01
_SUBFOLDERS = ("json", "qupath")
"""Folders that HoVer-Net makes in its output folder; both hold the same nuclei."""
_STEP = 50


def cells_from_files(section: Section, patch: PatchConfig) -> Steps[SpotCells]:
    """Cell types of a section from what the column ``cells`` of its study.csv names.

    In this order: a table with the columns spot and type (or a folder with `keys.SPOT_TYPES`); a folder with one file
    of nuclei per spot, named by the spot (HoVer-Net's tile mode: all nuclei of a file belong to its spot); one file of
    nuclei in level-0 pixels of the whole slide, counted in the window of the recipe's patch round each spot.

    Parameters
    ----------
    section : Section
    patch : PatchConfig
        Decides the window, for whole slides only.

    Raises
    ------
    DataError
        The section names no cell types, or what it names cannot be read or belongs elsewhere.
    """
    path = _named(section)
    yield Progress(_stage(section), 0, 1)
    if (table := _table_at(path)) is not None:
        return _of_table(read_spot_types(table), section, table)
    tiles, notes = _tiles(path, section) if path.is_dir() else ({}, ())
    if tiles:
        return (yield from _of_tiles(tiles, section, notes))
    return _of_slide(_slide_file(path), section, patch)


def _named(section: Section) -> Path:
    if section.cells is None:
        raise DataError(
            f"Section {section.name} has no cell types, but the recipe takes them from files. Name HoVer-Net's results "
            "in the column cells of study.csv, or choose cell types 'estimate' or 'none'."
        )
    if not section.cells.exists():
        raise DataError(f"The cell types of section {section.name} were not found: {section.cells} does not exist.")
    return section.cells


def _table_at(path: Path) -> Path | None:
    inside = path / keys.SPOT_TYPES
    if inside.is_file():
        return inside
    return path if path.is_file() and is_spot_types(path) else None


def _of_table(table: SpotTypes, section: Section, path: Path) -> SpotCells:
    row = {spot: number for number, spot in enumerate(table.spots)}
    notes = _missing(section, row, f"row in {path.name}")
    if table.is_estimate:
        notes += (f"The cell types in {path.name} are an estimate from the picture.",)
    places = np.array([row.get(spot, len(row)) for spot in section.spot_names])
    kinds = np.array([*table.cell_type, 0], np.int64)[places]
    if table.cell_share is None:
        return SpotCells(kinds, None, SOURCE, notes)
    empty = np.zeros((1, len(CELL_CLASSES)), np.float32)
    return SpotCells(kinds, np.concatenate([table.cell_share, empty])[places], SOURCE, notes)


def _missing(section: Section, known: Mapping[str, object], what: str) -> tuple[str, ...]:
    """A note on the spots without cell types, which count as nolabe as published; an error where most have none."""
    lacking = [spot for spot in section.spot_names if spot not in known]
    if not lacking:
        return ()
    told = f"{len(lacking)} of {plural(section.n_spots, 'spot')} of {section.name} have no {what}"
    if 2 * len(lacking) > section.n_spots:
        raise DataError(
            f"{told}: {some(lacking)}. The cell types seem to be of another section; found {some(sorted(known), 3)}."
        )
    return (f"{told} and count as nolabe: {some(lacking)}.",)


def _nuclei_files(folder: Path) -> list[Path]:
    """Files of nuclei in a folder of HoVer-Net's output, of one kind only: JSON before QuPath's formats."""
    folders = [folder, *(folder / name for name in _SUBFOLDERS)]
    for place in folders:
        for suffix in SUFFIXES:
            if files := sorted(place.glob(f"*{suffix}")):
                return files
    raise DataError(
        f"{folder} holds no cell types: looked for {keys.SPOT_TYPES} and for {', '.join(SUFFIXES)} files in it and in "
        f"its folders {' and '.join(_SUBFOLDERS)}."
    )


def _tiles(folder: Path, section: Section) -> tuple[dict[str, Path], tuple[str, ...]]:
    """File of each spot, and a note on other files; no file where the folder holds one for the whole slide."""
    files = _nuclei_files(folder)
    spots = set(section.spot_names)
    tiles = {path.stem: path for path in files if path.stem in spots}
    if not tiles and len(files) > 1:
        raise DataError(
            f"{folder} holds {len(files)} files of nuclei, none named by a spot of section {section.name}: found "
            f"{some((path.name for path in files), 3)}, wanted names such as {section.spot_names[0]}{files[0].suffix}."
        )
    others = [path.name for path in files if path.stem not in spots]
    notes = (f"Files of {folder.name} named by no spot of {section.name}, not used: {some(others)}.",) if others else ()
    return tiles, notes


def _of_tiles(tiles: Mapping[str, Path], section: Section, notes: tuple[str, ...]) -> Steps[SpotCells]:
    notes += _missing(section, tiles, "file of nuclei")
    key = TilesKey.of([tiles.get(spot) for spot in section.spot_names])
    counts = read_counts(key)
    if counts is None:
        counts = yield from _counted(tiles, section)
        yield Progress(_stage(section), section.n_spots, section.n_spots, _kept(key, counts))
    return spot_cells(counts, SOURCE, notes)


def _counted(tiles: Mapping[str, Path], section: Section) -> Steps[Int64]:
    counts = np.zeros((section.n_spots, len(CELL_CLASSES)), np.int64)
    for row, spot in enumerate(section.spot_names):
        if spot in tiles:
            counts[row] = counts_of_kinds(read_nuclei(tiles[spot]).nuclei.kind)
        if row % _STEP == 0:
            yield Progress(_stage(section), row, section.n_spots)
    return counts


def _kept(key: TilesKey, counts: Int64) -> str:
    try:
        write_counts(key, counts)
    except StorageError as error:
        return f"not kept for the next time: {error}"
    return ""


def _stage(section: Section) -> str:
    return f"Reading cell types of {section.name}"


def _slide_file(path: Path) -> Path:
    return _nuclei_files(path)[0] if path.is_dir() else path


def _of_slide(path: Path, section: Section, patch: PatchConfig) -> SpotCells:
    read = read_nuclei(path)
    nuclei, notes = _on_level_0(read, section, path.name)
    _check_frame(nuclei, section, path.name)
    side = patch.size_px * level_0_per_pixel(patch, section.um_per_px, section.name)
    counts = counts_in_windows(nuclei, np.asarray(section.table.obsm[keys.SPATIAL], np.float64), side)
    if len(nuclei) and not counts.any():
        raise DataError(f"None of the {len(nuclei)} nuclei of {path.name} lies at a spot of section {section.name}.")
    return spot_cells(counts, SOURCE, (*read.notes, *notes))


def _on_level_0(read: NucleiFile, section: Section, where: str) -> tuple[Nuclei, tuple[str, ...]]:
    """Nuclei in level-0 pixels: HoVer-Net counts whole slides at the magnification it worked at."""
    if read.magnification is None:
        return read.nuclei, ()
    if section.um_per_px is None:
        return read.nuclei, (
            f"{where} counts pixels at {read.magnification:g}x; taken as level 0, for the slide's scale is not known.",
        )
    exact = OBJECTIVE_UM / section.um_per_px / read.magnification
    ratio = min(_RATIOS, key=lambda known: abs(np.log(exact / known)))
    if abs(exact / ratio - 1) > _RATIO_TOLERANCE:
        raise DataError(
            f"{where} counts pixels at {read.magnification:g}x, but section {section.name} has {section.um_per_px:.3g} "
            f"um/px, about {OBJECTIVE_UM / section.um_per_px:.3g}x: the two do not differ by a power of two. "
            "Give centroids in level-0 pixels (a QuPath table or GeoJSON), or correct um_per_px."
        )
    notes = () if ratio == 1 else (f"{where} counts pixels at {read.magnification:g}x; multiplied by {ratio:g}.",)
    return Nuclei(read.nuclei.xy * ratio, read.nuclei.kind), notes


def _check_frame(nuclei: Nuclei, section: Section, where: str) -> None:
    """Refuse nuclei of another picture: more than 1 % lie outside this one."""
    if section.slide is None or not len(nuclei):
        return
    outside = 1 - inside_image(nuclei.xy, section.slide.width, section.slide.height).mean()
    if outside > _MOST_OUTSIDE:
        raise DataError(
            f"{outside:.0%} of the nuclei of {where} lie outside {section.slide.path.name} ({section.slide.width} x "
            f"{section.slide.height} px). Centroids must be level-0 pixels of the picture the section uses."
        )
