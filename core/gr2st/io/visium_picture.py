"""Which picture of a Space Ranger folder is the tissue, and how its pixels relate to full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gr2st.errors import DataError
from gr2st.io.slide import open_slide
from gr2st.io.tables import some

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gr2st.io.tables import Report
    from gr2st.types import Slide

REDUCED = {
    "tissue_hires_image.png": "tissue_hires_scalef",
    "tissue_lowres_image.png": "tissue_lowres_scalef",
}
"""Reduced pictures, best first, and the scale factor that leads to their pixels."""
DRAWN_UPON = ("aligned_fiducials", "detected_tissue_image", "aligned_tissue_image", "cytassist_image")
"""Pictures with drawings on top or of another machine: never the tissue."""
FULL_SUFFIXES = (".tif", ".tiff", ".btf", ".svs", ".ndpi", ".jpg", ".jpeg", ".png")
_SIZE_TOLERANCE = 0.02
_BLANK_SPREAD = 3.0
"""Grey levels (standard deviation) under which a picture shows nothing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file, its pixels per full-resolution pixel, and the open slide where it was looked at."""

    path: Path
    scale: float
    slide: Slide | None = None


def has_picture(spatial: Path) -> bool:
    """Whether any picture of the tissue lies in or beside a section's ``spatial`` folder, without opening one."""
    return any((spatial / name).is_file() for name in REDUCED) or has_full_picture(spatial)


def has_full_picture(spatial: Path) -> bool:
    """Whether a picture other than the reduced ones lies in or beside a section's ``spatial`` folder."""
    return bool(_beside(spatial))


def choose_picture(spatial: Path, named: Path | None, factors: Mapping[str, float], report: Report) -> Picture | None:
    """The picture named by the user, else one of full size beside the tables, else the best reduced one.

    Returns
    -------
    Picture or None
        None where no picture shows anything; why stands in the notes.

    Raises
    ------
    DataError
        Where the named picture is one with drawings on it, or lacks its scale factor.
    """
    if named is not None:
        return _named(named, factors)
    return _full_size(spatial, factors, report) or _reduced(spatial, factors, report)


def _named(path: Path, factors: Mapping[str, float]) -> Picture:
    if path.stem.lower().startswith(DRAWN_UPON):
        raise DataError(
            f"{path.name} is not a picture of the tissue alone (it is drawn upon, or of another machine). Name the "
            "full-resolution picture, or tissue_hires_image.png."
        )
    return Picture(path, _factor(path.name, factors) if path.name in REDUCED else 1.0)


def _factor(name: str, factors: Mapping[str, float]) -> float:
    if REDUCED[name] not in factors:
        raise DataError(f"scalefactors_json.json lacks {REDUCED[name]}, so spots cannot be placed on {name}.")
    return factors[REDUCED[name]]


def _beside(spatial: Path) -> list[Path]:
    """Pictures that may be the full-resolution one: in the section folder or above its ``outs``.

    A ``spatial`` folder of another name lies among those of other sections, so only what is in it counts.
    """
    folder = spatial.parent if spatial.name == "spatial" else spatial
    places = [folder, folder.parent] if folder.name == "outs" else [folder]
    paths = (path for place in places for path in sorted(place.iterdir()))
    return [p for p in paths if p.suffix.lower() in FULL_SUFFIXES and not p.name.startswith(".") and _may_be_tissue(p)]


def _may_be_tissue(path: Path) -> bool:
    return path.name not in REDUCED and not path.stem.lower().startswith(DRAWN_UPON)


def _full_size(spatial: Path, factors: Mapping[str, float], report: Report) -> Picture | None:
    """The one picture beside the tables whose size is that of full resolution."""
    wanted = _full_resolution(spatial, factors)
    fitting = []
    for path in _beside(spatial):
        try:
            slide = open_slide(path)
        except DataError as error:
            report.notes.append(f"{path.name} lies beside the tables but cannot be used: {error}")
            continue
        if wanted is None or _same_size((slide.width, slide.height), wanted):
            fitting.append(path)
        else:
            report.notes.append(
                f"{path.name} ({slide.width} x {slide.height} px) is not used: the full-resolution picture should be "
                f"about {wanted[0]:.0f} x {wanted[1]:.0f} px. Name it in a study.csv if it is right."
            )
    if len(fitting) > 1:
        report.notes.append(
            f"Several pictures may be the full-resolution one: {some(p.name for p in fitting)}. None was used; name "
            "one in a study.csv."
        )
    return Picture(fitting[0], 1.0) if len(fitting) == 1 else None


def _full_resolution(spatial: Path, factors: Mapping[str, float]) -> tuple[float, float] | None:
    """Size of the full-resolution picture, from a reduced one and its scale factor."""
    from PIL import Image

    for name, key in REDUCED.items():
        path = spatial / name
        if path.is_file() and key in factors:
            try:
                with Image.open(path) as image:
                    return image.width / factors[key], image.height / factors[key]
            except OSError:
                continue
    return None


def _same_size(size: tuple[int, int], wanted: tuple[float, float]) -> bool:
    return all(abs(have / want - 1) <= _SIZE_TOLERANCE for have, want in zip(size, wanted, strict=True))


def _reduced(spatial: Path, factors: Mapping[str, float], report: Report) -> Picture | None:
    """The largest reduced picture that shows something."""
    for name in REDUCED:
        path = spatial / name
        if not path.is_file():
            continue
        try:
            slide = open_slide(path)
            if not is_blank(slide):
                return Picture(path, _factor(name, factors), slide)
            report.notes.append(f"{name} is one flat colour and was not used.")
        except DataError as error:
            report.notes.append(f"{name} was not used: {error}")
    return None


def is_blank(slide: Slide) -> bool:
    """Whether a picture is one flat colour."""
    return bool(slide.thumbnail(256).std(axis=(0, 1)).max() < _BLANK_SPREAD)
