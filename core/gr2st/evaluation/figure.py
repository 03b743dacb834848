"""A still picture of one gene, measured beside predicted, on the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import keys
from gr2st.errors import UnknownName
from gr2st.io.store import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Float32, Prediction, Section, UInt8

THUMBNAIL_PX = 1400


def best_gene(prediction: Prediction) -> str:
    """The gene with the highest correlation against spot-normalised expression; the first one where none has any."""
    scores = prediction.table.var[keys.PCC_SPOT]
    return str(scores.idxmax()) if scores.notna().any() else prediction.genes[0]


def draw_gene(prediction: Prediction, section: Section, gene: str, path: Path) -> Path:
    """Write a PNG of measured | predicted for one gene.

    Each panel has its own limits, 2nd to 98th percentile, since the two may be on different scales; the colour bars
    say which. Spots without a measured value are grey.
    """
    from matplotlib.figure import Figure

    if gene not in prediction.genes:
        raise UnknownName.of("gene of this prediction", gene, prediction.genes)
    table = prediction.table
    column = prediction.genes.index(gene)
    pcc = float(table.var[keys.PCC_SPOT].iloc[column])
    figure = Figure(figsize=(12, 5.6), layout="constrained", dpi=110)
    panels: Any = figure.subplots(1, 2)
    provenance = table.uns[keys.PROVENANCE]
    for panel, layer, title in (
        (panels[0], keys.MEASURED_SPOT, "measured"),
        (panels[1], keys.PREDICTED, f"predicted by {provenance['model']}"),
    ):
        values = np.asarray(table.layers[layer], np.float32)[:, column]
        _panel(panel, section, np.asarray(table.obsm[keys.SPATIAL]), values)
        panel.set_title(f"{gene} · {title}", fontsize=13)
    score = f"Pearson r = {pcc:.2f} over {table.n_obs} spots" if np.isfinite(pcc) else "no score: a constant gene"
    figure.suptitle(f"Section {section.name}, held out · {score}", fontsize=12)
    with atomic_path(path) as part:
        figure.savefig(part, format="png")
    return path


def _panel(panel: Any, section: Section, xy: Any, values: Float32) -> None:
    picture = _picture(section)
    if picture is not None and section.slide is not None:
        panel.imshow(picture, extent=(0, section.slide.width, section.slide.height, 0), alpha=0.55)
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if len(known) else (0.0, 1.0)
    panel.scatter(*xy[~np.isfinite(values)].T, s=30, c="lightgrey")
    dots = panel.scatter(*xy.T, c=values, s=30, cmap="viridis", vmin=low, vmax=max(high, low + 1e-6), linewidths=0)
    panel.figure.colorbar(dots, ax=panel, shrink=0.8, label="log10(1 + counts per 10,000)")
    margin = 2 * section.grid_pitch
    panel.set_xlim(xy[:, 0].min() - margin, xy[:, 0].max() + margin)
    panel.set_ylim(xy[:, 1].max() + margin, xy[:, 1].min() - margin)
    panel.set_aspect("equal")
    panel.set_axis_off()


def _picture(section: Section) -> UInt8 | None:
    return None if section.slide is None else section.slide.thumbnail(THUMBNAIL_PX)
