"""The folder of an evaluation: told while it goes on, after a stop, after faults, and by an earlier version."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, RidgeConfig
from gr2st.errors import DataError, StorageError, UnknownName
from gr2st.evaluation import crossval
from gr2st.evaluation import fold as fold_module
from gr2st.evaluation.crossval import evaluate
from gr2st.evaluation.plan import Plan, plan_of_json
from gr2st.types import Progress, Study, finish
from tests.builders import gene_names, her2st_folder

GENES = tuple(gene_names(12))
PLAN = Plan(models=("ridge", "mean"), genes=GeneChoice(listed=GENES))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return gr2st.read_study(her2st_folder(tmp_path_factory.mktemp("tiny"), names=("A1", "A2", "B1")))


@pytest.fixture(scope="module")
def whole(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finish(evaluate(study, PLAN, tmp_path_factory.mktemp("whole") / "evaluation")).out


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_a_finished_evaluation_tells_what_was_asked_and_how_every_fold_went(whole: Path, study: Study) -> None:
    told = gr2st.read_evaluation(whole)
    assert (told.state, told.can_go_on, told.study) == ("finished", False, study.path)
    assert plan_of_json(told.plan) == PLAN
    assert told.progress == Progress("Evaluating", 4, 4)
    assert [(row.label, row.seed, row.fold, row.test, row.state) for row in told.rows] == [
        ("ridge", 0, "A", ("A1", "A2"), "done"),
        ("mean", 0, "A", ("A1", "A2"), "done"),
        ("ridge", 0, "B", ("B1",), "done"),
        ("mean", 0, "B", ("B1",), "done"),
    ]
    ridge, mean = told.rows[0], told.rows[1]
    scores = told.summary["models"]["ridge"]["sections"]
    assert ridge.pcc_spot == pytest.approx(np.mean([scores[name]["pcc_spot"] for name in ("A1", "A2")]))
    assert mean.pcc_spot is None
    assert {name: path.name for name, path in ridge.predictions.items()} == {"A1": "A1.h5ad", "A2": "A2.h5ad"}
    assert gr2st.read_evaluation_card(whole) == (study.path, told.plan)
    assert told.summary["complete"]


def test_a_stopped_evaluation_sums_up_what_is_done_and_goes_on_to_the_same_numbers(
    study: Study, whole: Path, tmp_path: Path
) -> None:
    steps = evaluate(study, PLAN, tmp_path / "out")
    for progress in steps:
        if progress.stage == "Evaluating" and progress.done == 2:
            during = gr2st.read_evaluation(tmp_path / "out")
            steps.close()
    assert (during.state, during.can_go_on) == ("running", False)
    told = gr2st.read_evaluation(tmp_path / "out")
    assert (told.state, told.can_go_on) == ("stopped", True)
    assert [row.state for row in told.rows] == ["done", "done", "waiting", "waiting"]
    assert (told.summary["complete"], told.summary["folds"]) == (False, {"done": 2, "failed": 0, "planned": 4})
    assert set(gr2st.read_section_scores(tmp_path / "out")["section"]) == {"A1", "A2"}
    finish(evaluate(study, PLAN, tmp_path / "out"))
    again, once = gr2st.read_evaluation(tmp_path / "out"), gr2st.read_evaluation(whole)
    assert again.card.began == told.card.began
    assert [row.pcc_spot for row in again.rows] == [row.pcc_spot for row in once.rows]


def test_what_is_done_so_far_is_summed_up_on_the_way(
    study: Study, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossval, "SUM_S", 0.0)
    monkeypatch.setattr(crossval, "SUM_SHARE", 1e9)
    done = []
    for progress in evaluate(study, PLAN, tmp_path / "out"):
        told = gr2st.read_evaluation(tmp_path / "out")
        if told.summary is not None and progress.stage == "Evaluating":
            done.append((told.state, told.summary["complete"], told.summary["folds"]["done"]))
            assert "Not complete" in told.summary["warnings"][0]
    assert done[:2] == [("running", False, 1), ("running", False, 2)]
    assert done[-1] == ("running", False, 3)
    for name in (keys.SECTION_SCORES, keys.GENE_SCORES):
        again, once = (gr2st.io.evaluations._table(path / name, ()) for path in (tmp_path / "out", whole))
        assert again.drop(columns="seconds", errors="ignore").equals(once.drop(columns="seconds", errors="ignore"))


def test_the_first_training_is_summed_up_as_soon_as_it_is_done(study: Study, tmp_path: Path) -> None:
    told = [gr2st.read_evaluation(tmp_path / "out").summary for _ in evaluate(study, PLAN, tmp_path / "out")]
    assert next(summary["folds"]["done"] for summary in told if summary is not None) == 1


def test_a_summing_up_that_fails_on_the_way_ends_nothing(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crossval, "SUM_S", 0.0)
    original, calls = crossval.write_results, []

    def full(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) < 2:
            raise StorageError("no room")
        original(*arguments)

    monkeypatch.setattr(crossval, "write_results", full)
    assert finish(evaluate(study, PLAN, tmp_path / "out")).summary["complete"]
    assert len(calls) >= 2


def test_an_evaluation_stopped_before_its_first_fold_has_empty_tables(study: Study, tmp_path: Path) -> None:
    steps = evaluate(study, PLAN, tmp_path / "out")
    next(steps)
    steps.close()
    assert gr2st.read_evaluation(tmp_path / "out").state == "stopped"
    assert gr2st.read_section_scores(tmp_path / "out").empty
    with pytest.raises(DataError, match="no fold of this evaluation is done yet"):
        gr2st.read_gene_scores(tmp_path / "out")


def test_models_ablations_and_seeds_may_be_added(study: Study, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []
    original = fold_module.train

    def train(name: str, *rest: Any, **more: Any) -> Any:
        trained.append(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(fold_module, "train", train)
    finish(evaluate(study, replace(PLAN, models=("ridge", "mean", "knn"), seeds=2), copy))
    assert trained == ["knn", "knn"]
    assert {row.label for row in gr2st.read_evaluation(copy).rows} == {"ridge", "mean", "knn"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"genes": GeneChoice(listed=GENES[:5])}, "other genes. Choose another folder"),
        ({"protocol": "section"}, "other protocol"),
        ({"sections": ("A1", "B1")}, "other sections"),
        ({"config": {"ridge": RidgeConfig(penalty=7.0)}}, "other settings of ridge"),
        ({"models": ("ridge",)}, "has mean as well. Ask for it too"),
    ],
)
def test_another_evaluation_is_not_mixed_into_the_folder(
    study: Study, whole: Path, changes: dict[str, Any], sentence: str
) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*.json")}
    with pytest.raises(DataError, match=sentence):
        finish(evaluate(study, replace(PLAN, **changes), whole))
    assert {path: path.read_bytes() for path in whole.rglob("*.json")} == before


def test_an_evaluation_of_another_study_is_not_mixed_into_the_folder(whole: Path, tmp_path: Path) -> None:
    other = gr2st.read_study(her2st_folder(tmp_path / "other", names=("C1", "D1")))
    with pytest.raises(DataError, match="an evaluation of another study"):
        finish(evaluate(other, PLAN, whole))


def test_an_evaluation_of_a_process_that_is_gone_was_interrupted(copy: Path, study: Study) -> None:
    state = json.loads((copy / keys.RUN_STATE).read_text())
    (copy / keys.RUN_STATE).write_text(json.dumps(state | {"state": "running", "pid": 2**22 + 1}))
    told = gr2st.read_evaluation(copy)
    assert (told.state, told.can_go_on) == ("interrupted", True)
    finish(evaluate(study, PLAN, copy))
    assert gr2st.read_evaluation(copy).state == "finished"


def test_an_evaluation_another_process_is_at_work_on_is_refused(copy: Path, study: Study) -> None:
    state = json.loads((copy / keys.RUN_STATE).read_text())
    (copy / keys.RUN_STATE).write_text(json.dumps(state | {"state": "running", "pid": 1}))
    with pytest.raises(DataError, match="is being evaluated by process 1"):
        finish(evaluate(study, PLAN, copy))


def test_a_folder_of_an_earlier_version_is_told_by_its_tables(copy: Path, whole: Path) -> None:
    (copy / keys.EVALUATION_CARD).unlink()
    (copy / keys.RUN_STATE).unlink()
    old, new = gr2st.read_evaluation(copy), gr2st.read_evaluation(whole)
    assert (old.state, old.study, old.plan, old.can_go_on) == ("finished", None, {}, False)
    by_name = {(row.label, row.fold): row for row in new.rows}
    for row in old.rows:
        assert row.pcc_spot == (None if row.label == "mean" else pytest.approx(by_name[row.label, row.fold].pcc_spot))
        assert set(row.predictions) == set(row.test)
    with pytest.raises(DataError, match="does not tell what was asked"):
        gr2st.read_evaluation_card(copy)


def test_evaluations_are_listed_and_a_damaged_one_hides_no_other(copy: Path) -> None:
    shutil.copytree(copy, copy.parent / "damaged")
    (copy.parent / "damaged" / keys.EVALUATION_CARD).write_text("{")
    listed = gr2st.list_evaluations(copy.parent)
    assert [one.folder for one in listed.found] == [copy]
    assert len(listed.faults) == 1
    assert "damaged" in listed.faults[0]
    assert gr2st.list_evaluations(copy.parent / "nowhere").found == ()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        (keys.EVALUATION_CARD, "[]", "not what gr2st writes"),
        (keys.EVALUATION_CARD, '{"format": 99}', "this version reads up to 1"),
        (keys.RUN_STATE, "{", "counts as interrupted"),
        (keys.SUMMARY, "{", "not readable as JSON"),
        (keys.SUMMARY, "[]", "names no models"),
    ],
)
def test_a_damaged_file_is_a_sentence(copy: Path, name: str, content: str, sentence: str) -> None:
    (copy / name).write_text(content)
    with pytest.raises(gr2st.Gr2stError, match=sentence):
        gr2st.read_evaluation(copy)


def test_a_folder_without_an_evaluation_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no evaluation"):
        gr2st.read_evaluation(tmp_path)


@pytest.mark.parametrize("content", ['{"digest": "cut in ha', "[]", '{"digest": 7}'])
def test_a_damaged_fold_waits_and_is_done_again(study: Study, copy: Path, content: str) -> None:
    (copy / "folds" / "ridge" / "B" / keys.FOLD_RESULT).write_text(content)
    assert [row.state for row in gr2st.read_evaluation(copy).rows] == ["done", "done", "waiting", "done"]
    assert gr2st.read_evaluation(copy).can_go_on
    finish(evaluate(study, PLAN, copy))
    assert {row.state for row in gr2st.read_evaluation(copy).rows} == {"done"}


def test_a_failed_fold_keeps_why_until_it_is_done(study: Study, tmp_path: Path, monkeypatch: Any) -> None:
    original = fold_module.train

    def train(name: str, *rest: Any, **more: Any) -> Any:
        if name == "mean":
            raise ArithmeticError("the loss is not finite")
        return original(name, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(fold_module, "train", train)
        finish(evaluate(study, PLAN, tmp_path))
    told = gr2st.read_evaluation(tmp_path)
    assert (told.state, told.can_go_on) == ("finished", True)
    assert [row.state for row in told.rows] == ["done", "failed", "done", "failed"]
    assert told.rows[1].message == "ArithmeticError: the loss is not finite"
    assert "def train" not in told.rows[1].message
    assert "Traceback" in told.rows[1].details
    finish(evaluate(study, PLAN, tmp_path))
    assert {row.state for row in gr2st.read_evaluation(tmp_path).rows} == {"done"}
    assert not list(tmp_path.rglob(keys.FOLD_FAILURE))


def test_an_evaluation_that_breaks_says_so_in_its_folder(study: Study, tmp_path: Path, monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[None]:
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(fold_module, "train", broken)
    with pytest.raises(LookupError):
        finish(evaluate(study, PLAN, tmp_path))
    told = gr2st.read_evaluation(tmp_path)
    assert (told.state, told.message, told.can_go_on) == ("failed", "a mistake of ours", True)


def test_genes_are_ranked_by_their_mean_over_sections_with_an_interval(whole: Path) -> None:
    ranking = gr2st.gene_ranking(whole, "ridge")
    scores = gr2st.read_gene_scores(whole)
    mine = scores[scores["model"] == "ridge"]
    gene = ranking.index[0]
    values = mine[mine["gene"] == gene]["pcc_spot"]
    assert ranking["pcc_spot"].is_monotonic_decreasing
    assert ranking.loc[gene, "pcc_spot"] == pytest.approx(values.mean())
    assert values.min() <= ranking.loc[gene, "low"] <= ranking.loc[gene, "pcc_spot"] <= ranking.loc[gene, "high"]
    with pytest.raises(UnknownName, match="Did you mean 'ridge'"):
        gr2st.gene_ranking(whole, "rigde")


def test_models_are_ranked_by_their_score_and_an_oracle_has_no_rank() -> None:
    scores = {"mean": None, "knn": 0.1, "depth-oracle": 0.9, "ridge": 0.2}
    summary = {"models": {name: {"pcc_spot": score, "pcc_gene": score} for name, score in scores.items()}}
    ranks = [(one.label, one.rank) for one in gr2st.rank_models(summary)]
    assert ranks == [("ridge", 1), ("knn", 2), ("mean", None), ("depth-oracle", None)]


def test_an_evaluation_is_read_without_torch(whole: Path) -> None:
    code = (
        "import sys, gr2st; "
        f"one = gr2st.read_evaluation({str(whole)!r}); gr2st.list_evaluations({str(whole.parent)!r}); "
        "gr2st.gene_ranking(one.folder, 'ridge'); gr2st.rank_models(one.summary); "
        "print({'torch', 'scanpy', 'timm'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
