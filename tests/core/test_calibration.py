"""Whether error grows with doubt: values on made predictions, and the files and the page of an evaluation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.stats import spearmanr

import gr2st
from gr2st import keys
from gr2st.config import GeneChoice, TrainConfig
from gr2st.errors import DataError
from gr2st.evaluation.calibration import TENTHS, calibration_table, joined, told_of
from gr2st.evaluation.trust_page import worth
from gr2st.types import Prediction, finish
from tests.builders import gene_names, her2st_folder

SPOTS, GENES = 200, 6
USUAL = np.array([0.5, 1, 2, 4, 8, 0], np.float32)


def predicted(section: str = "B1", *, seed: int = 0, space: str = "gene") -> Prediction:
    """A prediction whose error is what its spread says, and whose disagreement says nothing; gene 5 never varies."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.1, 1, (SPOTS, GENES)) * USUAL
    obs = {keys.CONFIDENCE: 1 - spread[:, :5].mean(axis=1), keys.OUTSIDE: np.arange(SPOTS) < 20}
    index = [f"s{n}" for n in range(SPOTS)]
    table = AnnData(np.zeros((SPOTS, GENES), np.float32), obs=pd.DataFrame(obs, index=index))
    table.var[keys.USUAL_SPREAD] = USUAL
    sign = rng.choice([-1, 1], (SPOTS, GENES))
    table.layers[keys.PREDICTED] = np.zeros((SPOTS, GENES), np.float32)
    table.layers[keys.MEASURED_GENE] = table.layers[keys.MEASURED_SPOT] = sign * spread
    table.layers[keys.SPREAD] = spread
    table.layers[keys.DISAGREEMENT] = rng.uniform(0, 1, (SPOTS, GENES)) * USUAL
    table.uns[keys.PROVENANCE] = {"space": space}
    return Prediction(section=section, model="made", table=table)


def test_error_in_units_of_the_gene_grows_with_a_measure_that_knows_it() -> None:
    table = calibration_table(predicted())
    spread = table[table["measure"] == "spread"].set_index("bin")
    assert list(spread.index.dropna()) == list(range(1, TENTHS + 1))
    assert spread["n"].loc[1] == SPOTS * 5 / TENTHS
    np.testing.assert_allclose(spread["mae"], spread["mean_measure"], rtol=1e-6)
    assert spread["mae"].loc[1] < 0.2
    assert spread["mae"].loc[10] > 0.9
    assert (spread["rmse"] >= spread["mae"]).all()
    whole = spread.iloc[0]
    assert (whole["rank"], whole["rank_within_genes"]) == (pytest.approx(1), pytest.approx(1))


def test_a_measure_that_knows_nothing_has_no_rank_correlation() -> None:
    table = calibration_table(predicted())
    whole = table[(table["measure"] == "disagreement") & table["bin"].isna()].iloc[0]
    assert abs(whole["rank"]) < 0.1
    assert worth("disagreement", whole["rank"]) == "little"


def test_a_measure_of_spots_is_held_against_the_mean_error_of_the_spot() -> None:
    prediction = predicted()
    table = calibration_table(prediction)
    whole = table[(table["measure"] == "confidence") & table["bin"].isna()].iloc[0]
    error = (prediction.table.layers[keys.SPREAD][:, :5] / USUAL[:5]).mean(axis=1)
    assert whole["rank"] == pytest.approx(spearmanr(prediction.table.obs[keys.CONFIDENCE], error).statistic)
    assert np.isnan(float(whole["rank_within_genes"] or np.nan))
    assert whole["n"] == SPOTS


def test_outside_has_two_groups() -> None:
    table = calibration_table(predicted())
    bins = table[(table["measure"] == "outside") & table["bin"].notna()]
    assert list(zip(bins["bin"], bins["n"], strict=True)) == [(1, 180), (10, 20)]


def test_genes_that_were_not_measured_have_no_say() -> None:
    prediction = predicted()
    prediction.table.layers[keys.MEASURED_GENE][:, 2] = np.nan
    table = calibration_table(prediction)
    assert table[table["measure"] == "spread"]["n"].iloc[0] == SPOTS * 4


def test_a_prediction_on_no_scale_of_measured_expression_has_no_error_to_tell() -> None:
    assert calibration_table(predicted(space="mixed")).empty


def test_sections_are_put_together_tenth_by_tenth() -> None:
    tables = [calibration_table(predicted(name, seed=seed)) for seed, name in enumerate(("B1", "C1"))]
    both = joined({"made": tables, "mixed": [calibration_table(predicted(space="mixed"))]})
    assert set(both["model"]) == {"made"}
    over = both[both["section"].isna()]
    first = over[(over["measure"] == "spread") & (over["bin"] == 1)].iloc[0]
    parts = [table[(table["measure"] == "spread") & (table["bin"] == 1)].iloc[0] for table in tables]
    assert first["n"] == sum(part["n"] for part in parts)
    assert first["mae"] == pytest.approx(np.average([p["mae"] for p in parts], weights=[p["n"] for p in parts]))
    square = np.average([p["rmse"] ** 2 for p in parts], weights=[p["n"] for p in parts])
    assert first["rmse"] == pytest.approx(square**0.5)
    assert list(over[over["measure"] == "spread"]["bin"]) == list(range(1, TENTHS + 1))
    told = told_of(both, "made")
    assert list(told) == ["spread", "disagreement", "confidence", "outside"]
    assert told["spread"]["mae_low"] == first["mae"]
    assert told["spread"]["rank"] == pytest.approx(1)


def test_what_a_rank_correlation_says_is_said_in_words() -> None:
    assert [worth("spread", rank) for rank in (0.4, 0.2, 0.05, -0.2, None)] == [
        "much",
        "something",
        "little",
        "the contrary",
        "nothing: it is the same everywhere",
    ]
    assert worth("confidence", -0.4) == "much"


# ------------------------------------------------------------------------------------------------- an evaluation


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = gr2st.read_study(her2st_folder(tmp_path_factory.mktemp("study"), names=("A1", "A2", "B1")))
    training = {"gr2st": TrainConfig(epochs=1, device="cpu", threads=1)}
    plan = gr2st.Plan(
        models=("gr2st", "knn", "mean"), genes=GeneChoice(listed=tuple(gene_names(12))), training=training
    )
    return finish(gr2st.evaluate(study, plan, tmp_path_factory.mktemp("whole") / "evaluation")).out


def test_an_evaluation_tells_in_a_table_and_in_its_summary_how_error_grows(evaluation: Path) -> None:
    table = gr2st.read_calibration(evaluation)
    assert set(table["model"]) == {"gr2st", "knn"}
    assert set(table["section"].dropna()) == {"A1", "A2", "B1"}
    summary = json.loads((evaluation / keys.SUMMARY).read_text())
    found = summary["models"]["gr2st"]["calibration"]
    assert list(found) == ["spread", "disagreement", "confidence", "distance", "outside"]
    assert set(found["spread"]) == {"mae_low", "mae_high", "rmse_low", "rmse_high", "rank", "rank_within_genes"}
    assert "calibration" not in summary["models"]["mean"]


def test_the_table_is_that_of_the_stored_predictions(evaluation: Path) -> None:
    prediction = gr2st.read_prediction(evaluation / "folds" / "knn" / "B" / "B1.h5ad")
    again = calibration_table(prediction)
    stored = gr2st.read_calibration(evaluation)
    stored = stored[(stored["model"] == "knn") & (stored["section"] == "B1")]
    np.testing.assert_allclose(stored["mae"].to_numpy(float), again["mae"].to_numpy(float))


def test_the_report_tells_what_each_measure_is_worth(evaluation: Path, tmp_path: Path) -> None:
    page = finish(gr2st.write_report(evaluation, tmp_path / "page.html")).read_text(encoding="utf-8")
    assert "How far a value can be trusted" in page
    assert "spread: the training spots behind a value differ" in page


def test_a_folder_of_an_earlier_version_opens_and_is_reported_without(evaluation: Path, tmp_path: Path) -> None:

    folder = tmp_path / "old"
    shutil.copytree(evaluation, folder)
    (folder / keys.CALIBRATION).unlink()
    summary = json.loads((folder / keys.SUMMARY).read_text())
    for row in summary["models"].values():
        row.pop("calibration", None)
    (folder / keys.SUMMARY).write_text(json.dumps(summary))
    assert gr2st.read_evaluation(folder).state == "finished"
    assert gr2st.read_calibration(folder).empty
    page = finish(gr2st.write_report(folder, tmp_path / "page.html")).read_text(encoding="utf-8")
    assert "How far a value can be trusted" not in page


def test_a_damaged_table_is_told(evaluation: Path, tmp_path: Path) -> None:
    (tmp_path / keys.CALIBRATION).write_text("model,measure\nridge,spread\n")
    with pytest.raises(DataError, match="has no column section"):
        gr2st.read_calibration(tmp_path)
