"""Space Ranger results sorted by kind instead of by section, as Wu et al. (2021) deposited their breast sections.

::

    filtered_count_matrices/NAME_filtered_count_matrix/   matrix, features, barcodes
    spatial/NAME_spatial/                                 positions, scale factors, reduced pictures
    metadata/NAME_metadata.csv                            optional: patient and pathologist's class of each spot
    images/NAME.tif                                       optional, not in the deposit: the full-resolution picture
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gr2st.io.barcode_labels import patient_in
from gr2st.io.tables import Found, plural, some
from gr2st.io.visium import LAYOUT, positions_in
from gr2st.io.visium_picture import FULL_SUFFIXES, has_picture
from gr2st.types import SectionEntry

if TYPE_CHECKING:
    from pathlib import Path

COUNTS, SPATIAL, METADATA, IMAGES = "filtered_count_matrices", "spatial", "metadata", "images"
_COUNTS_END, _SPATIAL_END, _METADATA_END = "_filtered_count_matrix", "_spatial", "_metadata.csv"


def find(folder: Path) -> Found:
    """Sections of a folder that holds count matrices in one folder and positions in another."""
    counts = _named(folder / COUNTS, _COUNTS_END)
    spatial = _named(folder / SPATIAL, _SPATIAL_END)
    found = Found([_entry(folder, name, counts[name], spatial[name]) for name in counts if name in spatial])
    lonely = sorted(set(counts) ^ set(spatial))
    if lonely:
        told = f"{plural(len(lonely), 'section')} left out, not in both {COUNTS} and {SPATIAL}: {some(lonely)}."
        found.notes.append(told)
    return found


def _named(folder: Path, ending: str) -> dict[str, Path]:
    """Files or folders of a folder by the name in front of their ending."""
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name.removesuffix(ending): path for path in paths if path.name.endswith(ending)}


def _entry(folder: Path, name: str, counts: Path, spatial: Path) -> SectionEntry:
    parts = {"counts": counts, "spatial": spatial}
    if (positions := positions_in(spatial)) is not None:
        parts["spots"] = positions
    if (metadata := folder / METADATA / f"{name}{_METADATA_END}").is_file():
        parts["labels"] = metadata
    pictures = [path for path in sorted((folder / IMAGES).glob(f"{name}.*")) if path.suffix.lower() in FULL_SUFFIXES]
    if len(pictures) == 1:
        parts["image"] = pictures[0]
    return SectionEntry(
        name=name,
        patient=patient_in(parts["labels"]) if "labels" in parts else None,
        path=folder,
        layout=LAYOUT,
        parts=parts,
        without_image=_why_without(name, pictures, spatial),
    )


def _why_without(name: str, pictures: list[Path], spatial: Path) -> str:
    if len(pictures) > 1:
        return f"Several pictures fit {name}: {some(path.name for path in pictures)}. Name one in a study.csv."
    if pictures or has_picture(spatial):
        return ""
    return f"No picture of {name} lies in {IMAGES} or {spatial.name}."
