"""Sections held out of a training: scored while it goes on, and without a trace in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

import gr2st
from gr2st import keys
from gr2st.correlation import gene_pcc, mean_score
from gr2st.errors import DataError, UnknownName
from gr2st.evaluation.measured import predict_section
from gr2st.io.runs import read_curves
from gr2st.io.sketches import Sketch, read_sketch, write_sketch
from gr2st.plans import TrainPlan
from gr2st.prediction import predict
from gr2st.registry import MODELS
from gr2st.runs.training import parts_of, run_training
from gr2st.training.loop import train
from gr2st.training.watch import Watch
from gr2st.types import Prepared, Progress, Steps, finish
from tests.builders import gene_names, her2st_folder, legacy_array, write_counts
from tests.toys import toy_recipe, toy_section

if TYPE_CHECKING:
    from gr2st.training.checkpoint import TrainedModel

SMALL = {"projection": 16, "heads": 2, "retrieval_k": 10, "kernel_landmarks": 64}
TRAINED_BY_EPOCHS = pytest.mark.parametrize("model", ["gr2st", "gr2st-v2", "gr2st-v1"])


@pytest.fixture(scope="module")
def sections() -> list[Prepared]:
    return [toy_section("A1", seed=1), toy_section("A2", seed=2)]


@pytest.fixture(scope="module")
def held_out() -> Prepared:
    return toy_section("B1", seed=3)


def training(
    model: str,
    sections: Sequence[Prepared],
    watched: Sequence[Prepared] | None = (),
    keep_in: Path | None = None,
    sketch_in: Path | None = None,
    **changes: object,
) -> Steps[TrainedModel]:
    spec = MODELS[model]
    settings = {"epochs": 3 if spec.training.epochs else 0, "device": "cpu", "threads": 1, **changes}
    return train(
        model,
        sections,
        toy_recipe(),
        config=spec.config.model_copy(update=SMALL if "gr2st" in model else {}),
        training=spec.training.model_copy(update=settings),
        keep_in=keep_in,
        watched=watched,
        sketch_in=sketch_in,
    )


def told(steps: Steps[TrainedModel]) -> tuple[TrainedModel, list[Progress]]:
    """The model, and the epochs of the training itself."""
    epochs: list[Progress] = []
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            return stop.value, epochs
        if progress.values and "inner" not in progress.stage:
            epochs.append(progress)


def score(trained: TrainedModel, section: Prepared) -> float | None:
    """What an evaluation would say of the finished model."""
    assert section.spot_expression is not None
    return mean_score(gene_pcc(finish(predict(trained, section)).table.layers["predicted"], section.spot_expression))


@pytest.mark.parametrize(
    ("model", "batch_spots"), [("gr2st", None), ("gr2st-v2", None), ("gr2st-v1", None), ("gr2st-v2", 30)]
)
def test_a_watched_training_comes_to_the_same_bits(
    sections: list[Prepared], held_out: Prepared, model: str, batch_spots: int | None, tmp_path: Path
) -> None:
    alone = finish(training(model, sections, batch_spots=batch_spots))
    watched = finish(training(model, sections, [held_out], sketch_in=tmp_path / "sketches", batch_spots=batch_spots))
    assert (tmp_path / "sketches" / "B1.npz").is_file()
    for (name, one), other in zip(alone.module.state_dict().items(), watched.module.state_dict().values(), strict=True):
        assert torch.equal(one, other), name
    assert alone.module.bank is not None
    assert watched.module.bank is not None
    assert torch.equal(alone.module.bank.key, watched.module.bank.key)
    assert watched.sections == ("A1", "A2")


@TRAINED_BY_EPOCHS
def test_the_score_of_the_last_epoch_is_that_of_the_finished_model(
    sections: list[Prepared], held_out: Prepared, model: str
) -> None:
    trained, epochs = told(training(model, sections, [held_out], inner_folds=0))
    assert [epoch.done for epoch in epochs] == [1, 2, 3]
    assert epochs[-1].values["pcc"] == pytest.approx(score(trained, held_out), abs=1e-6)
    assert len({epoch.values["pcc"] for epoch in epochs}) == 3


@TRAINED_BY_EPOCHS
def test_the_last_sketch_is_what_the_finished_model_predicts(
    sections: list[Prepared], held_out: Prepared, model: str, tmp_path: Path
) -> None:
    trained, _ = told(training(model, sections, [held_out], sketch_in=tmp_path / "sketches", inner_folds=0))
    prediction = finish(predict(trained, held_out))
    sketch = read_sketch(tmp_path, "B1")
    assert sketch is not None
    assert (sketch.spots, sketch.genes) == (held_out.spots, prediction.genes)
    assert (sketch.section, sketch.epoch, sketch.epochs) == ("B1", 3, 3)
    assert sketch.space == prediction.table.uns[keys.PROVENANCE]["space"]
    np.testing.assert_allclose(sketch.values, prediction.table.layers[keys.PREDICTED], atol=1e-6)


def test_a_sketch_is_drawn_anew_at_each_look_and_of_what_inner_folds_hold_out(
    sections: list[Prepared], held_out: Prepared, tmp_path: Path
) -> None:
    looks = []
    for progress in training("gr2st", sections, [held_out], sketch_in=tmp_path / "sketches", epochs=2):
        if progress.values:
            found = {name: read_sketch(tmp_path, name) for name in ("A1", "A2", "B1")}
            looks.append({name: one.epoch for name, one in found.items() if one is not None})
    assert looks[:2] == [{"A1": 1}, {"A1": 2}]
    assert looks[-1] == {"A1": 2, "A2": 2, "B1": 2}


def test_a_damaged_sketch_is_a_sentence(tmp_path: Path) -> None:
    assert read_sketch(tmp_path, "B1") is None
    write_sketch(tmp_path / "sketches", Sketch("B1", ("1x1",), ("GENE1",), np.ones((1, 1), np.float32), "spot", 1, 9))
    whole = (tmp_path / "sketches" / "B1.npz").read_bytes()
    for held in (b"", b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "sketches" / "B1.npz").write_bytes(held)
        with pytest.raises(DataError, match="B1.npz is no sketch of a section"):
            read_sketch(tmp_path, "B1")


def test_a_training_of_one_epoch_is_scored_as_it_then_is(sections: list[Prepared], held_out: Prepared) -> None:
    """What the bank holds in the middle is what it would hold if the training ended there."""
    _, epochs = told(training("gr2st-v2", sections, [held_out], drop_epoch=None))
    for epoch in (1, 2):
        ended = finish(training("gr2st-v2", sections, epochs=epoch, drop_epoch=None))
        assert epochs[epoch - 1].values["pcc"] == pytest.approx(score(ended, held_out), abs=1e-6)


def test_several_sections_count_alike_and_one_without_a_score_does_not(
    sections: list[Prepared], held_out: Prepared
) -> None:
    other = toy_section("B2", seed=4)
    silent = replace(other, section="B3", spot_expression=np.full_like(other.spot_expression, np.nan))
    trained, epochs = told(training("gr2st-v2", sections, [held_out, other, silent]))
    expected = np.mean([score(trained, section) for section in (held_out, other)])
    assert epochs[-1].values["pcc"] == pytest.approx(expected, abs=1e-6)
    _, epochs = told(training("gr2st-v2", sections, [silent]))
    assert all("pcc" not in epoch.values for epoch in epochs)


def test_inner_folds_watch_what_they_hold_out(sections: list[Prepared]) -> None:
    steps = [one for one in training("gr2st", sections, epochs=2) if one.values]
    assert [("trial" in one.stage, "pcc" in one.values) for one in steps] == [(True, True)] * 4 + [(False, False)] * 2


def test_where_nobody_looks_inner_folds_are_not_scored_on_the_way(sections: list[Prepared]) -> None:
    steps = [one for one in training("gr2st", sections, None, epochs=2) if one.values]
    assert len(steps) == 6
    assert not any("pcc" in one.values for one in steps)


@pytest.mark.parametrize(
    ("epochs", "looked_at"), [(1, [1]), (19, [*range(1, 20)]), (50, [*range(2, 51, 2)]), (205, 21)]
)
def test_a_training_is_looked_at_some_twenty_times_and_at_the_end(epochs: int, looked_at: list[int] | int) -> None:
    due = [epoch for epoch in range(1, epochs + 1) if Watch.is_due(epoch, epochs)]
    assert due == looked_at or len(due) == looked_at
    assert due[-1] == epochs


def test_a_model_in_closed_form_is_scored_once(sections: list[Prepared], held_out: Prepared) -> None:
    trained, epochs = told(training("ridge", sections, [held_out]))
    assert [(one.stage, dict(one.values)) for one in epochs] == [
        ("Scoring what is held out", {"pcc": pytest.approx(score(trained, held_out), abs=1e-6)})
    ]


def test_chance_is_the_logarithm_of_the_spots_of_a_step(sections: list[Prepared], held_out: Prepared) -> None:
    large = toy_section("A3", side=8, seed=5)
    _, epochs = told(training("gr2st-v2", [sections[0], large]))
    assert epochs[0].values["chance"] == pytest.approx((math.log(36) + math.log(64)) / 2)
    _, epochs = told(training("gr2st-v2", sections, batch_spots=36))
    assert epochs[0].values["chance"] == pytest.approx(math.log(36))


def test_a_watched_training_that_is_left_goes_on_to_the_same_curve(
    sections: list[Prepared], held_out: Prepared, tmp_path: Path
) -> None:
    _, whole = told(training("gr2st-v2", sections, [held_out]))
    found: list[Progress] = []
    for _ in range(3):
        with closing(training("gr2st-v2", sections, [held_out], tmp_path)) as steps:
            for progress in steps:
                found += [progress] if progress.values else []
                # Left while it is scored, and after an epoch.
                if progress.done == len(found) and progress.stage == "Training":
                    break
    found += told(training("gr2st-v2", sections, [held_out], tmp_path))[1]
    assert [one.values for one in found] == [one.values for one in whole]


def test_a_section_is_learned_from_or_watched_not_both(sections: list[Prepared]) -> None:
    with pytest.raises(DataError, match="Sections A1 are to be both"):
        finish(training("ridge", sections, [sections[0]]))


# In a run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return her2st_folder(tmp_path_factory.mktemp("watch") / "study")


def plan_of(study: Path, **changes: object) -> TrainPlan:
    asked = {"study": study, "model": "ridge", "genes": {"listed": ["GENE1", "GENE2"]}}
    return TrainPlan.of(**(asked | changes))


def names(plan: TrainPlan) -> tuple[list[str], list[str]]:
    parts = parts_of(gr2st.read_study(plan.study), plan)
    return [entry.name for entry in parts.learned_from], [entry.name for entry in parts.held_out]


def test_the_section_held_out_is_left_out_wherever_it_stands(study: Path) -> None:
    assert names(plan_of(study, held_out="A2")) == (["A1", "B1"], ["A2"])
    assert names(plan_of(study, sections=["A1", "A2"], held_out="A2")) == (["A1"], ["A2"])
    assert names(plan_of(study, sections=["A1"], held_out="B1")) == (["A1"], ["B1"])
    assert names(plan_of(study, sections=["A1"])) == (["A1"], [])


def test_a_section_that_cannot_be_held_out_is_a_sentence(study: Path) -> None:
    with pytest.raises(DataError, match="no other is left to learn from"):
        names(plan_of(study, sections=["A1"], held_out="A1"))
    with pytest.raises(UnknownName, match="No section is called 'C1'"):
        names(plan_of(study, held_out="C1"))


def test_the_genes_are_chosen_without_the_section_held_out(study: Path, tmp_path: Path) -> None:
    asked = {"genes": {"n_variable": 5}, "sections": ["A1", "B1"]}
    wanted = {"alone": asked | {"sections": ["A1"]}, "held": asked | {"held_out": "B1"}, "both": asked}
    alone, held, both = (
        gr2st.load_model(finish(run_training(plan_of(study, **fields), tmp_path / name))).recipe.genes
        for name, fields in wanted.items()
    )
    assert held == alone
    assert held != both


def test_the_curve_of_a_run_holds_what_an_evaluation_would_say_of_the_section(study: Path, tmp_path: Path) -> None:
    (study / "ST-cnts" / "B1.tsv.gz").unlink()
    lacking = replace(legacy_array(seed=2, n_genes=12), genes=["OTHER", *gene_names(12)[1:]])
    write_counts(study / "ST-cnts" / "B1.tsv.gz", lacking)
    model = gr2st.load_model(finish(run_training(plan_of(study, sections=["A1"], held_out="B1"), tmp_path / "run")))
    (curve,) = read_curves(tmp_path / "run")
    section = gr2st.read_section(gr2st.read_study(study).entry("B1"))
    scores = finish(predict_section(model, section)).table.var[keys.PCC_SPOT]
    assert np.isnan(scores["GENE1"])
    assert curve.values["pcc"] == pytest.approx(scores["GENE2"], abs=1e-6)


def test_a_run_is_sketched_only_where_that_is_asked_for(study: Path, tmp_path: Path) -> None:
    small = {"projection": 16, "heads": 2, "retrieval_k": 10}
    asked = {"model": "gr2st-v2", "sections": ["A1"], "held_out": "A2", "config": small, "training": {"epochs": 2}}
    models = []
    for name, sketch in (("plain", False), ("sketched", True)):
        models.append(finish(run_training(plan_of(study, **asked, sketch=sketch), tmp_path / name)))
        assert (read_sketch(tmp_path / name, "A2") is not None) == sketch
    one, other = (path / keys.MODEL_WEIGHTS for path in models)
    assert one.read_bytes() == other.read_bytes()
