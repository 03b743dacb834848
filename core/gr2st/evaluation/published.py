"""The published evaluations of GR2ST, as values: which sections, which genes, which settings, what was reported.

`gr2st.evaluation.preset` makes a plan of one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gr2st.config import CellSource, PatchConfig, Settings, TrainConfig
from gr2st.registry import MODELS, Registry

if TYPE_CHECKING:
    from gr2st.evaluation.folds import Protocol

ENCODER = "phikon-v2"
PATCH = PatchConfig(size_px=224, um_per_px=None)
STAIN = "reinhard"
CELL_TYPES: CellSource = "files"
PROTOCOL: Protocol = "section"


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """How a model was trained on one data set.

    ``reported`` is the mean Pearson r over genes, then over sections, against gene-normalised expression.
    """

    config: Settings
    training: TrainConfig
    reported: float


@dataclass(frozen=True, slots=True)
class GeneList:
    """The list of genes of a data set, by its length and where it is published.

    ``digest`` is that of the sorted names (`gr2st.evaluation.preset.digest_of`), "" where it is not known here.
    """

    length: int
    digest: str
    source: str


@dataclass(frozen=True, slots=True)
class PublishedStudy:
    """One data set as GR2ST was evaluated on it: each section in turn held out, all others trained on.

    Attributes
    ----------
    name : str
    sections : tuple of str
        Names as the reader of its layout gives them, in the published order of folds.
    genes : GeneList
    data, pictures : str
        Where the tables, and where the pictures at full resolution are published.
    models : mapping
        Names of `gr2st.registry.MODELS` to their settings on this data set.
    others : mapping
        Further rows of the published table, as reported.
    differs : tuple of str
        What is not as published here whatever the user chooses, a sentence each.
    """

    name: str
    sections: tuple[str, ...]
    genes: GeneList
    data: str
    pictures: str
    models: Mapping[str, PublishedModel]
    others: Mapping[str, float]
    differs: tuple[str, ...]

    @property
    def reported(self) -> dict[str, float]:
        """Every row of the published table that is known here."""
        return {name: model.reported for name, model in self.models.items()} | dict(self.others)


def _as(model: str, reported: float, config: Mapping[str, Any] | None = None, **training: Any) -> PublishedModel:
    """A registered model with what was different for one data set."""
    spec = MODELS[model]
    own = spec.config.model_copy(update=config)
    return PublishedModel(own, spec.training.model_copy(update=training), reported)


_EVERYWHERE = (
    "Patches are cut from the picture itself; the published ones had gone through JPEG twice.",
    "Reinhard's colours lead to a built-in look, not to the reference picture of the published repository.",
    "A patch that reaches over the edge of the picture is mirrored there; published, its features are zeros.",
    "Of spots equally far away, v1 takes the earlier ones for its 20 nearest; published, the order of a sort decides.",
)

HER2ST = PublishedStudy(
    name="HER2ST",
    sections=tuple(
        f"{patient}{number}"
        for patient, numbers in {
            "A": range(2, 7),
            "B": range(1, 7),
            "C": range(1, 7),
            "D": range(1, 7),
            "E": range(1, 4),
            "F": range(1, 4),
            "G": range(1, 4),
        }.items()
        for number in numbers
    ),
    genes=GeneList(785, "cd583bbf070dd3ee", "data/her_hvg_cut_1000.npy of the repositories of HisToGene and Hist2ST"),
    data="https://github.com/almaan/her2st or https://doi.org/10.5281/zenodo.4751624",
    pictures="they are published with the tables",
    models={
        "gr2st-v2": _as("gr2st-v2", 0.2357, epochs=200, drop_epoch=150),
        "gr2st-v1": _as("gr2st-v1", 0.2340, epochs=100),
    },
    others={
        "mclSTExp": 0.2281,
        "Reg2ST": 0.1741,
        "HGGEP": 0.1566,
        "Hist2ST": 0.1484,
        "THItoGene": 0.1330,
        "HisToGene": 0.0818,
    },
    differs=(
        *_EVERYWHERE,
        "Each fold of v2 is run once; published, one of five runs was taken, and how it was chosen is not known.",
    ),
)

CSCC = PublishedStudy(
    name="cSCC",
    sections=tuple(f"{patient}_ST_rep{number}" for patient in ("P2", "P5", "P9", "P10") for number in (1, 2, 3)),
    genes=GeneList(171, "40a10f2dbd0184ca", "data/skin_hvg_cut_1000.npy of the repositories of HisToGene and Hist2ST"),
    data="https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?acc=GSE144240",
    pictures="they are published with the tables, packed: unpack every .jpg.gz",
    models={
        # Radius 3 in array indices; the array is interleaved, and a step is sqrt(2) indices or a little less.
        "gr2st-v2": _as("gr2st-v2", 0.3288, {"spatial_radius": 2.07}, epochs=100, drop_epoch=None),
        "gr2st-v1": _as("gr2st-v1", 0.3246, {"retrieval_k": 600, "retrieval_distance": "l2"}, epochs=100),
    },
    others={
        "mclSTExp": 0.3157,
        "Reg2ST": 0.2024,
        "THItoGene": 0.1796,
        "Hist2ST": 0.1749,
        "HGGEP": 0.1084,
        "HisToGene": 0.0771,
    },
    differs=(
        *_EVERYWHERE,
        "Spatial edges of v2 are found by distance on the tissue, 2.07 steps; the published rule is 3 array indices. "
        "About one edge in eighty differs.",
    ),
)

BREAST = PublishedStudy(
    name="Visium breast",
    sections=("1142243F", "CID4290", "CID4465", "CID44971", "CID4535", "1160920F"),
    genes=GeneList(50, "", "the repositories of GR2ST and STMCL"),
    data="https://doi.org/10.5281/zenodo.4739739",
    pictures="the deposit has none at full resolution and refers to its authors; put them beside the tables as "
    "images/NAME.tif",
    models={
        # Published with a radius of 3 pixels, in which no spot has a neighbour.
        "gr2st-v2": _as(
            "gr2st-v2",
            0.1130,
            {"input_space": "gene", "spatial": "none"},
            epochs=201,
            drop_epoch=None,
            batch_spots=256,
        ),
    },
    others={
        "Reg2ST": 0.0834,
        "mclSTExp": 0.0778,
        "HGGEP": 0.0751,
        "Hist2ST": 0.0712,
        "THItoGene": 0.0638,
        "HisToGene": 0.0392,
    },
    differs=(
        *_EVERYWHERE[:-1],
        "Red and blue are as in the picture; in the published patches they are exchanged.",
    ),
)

PUBLISHED: Registry[PublishedStudy] = Registry(
    "published study", {study.name: study for study in (HER2ST, CSCC, BREAST)}
)
