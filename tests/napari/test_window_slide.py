"""The Slide dock in a real window: a slide without spots is opened, looked ahead at, predicted and shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hands import drop, press, type_over
from qtpy.QtWidgets import QApplication, QFileDialog
from window_builders import UM_PER_PX, make_section, make_slide, make_slide_prediction, open_dock, settle, take

from gr2st import Finding, Preflight, Region, keys, read_regions, save_prediction
from gr2st_napari._opening import open_path, opened_of
from gr2st_napari._slide_habits import habits_path
from gr2st_napari._slide_keeper import SlideKeeper
from gr2st_napari._slides import ALL_REGIONS, REGION, WHOLE, SlideSheet, changed, chosen_regions, places
from gr2st_napari._slides_words import can_start, card_of, expected, scale_words
from gr2st_napari._state import State, Unfinished

window = pytest.mark.window

REGIONS = tuple(Region(name, "", ((np.zeros((3, 2)),),)) for name in ("a", "b"))
CORNERS = [[200, 200], [200, 600], [600, 600], [600, 200]]


def test_a_place_is_all_tissue_one_region_or_all_of_them() -> None:
    assert [value for value, _ in places(())] == [WHOLE]
    assert [words for _, words in places(REGIONS)] == ["All tissue", "All regions", "a", "b"]
    assert chosen_regions(SlideSheet(), REGIONS) == ()
    assert chosen_regions(SlideSheet(where=ALL_REGIONS), REGIONS) == REGIONS
    assert chosen_regions(SlideSheet(where=REGION + "b"), REGIONS) == REGIONS[1:]


def test_the_card_says_step_by_step_what_is_missing(tmp_path) -> None:
    state = State()
    assert "Open a slide without spots" in card_of(state).sentence
    state.opened = open_path(make_slide(tmp_path / "S1.tif", um_per_px=None))
    assert card_of(state).sentence == "S1 has no spots. Choose a trained model."
    state.slide = SlideSheet(model=Path("model"))
    assert "State how many micrometres a pixel is" in card_of(state).sentence
    assert not can_start(state)
    state.slide = changed(state.slide, um_per_px=0.5)
    assert can_start(state)


def test_a_fault_found_ahead_is_told_and_stands_in_the_way(tmp_path) -> None:
    state = State()
    state.opened = open_path(make_slide(tmp_path / "S1.tif"))
    fault = Preflight((Finding("fault", "files", "No tissue was found."),), None, 0)
    state.slide = SlideSheet(model=Path("model"), preflight=fault)
    assert card_of(state).sentence == "No tissue was found."
    assert not can_start(state)
    assert expected(state) == ""


def test_what_was_warned_of_ahead_is_told_of_the_prediction_too(tmp_path) -> None:
    state = State()
    state.opened = open_path(make_slide(tmp_path / "S1.tif"))
    found = Preflight((Finding("warning", "slide", "S1 does not look like H&E."),), 10.0, 0)
    state.slide = SlideSheet(model=Path("model"), preflight=found, is_finished=True)
    card = card_of(state)
    assert card.sentence == "S1 is predicted. Choose genes in the Genes dock. S1 does not look like H&E."
    assert card.tone == "warning"


def test_what_was_found_of_a_slide_is_not_told_of_the_section_that_follows(tmp_path) -> None:
    state = State()
    state.opened = open_path(make_slide(tmp_path / "S1.tif"))
    found = Preflight((Finding("good", "slide", "64 spots, 100 µm apart."),), 10.0, 0)
    state.slide = SlideSheet(model=Path("model"), preflight=found)
    assert expected(state) == "64 spots, 100 µm apart."
    state.opened = opened_of(make_section(), None)
    assert expected(state) == ""
    assert scale_words(state) == "as the file tells"


@pytest.fixture
def slide_file(tmp_path):
    return make_slide(tmp_path / "S1.tif")


@pytest.fixture
def slide_dock(viewer, controller):
    dock = open_dock(viewer, "Slide")
    QApplication.processEvents()
    return dock


def _opened(qtbot, controller, dock, path) -> None:
    drop(dock, path)
    qtbot.waitUntil(lambda: controller.state.opened is not None and not controller.state.job.is_running)
    settle(controller)


def _with_model(qtbot, dock, folder, monkeypatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / keys.MODEL_CARD).write_text("{}")
    _choose_model(qtbot, dock, folder, monkeypatch)


def _choose_model(qtbot, dock, folder, monkeypatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_args, **_named: str(folder))
    press(qtbot, dock.model)


@window
def test_a_dropped_slide_is_looked_ahead_at_predicted_and_shown(
    viewer, controller, slide_dock, slide_file, tmp_path, qtbot, monkeypatch
) -> None:
    make_slide_prediction(tmp_path / "answer.h5ad", slide_file)
    _opened(qtbot, controller, slide_dock, slide_file)
    assert [layer.name for layer in viewer.layers] == ["slide"]
    assert "Choose a trained model" in slide_dock.card.sentence.text()
    assert not slide_dock.start.isEnabled()
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    qtbot.waitUntil(lambda: "96 spots, 100 µm apart. About 2 minutes" in slide_dock.expected.text())
    assert slide_dock.card.sentence.text() == "The slide is paler than C2."
    slide_dock.pitch.setValue(50)
    qtbot.waitUntil(lambda: "50 µm apart" in slide_dock.expected.text())
    press(qtbot, slide_dock.start)
    qtbot.waitUntil(lambda: controller.state.expression is not None)
    assert controller.state.expression.genes == ("ACTB", "ERBB2")
    assert controller.state.shown.mode == "predicted"
    settle(controller)
    slide, spots = (next(one for one in viewer.layers if one.name.startswith(name)) for name in ("slide", "ACTB"))
    assert tuple(slide.scale[-2:]) == (UM_PER_PX, UM_PER_PX)
    np.testing.assert_allclose(spots.features["expr"], spots.data[:, 1] / 100, rtol=1e-5)
    assert "S1 is predicted" in slide_dock.card.sentence.text()
    assert "The slide is paler than C2." in slide_dock.card.details.toPlainText()


@window
def test_a_folder_that_holds_no_model_is_told_at_once_and_is_not_chosen(
    slide_dock, tmp_path, qtbot, monkeypatch
) -> None:
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    _choose_model(qtbot, slide_dock, tmp_path, monkeypatch)
    assert slide_dock.card.sentence.text().startswith(f"{tmp_path.name} is no model folder: model.json is not there.")
    assert slide_dock.model.text() == "model"


@window
def test_the_next_window_has_the_model_and_the_distance_that_were_chosen_last(
    controller, slide_dock, slide_file, tmp_path, qtbot, monkeypatch
) -> None:
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    slide_dock.pitch.setValue(50)
    later = State()
    SlideKeeper(later, controller.worker, controller.open).close()
    assert (later.slide.model, later.slide.pitch_um) == (tmp_path / "model", 50)
    later.opened = open_path(slide_file)
    assert can_start(later), "nothing else is to be chosen"
    (tmp_path / "model" / keys.MODEL_CARD).unlink()
    gone = State()
    SlideKeeper(gone, controller.worker, controller.open).close()
    assert (gone.slide.model, gone.slide.pitch_um) == (None, 50)
    habits_path().write_text("{")
    damaged = State()
    SlideKeeper(damaged, controller.worker, controller.open).close()
    assert "choose one, and the file is written anew" in card_of(damaged).sentence


@window
def test_a_prediction_that_runs_can_be_cancelled(controller, slide_dock, slide_file, tmp_path, qtbot, monkeypatch):
    _opened(qtbot, controller, slide_dock, slide_file)
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    press(qtbot, slide_dock.start)
    qtbot.waitUntil(lambda: "Looking at the tissue 3 of 96" in slide_dock.foot.line.text())
    assert not slide_dock.pitch.isEnabled()
    press(qtbot, slide_dock.foot.button)
    qtbot.waitUntil(lambda: controller.state.slide.phase == "resting")
    assert slide_dock.start.isEnabled()
    assert controller.state.opened.is_slide_alone


@window
def test_spots_can_be_laid_also_where_no_tissue_is_found(
    controller, slide_dock, slide_file, tmp_path, qtbot, monkeypatch
) -> None:
    _opened(qtbot, controller, slide_dock, slide_file)
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    qtbot.waitUntil(lambda: "96 spots" in slide_dock.expected.text())
    assert slide_dock.place.currentText() == "All tissue"
    press(qtbot, slide_dock.everywhere)
    qtbot.waitUntil(lambda: "150 spots" in slide_dock.expected.text())
    assert slide_dock.place.currentText() == "Whole picture"
    # Its pyramid is there: the slide is the same, and what was said of it stays.
    controller.state.opened = replace(controller.state.opened, notes=("changed",))
    assert slide_dock.everywhere.isChecked()
    controller.open(make_slide(tmp_path / "S2.tif"))
    qtbot.waitUntil(lambda: controller.state.opened.name == "S2")
    assert not slide_dock.everywhere.isChecked()
    assert not controller.slides._plan().everywhere


@window
def test_a_prediction_that_runs_is_what_closing_asks_about(
    controller, slide_dock, slide_file, tmp_path, qtbot, monkeypatch
) -> None:
    _opened(qtbot, controller, slide_dock, slide_file)
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    qtbot.waitUntil(lambda: "96 spots" in slide_dock.expected.text())
    assert controller._unfinished() == []
    press(qtbot, slide_dock.start)
    qtbot.waitUntil(lambda: "Looking at the tissue 3 of 96" in slide_dock.foot.line.text())
    assert controller._unfinished() == [Unfinished("The prediction of S1.tif")]
    press(qtbot, slide_dock.foot.button)
    qtbot.waitUntil(lambda: controller.state.slide.phase == "resting")
    assert controller._unfinished() == []


@window
def test_a_region_drawn_on_the_bare_slide_is_what_is_predicted(
    viewer, controller, slide_dock, slide_file, tmp_path, qtbot, monkeypatch
) -> None:
    make_slide_prediction(tmp_path / "answer.h5ad", slide_file)
    _opened(qtbot, controller, slide_dock, slide_file)
    controller.regions.draw("polygon")
    viewer.layers["Regions"].add(np.array(CORNERS), shape_type="polygon")
    qtbot.waitUntil(lambda: slide_dock.place.count() == 2)
    slide_dock.place.setCurrentIndex(1)
    slide_dock.place.activated.emit(1)
    assert controller.state.slide.where == REGION + "Region 1"
    _with_model(qtbot, slide_dock, tmp_path / "model", monkeypatch)
    asked = controller.slides._plan().regions
    np.testing.assert_allclose(read_regions(asked)[0].polygons[0][0].max(axis=0), [600, 600])
    press(qtbot, slide_dock.start)
    qtbot.waitUntil(lambda: controller.state.expression is not None)
    # Drawn anew above the spots, and on the scale the prediction has.
    assert viewer.layers[-1].name == "Regions"
    inside = controller.state.sheet.inside[0]
    xy = controller.state.expression.xy
    np.testing.assert_array_equal(inside, ((xy > 200) & (xy < 600)).all(axis=1))


@window
def test_a_slide_and_a_section_take_each_others_place(viewer, controller, slide_file, tmp_path, qtbot) -> None:
    take(controller, opened_of(make_section(), None))
    controller.open(slide_file)
    qtbot.waitUntil(lambda: controller.state.opened.is_slide_alone)
    assert controller.state.expression is None
    controller.open(make_slide_prediction(tmp_path / "S1.h5ad", slide_file))
    qtbot.waitUntil(lambda: controller.state.expression is not None)
    take(controller, opened_of(make_section(), None))
    assert controller.state.opened.prediction is None
    assert controller.state.opened.slide is None
    assert controller.state.problem is None


@window
def test_a_slide_is_seen_whole_whatever_was_looked_at_before_and_no_layer_is_left_on_another_scale(
    viewer, controller, tmp_path, qtbot
) -> None:
    take(controller, opened_of(make_section(), None))
    controller.regions.put((Region("tumour", "", ((np.array([[250, 150], [650, 150], [650, 650.0]]),),)),))
    viewer.scene.camera.zoom, viewer.scene.camera.center = 40, (5, 5)
    controller.open(make_slide(tmp_path / "S1.tif", um_per_px=None))
    qtbot.waitUntil(lambda: controller.state.opened.is_slide_alone)
    settle(controller)
    assert [layer.name for layer in viewer.layers] == ["slide"]
    left, top, right, bottom = controller.canvas.view.window
    assert max(left, top) <= 0
    assert right >= 1200
    assert bottom >= 900
    assert min((right - left) / 1200, (bottom - top) / 900) < 1.5


@window
def test_a_scale_is_typed_key_by_key(controller, slide_dock, tmp_path, qtbot) -> None:
    _opened(qtbot, controller, slide_dock, make_slide(tmp_path / "S1.tif", um_per_px=None))
    type_over(qtbot, slide_dock.scale.lineEdit(), "0.69")
    assert controller.state.slide.um_per_px == 0.69


def test_a_prediction_whose_slide_is_gone_or_another_is_shown_without_it(slide_file, tmp_path) -> None:
    made = make_slide_prediction(tmp_path / "S1.h5ad", slide_file)
    assert open_path(made).slide is not None
    slide_file.write_bytes(make_slide(tmp_path / "other.tif", um_per_px=2.0).read_bytes())
    assert "is not the picture that was predicted" in open_path(made).notes[0]
    slide_file.unlink()
    assert "The slide cannot be shown: There is no image" in open_path(made).notes[0]


def test_a_prediction_that_was_left_in_its_file_can_be_saved_elsewhere(slide_file, tmp_path) -> None:
    opened = open_path(make_slide_prediction(tmp_path / "S1.h5ad", slide_file))
    copy = open_path(save_prediction(opened.prediction, tmp_path / "copy.h5ad"))
    np.testing.assert_array_equal(
        copy.prediction.table.layers[keys.PREDICTED][:, 0], opened.prediction.table.layers[keys.PREDICTED][:, 0]
    )
