"""Folds trained together, from the study to the files of the evaluation."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice
from gr2st.errors import DataError
from gr2st.evaluation import together as together_module
from gr2st.evaluation.crossval import Evaluation, evaluate
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.together import NOTE
from gr2st.registry import MODELS
from gr2st.training import fit, together
from gr2st.types import Study, finish

if TYPE_CHECKING:
    from tests.core.conftest import Command

GENES = ("ERBB2", "KRT19", "COL1A1", "PLIN1", "GAPDH")
TWO = ("A1", "B1")
"""A section of each patient: two folds."""
SMALL = {"projection": 8, "heads": 2, "dropout": 0.0, "kernel_landmarks": 64}


@pytest.fixture(scope="module")
def study() -> Study:
    return gr2st.read_study(gr2st.sample_study_path())


def plan_of(model: str = "gr2st-v2", **changes: Any) -> Plan:
    training = changes.pop("training", {})
    fast = {"epochs": 2, "device": "cpu", "threads": 1, **training}
    settings: dict[str, Any] = {
        "models": (model, "ridge"),
        "genes": GeneChoice(listed=GENES),
        "sections": TWO,
        "training": {model: MODELS[model].training.model_copy(update=fast)},
        "config": {model: MODELS[model].config.model_copy(update=SMALL)},
    }
    return Plan(**(settings | changes))


def shape_of(value: Any) -> Any:
    """Names without numbers: what two evaluations of one form have in common."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    return type(value).__name__ if not isinstance(value, list) else [shape_of(inner) for inner in value]


@pytest.fixture(scope="module")
def both(study: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluation, Evaluation]:
    """The same plan one fold after the other and together, sections in the order of their names."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (fit, together):
            patch.setattr(module, "order_of", lambda count: list(range(count)))
        plan = plan_of("gr2st", seeds=2, sections=())
        alone = finish(evaluate(study, plan, tmp_path_factory.mktemp("alone")))
        at_once = finish(evaluate(study, plan, tmp_path_factory.mktemp("together"), together=6))
    return alone, at_once


def test_folds_and_seeds_trained_together_score_as_those_trained_alone(both: tuple[Evaluation, Evaluation]) -> None:
    alone, at_once = (evaluation.summary["models"] for evaluation in both)
    for model in ("gr2st", "ridge"):
        for space in ("pcc_spot", "pcc_gene"):
            assert at_once[model][space] == pytest.approx(alone[model][space], abs=1e-4)
            assert [seed["seed"] for seed in at_once["gr2st"]["seeds"]] == [0, 1]


def test_the_files_have_the_same_form(both: tuple[Evaluation, Evaluation]) -> None:
    found = [sorted(str(p.relative_to(one.out)) for p in one.out.rglob("*") if p.is_file()) for one in both]
    assert found[0] == found[1]
    summaries = [shape_of(json.loads((one.out / keys.SUMMARY).read_text())) for one in both]
    assert summaries[0] == summaries[1]
    for name in (keys.SECTION_SCORES, keys.GENE_SCORES):
        heads = [(one.out / name).read_text().splitlines()[0] for one in both]
        lengths = [len((one.out / name).read_text().splitlines()) for one in both]
        assert heads[0] == heads[1]
        assert lengths[0] == lengths[1]


def test_the_evaluation_says_that_folds_were_trained_together(both: tuple[Evaluation, Evaluation]) -> None:
    alone, at_once = both
    assert any(NOTE in note for note in at_once.notes)
    assert not any(NOTE in note for note in alone.notes)


def test_a_finished_fold_is_not_trained_again(
    study: Study, both: tuple[Evaluation, Evaluation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a finished fold was trained again")

    monkeypatch.setattr(together_module, "train_together", refuse)
    before = both[1].summary["models"]["gr2st"]["pcc_spot"]
    again = finish(evaluate(study, plan_of("gr2st", seeds=2, sections=()), both[1].out, together=6))
    assert again.summary["models"]["gr2st"]["pcc_spot"] == before
    assert not again.failures


def test_only_what_is_missing_is_trained(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of()
    finish(evaluate(study, plan, tmp_path, together=4))
    (tmp_path / "folds" / "gr2st-v2" / "A" / "result.json").unlink()
    asked: list[int] = []
    real = together_module.train_together

    def counted(model: str, lessons: Any, *rest: Any, **settings: Any) -> Any:
        asked.append(len(lessons))
        return real(model, lessons, *rest, **settings)

    monkeypatch.setattr(together_module, "train_together", counted)
    evaluation = finish(evaluate(study, plan, tmp_path, together=4))
    assert asked == [1]
    assert not evaluation.failures


def test_few_at_once_are_stored_before_the_next_are_trained(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine a step may take so long that a word from within an epoch is due.
    monkeypatch.setattr(together, "INTERVAL", float("inf"))
    steps = evaluate(study, plan_of(seeds=3), tmp_path, together=2)
    stored: list[int] = []
    before = ""
    for progress in steps:
        if progress.stage.startswith("Training") and progress.done == 1 and before != progress.stage + "1":
            stored.append(len(list((tmp_path / "folds").rglob("result.json"))))
    assert stored == [0, 2, 4]


def test_where_a_gpu_holds_only_one_network_folds_are_trained_one_after_the_other(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together_module, "_goes_together", lambda job, _: bool(job.row.training.epochs))
    evaluation = finish(evaluate(study, plan_of(), tmp_path))
    assert not evaluation.failures
    assert not any(NOTE in note for note in evaluation.notes)


def test_a_fold_that_cannot_be_scored_fails_alone(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = together_module.concluded

    def broken(job: Any, *rest: Any) -> Any:
        if job.fold.name == "A":
            raise OSError("disk full")
        return (yield from real(job, *rest))

    monkeypatch.setattr(together_module, "concluded", broken)
    evaluation = finish(evaluate(study, plan_of(), tmp_path, together=4))
    assert [(failure.fold, failure.message) for failure in evaluation.failures] == [("A", "OSError: disk full")]
    assert evaluation.summary["models"]["gr2st-v2"]["sections"]


def test_folds_whose_loss_is_not_finite_are_failures_with_their_cause(study: Study, tmp_path: Path) -> None:
    plan = plan_of(training={"learning_rate": 1e18})
    evaluation = finish(evaluate(study, plan, tmp_path, together=4))
    assert {(failure.model, failure.fold) for failure in evaluation.failures} == {("gr2st-v2", "A"), ("gr2st-v2", "B")}
    assert all("not finite" in failure.message for failure in evaluation.failures)
    assert evaluation.summary["models"]["ridge"]["pcc_spot"] is not None


def test_memory_that_does_not_suffice_says_how_many_to_try(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def full(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("gr2st.training.stack.Stack.step", full)
    evaluation = finish(evaluate(study, plan_of(), tmp_path, together=4))
    assert len(evaluation.failures) == 2
    assert all("Train fewer together: --together 1." in failure.message for failure in evaluation.failures)


def test_what_cannot_be_trained_together_is_refused_before_anything_runs(study: Study, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Give a list with --genes"):
        finish(evaluate(study, plan_of(genes=GeneChoice(n_variable=5)), tmp_path / "never", together=2))
    with ThreadPoolExecutor(1) as executor, pytest.raises(DataError, match="not both"):
        finish(evaluate(study, plan_of(), tmp_path / "never", executor=executor, together=2))
    assert not (tmp_path / "never").exists()


def test_on_a_cpu_folds_are_trained_one_after_the_other_by_default(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("trained together on a CPU")

    monkeypatch.setattr(together_module, "train_together", refuse)
    assert not finish(evaluate(study, plan_of(), tmp_path)).failures


def test_variable_genes_are_trained_one_after_the_other_on_a_gpu(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from gr2st.evaluation.crossval import jobs_of

    monkeypatch.setattr(together_module, "pick_device", lambda _: torch.device("cuda"))
    listed, variable = (
        together_module.bundles(jobs_of(study.entries, plan_of(genes=genes), tmp_path), None)
        for genes in (GeneChoice(listed=GENES), GeneChoice(n_variable=5))
    )
    assert [(len(bundle.jobs), bundle.together) for bundle in listed] == [(2, True), (1, False), (1, False)]
    assert all(not bundle.together for bundle in variable)


def test_the_command_line_trains_together_in_the_precision_asked_for(command: Command, tmp_path: Path) -> None:
    genes = tmp_path / "genes.txt"
    genes.write_text("\n".join(GENES))
    asked = ["--genes", genes, "--epochs", 1, "--device", "cpu", "--models", "gr2st-v2", "--precision", "bf16"]
    asked += ["--sections", ",".join(TWO)]
    out = tmp_path / "evaluation"
    code, said = command("evaluate", gr2st.sample_study_path(), *asked, "--together", 2, "--out", out)
    assert code == 0, said
    assert "Folds were trained together" in said
    code, said = command("evaluate", gr2st.sample_study_path(), "--together", 2, "--out", tmp_path / "never")
    assert code == 2
    assert "--together 1" in said


def test_the_command_line_says_what_a_precision_needs(command: Command, tmp_path: Path) -> None:
    asked = ["--precision", "tf32", "--device", "cpu", "--epochs", 1, "--out", tmp_path / "model"]
    code, said = command("train", gr2st.sample_study_path(), *asked)
    assert code == 2
    assert "tf32 needs an NVIDIA GPU" in said.replace("\n", " ")
