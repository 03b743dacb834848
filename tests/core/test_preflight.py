"""What is said before a training or an evaluation is begun."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import gr2st
from gr2st import Finding, Preflight
from gr2st.acts import ACTS
from gr2st.config import GeneChoice
from gr2st.errors import DataError
from gr2st.evaluation.crossval import evaluate
from gr2st.evaluation.plan import Plan
from gr2st.io.preflight import time_in_words
from gr2st.plans import TrainPlan
from gr2st.registry import MODELS
from gr2st.runs.preflight import check_evaluation, check_training
from gr2st.runs.training import run_training
from gr2st.types import finish
from tests.builders import gene_names, her2st_folder, legacy_array, write_counts

SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10, "kernel_landmarks": 64}
GENES = ["GENE1", "GENE2", "GENE3"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return her2st_folder(tmp_path_factory.mktemp("preflight") / "study")


def plan_of(study: Path, model: str = "ridge", training: dict[str, Any] | None = None, **changes: Any) -> TrainPlan:
    spec = MODELS[model]
    settings = spec.training.model_copy(update={"device": "cpu", "threads": 1, **(training or {})})
    config = spec.config.model_copy(update=SMALL if "gr2st" in model else {})
    asked = {"study": study, "model": model, "genes": {"listed": GENES}, "training": settings, "config": config}
    return TrainPlan.of(**(asked | changes))


def said(found: Preflight) -> dict[str, Finding]:
    return {finding.subject: finding for finding in found.findings}


def test_a_training_that_can_start_is_told_in_every_respect(study: Path, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    found = finish(check_training(plan_of(study, "gr2st", {"epochs": 2}, held_out="B1"), tmp_path / "run"))
    assert found.can_start
    assert found.trainings == 1
    told = said(found)
    assert list(told) == ["files", "genes", "device", "weights", "memory", "disk", "time"]
    assert told["files"].sentence == "3 sections with pictures can be read: 126 spots."
    assert told["genes"].sentence == "3 genes; 12 are measured in all of 3 sections."
    assert told["memory"].sentence.startswith("Needs about ")
    assert told["time"].sentence == "Less than a minute on this CPU: 1 training."
    assert not (tmp_path / "run").exists()
    assert torch.equal(torch.get_rng_state(), state)


def test_the_time_follows_epochs_and_inner_folds(study: Path, tmp_path: Path) -> None:
    def seconds(**training: int) -> float:
        found = finish(check_training(plan_of(study, "gr2st", training), tmp_path / "run")).seconds
        assert found is not None
        return found

    finish(run_training(plan_of(study), tmp_path / "encoded"))
    short = seconds(epochs=1, inner_folds=0)
    assert seconds(epochs=100, inner_folds=0) > 10 * short
    assert seconds(epochs=100, inner_folds=2) > 10 * short


def test_a_rate_at_which_made_up_numbers_would_diverge_hinders_no_start(study: Path, tmp_path: Path) -> None:
    plan = plan_of(study, "gr2st", {"epochs": 2, "inner_folds": 0, "learning_rate": 1e30})
    assert finish(check_training(plan, tmp_path / "run")).can_start


def test_what_stands_in_the_way_is_a_fault_with_a_sentence(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(plan: TrainPlan, folder: Path = tmp_path / "run") -> Finding:
        found = finish(check_training(plan, folder))
        assert (found.can_start, found.seconds) == (False, None)
        (only,) = [finding for finding in found.findings if finding.kind == "fault"]
        return only

    assert fault(plan_of(study, sections=["C9"])).sentence.startswith("No section is called 'C9'")
    assert fault(plan_of(study), study).sentence.endswith("Choose another folder.")
    genes = fault(plan_of(study, genes={"listed": ["GENE1", "ERBB2"]}))
    assert genes.subject == "genes"
    assert "ERBB2" in genes.sentence
    assert fault(plan_of(study, genes={"n_variable": 500})).subject == "genes"
    assert fault(plan_of(study, training={"device": "cuda"})) == Finding(
        "fault", "device", "A GPU (cuda) was asked for, but there is none here that can be used: choose auto or cpu."
    )
    monkeypatch.setenv("GR2ST_WEIGHTS", str(tmp_path / "none"))
    assert fault(plan_of(study, recipe={"encoder": "uni"})).subject == "weights"
    monkeypatch.setattr("gr2st.runs.preflight.free_bytes", lambda _: 1000)
    memory = fault(plan_of(study, "gr2st-v2"))
    assert memory.subject == "memory"
    assert "its 42 spots needs about 0.3 GB" in memory.sentence


def test_too_little_room_on_the_disk_is_a_fault(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(9, 9, 9))
    told = said(finish(check_training(plan_of(study), tmp_path / "deep" / "run")))
    assert told["disk"].kind == "fault"
    assert told["disk"].sentence.endswith("Make room, or choose another folder.")


def test_a_section_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    study = her2st_folder(tmp_path / "study", ("A1", "B1"))
    write_counts(study / "ST-cnts" / "B1.tsv.gz", legacy_array(columns=1, rows=1, n_genes=2, seed=9))
    (study / "ST-imgs" / "A" / "A1" / "0_HE_A1.jpg").write_bytes(b"no picture")
    found = finish(check_training(plan_of(study), tmp_path / "run"))
    assert not found.can_start
    assert "A1" in said(found)["files"].sentence


def test_an_evaluation_counts_the_trainings_that_are_missing(study: Path, tmp_path: Path) -> None:
    plan = Plan(models=("ridge", "mean"), genes=GeneChoice(listed=tuple(GENES)), seeds=1)
    opened = gr2st.read_study(study)
    found = finish(check_evaluation(opened, plan, tmp_path / "out"))
    assert (found.can_start, found.trainings) == (True, 4)
    assert said(found)["time"].sentence == "Less than a minute on this CPU: 4 trainings."
    finish(evaluate(opened, plan, tmp_path / "out"))
    again = finish(check_evaluation(opened, plan, tmp_path / "out"))
    assert again.as_json() == Preflight((Finding("good", "time", "All of it is done already."),), 0.0, 0).as_json()


def test_an_evaluation_is_looked_at_in_every_row(tmp_path: Path) -> None:
    study = gr2st.read_study(her2st_folder(tmp_path / "study", ("A1", "B1")))
    plan = Plan(models=("mean", "ridge"), genes=GeneChoice(listed=tuple(GENES)))
    spoiled = MODELS["ridge"].training.model_copy(update={"device": "tpu:9"})
    found = finish(check_evaluation(study, replace(plan, training={"ridge": spoiled}), tmp_path / "out"))
    assert [finding.kind for finding in found.findings if finding.subject == "device"] == ["good", "fault"]
    # A1 is predicted by the first fold, and learned from by the second alone.
    lacking = replace(legacy_array(seed=2, n_genes=12), genes=["OTHER", *gene_names(12)[1:]])
    write_counts(tmp_path / "study" / "ST-cnts" / "A1.tsv.gz", lacking)
    found = finish(check_evaluation(study, plan, tmp_path / "out"))
    assert said(found)["genes"].kind == "fault"
    assert "are not measured in A1: GENE1." in said(found)["genes"].sentence


def test_it_goes_into_json_and_out_without_loss() -> None:
    found = Preflight((Finding("note", "time", "Soon."),), None, 3)
    assert Preflight.of_json(json.loads(json.dumps(found.as_json()))) == found
    with pytest.raises(DataError, match="no answer of a look ahead"):
        Preflight.of_json({"findings": 3})


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "less than a minute"),
        (55, "about 1 minute"),
        (200, "about 3 minutes"),
        (7000, "about 117 minutes"),
        (7300, "about 2 hours"),
        (3 * 86400, "about 3 days"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert time_in_words(seconds) == words


def test_a_window_reads_it_without_torch() -> None:
    code = (
        "import sys, gr2st; gr2st.Preflight((), None, 0).as_json(); assert not {'torch', 'scanpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_worker_answers_with_what_was_found(study: Path, tmp_path: Path) -> None:
    plan = plan_of(study, "mean").model_dump(mode="json")
    answer = finish(ACTS["check_training"]({"plan": plan, "run": str(tmp_path / "run")}))
    assert Preflight.of_json(answer).trainings == 1
    asked = {"models": ["mean"], "genes": {"listed": GENES}}
    request = {"study": str(study), "plan": asked, "out": str(tmp_path / "out"), "workers": 2}
    found = Preflight.of_json(json.loads(json.dumps(finish(ACTS["check_evaluation"](request)))))
    assert said(found)["time"].sentence == "Less than a minute on this CPU: 2 trainings, shared by 2 processes."
