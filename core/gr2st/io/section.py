"""`read_section`: one section of a study, with counts, positions, picture and everything worth telling about them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gr2st import keys
from gr2st.io import anndata_file, legacy_st, visium
from gr2st.io.alignment import check_alignment
from gr2st.io.geometry import inside_image
from gr2st.io.slide import open_slide
from gr2st.io.tables import Reading, Report, plural, some
from gr2st.registry import Registry
from gr2st.types import Section

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from gr2st.types import Alignment, SectionEntry, Slide

READERS: Registry[Callable[[SectionEntry, Report], Reading | None]] = Registry(
    "layout",
    {
        legacy_st.LAYOUT: legacy_st.read,
        visium.LAYOUT: visium.read,
        visium.LAYOUT_HD: visium.read,
        anndata_file.LAYOUT: anndata_file.read,
    },
)
"""How the tables of each layout are read; a new layout is one line here and one in `gr2st.io.study`."""

MIN_INSIDE = 0.9
"""Share of spots that must lie inside the picture; above it, the few outside are left out with a note."""
COARSE_PITCH_PX = 30.0
"""Spot distance under which a patch holds too few pixels to show cells."""
_AGREEMENT = 0.1
_QUIET = ("good", "unknown")


def read_section(entry: SectionEntry, *, with_image: bool = True) -> Section:
    """Read one section of a study.

    Parameters
    ----------
    entry : SectionEntry
        From `gr2st.io.study.read_study`.
    with_image : bool
        Without the picture nothing is known about the fit of the spots, and spots outside it are not left out.

    Raises
    ------
    SectionInvalid
        With every problem of the tables and the picture, or where 10 % of the spots or more lie outside the picture.
    UnknownName
        Where the entry's layout is none that can be read.
    """
    report = Report(entry.name)
    reading = _on_the_picture(READERS[entry.layout](entry, report), entry.image_scale)
    slide = _open_slide(entry, reading, report) if with_image else None
    if reading is None or report.problems:
        report.raise_problems()
        raise AssertionError(f"The reader of {entry.layout} gave up without a reason.")
    alignment = _place_spots(reading, slide, report)
    report.raise_problems()
    um_per_px, source = _resolution(entry, reading, slide, report)
    if with_image and slide is None:
        report.notes.append(entry.without_image or "No usable picture: the section can be shown, not trained on.")
    return Section(
        name=entry.name,
        patient=entry.patient,
        table=_inside_only(reading, slide, report),
        slide=slide,
        um_per_px=um_per_px,
        um_per_px_source=source,
        spot_diameter_um=reading.spot_diameter_um,
        grid_pitch=reading.grid_pitch,
        layout=entry.layout,
        alignment=alignment,
        notes=tuple(report.notes),
        cells=entry.parts.get("cells"),
    )


def _on_the_picture(reading: Reading | None, scale: float | None) -> Reading | None:
    """Positions, step and resolution in pixels of the picture, where that is a scaled copy of the one they count in."""
    if reading is None or scale is None:
        return reading
    table = reading.table
    table.obsm[keys.SPATIAL] = scale * table.obsm[keys.SPATIAL]
    um_per_px = None if reading.um_per_px is None else reading.um_per_px / scale
    return replace(reading, table=table, grid_pitch=scale * reading.grid_pitch, um_per_px=um_per_px)


def _open_slide(entry: SectionEntry, reading: Reading | None, report: Report) -> Slide | None:
    """The picture of a section; where the tables failed it is still opened, so that all problems are told at once."""
    if reading is not None and reading.slide is not None:
        return reading.slide
    path = entry.parts.get("image") if reading is None else reading.image
    return None if path is None else report.attempt(open_slide, path)


def _place_spots(reading: Reading, slide: Slide | None, report: Report) -> Alignment:
    """Check spots against the picture; only spots that are not on it are a problem, the rest is told."""
    xy = reading.table.obsm[keys.SPATIAL]
    alignment = check_alignment(xy, slide, _spot_diameter_px(reading))
    if slide is None:
        return alignment
    share = inside_image(xy, slide.width, slide.height).mean()
    if alignment.verdict == "outside":
        report.problems.append(f"{slide.path.name}: {alignment.message}")
    elif share < MIN_INSIDE:
        report.problems.append(
            f"Only {share:.0%} of {plural(len(xy), 'spot')} lie inside {slide.path.name} "
            f"({slide.width} x {slide.height} px). {alignment.message}"
        )
    elif alignment.verdict not in _QUIET:
        report.notes.append(alignment.message)
    if reading.grid_pitch < COARSE_PITCH_PX:
        report.notes.append(
            f"Spots are only {reading.grid_pitch:.1f} px apart in {slide.path.name}: too coarse for patches. Name the "
            "full-resolution picture in a study.csv."
        )
    return alignment


def _spot_diameter_px(reading: Reading) -> float:
    """Spot diameter in pixels; half the spot distance where it is not known."""
    if reading.spot_diameter_um is None or reading.um_per_px is None:
        return reading.grid_pitch / 2
    return reading.spot_diameter_um / reading.um_per_px


def _inside_only(reading: Reading, slide: Slide | None, report: Report) -> AnnData:
    """The table without the spots whose centre lies outside the picture."""
    table = reading.table
    if slide is None:
        return table
    inside = inside_image(table.obsm[keys.SPATIAL], slide.width, slide.height)
    if inside.all():
        return table
    outside = [str(name) for name in table.obs_names[~inside]]
    report.notes.append(f"{plural(len(outside), 'spot')} outside the picture left out: {some(outside)}.")
    return table[inside].copy()


def _resolution(entry: SectionEntry, reading: Reading, slide: Slide | None, report: Report) -> tuple[float | None, str]:
    """Micrometres per pixel and its source: the study's word, else the array, which outlives a rescaled picture."""
    stated = None if slide is None else slide.um_per_px
    known = [
        (value, source)
        for value, source in (
            (entry.um_per_px, "study.csv"),
            (reading.um_per_px, reading.um_per_px_source),
            (stated, "image metadata"),
        )
        if value is not None
    ]
    if not known:
        return None, "unknown"
    value, source = known[0]
    for other, other_source in known[1:]:
        if abs(other / value - 1) > _AGREEMENT:
            report.notes.append(
                f"Micrometres per pixel: {value:.3g} from {source} is used, though {other_source} says {other:.3g}."
            )
    return value, source
