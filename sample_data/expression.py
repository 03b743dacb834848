"""Invents the counts of a section: what each gene does follows from what the picture shows, plus noise and depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tissue import Image, Tissue, look_up

PROGRAMMES = {
    "tumour": """
        ERBB2 GRB7 STARD3 MIEN1 PGAP3 ORMDL3 KRT19 KRT8 KRT18 KRT7 EPCAM CDH1 MUC1 ESR1 GATA3 FOXA1 XBP1 TFF1
        TFF3 AGR2 AGR3 CLDN3 CLDN4 CLDN7 SPINT1 SPINT2 ELF3 CD24 CRABP2 TACSTD2 AZGP1 MLPH SPDEF ANKRD30A TRPS1
        FASN SCD SLC39A6 S100A14 LMO4 PERP DSP JUP TPD52 AP1M2 RAB25 ESRP1 ERBB3
    """,
    "core": "MKI67 TOP2A CCNB1 CDK1 BIRC5 UBE2C TYMS PCNA MCM2 STMN1 VEGFA CA9 NDRG1 SLC2A1",
    "stroma": """
        COL1A1 COL1A2 COL3A1 COL5A1 COL6A1 COL6A2 COL6A3 COL12A1 FN1 SPARC LUM DCN BGN POSTN THBS2 FBLN1 FBN1
        MMP2 TIMP1 TIMP3 TAGLN ACTA2 MYL9 VIM PDGFRB FAP AEBP1 SFRP2 SFRP4 CTHRC1 MGP IGFBP7 CCN2 SERPINF1 LOXL1
        PCOLCE ELN TNC VCAN PECAM1 VWF CDH5
    """,
    "fat": "PLIN1 PLIN4 ADIPOQ FABP4 LPL CIDEC CIDEA G0S2 LEP GPD1 CD36 AQP7 RBP4 PCK1 LIPE TUSC5 ADH1B CFD",
    "immune": """
        CD3D CD3E CD2 CD4 CD8A CD5 CD27 IL7R TRBC1 LCK CCL19 CCL21 CXCL13 CCR7 SELL MS4A1 CD19 CD79A CD79B BANK1
        PAX5 LTB CD37 CD52 CD53 PTPRC CORO1A CXCR4 IGHM IGHG1 IGKC JCHAIN MZB1 HLA-DRA CD74 LYZ
    """,
    "everywhere": """
        GAPDH ACTB B2M EEF1A1 RPLP0 RPL13A RPS18 RPS27A TPT1 FTH1 FTL UBC UBA52 HSP90AB1 PPIA TUBA1B PGK1 LDHA
        ENO1 YWHAZ
    """,
    "nowhere in particular": """
        CHD4 ZNF207 SRSF5 DDX5 NCOA4 PUM1 MED13 UBE3A SETD2 KMT2C ARID1A PHF3 RBM39 TAX1BP1 ATRX NKTR GOLGA4
        TNRC6B USP9X XPO1 SF3B1 HNRNPU
    """,
}
"""Genes by where they are high; those of the last row change from spot to spot without any visible reason."""

GENES = tuple(gene for genes in PROGRAMMES.values() for gene in genes.split())


@dataclass(frozen=True, eq=False)
class Behaviour:
    """What every gene does: mean count per spot in each visible programme (genes, programmes) and how noisy it is."""

    mean: Image
    private: Image
    spread: Image


def behaviour(seed: int, patient_seed: int) -> Behaviour:
    """Draw the genes' behaviour; patients differ by about a third in the level of a gene."""
    rng = np.random.default_rng(seed)
    names = list(PROGRAMMES)
    home = np.array([name for name, genes in PROGRAMMES.items() for _ in genes.split()])
    level = np.exp(rng.normal(1.25, 0.85, len(GENES)))
    leak = level[:, None] * rng.uniform(0.03, 0.16, (len(GENES), 5))
    high = home[:, None] == np.array(names[:5])[None, :]
    flat = np.isin(home, names[5:])[:, None]
    mean = np.where(flat, 0.7 * level[:, None], np.where(high, level[:, None], leak))
    mean[home == "core", 0] = 0.4 * level[home == "core"]
    patient = np.exp(np.random.default_rng(patient_seed + 50).normal(0, 0.3, len(GENES)))
    private = np.where(home == names[6], 0.7, 0.25)
    return Behaviour(mean * patient[:, None], private, rng.uniform(1.5, 6, len(GENES)))


def surroundings(tissue: Tissue, xy: Image, radius_um: float) -> tuple[Image, Image]:
    """What lies under each spot: programmes (n, 5) and tissue (n,), as shares of the spot's area, to three decimals."""
    radius = radius_um / tissue.frame.um_per_px
    reach = int(np.ceil(radius))
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.hypot(dx, dy) <= radius
    offsets = np.stack([dx[disc], dy[disc]], axis=1)
    places = (xy[:, None, :] + offsets).reshape(-1, 2)
    shares = tissue.compartments()
    maps = (shares["tumour"], tissue.core, shares["stroma"], shares["fat"], shares["immune"])
    means = [look_up(values, places).reshape(len(xy), -1).mean(axis=1) for values in maps]
    covered = look_up(tissue.tissue.astype(float), places).reshape(len(xy), -1).mean(axis=1)
    return np.round(np.stack(means, axis=1), 3), np.round(covered, 3)


def counts(shares: Image, genes: Behaviour, depth: float, rng: np.random.Generator) -> npt.NDArray[np.int32]:
    """Counts (spots, genes): a gamma-Poisson draw round the mean that the surroundings imply, times depth per spot.

    Crowded tissue yields more, as it does on a real array: fat about a fifth of tumour.
    """
    yields = shares @ np.array([1.0, 0.3, 0.6, 0.2, 1.2]) * np.exp(rng.normal(0, 0.35, len(shares)))
    mean = shares @ genes.mean.T * (depth * yields)[:, None]
    mean *= np.exp(genes.private * rng.standard_normal(mean.shape))
    return rng.poisson(rng.gamma(genes.spread, np.maximum(mean, 1e-9) / genes.spread)).astype(np.int32)


LABELS = ("invasive cancer", "invasive cancer", "connective tissue", "adipose tissue", "immune infiltrate")


def labels(shares: Image) -> list[str]:
    """The word a pathologist would put on each spot: the largest share, nest cores counted with their nests."""
    return [LABELS[k] for k in np.argmax(shares * np.array([1, 0, 1, 1, 1.3]), axis=1)]
