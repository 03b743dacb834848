"""Path -> what a viewer can show: a section with study and picture, or a prediction. Reads files, touches no viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st import DataError, display_pyramid, needs_pyramid, open_slide, read_prediction, read_section, read_study
from gr2st_napari._layers import Placement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st import Prediction, Section, SectionEntry, Slide, Study
    from gr2st_napari._session import Session

SESSION = ".gr2st"
"""Ending of a session file."""
PREVIEW_PX = 2048
"""Longer side of the picture shown while the tiled pyramid of a big slide is being made."""


@dataclass(frozen=True, eq=False)
class Picture:
    """Levels of one slide for display, largest first; their pixels span `shrink` (rows, columns) level-0 pixels."""

    levels: Sequence[Any]
    path: Path
    shrink: tuple[float, float] = (1.0, 1.0)
    is_preview: bool = False


@dataclass(frozen=True, eq=False)
class Restored:
    """The session something was opened from, and a sentence for each part of it that is not there any more."""

    session: Session
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Opened:
    """What is on the table: a section of a study, a prediction, or both."""

    study: Study | None = None
    section: Section | None = None
    prediction: Prediction | None = None
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    prediction_path: Path | None = None
    """The file the prediction was read from; None where it was handed over."""
    restores: Restored | None = None

    @property
    def name(self) -> str:
        if self.section is not None:
            return str(self.section.name)
        return "" if self.prediction is None else str(self.prediction.section)

    @property
    def n_spots(self) -> int:
        shown = self.section or self.prediction
        return 0 if shown is None else int(shown.table.n_obs)


def open_path(path: Path | str, *, section: str | None = None) -> Opened:
    """Open a section folder, a study, a section file, a prediction file or a session.

    Parameters
    ----------
    path : path
        What the user dropped or chose.
    section : str, optional
        Section of a study with several; by default the first one with a picture.

    Raises
    ------
    Gr2stError
        What is wrong with the path, in one sentence, or all findings about the section.
    """
    path = Path(path)
    if path.suffix == SESSION:
        from gr2st_napari._session_opening import open_session

        return open_session(path)
    if is_prediction(path):
        return open_prediction(path)
    study = read_study(path)
    return open_section(study, study.entry(section) if section else first_entry(study))


def open_prediction(path: Path) -> Opened:
    """Read a prediction file."""
    return Opened(prediction=read_prediction(path), prediction_path=path.absolute())


def open_section(study: Study, entry: SectionEntry) -> Opened:
    """Read one section of a study, with a picture that can be shown at once."""
    section = read_section(entry)
    picture = None if section.slide is None else picture_of(section.slide)
    notes = (
        () if len(study.entries) == 1 else (f"{study.name} has {len(study.entries)} sections; this is {entry.name}.",)
    )
    return Opened(study=study, section=section, picture=picture, notes=notes)


def open_held_out(
    present: Opened | None, study: Path | None, predictions: Mapping[str, Path], gene: str
) -> tuple[Opened, Path]:
    """The first slide whose stored prediction has a gene, with that prediction and its path.

    Folds choose variable genes of their own, so not each has every gene. What is open already is not read again.

    Raises
    ------
    DataError
        No prediction has the gene; no study is named, and none is open that has the slide.
    """
    for section, path in predictions.items():
        prediction = read_prediction(path)
        if gene in prediction.genes:
            slide = _slide_of(present, study, section)
            return replace(slide, prediction=prediction, prediction_path=path.absolute()), path
    raise DataError(f"{gene} is in no stored prediction of this model: the files of the evaluation were changed.")


def _slide_of(present: Opened | None, study: Path | None, section: str) -> Opened:
    known = None if present is None else present.study
    if known is None or section not in known.names or (study is not None and known.path.absolute() != study):
        if study is None:
            raise DataError(f"The evaluation does not say which study {section} is of: open that study first.")
        known = read_study(study)
    elif present is not None and present.section is not None and present.section.name == section:
        return present
    return open_section(known, known.entry(section))


def opened_of(section: Section | None, prediction: Prediction | None, study: Study | None = None) -> Opened:
    """What was read elsewhere, with a picture that can be shown at once."""
    slide = None if section is None else section.slide
    return Opened(
        study=study, section=section, prediction=prediction, picture=None if slide is None else picture_of(slide)
    )


def first_entry(study: Study) -> SectionEntry:
    """The first section with a picture, else the first."""
    if not study.entries:
        raise DataError(f"{study.path} holds no section: expected counts, spot positions and a picture.")
    return next((entry for entry in study.entries if not entry.without_image), study.entries[0])


def picture_of(slide: Slide) -> Picture:
    """The slide's own levels where they can be read tile by tile, its cached pyramid, or else a reduced preview."""
    if not needs_pyramid(slide):
        return Picture(levels=slide.levels, path=slide.path)
    cached = display_pyramid(slide.path)
    if cached is not None:
        return pyramid_picture(cached, slide.path)
    preview = slide.thumbnail(PREVIEW_PX)
    shrink = (slide.height / preview.shape[0], slide.width / preview.shape[1])
    return Picture(levels=(preview,), path=slide.path, shrink=shrink, is_preview=True)


def pyramid_picture(pyramid: Path, image: Path) -> Picture:
    """The tiled pyramid made of `image`."""
    return Picture(levels=open_slide(pyramid).levels, path=image)


def placement_of(opened: Opened) -> Placement:
    """Scale and spot size; without a section the spots are half as wide as they lie apart."""
    section = opened.section
    if section is None:
        return Placement(um_per_px=None, spot_diameter_px=0.5 * _nearest_distance(opened.prediction))
    return Placement(section.um_per_px, section.spot_diameter_px)


def is_prediction(path: Path) -> bool:
    """Whether an .h5ad file holds a prediction; False for any other path, readable or not."""
    import h5py

    from gr2st import keys

    if path.suffix.lower() != ".h5ad" or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path) as file:
            return f"layers/{keys.PREDICTED}" in file and f"uns/{keys.PROVENANCE}" in file
    except OSError:
        return False


def _nearest_distance(prediction: Prediction | None) -> float:
    import numpy as np
    from scipy.spatial import cKDTree

    from gr2st import keys

    if prediction is None or prediction.table.n_obs < 2:
        return 100.0
    xy = np.asarray(prediction.table.obsm[keys.SPATIAL])
    return float(np.median(np.asarray(cKDTree(xy).query(xy, k=2)[0])[:, 1]))
