"""Parts of the page of an evaluation: values in, HTML out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from gr2st.evaluation import markup
from gr2st.evaluation.figures import TITLES
from gr2st.evaluation.folds import OWN_FOLDS
from gr2st.evaluation.markup import code, document, fields, number, pictures, table
from gr2st.evaluation.plan import plan_of_json
from gr2st.evaluation.ranking import rank_models
from gr2st.io.tables import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gr2st.io.evaluations import EvaluationFolder, FoldRow

SHOWN_GENES = 20
PROTOCOLS: Mapping[str, str] = {
    "patient": "one patient held out at a time: every section is predicted by models that never saw its patient",
    "section": "one section held out at a time: as published, and optimistic, since sections of the same patient "
    "may be in training",
    OWN_FOLDS: "folds of the user's own, listed in the settings",
}


def whole(found: EvaluationFolder, parts: Iterable[str]) -> str:
    """The page with all its parts."""
    return document(_title(found), parts)


def heading(found: EvaluationFolder) -> str:
    """What was evaluated, when, and what was held out."""
    summary = found.summary or {}
    sections = {section for row in summary["models"].values() for section in row["sections"]}
    patients = {found.card.patients.get(section) for section in sections} if found.card else set()
    of = f" of {plural(len(patients), 'patient')}" if patients and None not in patients else ""
    lines = {
        "Study": str(found.study or "not told by this folder"),
        "Begun": f"{found.began.replace('T', ' ')[:16]} (UTC)",
        "State": found.state,
        "Held out": PROTOCOLS[summary["protocol"]],
        "Scored": f"{plural(len(sections), 'section')}{of}, {plural(summary['genes'], 'gene')}",
        "Pictures": f"{summary['encoder']} features; cell types: {summary['cell_types']}",
    }
    rows = [[escape(name), escape(text)] for name, text in lines.items()]
    return f"<h1>{escape(_title(found))}</h1>\n{table((), rows)}"


def warnings(found: EvaluationFolder) -> str:
    """What a reader must know before the numbers."""
    summary = found.summary or {}
    said = summary.get("warnings", [summary["warning"]] if summary.get("warning") else [])
    if found.state == "running":
        said = ["The evaluation was still running when this page was written.", *said]
    return markup.said(said)


def models(summary: Mapping[str, Any]) -> str:
    """The table of models in both spaces, best first, and the noise ceiling."""
    tables = "".join(f"<h3>Against {TITLES[space]} expression</h3>{_of_space(summary, space)}" for space in TITLES)
    return (
        "<h2>Models</h2>\n<p>Pearson's r over the spots of a held-out section, mean over genes, then over sections. In "
        "brackets: 95 % interval. The difference to ridge is taken section by section: it, and not two overlapping "
        f"intervals, says whether a model is better.</p>\n{tables}"
    )


def _of_space(summary: Mapping[str, Any], space: str) -> str:
    rows = []
    for one in rank_models(summary):
        row = summary["models"][one.label]
        name = f'{escape(one.label)} <span class="dim">(oracle: reads the test section)</span>'
        rows.append(
            [
                name if one.is_oracle else escape(one.label),
                number(row[space]),
                _interval(row.get("interval", {}).get(space)),
                number(row.get("median", {}).get(space)),
                _difference(row.get("minus_ridge", {}).get(space)),
            ]
        )
    ceilings = [row.get("further", {}).get(space.replace("pcc", "ceiling")) for row in summary["models"].values()]
    ceiling = next((value for value in ceilings if value is not None), None)
    if ceiling is not None:
        note = '<span class="dim">noise ceiling: what a perfect prediction could reach</span>'
        rows.append([note, f'<span class="dim">{number(ceiling)}</span>', "", "", ""])
    return table(("model", "mean", "interval", "median", "difference to ridge"), rows, numbers=(1, 2, 3, 4))


def dots(figures: Sequence[Figure]) -> str:
    """Every section of every patient."""
    return "<h2>Sections and patients</h2>\n<p>One mark per section; the bar is the mean.</p>\n" + pictures(
        figures, "Scores of the sections"
    )


def boxes(figures: Sequence[Figure]) -> str:
    """All genes of every model."""
    text = "One gene is its mean over sections. Box: quartiles and median; whiskers: 5th to 95th percentile."
    return f"<h2>Genes</h2>\n<p>{text}</p>\n" + pictures(figures, "Scores of the genes")


def genes(label: str, ranking: pd.DataFrame) -> str:
    """The best and the worst genes of a model."""
    known = ranking.dropna(subset=["pcc_spot"])
    shown = min(SHOWN_GENES, len(known) // 2) or len(known)
    unscored = len(ranking) - len(known)
    without = f" {plural(unscored, 'gene')} without a score, constant on either side." if unscored else ""
    return (
        f"<h2>Best and worst genes of {escape(label)}</h2>\n<p>Of {plural(len(known), 'gene')}. S: against "
        "spot-normalised expression, with the 95 % interval; T: against gene-normalised "
        f"expression.{escape(without)}</p>\n"
        f'<div class="two">{_of_genes(known.head(shown))}{_of_genes(known.iloc[::-1].head(shown))}</div>'
    )


def _of_genes(ranking: pd.DataFrame) -> str:
    rows = [
        [escape(str(gene)), number(one["pcc_spot"]), _bounds(one["low"], one["high"]), number(one["pcc_gene"])]
        for gene, one in ranking.iterrows()
    ]
    return "<div>" + table(("gene", "S", "interval", "T"), rows, numbers=(1, 2, 3)) + "</div>"


def folds(rows: Sequence[FoldRow]) -> str:
    """Every planned training, and why one failed."""
    told = [
        [
            escape(row.label),
            str(row.seed),
            escape(row.fold),
            escape(", ".join(row.test)),
            row.state if row.state != "failed" else f"<b>failed</b>: {escape(row.message)}",
            number(row.pcc_spot),
            number(row.pcc_gene),
            "" if row.seconds is None else f"{row.seconds:.0f} s",
        ]
        for row in rows
    ]
    names = ("model", "seed", "held out", "sections predicted", "state", "S", "T", "time")
    return "<h2>Every training</h2>\n" + table(names, told, numbers=(1, 5, 6, 7))


def settings(found: EvaluationFolder) -> str:
    """All that is needed to do it again, and to know whether it was done with the same."""
    asked = [[escape(name), code(value)] for name, value in found.plan.items()]
    provenance = (found.summary or {}).get("provenance", {})
    versions = [f"{name} {number}" for one in provenance.get("versions", ()) for name, number in one.items()]
    return "\n".join(
        (
            f"<h2>How to do it again</h2>\n{_again(found)}",
            f"<h2>Settings</h2>\n<h3>As asked for</h3>\n{table((), asked)}",
            f"<h3>Of each model, in full</h3>\n{table(('model', 'settings', 'training'), _in_full(found.plan))}",
            f"<h2>Versions</h2>\n<p>{escape(', '.join(dict.fromkeys(versions)))}</p>",
            "<h2>Seeds and digests</h2>\n<p>A digest changes with any change of what it stands for.</p>",
            _digests(provenance),
        )
    )


def _in_full(plan: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    """A line per row of the table of models; none where the folder does not tell what was asked."""
    rows = {row.label: row for row in plan_of_json(plan).rows()} if plan else {}
    for label, row in rows.items():
        yield escape(label), fields(row.config.model_dump(mode="json")), fields(row.training.model_dump(mode="json"))


def _digests(provenance: Mapping[str, Any]) -> str:
    seeds, data = provenance.get("seeds", {}), provenance.get("data", {})
    settings = provenance.get("settings", {})
    models = [(escape(name), code(seeds.get(name)), fields(digests)) for name, digests in settings.items()]
    sections = [(escape(name), fields(digests)) for name, digests in data.items()]
    return table(("model", "seeds", "digests"), models) + "<br>" + table(("section", "digests"), sections)


def _again(found: EvaluationFolder) -> str:
    """Lines that repeat the evaluation in a folder of their own, or go on with it in this one."""
    if found.card is None:
        return "<p>This folder does not tell what was asked: an earlier version wrote it.</p>"
    folder = str(found.folder.absolute())
    lines = (
        "import gr2st",
        f"study, plan = gr2st.read_evaluation_card({folder!r})",
        'steps = gr2st.evaluate(gr2st.read_study(study), gr2st.plan_of_json(plan), "a new folder")',
        "gr2st.finish(steps)",
    )
    return (
        "<p>These lines of Python do the same again. With the folder of this evaluation in the place of a new one, "
        f"they do what is missing in it.</p>\n<pre>{escape(chr(10).join(lines))}</pre>"
    )


def _title(found: EvaluationFolder) -> str:
    study = found.study or found.folder
    return f"Evaluation of {study.parent.name if study.suffix == '.csv' else study.name}"


def _bounds(low: float | None, high: float | None) -> str:
    return "" if low is None or pd.isna(low) else f"[{number(low)}, {number(high)}]"


def _interval(told: Mapping[str, Any] | None) -> str:
    """The bounds, and over what they are."""
    if told is None:
        return ""
    if told["low"] is None:
        return f'<span class="dim">1 {told["unit"].removesuffix("s")}: none</span>'
    return f'{_bounds(told["low"], told["high"])} <span class="dim">{told["n"]} {told["unit"]}</span>'


def _difference(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    sign = "+" if told["mean"] >= 0 else ""
    return f"{sign}{number(told['mean'])} {_bounds(told['low'], told['high'])}"
