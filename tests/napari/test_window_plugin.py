"""The plugin as napari meets it: manifest, reader, writer, sample, imports, the picture of the window."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from npe2 import PluginManifest
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QPushButton, QWidget
from window_builders import close_dock, make_evaluation, make_prediction, make_section, open_dock, settle, take

from gr2st import DataError, UnknownName, is_prediction, keys, read_prediction, save_prediction
from gr2st_napari._controller import controller_of
from gr2st_napari._opening import Opened, open_path
from gr2st_napari._reader import get_reader, layers_of, read
from gr2st_napari._writer import write_prediction

MANIFEST = Path(__file__).parents[2] / "gr2st_napari" / "napari.yaml"
HEAVY = ("torch", "torch_geometric", "torchvision", "timm", "scanpy")


@pytest.fixture
def prediction_file(tmp_path, prediction) -> Path:
    return save_prediction(prediction, tmp_path / "C4.h5ad")


@pytest.fixture
def section_file(tmp_path, section) -> Path:
    """A section as .h5ad: counts and positions, no picture."""
    table = section.table.copy()
    path = tmp_path / "section.h5ad"
    table.write_h5ad(path)
    return path


def _manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


def test_every_command_of_the_manifest_can_be_imported():
    manifest = _manifest()
    manifest.validate_imports()
    commands = {command.id for command in manifest.contributions.commands}
    used = [*manifest.contributions.widgets, *manifest.contributions.readers, *manifest.contributions.writers]
    assert {contribution.command for contribution in used} <= commands
    assert manifest.contributions.sample_data[0].command in commands


def test_every_menu_entry_names_a_command_or_submenu_that_exists():
    found = _manifest().contributions
    known = {command.id for command in found.commands} | {submenu.id for submenu in found.submenus}
    entries = [entry for entries in found.menus.values() for entry in entries]
    assert {getattr(entry, "command", None) or entry.submenu for entry in entries} <= known


@pytest.mark.window
@pytest.mark.parametrize("widget", [widget.display_name for widget in _manifest().contributions.widgets])
def test_every_widget_opens_in_an_empty_viewer_and_again(viewer, widget):
    for _ in range(2):
        made = open_dock(viewer, widget)
        assert isinstance(made, QWidget)
        close_dock(viewer, made)


@pytest.mark.window
def test_every_choice_and_number_of_a_dock_says_what_it_is_for(viewer):
    docks = [open_dock(viewer, widget.display_name, tabify=True) for widget in _manifest().contributions.widgets]
    parts = [part for dock in docks for kind in (QComboBox, QAbstractSpinBox) for part in dock.findChildren(kind)]
    stops = [part for dock in docks for part in dock.findChildren(QPushButton, "gr2st_cancel")]
    assert len(parts) > 30
    assert [part.objectName() for part in parts + stops if not part.toolTip()] == []


@pytest.mark.parametrize("name", ["notes.txt", "points.csv", "picture.tif", "folder"])
def test_the_reader_leaves_other_paths_alone(tmp_path, name):
    path = tmp_path / name
    if path.suffix:
        path.write_text("axis-0,axis-1\n1,2\n")
    else:
        path.mkdir()
    assert get_reader(str(path)) is None


def test_a_prediction_file_becomes_a_heatmap(prediction_file):
    assert is_prediction(prediction_file)
    reader = get_reader(str(prediction_file))
    assert reader is not None
    [(data, keywords, kind)] = reader(str(prediction_file))
    assert kind == "points"
    assert data.shape == (48, 2)
    assert keywords["name"] == "ERBB2 · predicted · gene-normalised"


def test_a_section_file_becomes_a_measured_heatmap(section_file):
    assert not is_prediction(section_file)
    [(data, keywords, kind)] = read(str(section_file))
    assert kind == "points"
    assert "· measured · spot-normalised" in keywords["name"]
    np.testing.assert_array_equal(data[0], [150.0, 250.0])


def test_a_broken_file_is_told_in_a_sentence_and_gives_no_layer(tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("gr2st_napari._reader._tell", told.append)
    path = tmp_path / "broken.h5ad"
    path.write_bytes(b"no table at all")
    assert read(str(path)) == [(None,)]
    assert "broken.h5ad" in told[0]
    assert "Traceback" not in told[0]


def test_a_section_of_a_study_is_chosen_by_name(tmp_path, section_file):
    study = tmp_path / "study.csv"
    second = tmp_path / "second.h5ad"
    second.write_bytes(section_file.read_bytes())
    study.write_text("section,patient,path\nA,P1,section.h5ad\nB,P2,second.h5ad\n")
    assert open_path(study, section="B").name == "B"
    opened = open_path(study)
    assert opened.name == "A"
    assert any("has 2 sections; this is A." in note for note in opened.notes)


@pytest.mark.window
def test_what_a_script_opens_comes_as_layers_which_the_dock_takes_over(
    viewer, dock, controller, section, prediction_file, qtbot
):
    take(controller, Opened(section=section))
    viewer.open(str(prediction_file), plugin="gr2st-napari")
    qtbot.waitUntil(lambda: controller.state.opened.prediction is not None, timeout=10_000)
    settle(controller)
    assert viewer.canvas.grid.enabled
    assert [layer.name for layer in viewer.layers] == [
        "ERBB2 · measured · gene-normalised",
        "ERBB2 · predicted · gene-normalised",
    ]


@pytest.mark.window
def test_a_dock_opened_later_takes_over_what_was_read_before(viewer, section):
    for data, keywords, kind in layers_of(Opened(section=section)):
        getattr(viewer, f"add_{kind}")(data, **keywords)
    viewer.add_points(name="mine")
    dock = open_dock(viewer, "Genes")
    assert dock.card.sentence.text().startswith("C4: 48 spots")
    settle(controller_of(viewer))
    assert viewer.layers[0].name == "mine"
    assert len(viewer.layers) == 2


@pytest.mark.window
def test_the_sample_opens_from_the_menu_entry(viewer):
    viewer.open_sample("gr2st-napari", "section")
    kinds = [layer._type_string for layer in viewer.layers]
    assert kinds == ["image", "points"]
    assert "measured" in viewer.layers[1].name


def test_a_prediction_is_saved_as_a_whole_or_as_a_table(tmp_path, prediction):
    [(data, keywords, _)] = layers_of(Opened(prediction=prediction))
    written = write_prediction(str(tmp_path / "copy.h5ad"), data, keywords)
    copy = read_prediction(written[0])
    np.testing.assert_array_equal(copy.table.layers[keys.PREDICTED], prediction.table.layers[keys.PREDICTED])
    write_prediction(str(tmp_path / "copy.csv"), data, keywords)
    table = pd.read_csv(tmp_path / "copy.csv", index_col=0)
    assert list(table.columns[2:]) == ["ERBB2", "ACTB", "FASN"]
    assert list(table.index) == list(prediction.table.obs_names)
    np.testing.assert_array_equal(table[["x_px", "y_px"]], prediction.table.obsm[keys.SPATIAL])
    np.testing.assert_allclose(table.iloc[:, 2:].to_numpy(), prediction.table.layers[keys.PREDICTED], rtol=1e-6)


@pytest.mark.parametrize("ending", [".h5ad", ".csv"])
def test_points_that_show_no_prediction_are_refused(tmp_path, section, ending):
    *_, (data, keywords, _) = layers_of(Opened(section=section))
    with pytest.raises(DataError, match="shows no prediction"):
        write_prediction(str(tmp_path / f"no{ending}"), data, keywords)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.window
def test_points_of_others_are_still_saved_by_napari_itself(viewer, tmp_path):
    layer = viewer.add_points([[1, 2], [3, 4]], name="mine")
    assert layer.save(str(tmp_path / "mine.csv")) == [str(tmp_path / "mine.csv")]
    assert list(pd.read_csv(tmp_path / "mine.csv").columns) == ["index", "axis-0", "axis-1"]


def test_no_dock_and_no_map_loads_torch_or_scanpy(prediction_file, section_file, tmp_path):
    made = make_evaluation(tmp_path / "made")
    script = f"""
import os
import sys
import napari
from qtpy.QtWidgets import QApplication
from gr2st_napari._controller import controller_of
viewer = napari.Viewer(show=True)
viewer.window.add_plugin_dock_widget("gr2st-napari", "Genes")[1].filled()
for path in ({str(section_file)!r}, {str(prediction_file)!r}):
    viewer.open(path, plugin="gr2st-napari")
    viewer.window.screenshot(flash=False)
controller = controller_of(viewer)
controller._adopt()
assert controller.state.opened.prediction is not None
controller.wish(gene="ACTB", mode="difference")
controller.state.spot = 3
viewer.window.add_plugin_dock_widget("gr2st-napari", "Study")[1].filled()
controller.builder.add([{str(section_file)!r}])
while controller.state.draft.is_reading:
    QApplication.processEvents()
assert controller.state.draft.rows[0].facts is not None
train = viewer.window.add_plugin_dock_widget("gr2st-napari", "Train")[1].filled()
train.sample_wanted.emit()
while controller.state.train_draft.study is None:
    QApplication.processEvents()
assert train.start.isEnabled()
viewer.window.add_plugin_dock_widget("gr2st-napari", "Evaluate")[1].filled()
controller.evaluator.open({str(made)!r})
while controller.state.desk.results is None:
    QApplication.processEvents()
controller.evaluator.choose("ridge")
assert controller.state.ranking.n_held_out == 2
viewer.close()
print("heavy:", [name for name in {HEAVY!r} if name in sys.modules], flush=True)
os._exit(0)  # What is looked at is what was loaded, not how Python and Qt take themselves down.
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout


def test_a_picture_of_the_window_and_a_figure_are_saved_without_a_screen(tmp_path, section_file, prediction_file):
    picture, figure = tmp_path / "window.png", tmp_path / "maps.svg"
    script = f"""
import os
os.environ.pop("DISPLAY", None)
from gr2st import read_prediction, read_section, read_study
from gr2st_napari._show import show
section = read_section(read_study({str(section_file)!r}).entries[0])
shown = section, read_prediction({str(prediction_file)!r})
show(*shown, classes="clusters", screenshot={str(picture)!r}, figure={str(figure)!r}, size=(1000, 760))
print("done")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "done" in done.stdout
    assert "Clusters of measured expression" in figure.read_text(encoding="utf-8")
    from PIL import Image

    with Image.open(picture) as image:
        assert image.size == (1000, 760)
        pixels = np.asarray(image.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 200


def test_a_picture_of_the_window_waits_for_no_pyramid(tmp_path):
    from gr2st_napari._opening import Opened, Picture
    from gr2st_napari._show import _still

    preview = Picture(levels=(np.zeros((4, 4, 3), np.uint8),), path=tmp_path / "slide.jpg", is_preview=True)
    assert not _still(Opened(picture=preview)).picture.is_preview
    assert _still(Opened()).picture is None


def test_without_a_prediction_the_first_look_is_at_what_was_measured_and_nothing_is_missed(section):
    from gr2st_napari._expression import Expression
    from gr2st_napari._resolve import first_wish, resolve
    from gr2st_napari._show import First
    from gr2st_napari._state import Wish

    def first_look(prediction, mode=None):
        expression = Expression(section, prediction)
        wish = first_wish(Wish(), None, expression)
        shown = resolve(replace(wish, **First(None, None, mode).changes(expression, wish)), expression)
        return shown.mode, any("Needs a prediction" in note for note in shown.notes)

    assert first_look(None) == ("measured", False)
    assert first_look(make_prediction(section)) == ("side by side", False)
    assert first_look(None, "difference") == ("measured", True)


def test_a_gene_nobody_has_is_refused_with_the_nearest_one(section):
    from gr2st_napari._expression import Expression
    from gr2st_napari._show import First
    from gr2st_napari._state import Wish

    with pytest.raises(UnknownName, match="Did you mean 'ERBB2'"):
        First("ERBB22", None, "measured").changes(Expression(section, make_prediction(make_section())), Wish())


def test_a_machine_without_a_screen_and_without_xvfb_names_the_package(monkeypatch):
    from gr2st_napari import _display

    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_display.sys, "platform", "linux")
    monkeypatch.setattr(_display.shutil, "which", lambda _name: None)
    with pytest.raises(DataError, match="apt-get install xvfb"):
        _display.ensure_display()
