"""`write_report`: an evaluation as one page that can be read, printed and sent, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gr2st.errors import DataError
from gr2st.evaluation import page
from gr2st.evaluation.figures import TITLES, box_plot, section_dots
from gr2st.evaluation.ranking import gene_ranking, rank_models
from gr2st.evaluation.trust_page import trust
from gr2st.io.evaluations import read_calibration, read_evaluation, read_gene_scores, read_section_scores
from gr2st.io.store import atomic_path
from gr2st.types import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gr2st.io.evaluations import EvaluationFolder
    from gr2st.types import Steps

REPORT = "report.html"
"""Name of the page, where none is given."""


def write_report(folder: Path | str, out: Path | str) -> Steps[Path]:
    """Write one HTML file that tells an evaluation whole: scores, figures, trust, warnings, settings.

    Parameters
    ----------
    folder : Path
        Of an evaluation of which at least one fold is done.
    out : Path
        The page; its figures lie inside it.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    DataError
        No evaluation, none of its folds is done, or a file of it is damaged.
    StorageError
        The page cannot be written.
    """
    folder, out = Path(folder), Path(out)
    yield Progress("Reading the evaluation")
    found = read_evaluation(folder)
    if found.summary is None or not any(row.state == "done" for row in found.rows):
        raise DataError(f"{folder} has nothing to report yet: none of its folds is done and summed up.")
    figures = yield from _figures(found)
    yield Progress("Ranking the genes")
    best = rank_models(found.summary)[0].label
    parts = [
        page.heading(found),
        page.warnings(found),
        page.models(found.summary),
        *figures,
        trust(found.summary, read_calibration(folder)),
        page.genes(best, gene_ranking(folder, best)),
        page.folds(found.rows),
        page.settings(found),
    ]
    yield Progress("Writing the report")
    with atomic_path(out) as part:
        part.write_text(page.whole(found, parts), encoding="utf-8")
    return out


def _figures(found: EvaluationFolder) -> Steps[list[str]]:
    """Sections and genes, in both spaces."""
    sections, genes = read_section_scores(found.folder), read_gene_scores(found.folder)
    patients = found.card.patients if found.card else {}
    dots: list[Figure] = []
    boxes: list[Figure] = []
    for done, space in enumerate(TITLES):
        yield Progress("Drawing", done, 2)
        dots.append(section_dots(sections, patients, space))
        boxes.append(box_plot(genes, space))
    return [page.dots(dots), page.boxes(boxes)]
