"""Rows of a table of results: ablations, seeds, and where folds are computed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gr2st.config import TrainConfig
from gr2st.errors import DataError, UnknownName
from gr2st.evaluation.executors import executor_of
from gr2st.evaluation.rows import ABLATIONS, rows_of
from gr2st.registry import MODELS


def test_each_ablation_changes_the_settings_it_names_and_nothing_else() -> None:
    ours = MODELS["gr2st"].config.model_dump()
    estimated = {"cell_types": "estimate"}
    rows = {row.label: row for row in rows_of(["gr2st"], {}, {}, recipe=estimated, ablations=list(ABLATIONS))}
    assert list(rows) == ["gr2st", *(f"gr2st.{name}" for name in ABLATIONS)]
    for name, ablation in ABLATIONS.items():
        assert rows[f"gr2st.{name}"].config.model_dump() == ours | dict(ablation.config)
        assert rows[f"gr2st.{name}"].training == rows["gr2st"].training.model_copy(update=dict(ablation.training))
        assert rows[f"gr2st.{name}"].recipe == ablation.recipe
        assert replace(rows[f"gr2st.{name}"], label="gr2st") != rows["gr2st"]


@pytest.mark.parametrize("part", ["no-type", "no-type-shares"])
def test_cell_types_can_only_be_left_out_where_there_are_some(part: str) -> None:
    with pytest.raises(DataError, match=part):
        rows_of(["gr2st"], {}, {}, ablations=[part])


def test_only_models_that_have_the_part_are_ablated() -> None:
    labels = [row.label for row in rows_of(["gr2st-v1", "gr2st-v2", "ridge"], {}, {}, ablations=["no-retrieval"])]
    assert labels == ["gr2st-v1", "gr2st-v2", "gr2st-v2.no-retrieval", "ridge"]
    with pytest.raises(DataError, match="No model here has what these ablations leave out: no-kernel"):
        rows_of(["gr2st-v2", "ridge"], {}, {}, ablations=["no-kernel"])
    with pytest.raises(UnknownName, match="no-spatial"):
        rows_of(["gr2st"], {}, {}, ablations=["no-spacial"])


def test_models_that_draw_lots_are_trained_once_per_seed_the_others_once() -> None:
    training = {"gr2st": TrainConfig(epochs=1, seed=3)}
    rows = rows_of(["gr2st", "ridge"], {}, training, seeds=2)
    assert [(row.label, row.training.seed, row.folder) for row in rows] == [
        ("gr2st", 3, "gr2st.seed3"),
        ("gr2st", 4, "gr2st.seed4"),
        ("ridge", 0, "ridge"),
    ]


def test_an_unknown_model_is_refused_before_anything_runs() -> None:
    with pytest.raises(UnknownName, match="gr2st"):
        rows_of(["gr2stt"], {}, {})


def test_workers_and_a_cluster_exclude_each_other_and_a_silent_cluster_is_told() -> None:
    with pytest.raises(DataError, match="not both"), executor_of(2, "tcp://localhost:1"):
        pass
    with executor_of(1, "") as executor:
        assert executor is None
