"""`write_section_report`: one section as a page: maps of chosen genes, scores, how far to trust them, settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gr2st.errors import DataError
from gr2st.evaluation import section_page as page
from gr2st.evaluation.figure import draw_maps, pixels_wanted
from gr2st.evaluation.figure_maps import Map
from gr2st.evaluation.gene_facts import variability_ranks
from gr2st.evaluation.markup import document, inline, said
from gr2st.evaluation.measured import with_measured
from gr2st.evaluation.provenance import data_digests
from gr2st.evaluation.scores import score_table
from gr2st.evaluation.section_cautions import section_cautions
from gr2st.evaluation.section_maps import gene_maps, section_figure
from gr2st.io.prediction import is_prediction_of, read_prediction
from gr2st.io.section import read_section
from gr2st.io.slide_window import read_window
from gr2st.io.store import atomic_path
from gr2st.io.study import read_study
from gr2st.types import Progress

if TYPE_CHECKING:
    import pandas as pd

    from gr2st.evaluation.figure import MapFigure
    from gr2st.io.slide_window import SlideWindow
    from gr2st.types import Prediction, Section, Steps

BEST, WORST = 6, 3
"""Maps where no gene is asked for by name."""
MOST_MAPS = 60
DPI = 150
QUALITY = 88


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose maps are shown: genes by name, then so many of the best and of the worst predicted.

    Without a prediction the best are those that vary most, and there are no worst.
    """

    genes: tuple[str, ...] = ()
    best: int = BEST
    worst: int = WORST

    @classmethod
    def of(cls, genes: Sequence[str], best: int | None = None, worst: int | None = None) -> Wanted:
        """What is not said is 0 beside genes by name, and the usual number without any."""
        usual = (0, 0) if genes else (BEST, WORST)
        return cls(tuple(genes), usual[0] if best is None else best, usual[1] if worst is None else worst)


@dataclass(frozen=True, slots=True)
class Sources:
    """The files a report is made of, where there are any, and how to make it again."""

    study: Path | None = None
    prediction: Path | None = None


def report_files(study: Path, section: str, prediction: Path | None, out: Path, wanted: Wanted) -> Steps[Path]:
    """Read a section, and its prediction where one is named, and write its report."""
    yield Progress(f"Reading section {section}")
    read = read_section(read_study(study).entry(section))
    predicted = None if prediction is None else read_prediction(prediction)
    sources = Sources(study.absolute(), None if prediction is None else prediction.absolute())
    return (yield from write_section_report(out, read, predicted, wanted=wanted, sources=sources))


def write_section_report(
    out: Path | str,
    section: Section,
    prediction: Prediction | None = None,
    *,
    wanted: Wanted | None = None,
    sources: Sources | None = None,
) -> Steps[Path]:
    """Write one HTML file that tells a section whole; its pictures lie inside it.

    Parameters
    ----------
    out : Path
        The page.
    section : Section
    prediction : Prediction, optional
        Of this section; the measured values and scores are laid beside it anew.
    wanted : Wanted, optional
        Whose maps are shown.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    DataError
        The prediction is of another section, or none of the genes asked for is there.
    StorageError
        The page cannot be written.
    """
    out, wanted, sources = Path(out), wanted or Wanted(), sources or Sources()
    yield Progress("Scoring the genes")
    prediction = _beside(prediction, section)
    scores = _scores(prediction, section)
    chosen, notes = choose_genes(section, prediction, scores, wanted)
    maps = yield from _maps(section, prediction, scores, chosen)
    parts = [
        page.heading(section, prediction),
        said(section_cautions(section, prediction, scores)),
        page.summary(scores, prediction),
        page.maps(maps, notes),
        page.scores(scores, chosen),
        page.settings(section, prediction, data_digests(section), _again(section, chosen, sources, out)),
    ]
    yield Progress("Writing the report")
    with atomic_path(out) as part:
        part.write_text(document(f"Section {section.name}", parts), encoding="utf-8")
    return out


def choose_genes(
    section: Section, prediction: Prediction | None, scores: pd.DataFrame | None, wanted: Wanted
) -> tuple[list[str], list[str]]:
    """Genes whose maps are shown, each once, and what is to be told of those asked for.

    Raises
    ------
    DataError
        Nothing is left to show.
    """
    known = set(section.genes if prediction is None else prediction.genes)
    ranked = _ranked(section, prediction, scores)
    named = [gene for gene in wanted.genes if gene in known]
    worst = ranked[::-1][: wanted.worst] if scores is not None else []
    chosen = list(dict.fromkeys([*named, *ranked[: wanted.best], *worst]))
    if not chosen:
        asked = ", ".join(wanted.genes[:5]) or "no gene"
        where = f"measured in {section.name}" if prediction is None else f"predicted by {prediction.model}"
        raise DataError(f"There is no map to show: {asked} was asked for, and {len(known)} genes are {where}.")
    missing = [gene for gene in wanted.genes if gene not in known]
    notes = [f"Asked for, and not there: {', '.join(missing)}."] if missing else []
    if len(chosen) > MOST_MAPS:
        notes.append(f"The first {MOST_MAPS} of {len(chosen)} genes asked for are shown.")
    return chosen[:MOST_MAPS], notes


def _ranked(section: Section, prediction: Prediction | None, scores: pd.DataFrame | None) -> list[str]:
    """Best first: by score, without one in the order of the model, without a model by how much they vary."""
    if scores is not None:
        known = scores.dropna(subset=["pcc_spot"])
        return list(known.sort_values("pcc_spot", ascending=False, kind="stable")["gene"])
    if prediction is not None:
        return list(prediction.genes)
    ranks = variability_ranks(section)
    return [section.genes[at] for at in np.argsort(ranks, kind="stable") if np.isfinite(ranks[at])]


def _beside(prediction: Prediction | None, section: Section) -> Prediction | None:
    """The prediction with the measured values of this section beside it, where the section has any."""
    if prediction is None:
        return None
    if not is_prediction_of(prediction, section) or not set(prediction.table.obs_names) <= set(section.spot_names):
        raise DataError(
            f"The prediction is of section {prediction.section}, and its spots are not those of {section.name}: give "
            "the section it was made for."
        )
    return with_measured(prediction, section) if section.genes else prediction


def _scores(prediction: Prediction | None, section: Section) -> pd.DataFrame | None:
    return None if prediction is None or not section.genes else score_table(prediction, section)


def _maps(
    section: Section, prediction: Prediction | None, scores: pd.DataFrame | None, genes: Sequence[str]
) -> Steps[list[str]]:
    """A picture of the slide alone, then of every gene."""
    slide = section_figure(section, prediction, (Map(""),))
    yield Progress("Reading the slide")
    picture = None if section.slide is None else read_window(section.slide, slide.window, pixels_wanted(DPI))
    drawn = [] if picture is None else [_drawn("The slide", slide, picture)]
    for done, gene in enumerate(genes):
        yield Progress("Drawing maps", done, len(genes))
        shown = section_figure(section, prediction, gene_maps(section, prediction, gene))
        drawn.append(_drawn(page.gene_words(gene, scores), shown, picture))
    return drawn


def _drawn(words: str, shown: MapFigure, picture: SlideWindow | None) -> str:
    figure = draw_maps(replace(shown, picture=picture))
    source = inline(figure, "jpeg", dpi=DPI, pil_kwargs={"quality": QUALITY})
    return page.picture(words, source, is_single=len(shown.maps) == 1)


def _again(section: Section, genes: Sequence[str], sources: Sources, out: Path) -> str:
    """The command that makes the page again; "" where it was not made of files."""
    if sources.study is None:
        return ""
    named = {"section": section.name, "prediction": sources.prediction, "genes": ",".join(genes), "out": out.name}
    options = " ".join(f'--{name} "{value}"' for name, value in named.items() if value is not None)
    return f'gr2st report-section "{sources.study}" {options}'
