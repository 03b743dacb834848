"""What the estimate of cell types is worth: python -m benchmarks.cell_types STUDY SECTION [SECTION ...].

Per section: pathologists' labels against estimated types where there are labels, the rank correlation of estimated
proportions with marker genes where those were measured, and spots per second.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from scipy.stats import spearmanr

from gr2st import keys
from gr2st.cells.aggregate import counts_in_windows, spot_cells
from gr2st.cells.estimate import nuclei_at
from gr2st.config import PatchConfig
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.preprocess.genes import counts_of
from gr2st.preprocess.normalise import spot_normalise
from gr2st.types import CELL_CLASSES, Section, SpotCells, finish

TOLD = ("neopla", "inflam", "connec")
MARKERS = {
    "epithelium": ("EPCAM", "KRT8", "KRT18", "KRT19", "CDH1", "ERBB2"),
    "immune": ("PTPRC", "CD3E", "CD74", "CXCR4", "CD79A", "TRBC2", "CCL5", "LTB", "IGKC", "IGHG1"),
    "connective": ("COL1A1", "COL1A2", "COL3A1", "DCN", "LUM", "SPARC", "FN1"),
}


def estimated(section: Section, patch: PatchConfig) -> SpotCells:
    """The estimate, also for pictures too coarse for it: here we want to see what it would say."""
    xy = np.asarray(section.table.obsm[keys.SPATIAL])
    side = patch.size_px * patch.um_per_px / section.um_per_px
    nuclei = finish(nuclei_at(section.slide, xy, side=side, um_per_px=section.um_per_px, section=section.name))
    return spot_cells(counts_in_windows(nuclei, xy, side), "estimate")


def confusion(section: Section, cells: SpotCells) -> pd.DataFrame:
    """Spots by label and estimated type."""
    labels = section.table.obs[keys.LABEL].astype(str).to_numpy()
    types = pd.Categorical.from_codes(cells.cell_type, list(CELL_CLASSES))
    return pd.crosstab(pd.Series(labels, name="label"), pd.Series(types, name="estimate"))


def marker_correlation(section: Section, cells: SpotCells) -> pd.DataFrame:
    """Spearman correlation over spots of each proportion with the mean expression of each set of markers."""
    rows = {}
    for name, genes in MARKERS.items():
        known = tuple(gene for gene in genes if gene in set(section.genes))
        if known:
            expression = spot_normalise(counts_of(section.table, tuple(section.genes)))
            places = [section.genes.index(gene) for gene in known]
            mean = expression[:, places].mean(axis=1)
            rows[name] = {told: _rank(cells.cell_share[:, CELL_CLASSES.index(told)], mean) for told in TOLD}
    return pd.DataFrame.from_dict(rows, orient="index")


def _rank(share: np.ndarray, expression: np.ndarray) -> float:
    return float(spearmanr(share, expression).statistic) if np.ptp(share) > 0 else float("nan")


def main(study: str, *names: str) -> None:
    found = read_study(Path(study))
    for name in names:
        section = read_section(found.entry(name))
        started = time.perf_counter()
        cells = estimated(section, PatchConfig())
        _report(section, cells, time.perf_counter() - started)


def _report(section: Section, cells: SpotCells, seconds: float) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n{section.name}: {section.n_spots} spots in {seconds:.1f} s, estimated share of nuclei:")
    mean = cells.cell_share.mean(axis=0)
    console.print(", ".join(f"{name} {share:.1%}" for name, share in zip(CELL_CLASSES, mean, strict=True)))
    if keys.LABEL in section.table.obs:
        console.print(confusion(section, cells).to_string())
    console.print(marker_correlation(section, cells).round(2).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
