"""From a published study and the user's wishes to a plan; what departs from the paper is told, what is missing refused.

The preset decides everything that the user leaves open. What the user asks for wins, and is named in summary.json.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gr2st.config import CellSource, GeneChoice, PatchConfig, Precision, TrainConfig
from gr2st.errors import DataError, WeightsMissing
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.published import CELL_TYPES, ENCODER, PATCH, PROTOCOL, PUBLISHED, STAIN, PublishedStudy
from gr2st.io.tables import plural, some
from gr2st.io.visium_picture import has_full_picture
from gr2st.preparation import encoder_identity
from gr2st.registry import ENCODERS, MODELS

if TYPE_CHECKING:
    from gr2st.evaluation.folds import Protocol
    from gr2st.types import SectionEntry, Study

BESIDE = ("gr2st", "ridge", "knn", "mean", "depth-oracle")
"""Rows beside the published models, where the user names none."""
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asks for beside the preset; None and empty: as published.

    Fields are those of `Plan` and of its recipe; ``epochs``, ``seed``, ``device`` and ``precision`` hold for every
    model that is trained.
    """

    genes: GeneChoice | None = None
    sections: tuple[str, ...] = ()
    protocol: Protocol | None = None
    models: tuple[str, ...] = ()
    encoder: str | None = None
    um_per_px: float | None = None
    cell_types: CellSource | None = None
    epochs: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: Precision = "float32"
    ablations: tuple[str, ...] = ()
    seeds: int = 1


def recognise(study: Study) -> PublishedStudy:
    """The published study whose sections these are, by their names.

    Raises
    ------
    DataError
        No section has the name of a published one.
    """
    known = {published.name: set(published.sections) & set(study.names) for published in PUBLISHED.values()}
    best = max(known, key=lambda name: len(known[name]))
    if known[best]:
        return PUBLISHED[best]
    told = "; ".join(f"{p.name} ({p.sections[0]}, {p.sections[1]}, ..., {p.sections[-1]})" for p in PUBLISHED.values())
    raise DataError(
        f"The sections of {study.name} ({some(study.names)}) are those of no published study. Known: {told}. "
        "Name the sections so in a study.csv, or evaluate without the preset."
    )


def published_plan(study: Study, wish: Wish) -> Plan:
    """The plan of a published evaluation, with what the user asks for in the place of what was published.

    Raises
    ------
    DataError
        The study is none of the published ones, or something is missing: sections, pictures, the gene list, cell
        types, weights. All of it is listed, with where it is to be had.
    UnknownName
        No such model, encoder or ablation.
    """
    published = recognise(study)
    plan = _plan(published, wish)
    if missing := list(missing_for(study, published, plan)):
        listed = "".join(f"\n  - {what}" for what in missing)
        raise DataError(f"{published.name} cannot be evaluated as published yet, so nothing was run. Missing:{listed}")
    return replace(plan, preset=_told(published, plan))


def _plan(published: PublishedStudy, wish: Wish) -> Plan:
    models = wish.models or (*published.models, *BESIDE)
    encoder = wish.encoder or ENCODER
    size = ENCODERS[encoder].input_px
    return Plan(
        models=models,
        genes=wish.genes or GeneChoice(),
        protocol=wish.protocol or PROTOCOL,
        sections=wish.sections or published.sections,
        recipe={
            "encoder": encoder,
            "patch": PatchConfig(size_px=size, um_per_px=wish.um_per_px or PATCH.um_per_px).model_dump(),
            "stain": STAIN,
            "cell_types": wish.cell_types or CELL_TYPES,
        },
        training={name: _training(published, name, wish) for name in models},
        config={name: published.models[name].config for name in models if name in published.models},
        ablations=wish.ablations,
        seeds=wish.seeds,
    )


def _training(published: PublishedStudy, model: str, wish: Wish) -> TrainConfig:
    """Settings of a model on this data set; one that is solved in closed form has no epochs to change."""
    base = published.models[model].training if model in published.models else MODELS[model].training
    changes: dict[str, Any] = {"seed": wish.seed, "device": wish.device}
    if base.epochs:
        changes |= {"epochs": base.epochs if wish.epochs is None else wish.epochs, "precision": wish.precision}
    return base.model_copy(update=changes)


def missing_for(study: Study, published: PublishedStudy, plan: Plan) -> Iterator[str]:
    """What the plan needs and this machine lacks, a sentence each, with where it is to be had."""
    absent = [name for name in plan.sections if name not in study.names]
    if absent:
        yield f"{_sections(absent, of=len(plan.sections))}. They are published at {published.data}."
    entries = [study.entry(name) for name in plan.sections if name in study.names]
    yield from _missing_pictures(entries, published)
    if not (plan.genes.listed or plan.genes.n_variable):
        yield (
            f"the list of {published.genes.length} genes, published as {published.genes.source}. Name a text file of "
            "it with --genes."
        )
    yield from _missing_cells(entries, plan)
    yield from _missing_weights(plan)


def _missing_pictures(entries: Iterable[SectionEntry], published: PublishedStudy) -> Iterator[str]:
    """Sections without a picture at full resolution: published patches are pixels as scanned."""
    bare = [entry.name for entry in entries if not _has_scan(entry)]
    if bare:
        reasons = " ".join(entry.without_image for entry in entries if entry.without_image and entry.name in bare[:3])
        told = f"the picture at full resolution of {_sections(bare)}: {published.pictures}."
        yield f"{told} {reasons}".rstrip()


def _has_scan(entry: SectionEntry) -> bool:
    spatial = entry.parts.get("spatial")
    return "image" in entry.parts or (spatial is not None and has_full_picture(spatial))


def _missing_cells(entries: Iterable[SectionEntry], plan: Plan) -> Iterator[str]:
    if plan.cell_types != "files":
        return
    without = [entry.name for entry in entries if "cells" not in entry.parts]
    if without:
        yield (
            f"the cell types of {_sections(without)}. Put HoVer-Net's results into a folder cells of the study, a file "
            "or folder named by each section, or name them in the column cells of study.csv. Without them: "
            "--cell-types none or estimate, which is not the published setting."
        )


def _missing_weights(plan: Plan) -> Iterator[str]:
    try:
        encoder_identity(plan.encoder)
    except WeightsMissing as error:
        told = str(error).replace("\n", "\n    ")
        yield f"{told}\n    Without them: --encoder handcrafted, which is not the published setting."


def _sections(names: list[str], *, of: int | None = None) -> str:
    """``2 of 32 sections (A2, C4)``."""
    count = plural(len(names), "section") if of is None else f"{len(names)} of {plural(of, 'section')}"
    return f"{count} ({some(names, _SHOWN)})"


@dataclass(frozen=True, slots=True)
class _Aspect:
    """One choice of an evaluation, as it was published and as it is here."""

    name: str
    published: str
    here: str


def _told(published: PublishedStudy, plan: Plan) -> dict[str, Any]:
    """What summary.json tells of the preset: what is as published, what departs by choice, what always differs."""
    aspects = list(_aspects(published, plan))
    return {
        "name": "paper",
        "study": published.name,
        "as_published": [f"{a.name}: {a.here}" for a in aspects if a.here == a.published],
        "departs": [f"{a.name}: {a.here}, published {a.published}" for a in aspects if a.here != a.published],
        "differs": list(published.differs),
        "reported": published.reported,
    }


def _aspects(published: PublishedStudy, plan: Plan) -> Iterator[_Aspect]:
    wanted, chosen = published.sections, plan.sections
    all_of_them = f"all {len(wanted)}"
    same = set(wanted) == set(chosen)
    yield _Aspect("sections", all_of_them, all_of_them if same else f"{len(chosen)} ({some(chosen, _SHOWN)})")
    yield _Aspect("held out", f"a {PROTOCOL}", f"a {plan.protocol}")
    yield _Aspect("genes", f"the list of {published.genes.length}", _genes(published, plan.genes))
    yield _Aspect("encoder", ENCODER, plan.encoder)
    yield _Aspect("patches", _patch(PATCH), _patch(PatchConfig.model_validate(plan.recipe["patch"])))
    yield _Aspect("stain", STAIN, plan.recipe["stain"])
    yield _Aspect("cell types", CELL_TYPES, plan.cell_types)
    for name in plan.models:
        if name in published.models:
            epochs = published.models[name].training.epochs, plan.training[name].epochs
            yield _Aspect(f"epochs of {name}", *map(str, epochs))
        elif any(name in other.models for other in PUBLISHED.values()):
            yield _Aspect(name, "without it", "with the settings it has elsewhere")


def _genes(published: PublishedStudy, choice: GeneChoice) -> str:
    """The genes in words; the published list is known by its length, and by its digest where that is known."""
    wanted = published.genes
    if not choice.listed:
        return f"{choice.n_variable} variable genes of the training sections"
    if len(choice.listed) == wanted.length and wanted.digest in ("", digest_of(choice.listed)):
        return f"the list of {wanted.length}"
    return f"another list of {len(choice.listed)}"


def digest_of(genes: Iterable[str]) -> str:
    """Sixteen hex digits of a set of gene names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(genes)).encode()).hexdigest()[:16]


def _patch(patch: PatchConfig) -> str:
    return f"{patch.size_px} px " + ("as scanned" if patch.um_per_px is None else f"of {patch.um_per_px:g} µm")
