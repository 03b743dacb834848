"""A training as a folder: what it tells, how it is left and gone on with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, TrainConfig
from gr2st.errors import DataError, RecipeMismatch, StorageError, UnknownName
from gr2st.evaluation.plan import Plan, json_of_plan, plan_of_json
from gr2st.io import run_writer
from gr2st.io.run_writer import RunWriter, begin_run
from gr2st.io.runs import Epoch, list_runs, read_curves, read_run
from gr2st.plans import TrainPlan
from gr2st.registry import MODELS
from gr2st.runs.training import run_training
from gr2st.types import Fold, Progress, finish

GENES = ("ERBB2", "COL1A1", "GAPDH")
SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10, "kernel_landmarks": 64}


def plan_of(model: str = "gr2st-v2", **changes: Any) -> TrainPlan:
    spec = MODELS[model]
    asked: dict[str, Any] = {
        "study": gr2st.sample_study_path(),
        "model": model,
        "genes": GeneChoice(listed=GENES),
        "sections": ("A1", "A2"),
        "config": spec.config.model_copy(update=SMALL if "gr2st" in model else {}),
        "training": spec.training.model_copy(
            update={"epochs": 3 if spec.training.epochs else 0, "device": "cpu", "threads": 1}
        ),
    }
    return TrainPlan.of(**(asked | changes))


@pytest.fixture(autouse=True)
def every_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gr2st.training.fit.INTERVAL", -1.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never left."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    finish(run_training(plan_of(), folder))
    return folder


def begun(folder: Path, plan: TrainPlan | None = None) -> RunWriter:
    begin_run(folder, plan or plan_of("ridge"), device="cpu", versions={"torch": "2"})
    return RunWriter(folder)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# What a plan is


def test_a_plan_goes_into_json_and_out_without_loss() -> None:
    plan = plan_of("gr2st", recipe={"patch": {"size_px": 112, "um_per_px": None}, "cell_types": "estimate"})
    again = TrainPlan.of(**json.loads(json.dumps(plan.model_dump(mode="json"))))
    assert again == plan
    assert type(again.config) is type(MODELS["gr2st"].config)
    assert again.config.digest() == plan.config.digest()


def test_what_a_plan_leaves_open_is_as_registered() -> None:
    plan = TrainPlan.of(study="study", model="gr2st-v1", genes={"n_variable": 20}, recipe={"encoder": "virchow2"})
    assert plan.study == Path.cwd() / "study"
    assert plan.config == MODELS["gr2st-v1"].config
    assert plan.training == MODELS["gr2st-v1"].training
    assert plan.recipe["patch"] == {"size_px": 224, "um_per_px": 0.5}


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"model": "gr3st"}, UnknownName, "Did you mean 'gr2st'"),
        ({"recipe": {"encoder": "uni3"}}, UnknownName, "No encoder is called 'uni3'"),
        ({"recipe": {"stein": "reinhard"}}, DataError, "recipe: stein: extra inputs are not permitted.$"),
        ({"config": {"blend": 7}}, DataError, "config: blend: input should be less than or equal to 1.$"),
        ({"config": 3}, DataError, "config: the whole file"),
        ({"training": {"epochs": -1}}, DataError, "training.epochs"),
        (
            {"model": "ridge", "config": {}, "training": {"epochs": 3}},
            DataError,
            "ridge is solved in closed form: its epochs must be 0, not 3",
        ),
        ({"colour": "red"}, DataError, "colour: extra inputs"),
    ],
)
def test_a_plan_that_cannot_be_used_is_a_sentence(changes: dict[str, Any], error: type, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        plan_of(**changes)


def test_a_plan_of_an_evaluation_goes_into_json_and_out_without_loss() -> None:
    plan = Plan(
        models=("gr2st", "ridge"),
        genes=GeneChoice(n_variable=30),
        protocol="section",
        folds=(Fold("A", ("B1",), ("A1",)),),
        recipe={"encoder": "handcrafted"},
        training={"gr2st": TrainConfig(epochs=4)},
        config={"gr2st": MODELS["gr2st"].config.model_copy(update={"blend": 0.25}), "ridge": MODELS["ridge"].config},
        ablations=("no-kernel",),
        seeds=2,
    )
    assert plan_of_json(json.loads(json.dumps(json_of_plan(plan)))) == plan


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": "ridge"}, "no field model"),
        ({"protocol": "spot"}, "protocol"),
        ({"genes": {"n_varied": 3}}, "n_varied"),
        ({"config": {"ridge": {"penalty": -1}}}, "penalty"),
        ({"config": 3}, "config"),
    ],
)
def test_a_plan_of_an_evaluation_that_cannot_be_used_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        plan_of_json({"models": ["ridge"], "genes": {"n_variable": 3}} | changes)


# What a run tells


def test_a_finished_run_tells_what_was_asked_and_how_it_went(whole: Path) -> None:
    run = read_run(whole)
    assert (run.state, run.message, run.can_go_on) == ("finished", "", False)
    assert run.plan == plan_of()
    assert (run.asked.device, run.asked.versions["python"]) == ("cpu", platform.python_version())
    assert run.progress.stage == "Saving the model"
    assert gr2st.load_model(run.model).recipe.genes == GENES
    assert sorted(path.name for path in whole.iterdir()) == sorted(
        [keys.RUN_CARD, keys.RUN_STATE, keys.RUN_CURVES, keys.RUN_LOG, keys.RUN_MODEL]
    )
    log = (whole / keys.RUN_LOG).read_text()
    assert log.index(" Reading sections\n") < log.index(" Training\n") < log.index(" Finished.\n")


def test_the_curves_have_a_line_per_epoch_with_the_parts_of_the_loss(whole: Path) -> None:
    told = [one for one in run_training(plan_of(), whole.parent / "told") if one.values]
    curves = read_curves(whole)
    assert [(one.stage, one.epoch) for one in curves] == [("Training", 1), ("Training", 2), ("Training", 3)]
    assert [one.values for one in curves] == [one.values for one in told]
    assert {"loss", "contrast", "mse"} & set(curves[0].values) >= {"loss"}


def test_inner_folds_have_curves_of_their_own(tmp_path: Path) -> None:
    training = MODELS["gr2st"].training.model_copy(update={"epochs": 2, "device": "cpu", "threads": 1})
    finish(run_training(plan_of("gr2st", training=training), tmp_path / "run"))
    stages = [one.stage for one in read_curves(tmp_path / "run")]
    assert [stage.split(",")[-1].strip() for stage in stages] == [
        *["trial 1 of 2"] * 2,
        *["trial 2 of 2"] * 2,
        *["Training"] * 2,
    ]


def test_a_model_in_closed_form_has_a_run_without_curves(tmp_path: Path) -> None:
    model = finish(run_training(plan_of("ridge"), tmp_path / "run"))
    assert gr2st.load_model(model).name == "ridge"
    assert read_curves(tmp_path / "run") == ()


@pytest.mark.parametrize("left_after", [[12], [6, 3, 9], [1]])
def test_a_run_left_and_gone_on_with_is_the_one_never_left(whole: Path, tmp_path: Path, left_after: list[int]) -> None:
    folder = tmp_path / "run"
    for steps in left_after:
        with closing(run_training(plan_of(), folder)) as left:
            list(islice(left, steps))
        assert read_run(folder).state == "stopped"
        assert read_run(folder).can_go_on
    finish(run_training(plan_of(), folder))
    assert read_run(folder).state == "finished"
    for name in (keys.MODEL_WEIGHTS, keys.MODEL_CARD):
        assert (folder / "model" / name).read_bytes() == (whole / "model" / name).read_bytes()
    assert read_curves(folder) == read_curves(whole)


def test_a_finished_run_is_not_trained_again(whole: Path) -> None:
    before = (whole / keys.RUN_STATE).read_bytes()
    assert [step.stage for step in run_training(plan_of(), whole)] == ["Already trained"]
    assert (whole / keys.RUN_STATE).read_bytes() == before


def test_a_training_that_fails_leaves_its_sentence_and_can_go_on(tmp_path: Path, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise StorageError("No space for the model.")

    monkeypatch.setattr("gr2st.runs.training.save_model", full)
    with pytest.raises(StorageError, match="No space"):
        finish(run_training(plan_of("ridge"), tmp_path / "run"))
    run = read_run(tmp_path / "run")
    assert (run.state, run.message, run.can_go_on) == ("failed", "No space for the model.", True)
    assert "Traceback" in run.details
    monkeypatch.undo()
    finish(run_training(plan_of("ridge"), tmp_path / "run"))
    assert read_run(tmp_path / "run").state == "finished"


def test_a_folder_of_another_plan_or_of_something_else_is_left_alone(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds a run with other settings"):
        finish(run_training(plan_of(sections=("A1",)), whole))
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(DataError, match="not empty and holds no run"):
        finish(run_training(plan_of(), tmp_path))
    with pytest.raises(DataError, match="is a file"):
        finish(run_training(plan_of(), tmp_path / "letters.txt"))


# Whose process


def test_a_run_whose_process_is_gone_was_interrupted(tmp_path: Path) -> None:
    begun(tmp_path).hear(Progress("Training", 3, 9))
    assert read_run(tmp_path).state == "running"
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    change(tmp_path / keys.RUN_STATE, pid=ended.pid)
    run = read_run(tmp_path)
    assert (run.state, run.progress.done, run.can_go_on) == ("interrupted", 3, True)


def test_a_process_begun_after_the_last_word_is_another_one(tmp_path: Path) -> None:
    begun(tmp_path).tell("running")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        change(tmp_path / keys.RUN_STATE, pid=other.pid, at=time.time() + 1)
        assert read_run(tmp_path).state == "running"
        with pytest.raises(DataError, match=f"is being trained by process {other.pid}"):
            finish(run_training(plan_of("ridge"), tmp_path))
        change(tmp_path / keys.RUN_STATE, at=time.time() - 3600)
        assert read_run(tmp_path).state == "interrupted"
        other.kill()


def test_a_run_of_another_machine_counts_as_ended_when_it_was_silent_for_long(tmp_path: Path) -> None:
    begun(tmp_path).tell("running")
    change(tmp_path / keys.RUN_STATE, host="elsewhere", pid=0)
    assert read_run(tmp_path).state == "running"
    change(tmp_path / keys.RUN_STATE, at=time.time() - 3600)
    assert read_run(tmp_path).state == "interrupted"


# Damage


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (keys.RUN_CARD, "{", "not readable as JSON"),
        (keys.RUN_CARD, "[]", "not what gr2st writes"),
        (keys.RUN_CARD, '{"format": 1}', "plan: field required"),
        (keys.RUN_STATE, '{"state": "tired"}', "delete this file"),
        (keys.RUN_STATE, "\xff", "delete this file"),
    ],
)
def test_a_damaged_file_is_a_sentence(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    begun(tmp_path).tell("stopped")
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=sentence) as told:
        read_run(tmp_path)
    assert str(tmp_path / name) in str(told.value)


@pytest.mark.parametrize(
    "text", ["stage,epoch,loss\nTraining,one,2\n", "loss\n2\n", "stage,epoch,loss\nTraining,1,2,3\n"]
)
def test_damaged_curves_are_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / keys.RUN_CURVES).write_text(text)
    with pytest.raises(DataError, match="is no table of epochs"):
        read_curves(tmp_path)


def test_a_run_of_a_later_version_is_refused(tmp_path: Path) -> None:
    begun(tmp_path)
    change(tmp_path / keys.RUN_CARD, format=99)
    with pytest.raises(RecipeMismatch, match="format 99"):
        read_run(tmp_path)


def test_a_folder_without_a_run_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run"):
        read_run(tmp_path)


def test_runs_are_listed_latest_first_and_a_damaged_one_hides_no_other(tmp_path: Path) -> None:
    for name, began in {"old": "2026-01-01T00:00:00+00:00", "new": "2026-02-01T00:00:00+00:00"}.items():
        begun(tmp_path / name).tell("stopped")
        change(tmp_path / name / keys.RUN_CARD, began=began)
    begun(tmp_path / "bad")
    (tmp_path / "bad" / keys.RUN_CARD).write_text("{")
    (tmp_path / "other").mkdir()
    listed = list_runs(tmp_path)
    assert [run.folder.name for run in listed.found] == ["new", "old"]
    assert len(listed.faults) == 1
    assert "bad" in listed.faults[0]
    assert list_runs(tmp_path / "nowhere").found == ()


def test_a_run_is_read_without_torch(whole: Path) -> None:
    code = (
        f"import sys, gr2st; run = gr2st.read_run({str(whole)!r}); gr2st.list_runs('.'), gr2st.read_curves(run.folder); "
        "assert run.state == 'finished'; assert not {'torch', 'scanpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_epochs_trained_again_take_the_place_of_the_first_time(tmp_path: Path) -> None:
    for epochs in ([1, 2, 3], [2, 3]):
        writer = begun(tmp_path)
        for epoch in epochs:
            writer.hear(Progress("Training", epoch, 9, values={"loss": epoch / 3 + len(epochs)}))
    assert read_curves(tmp_path) == tuple(
        Epoch("Training", epoch, {"loss": epoch / 3 + told}) for epoch, told in ((1, 3), (2, 2), (3, 2))
    )


def test_the_state_is_written_once_in_a_while_and_at_each_stage(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(run_writer, "EVERY_S", 1e9)
    writer = begun(tmp_path)
    writer.hear(Progress("Training", 1, 9))
    writer.hear(Progress("Training", 2, 9))
    assert read_run(tmp_path).progress.done == 1
    writer.hear(Progress("Filling the reference bank", 1, 2))
    assert read_run(tmp_path).progress == Progress("Filling the reference bank", 1, 2)
    writer.end("stopped")
    assert (read_run(tmp_path).state, read_run(tmp_path).pid) == ("stopped", os.getpid())
