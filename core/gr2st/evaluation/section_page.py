"""Parts of the page of a section: values in, HTML out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from gr2st import keys
from gr2st.evaluation.markup import code, fields, number, table
from gr2st.evaluation.metrics import mean_score, median_score
from gr2st.io.prediction import SPACE_NAMES
from gr2st.io.sidecar import prediction_told
from gr2st.io.tables import plural

if TYPE_CHECKING:
    import pandas as pd

    from gr2st.types import Prediction, Section

COLUMNS: Mapping[str, str] = {
    "pcc_spot": "r (S)",
    "pcc_gene": "r (T)",
    "spearman_spot": "rank r (S)",
    "ceiling_spot": "ceiling (S)",
    "moran_measured": "Moran",
    "moran_predicted": "Moran, pred.",
}
ENDS = 20
"""Genes shown from each end of the ranking; all of them can be unfolded."""
MEANING = (
    "r: Pearson's correlation of predicted and measured over the spots. S: against spot-normalised expression "
    "(depth of the spot taken out), T: against gene-normalised expression (depth stays in). Ceiling: what a perfect "
    "prediction could reach against counts as noisy as these. Moran: Moran's I of the measured and of the predicted "
    "values, 0 without pattern, near 1 where neighbours are alike; a prediction far above what was measured is "
    "smoother than the tissue."
)


def heading(section: Section, prediction: Prediction | None) -> str:
    """What is shown, from where, and predicted by whom."""
    lines = {
        "Patient": section.patient or "not given",
        "Spots": f"{section.n_spots:,}",
        "Measured": f"{len(section.genes):,} genes" if section.genes else "no counts",
        "Slide": _slide(section),
        "Spots on tissue": section.alignment.message,
    }
    if prediction is not None:
        lines |= _predicted(prediction)
    rows = [[escape(name), escape(text)] for name, text in lines.items() if text]
    return f"<h1>Section {escape(section.name)}</h1>\n{table((), rows)}"


def summary(scores: pd.DataFrame | None, prediction: Prediction | None) -> str:
    """Means and medians over the genes; without scores, why there are none."""
    if scores is None:
        why = "there is no prediction" if prediction is None else "the section has no counts to compare with"
        return f"<h2>Scores</h2>\n<p>None: {why}.</p>"
    rows = [
        [
            escape(words),
            number(mean_score(scores[name].to_numpy(float))),
            number(median_score(scores[name].to_numpy(float))),
            str(int(scores[name].notna().sum())),
        ]
        for name, words in COLUMNS.items()
    ]
    head = table(("over genes", "mean", "median", "genes with a score"), rows, numbers=(1, 2, 3))
    return f'<h2>Scores</h2>\n{head}\n<p class="small dim">{escape(MEANING)}</p>'


def picture(words: str, source: str, *, is_single: bool) -> str:
    """A drawing of one map or of two beside each other, with a line of words below it."""
    kind = "map single" if is_single else "map"
    text = escape(words)
    return f'<figure class="{kind}"><img alt="{text}" src="{source}"><figcaption>{text}</figcaption></figure>'


def maps(pictures: Iterable[str], notes: Sequence[str]) -> str:
    """All pictures, and what is to be told of the genes asked for."""
    told = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return f"<h2>Maps</h2>\n{told}" + "\n".join(pictures)


def gene_words(gene: str, scores: pd.DataFrame | None) -> str:
    """A gene with its scores."""
    if scores is None:
        return gene
    one = scores[scores["gene"] == gene].iloc[0]
    told = f"r = {number(one['pcc_spot'])} (S), {number(one['pcc_gene'])} (T)"
    return f"{gene}: {told}; ceiling {number(one['ceiling_spot'])} (S)"


def scores(table_: pd.DataFrame | None, chosen: Sequence[str]) -> str:
    """Scores of the genes shown, of both ends of the ranking, and of all, folded."""
    if table_ is None:
        return ""
    ranked = table_.sort_values("pcc_spot", ascending=False, kind="stable", na_position="last")
    known = ranked.dropna(subset=["pcc_spot"])
    parts = ["<h2>Genes</h2>", "<h3>Of the maps</h3>", _of_genes(ranked[ranked["gene"].isin(set(chosen))])]
    if len(known) > 2 * ENDS:
        parts += [f"<h3>The {ENDS} best predicted</h3>", _of_genes(known.head(ENDS))]
        parts += [f"<h3>The {ENDS} worst predicted</h3>", _of_genes(known.iloc[::-1].head(ENDS))]
    parts.append(f"<details><summary>All {plural(len(ranked), 'gene')}</summary>{_of_genes(ranked)}</details>")
    return "\n".join(parts)


def settings(section: Section, prediction: Prediction | None, digests: Mapping[str, str], again: str) -> str:
    """All that is needed to make it again, and to know whether it was made with the same."""
    parts = [f"<h2>How to make it again</h2>\n<pre>{escape(again)}</pre>"] if again else []
    rows = [["section", fields({"um_per_px": section.um_per_px_source, **digests})]]
    if prediction is not None:
        provenance = prediction_told(prediction)["provenance"]
        rows += [
            [escape(name), fields(value) if isinstance(value, Mapping) else code(value)]
            for name, value in provenance.items()
            if name != keys.NOTES
        ]
    parts.append(
        "<h2>Settings and digests</h2>\n<p>A digest changes with any change of what it stands for.</p>"
        f"\n{table((), rows)}"
    )
    return "\n".join(parts)


def _slide(section: Section) -> str:
    slide = section.slide
    if slide is None:
        return "none"
    scale = f"{section.um_per_px:.3f} µm per pixel" if section.um_per_px else "scale not known"
    return f"{slide.path.name}, {slide.width:,} x {slide.height:,} pixels, {scale} ({section.um_per_px_source})"


def _predicted(prediction: Prediction) -> dict[str, str]:
    provenance = prediction.table.uns.get(keys.PROVENANCE, {})
    space = str(provenance.get("space", "mixed"))
    trained = ", ".join(map(str, provenance.get("trained_on", ())))
    return {
        "Predicted": f"{plural(len(prediction.genes), 'gene')} by {prediction.model}, {SPACE_NAMES.get(space, space)}",
        "Trained on": trained,
        "Pictures": f"{provenance.get('encoder', '')} features; cell types: {provenance.get('cell_types', 'none')}",
    }


def _of_genes(rows: pd.DataFrame) -> str:
    told = [
        [f'<span class="whole">{escape(str(one["gene"]))}</span>', *(number(one[name]) for name in COLUMNS)]
        for _, one in rows.iterrows()
    ]
    return table(("gene", *COLUMNS.values()), told, numbers=range(1, 1 + len(COLUMNS)))
