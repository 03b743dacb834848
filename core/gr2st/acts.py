"""What the worker can be asked for: each request as steps that end in the files written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st.errors import DataError

if TYPE_CHECKING:
    from gr2st.types import Steps

Request = Mapping[str, Any]

LONG = {"train": "run", "evaluate": "out", "predict_slide": ""}
"""Requests that take minutes to days, and the field that names their folder, if any; one of them at a time."""


def folder_of(request: Request) -> Path | None:
    """Where a long request tells how far it is; None for a short one."""
    folder = request.get(LONG.get(request["do"], ""))
    return Path(folder) if isinstance(folder, str) else None


def predict_steps(request: Request) -> Steps[dict[str, str]]:
    """Predict one section with a stored model; the file appears under its name when it is complete."""
    from gr2st.evaluation.measured import predict_section
    from gr2st.io.prediction import save_prediction
    from gr2st.io.section import read_section
    from gr2st.io.study import read_study
    from gr2st.training.checkpoint import load_model
    from gr2st.training.loop import pick_device
    from gr2st.types import Progress

    model, study, section, out = (request[key] for key in ("model", "study", "section", "out"))
    yield Progress("Loading the model")
    trained = load_model(Path(model), device=str(pick_device("auto")))
    yield Progress(f"Reading section {section}")
    read = read_section(read_study(Path(study)).entry(section))
    prediction = yield from predict_section(trained, read)
    return {"prediction": str(save_prediction(prediction, Path(out)))}


def pyramid_steps(request: Request) -> Steps[dict[str, str]]:
    """Build the tiled pyramid of a large picture, for display."""
    from gr2st.io.pyramid import build_pyramid

    path = yield from build_pyramid(Path(request["image"]))
    return {"pyramid": str(path)}


def train_steps(request: Request) -> Steps[dict[str, str]]:
    """Train as planned in the folder of a run, or go on with the run that lies there."""
    from gr2st.plans import TrainPlan
    from gr2st.runs.training import run_training

    plan, folder = TrainPlan.of(**_plan(request)), Path(request["run"])
    model = yield from run_training(plan, folder)
    return {"run": str(folder), "model": str(model)}


def evaluate_steps(request: Request) -> Steps[dict[str, str]]:
    """Evaluate as planned; folds that are finished in the folder are not done again."""
    from gr2st import keys
    from gr2st.evaluation.crossval import evaluate
    from gr2st.evaluation.executors import executor_of
    from gr2st.evaluation.plan import plan_of_json
    from gr2st.io.study import read_study

    plan, study, out = plan_of_json(_plan(request)), Path(request["study"]), Path(request["out"])
    with executor_of(int(request.get("workers", 1)), str(request.get("scheduler", ""))) as executor:
        done = yield from evaluate(read_study(study), plan, out, executor=executor)
    return {"evaluation": str(done.out), "summary": str(done.out / keys.SUMMARY)}


def report_steps(request: Request) -> Steps[dict[str, str]]:
    """Write the page of an evaluation."""
    from gr2st.evaluation.report import write_report

    page = yield from write_report(Path(request["evaluation"]), Path(request["out"]))
    return {"report": str(page)}


def report_section_steps(request: Request) -> Steps[dict[str, str]]:
    """Write the page of a section."""
    from gr2st.evaluation.section_report import Wanted, report_files

    wanted = Wanted.of(request.get("genes", ()), request.get("best"), request.get("worst"))
    prediction = request.get("prediction")
    page = yield from report_files(
        Path(request["study"]),
        request["section"],
        None if prediction is None else Path(prediction),
        Path(request["out"]),
        wanted,
    )
    return {"report": str(page)}


def predict_slide_steps(request: Request) -> Steps[dict[str, str]]:
    """Predict a slide without spots as planned; tiles that were looked at before are not looked at again."""
    from gr2st.plans import SlidePlan
    from gr2st.runs.slides import run_slide

    out = yield from run_slide(SlidePlan.of(**_plan(request)), Path(request["out"]))
    return {"prediction": str(out)}


def check_slide_steps(request: Request) -> Steps[dict[str, Any]]:
    """Look ahead at the prediction of a slide; the answer is a `Preflight` as JSON."""
    from gr2st.plans import SlidePlan
    from gr2st.runs.slides import check_slide

    found = yield from check_slide(SlidePlan.of(**_plan(request)), Path(request["out"]))
    return found.as_json()


def check_training_steps(request: Request) -> Steps[dict[str, Any]]:
    """Look ahead at a training; the answer is a `Preflight` as JSON."""
    from gr2st.plans import TrainPlan
    from gr2st.runs.preflight import check_training

    found = yield from check_training(TrainPlan.of(**_plan(request)), Path(request["run"]))
    return found.as_json()


def check_evaluation_steps(request: Request) -> Steps[dict[str, Any]]:
    """Look ahead at an evaluation; the answer is a `Preflight` as JSON."""
    from gr2st.evaluation.plan import plan_of_json
    from gr2st.io.study import read_study
    from gr2st.runs.preflight import check_evaluation

    plan, study, out = plan_of_json(_plan(request)), Path(request["study"]), Path(request["out"])
    found = yield from check_evaluation(read_study(study), plan, out, int(request.get("workers", 1)))
    return found.as_json()


ACTS: dict[str, Callable[[Request], Steps[dict[str, Any]]]] = {
    "predict": predict_steps,
    "pyramid": pyramid_steps,
    "train": train_steps,
    "evaluate": evaluate_steps,
    "report": report_steps,
    "report_section": report_section_steps,
    "predict_slide": predict_slide_steps,
    "check_slide": check_slide_steps,
    "check_training": check_training_steps,
    "check_evaluation": check_evaluation_steps,
}


def _plan(request: Request) -> Mapping[str, Any]:
    plan = request["plan"]
    if not isinstance(plan, dict):
        raise DataError(f"The plan of a request must be a JSON object, not {type(plan).__name__}.")
    return plan
