"""Files that someone drops on napari itself: it would wait for layers, so the dock opens them beside the window."""

from __future__ import annotations

from shutil import copytree

import pytest
from qtpy.QtCore import QTimer
from window_builders import open_dock, settle

from gr2st import keys, sample_study_path, save_prediction
from gr2st_napari._controller import controller_of
from gr2st_napari._loading import ask_controller, is_open
from gr2st_napari._reader import get_reader
from gr2st_napari._sample_data import sample_section

pytestmark = pytest.mark.window


def _drop(viewer, qtbot, *paths) -> None:
    """As napari does what is dropped: one file after the other, in a turn of its event loop."""
    read: list[object] = []
    QTimer.singleShot(0, lambda: read.extend(viewer.open(str(path), plugin="gr2st-napari") for path in paths))
    qtbot.waitUntil(lambda: len(read) == len(paths))
    assert read == [[]] * len(paths), "napari waits for no layer"


@pytest.fixture
def section_file(tmp_path, section):
    path = tmp_path / "C4.h5ad"
    section.table.write_h5ad(path)
    return path


def test_a_study_dropped_on_an_empty_window_is_opened_and_its_genes_are_shown(viewer, qtbot):
    _drop(viewer, qtbot, sample_study_path())
    dock = open_dock(viewer, "Genes")
    qtbot.waitUntil(lambda: controller_of(viewer).state.opened is not None)
    settle(controller_of(viewer))
    assert controller_of(viewer).state.opened.study.names == ("A1", "A2", "B1", "B2")
    assert dock.genes.isVisible()
    assert len(viewer.window.dock_widgets) == 1
    assert [layer.visible for layer in viewer.layers] == [True, True]


def test_a_slide_and_its_prediction_dropped_together_stand_side_by_side(
    viewer, controller, section_file, prediction, tmp_path, qtbot
):
    _drop(viewer, qtbot, section_file, save_prediction(prediction, tmp_path / "predicted.h5ad"))
    qtbot.waitUntil(lambda: controller.state.opened is not None and controller.state.opened.prediction is not None)
    settle(controller)
    assert controller.state.opened.section is not None
    assert controller.state.shown.mode == "side by side"


def test_what_cannot_be_read_is_told_by_napari_and_what_was_dropped_with_it_is_opened(
    viewer, controller, section_file, tmp_path, qtbot, monkeypatch
):
    told: list[str] = []
    monkeypatch.setattr("gr2st_napari._reader._tell", told.append)
    broken = tmp_path / "broken.h5ad"
    broken.write_bytes(b"no table at all")
    _drop(viewer, qtbot, broken, section_file)
    qtbot.waitUntil(lambda: controller.state.opened is not None)
    assert controller.state.opened.name == "C4"
    assert [sentence.split()[0] for sentence in told] == ["broken.h5ad"]


def test_the_sample_of_the_menu_is_opened_by_the_dock(viewer, controller, qtbot):
    QTimer.singleShot(0, sample_section)
    qtbot.waitUntil(lambda: controller.state.opened is not None)
    assert controller.state.opened.name == "A1"


def test_a_folder_is_told_by_its_names_before_anything_is_read(viewer, qtbot, tmp_path, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "pandas")
    known = copytree(
        sample_study_path().parent if sample_study_path().is_file() else sample_study_path(), tmp_path / "known"
    )
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.tif").touch()
    asked: list[bool] = []
    QTimer.singleShot(
        0, lambda: asked.extend(get_reader(str(path)) is not None for path in (known, tmp_path / "pictures"))
    )
    qtbot.waitUntil(lambda: len(asked) == 2)
    assert asked == [True, False]
    assert "pandas" not in sys.modules
    assert (known / keys.STUDY_FILE).is_file()


def test_what_was_asked_of_a_window_that_is_closed_meanwhile_is_not_done(qapp):
    """It would make a controller that nobody closes."""
    import napari

    alone = napari.Viewer(show=False)
    assert is_open(alone)
    alone.close()
    assert not is_open(alone)
    asked: list[object] = []
    ask_controller(alone, asked.append)
    assert asked == []
