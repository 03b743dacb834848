"""The published evaluations: their plans, what is told of a plan that departs, and what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gr2st.config import GeneChoice, Gr2stConfig
from gr2st.errors import DataError, UnknownName
from gr2st.evaluation.folds import make_folds
from gr2st.evaluation.preset import BESIDE, Wish, published_plan, recognise
from gr2st.evaluation.published import PUBLISHED
from gr2st.io.study import read_study
from gr2st.types import Study
from tests.builders import legacy_array, visium_array
from tests.published_builders import (
    BREAST_NAMES,
    CSCC_NAMES,
    HER2ST_NAMES,
    SMALL,
    breast_folder,
    cell_types_of,
    cscc_folder,
    her2st_repository,
    interleaved_array,
)

if TYPE_CHECKING:
    from gr2st.evaluation.plan import Plan
    from tests.core.conftest import Command

GENES = [f"GENE{number}" for number in range(1, 9)]
STUDIES = ("HER2ST", "cSCC", "Visium breast")


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    """Every published study, complete with cell types."""
    base = tmp_path_factory.mktemp("published")
    her2st, cscc, breast = her2st_repository(base / "h"), cscc_folder(base), breast_folder(base / "b")
    cell_types_of(her2st, dict.fromkeys(HER2ST_NAMES, legacy_array(**SMALL).names))
    cell_types_of(cscc, dict.fromkeys(CSCC_NAMES, interleaved_array().names))
    cell_types_of(breast, dict.fromkeys(BREAST_NAMES, visium_array(**SMALL).names))
    return dict(zip(STUDIES, map(read_study, (her2st, cscc, breast)), strict=True))


@pytest.fixture
def phikon(weights: Path) -> None:
    """A file in the place of the weights: a plan only asks whether they are there."""
    (weights / "phikon-v2").mkdir(parents=True)
    (weights / "phikon-v2" / "model.safetensors").write_bytes(b"no weights")


def list_of(length: int) -> GeneChoice:
    return GeneChoice(listed=tuple(f"GENE{number}" for number in range(length)))


def plan_for(study: Study, **wishes: Any) -> Plan:
    length = recognise(study).genes.length
    return published_plan(study, Wish(**({"genes": list_of(length)} | wishes)))


def settings_of(plan: Plan, model: str) -> dict[str, Any]:
    config = plan.config[model]
    assert isinstance(config, Gr2stConfig)
    return config.model_dump() | plan.training[model].model_dump()


@pytest.mark.usefixtures("phikon")
@pytest.mark.parametrize(("name", "folds", "genes"), [("HER2ST", 32, 785), ("cSCC", 12, 171), ("Visium breast", 6, 50)])
def test_a_study_is_known_by_its_sections_and_every_section_is_held_out(
    studies: dict[str, Study], name: str, folds: int, genes: int
) -> None:
    plan = plan_for(studies[name])
    assert plan.preset["study"] == name
    assert plan.protocol == "section"
    entries = [studies[name].entry(section) for section in plan.sections]
    made = make_folds(entries, plan.protocol)
    assert len(made) == folds
    assert all(len(fold.train) == folds - 1 and len(fold.test) == 1 for fold in made)
    assert PUBLISHED[name].genes.length == len(plan.genes.listed) == genes


@pytest.mark.usefixtures("phikon")
@pytest.mark.parametrize("name", STUDIES)
def test_features_and_cell_types_are_the_published_ones(studies: dict[str, Study], name: str) -> None:
    plan = plan_for(studies[name])
    assert plan.encoder == "phikon-v2"
    assert plan.cell_types == "files"
    assert plan.recipe["stain"] == "reinhard"
    assert plan.recipe["patch"] == {"size_px": 224, "um_per_px": None}
    assert plan.models == (*PUBLISHED[name].models, *BESIDE)


def test_her2st_leaves_out_the_four_sections_that_were_left_out() -> None:
    assert set(HER2ST_NAMES) - set(PUBLISHED["HER2ST"].sections) == {"A1", "H1", "H2", "H3"}


V2 = {"functional": "threshold", "retrieval_k": 200, "retrieval_distance": "l1", "blend": 0.4, "bank_space": "gene"}
V1 = {"functional": "top-k", "spatial": "nearest", "experts": 0, "bank_space": "gene", "input_space": "spot"}
ON_GRID = {"spatial": "radius", "input_space": "spot", "batch_spots": None}
PUBLISHED_SETTINGS = [
    ("HER2ST", "gr2st-v2", V2 | ON_GRID | {"spatial_radius": 3.0, "epochs": 200, "drop_epoch": 150}),
    (
        "HER2ST",
        "gr2st-v1",
        V1 | {"epochs": 100, "reset_each_epoch": True, "retrieval_k": 200, "retrieval_distance": "l1"},
    ),
    ("cSCC", "gr2st-v2", V2 | ON_GRID | {"spatial_radius": 2.07, "epochs": 100, "drop_epoch": None}),
    (
        "cSCC",
        "gr2st-v1",
        V1 | {"epochs": 100, "reset_each_epoch": True, "retrieval_k": 600, "retrieval_distance": "l2"},
    ),
    (
        "Visium breast",
        "gr2st-v2",
        V2 | {"spatial": "none", "input_space": "gene", "epochs": 201, "drop_epoch": None, "batch_spots": 256},
    ),
]


@pytest.mark.usefixtures("phikon")
@pytest.mark.parametrize(("name", "model", "wanted"), PUBLISHED_SETTINGS)
def test_each_version_has_the_settings_it_had_on_that_data_set(
    studies: dict[str, Study], name: str, model: str, wanted: dict[str, Any]
) -> None:
    settings = settings_of(plan_for(studies[name]), model)
    assert {key: settings[key] for key in wanted} == wanted


@pytest.mark.usefixtures("phikon")
def test_a_complete_study_departs_in_nothing(studies: dict[str, Study]) -> None:
    preset = plan_for(studies["Visium breast"]).preset
    assert preset["departs"] == []
    assert preset["as_published"] == [
        "sections: all 6",
        "held out: a section",
        "genes: the list of 50",
        "encoder: phikon-v2",
        "patches: 224 px as scanned",
        "stain: reinhard",
        "cell types: files",
        "epochs of gr2st-v2: 201",
    ]
    assert preset["reported"]["gr2st-v2"] == 0.1130


@pytest.mark.usefixtures("phikon")
def test_a_list_of_the_right_length_with_other_genes_is_another_list(studies: dict[str, Study]) -> None:
    departs = plan_for(studies["HER2ST"]).preset["departs"]
    assert departs == ["genes: another list of 785, published the list of 785"]


def test_what_the_user_asks_for_wins_and_is_named(studies: dict[str, Study]) -> None:
    plan = plan_for(
        studies["cSCC"],
        genes=GeneChoice(n_variable=20),
        sections=("P2_ST_rep1", "P5_ST_rep1"),
        protocol="patient",
        models=("gr2st-v1", "ridge"),
        encoder="handcrafted",
        um_per_px=1.0,
        cell_types="none",
        epochs=3,
    )
    assert plan.sections == ("P2_ST_rep1", "P5_ST_rep1")
    assert {name: training.epochs for name, training in plan.training.items()} == {"gr2st-v1": 3, "ridge": 0}
    assert plan.recipe["stain"] == "reinhard"
    assert plan.preset["departs"] == [
        "sections: 2 (P2_ST_rep1, P5_ST_rep1), published all 12",
        "held out: a patient, published a section",
        "genes: 20 variable genes of the training sections, published the list of 171",
        "encoder: handcrafted, published phikon-v2",
        "patches: 224 px of 1 µm, published 224 px as scanned",
        "cell types: none, published files",
        "epochs of gr2st-v1: 3, published 100",
    ]


@pytest.mark.usefixtures("phikon")
def test_a_version_that_was_not_published_on_a_study_is_named(studies: dict[str, Study]) -> None:
    departs = plan_for(studies["Visium breast"], models=("gr2st-v2", "gr2st-v1")).preset["departs"]
    assert departs == ["gr2st-v1: with the settings it has elsewhere, published without it"]


def test_all_that_is_missing_is_told_at_once(tmp_path: Path, weights: Path) -> None:
    study = read_study(cscc_folder(tmp_path, CSCC_NAMES[:11]))
    entries = (replace(study.entries[0], parts={}, without_image="Counts and spots only."), *study.entries[1:])
    with pytest.raises(DataError) as caught:
        published_plan(replace(study, entries=entries), Wish())
    said = str(caught.value)
    first = study.entries[0].name
    for wanted in (
        "1 of 12 sections (P10_ST_rep3). They are published at https://www.ncbi.nlm.nih.gov",
        f"the picture at full resolution of 1 section ({first}): they are published with the tables, packed: unpack",
        "the list of 171 genes, published as data/skin_hvg_cut_1000.npy",
        "the cell types of 11 sections (P2_ST_rep1, ",
        "The weights of the encoder 'phikon-v2' are not on this machine",
        "--encoder handcrafted, which is not the published setting",
    ):
        assert wanted in said


def test_a_reduced_picture_is_no_scan(tmp_path: Path) -> None:
    study = read_study(breast_folder(tmp_path, scans=False))
    asked = {"encoder": "handcrafted", "cell_types": "none"}
    with pytest.raises(DataError, match=r"(?s)the picture at full resolution of 6 sections .*images/NAME.tif"):
        plan_for(study, **asked)


def test_a_study_of_other_sections_is_none_of_the_published_ones() -> None:
    study = Study("mine", Path("mine"), ())
    with pytest.raises(DataError, match=r"those of no published study. Known: HER2ST \(A2, A3, ..., G3\); cSCC"):
        recognise(study)


def test_an_unknown_model_is_refused_by_name(studies: dict[str, Study]) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'gr2st-v2'"):
        plan_for(studies["cSCC"], models=("gr2st-v3",), encoder="handcrafted")


def test_one_command_evaluates_the_breast_sections(studies: dict[str, Study], tmp_path: Path, command: Command) -> None:
    genes = tmp_path / "genes.txt"
    genes.write_text("\n".join(GENES))
    asked = ["--preset", "paper", "--genes", genes, "--encoder", "handcrafted", "--epochs", 1]
    code, said = command(
        "evaluate", studies["Visium breast"].path, *asked, "--models", "gr2st-v2", "--out", tmp_path / "e"
    )
    assert code == 0, said
    summary = json.loads((tmp_path / "e" / "summary.json").read_text())
    assert summary["protocol"] == "section"
    assert set(summary["models"]["gr2st-v2"]["sections"]) == set(BREAST_NAMES)
    assert summary["preset"]["departs"] == [
        "genes: another list of 8, published the list of 50",
        "encoder: handcrafted, published phikon-v2",
        "epochs of gr2st-v2: 1, published 201",
    ]
    assert summary["warning"].startswith("Not as published: genes: another list of 8"), "no section has a sister here"
    assert "cell types: files" in summary["preset"]["as_published"]
    assert "Visium breast as published: 6 sections; gr2st-v2." in said
    measured = summary["models"]["gr2st-v2"]["pcc_gene"]
    row = next(line.split() for line in said.splitlines() if line.rstrip().endswith("0.1130"))
    assert row == ["gr2st-v2", f"{measured:.4f}", "0.1130"]
    assert any(line.split() == ["HisToGene", "0.0392"] for line in said.splitlines())


def test_without_a_preset_nothing_is_told_of_one(command: Command, studies: dict[str, Study], tmp_path: Path) -> None:
    asked = ["--sections", "CID4465,CID4290", "--models", "mean", "--variable-genes", 4]
    code, said = command("evaluate", studies["Visium breast"].path, *asked, "--out", tmp_path / "e")
    assert code == 0, said
    summary = json.loads((tmp_path / "e" / "summary.json").read_text())
    assert "preset" not in summary
    assert summary["protocol"] == "patient"
    assert "as reported" not in said
