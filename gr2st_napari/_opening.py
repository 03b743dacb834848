"""Path -> what a viewer can show: a section with study and picture, or a prediction. Reads files, touches no viewer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st import (
    DataError,
    display_pyramid,
    is_prediction,
    keys,
    needs_pyramid,
    open_slide,
    read_prediction,
    read_section,
    read_study,
    slide_name,
)
from gr2st_napari._layers import Placement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gr2st import Prediction, Section, SectionEntry, Slide, Study
    from gr2st_napari._session import Session

SESSION = ".gr2st"
"""Ending of a session file."""
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".svs", ".ndpi", ".scn", ".bif")
"""Endings of files that are opened as a slide; the content decides whether they are one."""
GRID_SPOT = 0.9
"""Diameter of a spot of a grid over the pitch: the map is closed, and single spots can be told apart."""
LINES_ON_SLIDE = 100
"""Width of a slide without spots over the width of what stands for a spot on it: lines of regions follow it."""
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
    """What is on the table: a section of a study, a prediction, both, or a slide without spots."""

    study: Study | None = None
    section: Section | None = None
    prediction: Prediction | None = None
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    prediction_path: Path | None = None
    """The file the prediction was read from; None where it was handed over."""
    restores: Restored | None = None
    slide: Slide | None = None
    """A slide without spots: alone, or with the prediction on a grid that was laid on it."""

    @property
    def name(self) -> str:
        if self.section is not None:
            return str(self.section.name)
        if self.prediction is not None:
            return str(self.prediction.section)
        return "" if self.slide is None else slide_name(self.slide.path)

    @property
    def tissue(self) -> Slide | None:
        """The slide below the spots, whoever has it."""
        return self.slide if self.section is None else self.section.slide

    @property
    def is_slide_alone(self) -> bool:
        """Whether there is a picture and nothing else."""
        return self.slide is not None and self.section is None and self.prediction is None

    @property
    def n_spots(self) -> int:
        shown = self.section or self.prediction
        return 0 if shown is None else int(shown.table.n_obs)


def open_path(path: Path | str, *, section: str | None = None) -> Opened:
    """Open a section folder, a study, a section, prediction or session file, or a picture as a slide without spots.

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
    if path.suffix.lower() in PICTURES and path.is_file():
        return open_slide_alone(path)
    study = read_study(path)
    return open_section(study, study.entry(section) if section else first_entry(study))


def open_slide_alone(path: Path) -> Opened:
    """A picture that belongs to no section."""
    slide = open_slide(path)
    return Opened(slide=slide, picture=picture_of(slide))


def open_prediction(path: Path, slide: Path | None = None) -> Opened:
    """A prediction; one on a grid with the slide it was laid on, where that is still the same picture.

    The slide is looked for at `slide` where that is given and there, else where it lay when it was predicted.
    """
    prediction = read_prediction(path, in_memory=False)
    alone = Opened(prediction=prediction, prediction_path=path.absolute())
    grid = grid_of(prediction)
    if grid is None:
        return alone
    try:
        found = open_slide(slide if slide is not None and slide.exists() else grid["slide"])
        is_same = found.digest() == str(prediction.table.uns[keys.PROVENANCE]["image"])
    except DataError as error:
        return replace(alone, notes=(f"The slide cannot be shown: {error}",))
    if not is_same:
        note = f"{found.path} is not the picture that was predicted any more: the map is shown without it."
        return replace(alone, notes=(note,))
    return replace(alone, slide=found, picture=picture_of(found))


def grid_of(prediction: Prediction | None) -> Mapping[str, Any] | None:
    """Where the spots of a prediction were laid on a slide that has none: slide, pitch and scale; else None."""
    if prediction is None:
        return None
    found: Mapping[str, Any] | None = prediction.table.uns.get(keys.PROVENANCE, {}).get(keys.VIRTUAL)
    return found


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
    section, grid = opened.section, grid_of(opened.prediction)
    if grid is not None:
        um_per_px = float(grid["um_per_px"])
        return Placement(um_per_px, GRID_SPOT * float(grid["pitch_um"]) / um_per_px)
    if opened.slide is not None:
        return Placement(opened.slide.um_per_px, opened.slide.width / LINES_ON_SLIDE)
    if section is None:
        return Placement(um_per_px=None, spot_diameter_px=0.5 * _nearest_distance(opened.prediction))
    return Placement(section.um_per_px, section.spot_diameter_px)


def _nearest_distance(prediction: Prediction | None) -> float:
    import numpy as np
    from scipy.spatial import cKDTree

    if prediction is None or prediction.table.n_obs < 2:
        return 100.0
    xy = np.asarray(prediction.table.obsm[keys.SPATIAL])
    return float(np.median(np.asarray(cKDTree(xy).query(xy, k=2)[0])[:, 1]))
