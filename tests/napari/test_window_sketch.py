"""The map that sharpens: a gene on the slide that is held out, as it is learned."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from hands import choose, click_tab, press, type_over
from test_window_train import FAKE, LONG_MS
from window_builders import make_prediction, open_dock, settle, take

from gr2st import GeneChoice, Sketch, TrainPlan, data_dir, sample_study_path
from gr2st.io.run_writer import RunWriter, begin_run
from gr2st.io.sketches import write_sketch
from gr2st.types import Progress
from gr2st_napari._controller import controller_of
from gr2st_napari.views.train import RUNS

pytestmark = pytest.mark.window

GENES = ("ERBB2", "COL1A1")


@pytest.fixture
def train(viewer, qtbot, tmp_path, monkeypatch):
    """The Train dock with A1 open and watched, and a worker that only pretends."""
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "data"))
    dock = open_dock(viewer, "Train")
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    controller = controller_of(viewer)
    controller.worker._command = (sys.executable, [str(script)])
    controller.open(sample_study_path() / "study.csv")
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=LONG_MS)
    controller.wish(gene="ERBB2")
    choose(qtbot, dock.plan.watch.box, "A1")
    type_over(qtbot, dock.plan.name, "drawn")
    return dock


@pytest.fixture
def state(viewer, train):
    return controller_of(viewer).state


def _keep(state, epoch: int, seed: int) -> Sketch:
    """A sketch of A1, as the worker would keep it; its spots in another order than those of the slide."""
    spots = state.expression.spots[::-1]
    values = np.random.default_rng(seed).normal(size=(len(spots), len(GENES))).astype(np.float32)
    sketch = Sketch("A1", spots, GENES, values, "gene", epoch, 9)
    write_sketch(data_dir("runs") / "drawn" / "sketches", sketch)
    return sketch


def _maps(viewer) -> dict[str, bool]:
    """Titles of the maps, and whether they can be seen."""
    return {layer.name: layer.visible for layer in viewer.layers if "·" in layer.name}


def _begin(train, state, qtbot) -> Sketch:
    kept = _keep(state, epoch=3, seed=1)
    press(qtbot, train.plan.sketch)
    press(qtbot, train.start)
    qtbot.waitUntil(lambda: state.sketched.panel is not None, timeout=LONG_MS)
    return kept


SO_FAR, MEASURED = "ERBB2 · predicted so far · epoch 3 of 9", "ERBB2 · measured · spot-normalised"


def test_nothing_is_drawn_unless_it_is_asked_for(viewer, train, state, qtbot):
    _keep(state, epoch=3, seed=1)
    press(qtbot, train.start)
    qtbot.waitUntil(lambda: len(state.training.epochs) == 3, timeout=LONG_MS)
    assert not state.training.plan.sketch
    assert _maps(viewer) == {MEASURED: True}


def test_the_gene_in_view_is_drawn_in_the_place_of_the_map_and_its_eye_brings_that_back(viewer, train, state, qtbot):
    kept = _begin(train, state, qtbot)
    assert _maps(viewer) == {MEASURED: False, SO_FAR: True}
    assert train.progress.sketched.text() == "ERBB2 lies on A1 as it is predicted at epoch 3 of 9."
    np.testing.assert_array_equal(viewer.layers[SO_FAR].features["expr"], kept.values[::-1, 0])
    assert viewer.layers[SO_FAR].name_overlay.visible
    assert viewer.layers[SO_FAR].face_colorbar.visible
    viewer.layers[SO_FAR].visible = False
    assert _maps(viewer) == {MEASURED: True, SO_FAR: False}
    viewer.layers[SO_FAR].visible = True
    assert _maps(viewer) == {MEASURED: False, SO_FAR: True}
    controller_of(viewer).wish(gene="COL1A1")
    [name] = [name for name, is_visible in _maps(viewer).items() if is_visible]
    assert name == "COL1A1 · predicted so far · epoch 3 of 9"
    np.testing.assert_array_equal(viewer.layers[name].features["expr"], kept.values[::-1, 1])
    controller_of(viewer).wish(gene=next(gene for gene in state.expression.genes if gene not in GENES))
    assert "is not learned; choose another gene" in train.progress.sketched.text()
    assert SO_FAR in _maps(viewer)


def test_a_map_that_is_thrown_away_does_not_come_again_with_this_run(viewer, train, state, qtbot):
    _begin(train, state, qtbot)
    viewer.layers.remove(viewer.layers[SO_FAR])
    assert _maps(viewer) == {MEASURED: True}
    controller_of(viewer).wish(gene="COL1A1")
    state.training = state.training
    assert list(_maps(viewer)) == ["COL1A1 · measured · spot-normalised"]


def test_another_slide_has_no_map_of_this_one(viewer, train, state, qtbot):
    _begin(train, state, qtbot)
    controller_of(viewer).choose_section("B1")
    qtbot.waitUntil(lambda: state.opened.name == "B1" and bool(_maps(viewer)), timeout=LONG_MS)
    assert _maps(viewer) == {MEASURED: True}
    assert train.progress.sketched.text() == "Open A1 in the Genes dock to see there how a gene is learned."
    controller_of(viewer).choose_section("A1")
    qtbot.waitUntil(lambda: _maps(viewer) == {MEASURED: False, SO_FAR: True}, timeout=LONG_MS)


def test_two_maps_side_by_side_are_not_drawn_over(viewer, train, state, qtbot):
    controller = controller_of(viewer)
    prediction = make_prediction(state.opened.section, genes=("ERBB2", "COL1A1"))
    take(controller, replace(state.opened, prediction=prediction))
    assert state.shown.mode == "side by side"
    pair = _maps(viewer)
    _keep(state, epoch=3, seed=1)
    press(qtbot, train.plan.sketch)
    press(qtbot, train.start)
    qtbot.waitUntil(lambda: "choose Measured" in train.progress.sketched.text(), timeout=LONG_MS)
    assert _maps(viewer) == pair
    controller.wish(mode="measured")
    settle(controller)
    assert _maps(viewer)[state.sketched.panel.title]
    controller.wish(mode="side by side")
    settle(controller)
    assert [name for name, is_visible in _maps(viewer).items() if is_visible] == list(pair)


@pytest.fixture
def elsewhere():
    """What another process writes of a training that watches A1 and draws it."""
    folder, genes = data_dir("runs") / "drawn", GeneChoice(listed=GENES)
    plan = TrainPlan.of(
        study=sample_study_path(), model="gr2st-v2", genes=genes, sections=("B1",), held_out="A1", sketch=True
    )
    begin_run(folder, plan, device="cpu", versions={})
    return RunWriter(folder)


def test_the_map_of_a_training_in_the_background_is_drawn_and_stays_at_its_end(viewer, train, elsewhere, state, qtbot):
    kept = _keep(state, epoch=3, seed=1)
    elsewhere.hear(Progress("Training", 3, 9, values={"loss": 3.0, "pcc": 0.1}))
    qtbot.waitUntil(lambda: _maps(viewer) == {MEASURED: False, SO_FAR: True}, timeout=LONG_MS)
    np.testing.assert_array_equal(viewer.layers[SO_FAR].features["expr"], kept.values[::-1, 0])
    click_tab(qtbot, train.pages, RUNS)
    told = "drawn, in the background: ERBB2 lies on A1 as it is predicted at epoch 3 of 9."
    assert (train.runs.sketched.text(), train.runs.sketched.isVisible()) == (told, True)
    _keep(state, epoch=9, seed=2)
    elsewhere.hear(Progress("Training", 9, 9, values={"loss": 1.0, "pcc": 0.3}))
    elsewhere.end("finished")
    last = SO_FAR.replace("epoch 3", "epoch 9")
    qtbot.waitUntil(lambda: _maps(viewer) == {MEASURED: False, last: True}, timeout=LONG_MS)
    train._controller.trainer.runs.look()
    qtbot.waitUntil(lambda: state.runs.found[0].state == "finished", timeout=LONG_MS)
    assert _maps(viewer)[last]
    viewer.layers.remove(viewer.layers[last])
    assert _maps(viewer) == {MEASURED: True}
