"""Folds run for real on the sample study: results, resuming, failures, leaks."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, TrainConfig
from gr2st.errors import Cancelled, DataError, SectionInvalid, UnknownName
from gr2st.evaluation import fold as fold_module
from gr2st.evaluation import sections as sections_module
from gr2st.evaluation.crossval import Evaluation, evaluate, usable_entries
from gr2st.evaluation.executors import executor_of
from gr2st.evaluation.fold import FoldJob, chosen_genes
from gr2st.evaluation.metrics import gene_pcc
from gr2st.evaluation.plan import Plan
from gr2st.evaluation.rows import rows_of
from gr2st.evaluation.scores import COLUMNS
from gr2st.evaluation.sections import stamp_of
from gr2st.preprocess.genes import rank_genes
from gr2st.types import Fold, SectionEntry, Study, finish
from tests.builders import gene_names, her2st_folder, visium_folder

GENES = ("ERBB2", "KRT19", "COL1A1", "PLIN1", "GAPDH")


@pytest.fixture(scope="module")
def study() -> Study:
    return gr2st.read_study(gr2st.sample_study_path())


def plan_of(**changes: Any) -> Plan:
    settings: dict[str, Any] = {
        "models": ("ridge", "mean", "depth-oracle"),
        "genes": GeneChoice(listed=GENES),
        "sections": ("A1", "B1"),
    }
    return Plan(**(settings | changes))


@pytest.fixture(scope="module")
def evaluation(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return finish(evaluate(study, plan_of(), tmp_path_factory.mktemp("evaluation")))


def test_the_summary_has_the_agreed_form(evaluation: Evaluation) -> None:
    summary = json.loads((evaluation.out / keys.SUMMARY).read_text())
    assert summary["protocol"] == "patient"
    assert summary["genes"] == len(GENES)
    assert summary["encoder"] == "handcrafted"
    assert list(summary["models"]) == ["ridge", "mean", "depth-oracle"]
    row = summary["models"]["ridge"]
    assert set(row) >= {"pcc_spot", "pcc_gene", "sections"}
    assert set(row["sections"]) == {"A1", "B1"}
    assert set(row["sections"]["A1"]) == {"pcc_spot", "pcc_gene", "n_spots", "seconds"}


def test_a_model_scores_the_mean_over_its_sections(evaluation: Evaluation) -> None:
    row = evaluation.summary["models"]["ridge"]
    for space in ("pcc_spot", "pcc_gene"):
        assert row[space] == pytest.approx(np.mean([section[space] for section in row["sections"].values()]))


def test_scores_can_be_computed_again_from_the_stored_predictions(evaluation: Evaluation) -> None:
    prediction = gr2st.read_prediction(evaluation.out / "folds" / "ridge" / "B" / "B1.h5ad")
    layers = prediction.table.layers
    expected = np.nanmean(gene_pcc(layers[keys.PREDICTED], layers[keys.MEASURED_SPOT]))
    assert evaluation.summary["models"]["ridge"]["sections"]["B1"]["pcc_spot"] == pytest.approx(expected, rel=1e-6)


def test_the_training_mean_has_no_correlation_and_no_zero_in_its_place(evaluation: Evaluation) -> None:
    assert evaluation.summary["models"]["mean"]["pcc_spot"] is None


def test_the_picture_tells_the_genes_that_follow_it(evaluation: Evaluation) -> None:
    genes = pd.read_csv(evaluation.out / keys.GENE_SCORES)
    ridge = genes[genes["model"] == "ridge"].groupby("gene")["pcc_spot"].mean()
    assert ridge["COL1A1"] > 0.3


def test_a_second_run_does_no_fold_again(study: Study, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Iterator[None]:
        raise AssertionError("a finished fold was trained again")

    before = (evaluation.out / keys.SUMMARY).read_bytes()
    monkeypatch.setattr(fold_module, "train", refuse)
    finish(evaluate(study, plan_of(), evaluation.out))
    assert (evaluation.out / keys.SUMMARY).read_bytes() == before


def test_only_the_missing_fold_is_done_after_a_kill(study: Study, evaluation: Evaluation, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(evaluation.out, killed)
    (killed / "folds" / "ridge" / "A" / "result.json").write_text('{"digest": "cut in ha')
    kept = (killed / "folds" / "ridge" / "B" / "result.json").stat().st_mtime_ns
    again = finish(evaluate(study, plan_of(), killed))
    for space in ("pcc_spot", "pcc_gene"):
        assert again.summary["models"]["ridge"][space] == evaluation.summary["models"]["ridge"][space]
    assert (killed / "folds" / "ridge" / "B" / "result.json").stat().st_mtime_ns == kept


def test_other_settings_are_not_answered_with_old_results(study: Study, evaluation: Evaluation, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(evaluation.out, copy)
    (copy / keys.EVALUATION_CARD).unlink()
    fewer = finish(evaluate(study, plan_of(models=("ridge",), genes=GeneChoice(listed=GENES[:3])), copy))
    assert fewer.summary["genes"] == 3


def test_a_failed_fold_says_why_and_the_others_go_on(study: Study, tmp_path: Path) -> None:
    training = {"gr2st-v2": TrainConfig(epochs=2, learning_rate=1e18, device="cpu")}
    plan = plan_of(models=("gr2st-v2", "ridge"), training=training)
    evaluation = finish(evaluate(study, plan, tmp_path))
    assert {(failure.model, failure.fold) for failure in evaluation.failures} == {("gr2st-v2", "A"), ("gr2st-v2", "B")}
    assert all("not finite" in failure.message for failure in evaluation.failures)
    rows = gr2st.read_evaluation(tmp_path).rows
    assert [(row.label, row.state) for row in rows] == [("gr2st-v2", "failed"), ("ridge", "done")] * 2
    assert [row.message for row in rows if row.state == "failed"] == [one.message for one in evaluation.failures]
    assert evaluation.summary["models"]["ridge"]["pcc_spot"] is not None
    assert evaluation.summary["models"]["gr2st-v2"]["pcc_spot"] is None


def test_folds_in_an_executor_give_the_same_numbers(study: Study, evaluation: Evaluation, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        elsewhere = finish(evaluate(study, plan_of(models=("ridge",)), tmp_path, executor=executor))
    mine, theirs = (run.summary["models"]["ridge"]["pcc_spot"] for run in (evaluation, elsewhere))
    assert mine == theirs


def test_folds_of_the_users_own_are_taken(study: Study, tmp_path: Path) -> None:
    own = Fold("mine", train=("A1",), test=("B1",))
    evaluation = finish(evaluate(study, plan_of(models=("knn",), folds=(own,)), tmp_path))
    assert set(evaluation.summary["models"]["knn"]["sections"]) == {"B1"}
    assert evaluation.summary["protocol"] == "own folds"
    assert evaluation.summary["warning"] == ""


def test_variable_genes_are_chosen_without_the_held_out_section(study: Study) -> None:
    training = [study.entry("A1"), study.entry("A2")]
    expected = gr2st.read_section(training[0]), gr2st.read_section(training[1])
    chosen = chosen_genes(GeneChoice(n_variable=20), training)
    from gr2st.preprocess.genes import select_genes

    assert chosen == select_genes([section.table for section in expected], 20)


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [
        ({"models": ("rigde",)}, UnknownName, "Did you mean 'ridge'"),
        ({"models": ()}, DataError, "No model to evaluate"),
        ({"sections": ("A1", "A9")}, UnknownName, "No section is called 'A9'"),
        ({"sections": ("A1", "A1")}, DataError, "named twice: A1"),
        ({"sections": ("A1", "A2")}, DataError, "at least two patients"),
        ({"recipe": {"encoder": "phykon"}}, UnknownName, "No encoder"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_before_anything_runs(
    study: Study, tmp_path: Path, changes: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        finish(evaluate(study, plan_of(**changes), tmp_path / "never"))
    assert not (tmp_path / "never").exists()


def test_an_unknown_gene_fails_the_fold_with_its_name(study: Study, tmp_path: Path) -> None:
    evaluation = finish(
        evaluate(study, plan_of(models=("mean",), genes=GeneChoice(listed=("ERBB2", "ERBBB2"))), tmp_path)
    )
    assert all("ERBBB2" in failure.message for failure in evaluation.failures)
    assert len(evaluation.failures) == 2


def test_sections_without_an_image_are_left_out_or_refused_by_name(study: Study) -> None:
    blind = replace(study.entries[0], without_image="no picture")
    partly = replace(study, entries=(blind, *study.entries[1:]))
    assert "A1" not in [entry.name for entry in usable_entries(partly)]
    with pytest.raises(DataError, match="A1: no picture"):
        usable_entries(partly, ["A1", "B1"])


def test_a_fold_whose_prediction_was_cut_runs_again(study: Study, evaluation: Evaluation, tmp_path: Path) -> None:
    copy = tmp_path / "cut"
    shutil.copytree(evaluation.out, copy)
    prediction = copy / "folds" / "ridge" / "A" / "A1.h5ad"
    whole = prediction.read_bytes()
    prediction.write_bytes(whole[:2000])
    finish(evaluate(study, plan_of(), copy))
    assert prediction.stat().st_size == len(whole)


def test_an_evaluation_is_not_written_over_a_file(study: Study, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="is a file"):
        finish(evaluate(study, plan_of(), tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_cancelled_evaluation_is_no_failed_fold(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> Iterator[None]:
        raise Cancelled("Stopped.")

    monkeypatch.setattr(fold_module, "train", stopped)
    with pytest.raises(Cancelled):
        finish(evaluate(study, plan_of(), tmp_path))


def test_results_of_another_encoder_version_are_not_taken_for_these(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fold = Fold("mine", train=("A1",), test=("B1",))
    (row,) = rows_of(["ridge"], {}, {})
    job = FoldJob(fold, row, study.entries, GeneChoice(listed=GENES), tmp_path)
    before = job.digest()
    assert job.digest() == before
    monkeypatch.setattr(fold_module, "encoder_identity", lambda _: "handcrafted/next")
    assert job.digest() != before


@pytest.mark.parametrize("changes", [{"um_per_px": 0.7}, {"image_scale": 0.5}])
def test_another_scale_in_the_study_makes_a_fold_run_again(study: Study, tmp_path: Path, changes: Any) -> None:
    (row,) = rows_of(["ridge"], {}, {})

    def digest(entry: SectionEntry) -> str:
        entries = (entry, study.entry("B1"))
        return FoldJob(Fold("B", ("A1",), ("B1",)), row, entries, GeneChoice(listed=GENES), tmp_path).digest()

    assert digest(replace(study.entry("A1"), **changes)) != digest(study.entry("A1"))


def refuse_to_train(*_: Any, **__: Any) -> Iterator[None]:
    raise AssertionError("a model was trained")


def test_unreadable_sections_are_all_named_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = her2st_folder(tmp_path / "study", names=("A1", "B1", "C1", "D1"))
    (folder / "ST-cnts" / "B1.tsv.gz").write_bytes((folder / "ST-cnts" / "B1.tsv.gz").read_bytes()[:50])
    (folder / "ST-spotfiles" / "D1_selection.tsv").write_text("")
    monkeypatch.setattr(fold_module, "train", refuse_to_train)
    with pytest.raises(SectionInvalid) as caught:
        finish(evaluate(gr2st.read_study(folder), plan_of(sections=()), tmp_path / "out"))
    text = str(caught.value)
    assert text.startswith("2 of 4 sections cannot be used, so nothing was trained.")
    assert text.count("B1.tsv.gz is cut off or damaged") == text.count("D1_selection.tsv is empty") == 1
    told = gr2st.read_evaluation(tmp_path / "out")
    assert (told.state, told.message, {row.state for row in told.rows}) == ("failed", text, {"waiting"})


def test_a_section_whose_picture_cannot_be_used_is_refused_with_the_reason(tmp_path: Path) -> None:
    for seed, name in enumerate(("V1", "V2")):
        visium_folder(tmp_path / "study" / name, seed)
    (tmp_path / "study" / "V2" / "outs" / "spatial" / "scalefactors_json.json").write_text("{}")
    study = gr2st.read_study(tmp_path / "study")
    with pytest.raises(
        SectionInvalid, match=r"1 of 2 sections[\s\S]*Section V2 has no picture.*lacks tissue_hires_scalef"
    ):
        finish(evaluate(study, plan_of(sections=(), protocol="section"), tmp_path / "out"))


def test_a_study_without_any_picture_says_so(study: Study) -> None:
    blind = replace(study, entries=tuple(replace(entry, without_image="none lies there") for entry in study.entries))
    with pytest.raises(DataError, match="has a picture to learn from. A1: none lies there"):
        usable_entries(blind)


def test_finished_folds_need_no_readable_section(study: Study, evaluation: Evaluation, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a section was read")

    monkeypatch.setattr(sections_module, "_read_once", refuse)
    assert finish(evaluate(study, plan_of(), evaluation.out)).failures == ()


@pytest.mark.parametrize("write", ["write_bytes", "touch"])
def test_a_full_disk_leaves_nothing_half_written(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    def refuse(path: Path, *_: Any, **__: Any) -> None:
        if path.suffix == ".h5ad":
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, *_, **__)

    original = getattr(Path, write)
    monkeypatch.setattr(Path, write, refuse)
    evaluation = finish(evaluate(study, plan_of(models=("mean", "ridge")), tmp_path / "out"))
    assert len(evaluation.failures) == 4
    assert all("No space left on device" in failure.message for failure in evaluation.failures)
    rows = gr2st.read_evaluation(tmp_path / "out").rows
    assert [(row.state, "No space left on device" in row.message) for row in rows] == [("failed", True)] * 4
    left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert left == {"evaluation.json", "state.json", "failed.json", "sections.csv", "summary.json"}


def test_every_score_of_every_gene_stands_in_the_tables(evaluation: Evaluation) -> None:
    genes = pd.read_csv(evaluation.out / keys.GENE_SCORES)
    assert list(genes.columns) == ["model", "seed", *COLUMNS]
    ridge = genes[(genes["model"] == "ridge") & (genes["section"] == "B1")].set_index("gene")
    assert ridge["ceiling_spot"].between(0, 1).all()
    assert (ridge["ceiling_gene"] > ridge["pcc_gene"]).sum() >= 4
    assert ridge["moran_measured"].max() > 0.2
    sections = pd.read_csv(evaluation.out / keys.SECTION_SCORES)
    assert {"spearman_spot", "rmse_gene", "pcc_spot_heg50", "ceiling_gene"} <= set(sections.columns)


def test_a_model_is_compared_with_ridge_section_by_section(evaluation: Evaluation) -> None:
    models = evaluation.summary["models"]
    oracle, ridge = models["depth-oracle"], models["ridge"]
    told = oracle["minus_ridge"]["pcc_gene"]
    expected = [oracle["sections"][name]["pcc_gene"] - ridge["sections"][name]["pcc_gene"] for name in ("A1", "B1")]
    assert told["mean"] == pytest.approx(np.mean(expected))
    assert (told["low"], told["high"]) == (pytest.approx(min(expected)), pytest.approx(max(expected)))
    assert (told["unit"], told["n"]) == ("patients", 2)
    assert "minus_ridge" not in ridge


def test_seeds_are_averaged_and_told_one_by_one(study: Study, tmp_path: Path) -> None:
    training = {"gr2st-v2": TrainConfig(epochs=1, device="cpu")}
    plan = plan_of(models=("gr2st-v2",), training=training, seeds=2, ablations=("no-spatial",))
    evaluation = finish(evaluate(study, plan, tmp_path))
    assert evaluation.failures == ()
    assert list(evaluation.summary["models"]) == ["gr2st-v2", "gr2st-v2.no-spatial"]
    row = evaluation.summary["models"]["gr2st-v2"]
    assert [seed["seed"] for seed in row["seeds"]] == [0, 1]
    assert row["seeds"][0]["pcc_spot"] != row["seeds"][1]["pcc_spot"]
    assert row["pcc_spot"] == pytest.approx(np.mean([seed["pcc_spot"] for seed in row["seeds"]]))
    assert (tmp_path / "folds" / "gr2st-v2.no-spatial.seed1" / "A" / "result.json").is_file()


def test_folds_in_processes_of_their_own_give_the_same_numbers_to_the_bit(
    study: Study, evaluation: Evaluation, tmp_path: Path
) -> None:
    with executor_of(2, "") as executor:
        elsewhere = finish(evaluate(study, plan_of(), tmp_path, executor=executor))
    for name, row in evaluation.summary["models"].items():
        for space in ("pcc_spot", "pcc_gene"):
            assert elsewhere.summary["models"][name][space] == row[space]


def test_a_changed_picture_of_a_visium_section_makes_its_folds_run_again(tmp_path: Path) -> None:
    visium_folder(tmp_path / "V1")
    (entry,) = gr2st.read_study(tmp_path / "V1").entries
    before = stamp_of(entry)
    assert stamp_of(entry) == before
    factors = entry.parts["spatial"] / "scalefactors_json.json"
    factors.write_text(factors.read_text() + " ")
    assert stamp_of(entry) != before


def test_clusters_are_held_against_the_labels_of_the_sections_that_have_some(tmp_path: Path) -> None:
    study = gr2st.read_study(her2st_folder(tmp_path / "study", names=("A1", "B1")))
    plan = plan_of(genes=GeneChoice(listed=tuple(gene_names(12))), models=("ridge", "mean"), sections=())
    evaluation = finish(evaluate(study, plan, tmp_path / "out"))
    sections = pd.read_csv(evaluation.out / keys.SECTION_SCORES).set_index(["model", "section"])
    agreement = sections[[f"{index}_{side}" for index in ("ari", "nmi") for side in ("predicted", "measured")]]
    assert agreement.loc[("ridge", "A1")].between(-1, 1).all()
    assert agreement.loc[("ridge", "B1")].isna().all(), "B1 has no labels"
    assert agreement.loc[("mean", "A1"), ["ari_predicted", "nmi_predicted"]].isna().all(), "the same everywhere"
    assert agreement.loc[("mean", "A1"), "ari_measured"] == agreement.loc[("ridge", "A1"), "ari_measured"]
    told = json.loads((evaluation.out / keys.SUMMARY).read_text())["models"]["ridge"]["further"]
    assert told["ari_predicted"] == pytest.approx(agreement.loc[("ridge", "A1"), "ari_predicted"])


@pytest.fixture(scope="module")
def of_sixty(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """Sixty genes, so that fifty are some of them."""
    plan = plan_of(models=("ridge",), genes=GeneChoice(listed=study_genes(study)[:60]), score_genes=GENES[:3])
    return finish(evaluate(study, plan, tmp_path_factory.mktemp("sixty")))


def study_genes(study: Study) -> tuple[str, ...]:
    known = gr2st.read_section(study.entries[0]).genes
    return (*GENES, *(gene for gene in known if gene not in GENES))


def test_the_variable_genes_are_those_of_the_training_sections(study: Study, of_sixty: Evaluation) -> None:
    genes, listed = pd.read_csv(of_sixty.out / keys.GENE_SCORES).set_index(["section", "gene"]), study_genes(study)[:60]
    for held_out, training in (("A1", "B1"), ("B1", "A1")):
        table = gr2st.read_section(study.entry(training)).table
        expected = tuple(gene for gene in rank_genes([table]) if gene in listed)[:50]
        ranked = genes.loc[held_out]["variability_rank"].dropna().sort_values()
        assert tuple(ranked.index) == expected
        assert list(ranked) == list(range(1, len(expected) + 1))


def test_scores_over_some_of_the_genes_can_be_had_again_from_the_table_of_genes(of_sixty: Evaluation) -> None:
    genes = pd.read_csv(of_sixty.out / keys.GENE_SCORES).set_index(["section", "gene"])
    sections = pd.read_csv(of_sixty.out / keys.SECTION_SCORES).set_index("section")
    for section in ("A1", "B1"):
        scores, told = genes.loc[section], sections.loc[section]
        variable = scores["variability_rank"].notna()
        assert 10 < variable.sum() <= 50
        assert told["pcc_spot_hvg50"] == pytest.approx(scores.loc[variable, "pcc_spot"].mean())
        assert told["pcc_gene_heg50"] == pytest.approx(scores.nlargest(50, "mean_gene")["pcc_gene"].mean())
        assert told["pcc_gene_median"] == pytest.approx(scores["pcc_gene"].median())
        assert told["pcc_gene_listed"] == pytest.approx(scores.loc[list(GENES[:3]), "pcc_gene"].mean())
        assert told["genes_listed"] == 3


def test_medians_stand_beside_the_means(of_sixty: Evaluation) -> None:
    row = of_sixty.summary["models"]["ridge"]
    scores = [section["pcc_spot"] for section in row["sections"].values()]
    assert row["median"]["pcc_spot"] == pytest.approx(np.median(scores))
    assert row["further"]["pcc_spot_median"] != row["pcc_spot"]


def test_another_list_of_genes_to_score_trains_nothing_again(
    study: Study, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(evaluation.out, copy)
    monkeypatch.setattr(fold_module, "train", refuse_to_train)
    found = finish(evaluate(study, plan_of(score_genes=("ERBB2",)), copy))
    genes = pd.read_csv(copy / keys.GENE_SCORES).query("model == 'ridge' and gene == 'ERBB2'")
    assert found.summary["models"]["ridge"]["further"]["pcc_spot_listed"] == pytest.approx(genes["pcc_spot"].mean())


def test_a_gene_to_score_that_is_not_predicted_is_refused_by_name(study: Study, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 2 genes to score are not among the 5 genes to predict: MKI67"):
        finish(evaluate(study, plan_of(score_genes=("ERBB2", "MKI67")), tmp_path / "never"))
