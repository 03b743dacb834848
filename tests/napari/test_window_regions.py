"""The Regions dock in a real window: drawing, naming, comparing, files."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hands import choose
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QFocusEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QLineEdit
from window_builders import (
    UM_PER_PX,
    close_dock,
    empty_viewer,
    make_prediction,
    make_section,
    make_slide,
    open_dock,
    settle,
    take,
)

from gr2st import Region, read_regions, sample_study_path, write_regions
from gr2st_napari._controller import controller_of
from gr2st_napari._opening import open_path, opened_of
from gr2st_napari._region_file import RegionFile, home_of
from gr2st_napari._region_keeper import OUTLINE_PLAY, OUTLINE_SCREEN_PX
from gr2st_napari._region_memory import SETTLED_MS
from gr2st_napari._regions_words import KIND, NAME

pytestmark = pytest.mark.window

LEFT = [[100, 200], [100, 590], [700, 590], [700, 200]]
"""Corners in level-0 pixels, row and column: the four columns of spots to the left."""
RIGHT = [[100, 610], [100, 1000], [700, 1000], [700, 610]]
SHIFT = np.array([500.0, 0.0])


@pytest.fixture
def regions(viewer, controller, section, prediction):
    """The Regions dock over a slide with its prediction."""
    dock = open_dock(viewer, "Regions")
    take(controller, opened_of(section, prediction))
    QApplication.processEvents()
    return dock


def _layer(viewer):
    return next(layer for layer in viewer.layers if layer.name == "Regions")


def _draw(viewer, dock, qtbot, corners) -> None:
    """Choose the polygon tool, click the corners on the canvas, press Enter."""
    dock.tools["polygon"].click()
    settle(controller_of(viewer))
    assert viewer.layers.selection.active is _layer(viewer)
    canvas = next(widget for widget in QApplication.allWidgets() if widget.inherits("QOpenGLWidget"))
    camera = viewer.scene.camera
    viewer.reset_view()
    for corner in corners:
        row, column = (np.array(corner) * UM_PER_PX - camera.center[-2:]) * camera.zoom
        at = QPoint(round(canvas.width() / 2 + column), round(canvas.height() / 2 + row))
        qtbot.mouseMove(canvas, at)
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=at)
    qtbot.keyClick(canvas, Qt.Key.Key_Return)
    QApplication.processEvents()


def _tools_in_hand(dock) -> list[str]:
    return [tool for tool, button in dock.tools.items() if button.isChecked()]


def _lines(dock):
    return [(line.name, line.kind, line.n_spots) for line in dock.regions.regions.lines]


def _type(dock, qtbot, row: int, column: int, text: str) -> None:
    table = dock.regions
    at = table.visualRect(table.model().index(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    editor = next(found for found in table.viewport().findChildren(QLineEdit) if found.isVisible())
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    QApplication.processEvents()


def test_two_drawn_regions_are_named_compared_copied_and_saved(viewer, regions, qtbot, tmp_path, monkeypatch):
    _draw(viewer, regions, qtbot, LEFT)
    _draw(viewer, regions, qtbot, RIGHT)
    assert _lines(regions) == [("Region 1", "", 24), ("Region 2", "", 24)]
    _type(regions, qtbot, 0, NAME, "left")
    _type(regions, qtbot, 0, KIND, "Tumor")
    assert _lines(regions)[0] == ("left", "Tumor", 24)
    assert list(_layer(viewer).features["name"]) == ["left", "Region 2"]
    regions.b.setCurrentIndex(regions.b.findText("Region 2"))
    regions.b.activated.emit(regions.b.currentIndex())
    assert regions.card.sentence.text() == "left holds 24 spots, Region 2 24."
    regions.compare.click()
    qtbot.waitUntil(regions.compared.isVisible, timeout=20_000)
    model = regions.compared.genes
    assert model.data(model.index(0, 0)) == "ACTB"
    assert regions.heading.text().startswith("A = left, B = Region 2 (measured gene-normalised, predicted gene-norm")
    regions.copy.click()
    copied = pd.read_csv(io.StringIO(QApplication.clipboard().text()), sep="\t").set_index("gene")
    expression = regions._controller.state.expression
    left = expression.xy[:, 0] < 600
    values = expression.values("ACTB", "measured", "gene")
    assert copied.measured_difference["ACTB"] == pytest.approx(values[left].mean() - values[~left].mean(), rel=1e-5)
    assert copied.predicted_q["ACTB"] < 1e-6
    assert np.isnan(copied.predicted_q["ERBB3"])
    regions.compared.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "saved"), ""))
    regions.save.click()
    assert pd.read_csv(tmp_path / "saved.csv").gene.tolist() == ["KRT19", "FASN", "ERBB3", "ERBB2", "ACTB"]


def test_a_picked_gene_is_shown_and_a_redrawn_region_outdates_the_table(viewer, regions, qtbot):
    _draw(viewer, regions, qtbot, LEFT)
    assert regions.b.currentText() == "the rest"
    regions.compare.click()
    qtbot.waitUntil(regions.compared.isVisible, timeout=20_000)
    regions.compared.selectRow(2)
    assert regions._controller.state.wish.gene == regions.compared.genes.data(regions.compared.genes.index(2, 0))
    _draw(viewer, regions, qtbot, [[100, 610], [100, 690], [700, 690], [700, 610]])
    assert "compare again" in regions.heading.text()
    assert _lines(regions)[1] == ("Region 2", "", 6)


def test_arrow_keys_reach_every_region_that_a_can_be_compared_with(regions, qtbot):
    squares = [((np.array(corners, float)[:, ::-1],),) for corners in (LEFT, RIGHT, LEFT)]
    regions._controller.regions.put(
        tuple(Region(name, "", square) for name, square in zip("xyz", squares, strict=True))
    )
    choose(qtbot, regions.a, "y")
    for key in [Qt.Key.Key_Down] * 4:
        qtbot.keyClick(regions.b, key)
    assert (regions.a.currentText(), regions.b.currentText()) == ("y", "z")


def test_a_table_that_takes_over_the_focus_changes_no_gene(viewer, regions, qtbot):
    _draw(viewer, regions, qtbot, LEFT)
    regions.compare.click()
    qtbot.waitUntil(regions.compared.isVisible, timeout=20_000)
    regions._controller.wish(gene="FASN")
    QApplication.sendEvent(regions.compared, QFocusEvent(QEvent.Type.FocusIn))
    assert regions.compared.currentIndex().isValid()
    assert regions._controller.state.wish.gene == "FASN"


def test_regions_of_qupath_come_in_with_holes_and_go_out_as_they_were(viewer, regions, tmp_path, monkeypatch):
    xy = np.array(LEFT, float)[:, ::-1]
    hole = np.array([[320, 220], [480, 220], [480, 580], [320, 580]], float)
    write_regions(tmp_path / "in.geojson", [Region("", "Tumor", ((xy, hole), (xy + SHIFT,)), (200, 0, 0))])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(tmp_path / "in.geojson"), ""))
    regions.load.click()
    QApplication.processEvents()
    assert _lines(regions)[0][:2] == ("Tumor 1", "Tumor")
    assert _layer(viewer).nshapes == 2
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (str(tmp_path / "out.geojson"), ""))
    regions._controller.regions._read_layer()
    regions.export.click()
    [out] = read_regions(tmp_path / "out.geojson")
    assert (out.name, out.kind, out.colour) == ("Tumor 1", "Tumor", (200, 0, 0))
    assert [ring.tolist() for polygon in out.polygons for ring in polygon] == [
        xy.tolist(),
        hole.tolist(),
        (xy + SHIFT).tolist(),
    ]
    assert _lines(regions)[0][2] == int(regions._controller.state.sheet.marks("Tumor 1").sum()) == 24 - 8 + 18


def test_a_file_that_is_read_twice_adds_nothing_the_second_time_but_what_is_new_in_it(regions, tmp_path, monkeypatch):
    around = [np.array(corners, float)[:, ::-1] for corners in (LEFT, RIGHT)]
    in_file = [Region("stroma", "", ((xy,),)) for xy in around] + [Region("", "Tumor", ((around[0],),))]
    write_regions(tmp_path / "in.geojson", in_file)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(tmp_path / "in.geojson"), ""))
    regions.load.click()
    assert [name for name, *_ in _lines(regions)] == ["stroma", "stroma 1", "Tumor 1"]
    # The layer keeps corners with fewer digits than a file.
    regions._controller.regions._read_layer()
    regions.load.click()
    assert [name for name, *_ in _lines(regions)] == ["stroma", "stroma 1", "Tumor 1"]
    assert regions.card.sentence.text() == "3 regions of the file were here already and left alone."
    write_regions(tmp_path / "in.geojson", [in_file[0], Region("stroma", "", ((around[0] + SHIFT,),))])
    regions.load.click()
    assert [name for name, *_ in _lines(regions)] == ["stroma", "stroma 1", "Tumor 1", "stroma 2"]
    assert regions.card.sentence.text() == "One region of the file was here already and left alone."


def test_what_is_being_typed_stays_when_news_of_other_regions_come(regions, qtbot):
    around = [np.array(corners, float)[:, ::-1] for corners in (LEFT, RIGHT)]
    keeper, table = regions._controller.regions, regions.regions
    keeper._write(tuple(Region(f"Region {at}", "", ((xy,),)) for at, xy in enumerate(around, start=1)))
    at = table.visualRect(table.model().index(0, NAME)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    editor = next(found for found in table.viewport().findChildren(QLineEdit) if found.isVisible())
    editor.selectAll()
    qtbot.keyClicks(editor, "nest")
    keeper.classify(["Region 2"], "Tumor")
    keeper._write((*regions._controller.state.sheet.regions, Region("Region 3", "", ((around[1] + SHIFT,),))))
    assert editor.isVisible()
    assert editor.text() == "nest"
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    QApplication.processEvents()
    assert [line[:2] for line in _lines(regions)] == [("nest", ""), ("Region 2", "Tumor"), ("Region 3", "")]
    keeper.remove(["Region 2"])
    assert [table.model().index(row, NAME).data() for row in range(2)] == ["nest", "Region 3"]


def test_all_regions_of_a_class_are_compared_as_one(regions):
    box = np.array([[200, 100], [290, 100], [290, 700], [200, 700]], float)
    keeper = regions._controller.regions
    parts = [("one", "Tumor", 0), ("two", "Tumor", 200), ("three", "Stroma", 400), ("same", "Stroma", 400)]
    keeper._write(tuple(Region(name, kind, ((box + np.array([shift, 0.0]),),)) for name, kind, shift in parts))
    assert [regions.a.itemText(at) for at in range(4, regions.a.count())] == ["all Tumor", "all Stroma"]
    keeper.choose("all Tumor", "all Stroma")
    assert regions.card.sentence.text() == "all Tumor holds 12 spots, all Stroma 6."
    keeper.choose("three", "same")
    assert not regions.compare.isEnabled()
    assert regions.card.sentence.text().startswith("three and same overlap: 6 spots lie in both.")
    keeper.remove(["one"])
    assert "all Tumor" not in regions._controller.state.sheet.choices


def test_a_file_that_is_none_is_told_on_the_card(regions, tmp_path, monkeypatch):
    (tmp_path / "x.geojson").write_text("{}")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (str(tmp_path / "x.geojson"), ""))
    regions.load.click()
    assert regions.card.sentence.text() == "x.geojson is no GeoJSON: a list of features is wanted."
    regions.card.button("dismiss").click()
    assert regions.card.sentence.text().startswith("Draw a region")


def test_foreign_shapes_a_deleted_layer_and_a_closed_dock_do_no_harm(viewer, regions, qtbot):
    own = viewer.add_shapes([np.array(LEFT, float)], shape_type="polygon", name="mine")
    assert _lines(regions) == []
    _draw(viewer, regions, qtbot, LEFT)
    viewer.layers.remove(own)
    assert len(_lines(regions)) == 1
    viewer.layers.remove(_layer(viewer))
    QApplication.processEvents()
    assert _lines(regions) == []
    assert not regions.compare.isEnabled()
    _draw(viewer, regions, qtbot, RIGHT)
    assert _lines(regions) == [("Region 1", "", 24)]
    _layer(viewer).selected_data = {0}
    _layer(viewer).remove_selected()
    QApplication.processEvents()
    assert _lines(regions) == []
    _draw(viewer, regions, qtbot, RIGHT)
    assert _lines(regions) == [("Region 1", "", 24)]
    close_dock(viewer, regions)
    _layer(viewer).add(np.array(LEFT, float), shape_type="polygon")
    QApplication.processEvents()
    again = open_dock(viewer, "Regions")
    assert [line[2] for line in _lines(again)] == [24, 24]


def test_regions_wait_for_their_slide_while_another_is_open(viewer, regions, controller, section, qtbot):
    _draw(viewer, regions, qtbot, LEFT)
    take(controller, opened_of(make_section("D1", shape=(4, 4)), None))
    QApplication.processEvents()
    assert _lines(regions) == []
    # Hidden and empty: to take it away would hold the window.
    waiting = _layer(viewer)
    assert (waiting.visible, len(waiting.data)) == (False, 0)
    take(controller, opened_of(section, None))
    assert _layer(viewer) is waiting
    assert waiting.visible
    QApplication.processEvents()
    assert [line[2] for line in _lines(regions)] == [24]
    assert viewer.layers[-1] is _layer(viewer)


def test_a_lasso_round_the_middle_is_a_region_and_the_delete_key_takes_it_away(viewer, regions, qtbot):
    regions.tools["lasso"].click()
    settle(controller_of(viewer))
    canvas = next(widget for widget in QApplication.allWidgets() if widget.inherits("QOpenGLWidget"))
    viewer.reset_view()
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    corners = [
        middle + QPoint(x, y) for x, y in ((35, 0), (25, 25), (0, 35), (-35, 0), (-25, -25), (0, -35), (25, -25))
    ]
    qtbot.mouseMove(canvas, corners[0])
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=corners[0])
    for corner in corners[1:]:
        qtbot.mouseMove(canvas, corner)
        QApplication.processEvents()
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=corners[-1])
    QApplication.processEvents()
    [(name, _, n_spots)] = _lines(regions)
    assert name == "Region 1"
    assert n_spots > 3
    regions.tools["change"].click()
    _layer(viewer).selected_data = {0}
    qtbot.keyClick(canvas, Qt.Key.Key_Delete)
    QApplication.processEvents()
    assert _lines(regions) == []


def test_lasso_leaves_side_by_side_and_other_shapes_are_told_or_taken(viewer, regions):
    assert regions._controller.state.wish.mode == "side by side"
    regions.tools["lasso"].click()
    assert regions._controller.state.wish.mode == "measured"
    layer = _layer(viewer)
    assert str(layer.mode) == "add_polygon_lasso"
    assert _tools_in_hand(regions) == ["lasso"]
    regions.tools["lasso"].click()
    assert _tools_in_hand(regions) == ["lasso"]
    layer.mode = "direct"
    assert _tools_in_hand(regions) == ["change"]
    layer.mode = "add_rectangle"
    assert _tools_in_hand(regions) == []
    layer.add(np.array([[100, 100], [700, 700]], float), shape_type="line")
    QApplication.processEvents()
    assert _lines(regions) == []
    layer.data = []
    layer.add(np.array(LEFT, float), shape_type="ellipse")
    QApplication.processEvents()
    assert _lines(regions)[0][2] < 24


def test_a_name_that_is_taken_is_refused_with_the_reason_and_the_line_keeps_its_own(regions, controller, qtbot):
    corner = np.array([[0, 0], [90, 0], [0, 90]]) + controller.state.expression.xy[0]
    controller.regions.put((Region("core", "", ((corner,),)), Region("rim", "", ((corner + 300,),))))
    _type(regions, qtbot, 1, NAME, "core")
    assert regions.card.sentence.text().startswith(
        "Another region is called core already: this one is still called rim."
    )
    assert [name for name, _, _ in _lines(regions)] == ["core", "rim"]
    _type(regions, qtbot, 1, NAME, "edge")
    assert [name for name, _, _ in _lines(regions)] == ["core", "edge"]
    assert controller.state.sheet.problem is None
    _type(regions, qtbot, 1, NAME, " ")
    assert "A region needs a name of its own" in regions.card.sentence.text()


@pytest.fixture
def on_slide(viewer, controller, tmp_path, qtbot):
    """The Regions dock over a bare slide, which has a file of its own."""
    dock = open_dock(viewer, "Regions")
    controller.open(make_slide(tmp_path / "S1.tif"))
    qtbot.waitUntil(lambda: controller.state.opened is not None and not controller.state.job.is_running)
    QApplication.processEvents()
    return dock


def _home(controller):
    return home_of(controller.state.opened).path


def _opened_anew(qtbot, viewer, path):
    """The same slide in a viewer that has never seen it."""
    empty_viewer(viewer)
    dock = open_dock(viewer, "Regions")
    controller_of(viewer).open(path)
    qtbot.waitUntil(lambda: controller_of(viewer).state.opened is not None)
    return dock


def test_what_was_drawn_comes_back_in_the_next_window_and_stays_away_once_removed(
    viewer, controller, on_slide, tmp_path, qtbot
):
    _draw(viewer, on_slide, qtbot, LEFT)
    _type(on_slide, qtbot, 0, NAME, "left")
    home = _home(controller)
    dock = _opened_anew(qtbot, viewer, tmp_path / "S1.tif")
    qtbot.waitUntil(lambda: [line.name for line in dock.regions.regions.lines] == ["left"])
    assert [region.name for region in read_regions(home)] == ["left"], "written though the window closed at once"
    assert dock.card.sentence.text().startswith("A region you drew on this slide before came back.")
    _draw(viewer, dock, qtbot, RIGHT)
    qtbot.waitUntil(lambda: len(read_regions(home)) == 2)
    viewer.layers.remove(_layer(viewer))
    qtbot.waitUntil(lambda: not home.exists())


def test_layers_that_go_with_their_slide_take_no_kept_regions_along(viewer, controller, on_slide, qtbot):
    _draw(viewer, on_slide, qtbot, LEFT)
    home = _home(controller)
    qtbot.waitUntil(home.is_file)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: controller.state.opened is None)
    qtbot.wait(2 * SETTLED_MS)
    assert len(read_regions(home)) == 1


def test_regions_that_others_replace_lie_beside_them_and_a_damaged_file_is_left_alone(
    viewer, controller, on_slide, tmp_path, qtbot
):
    _draw(viewer, on_slide, qtbot, LEFT)
    home = _home(controller)
    corners = np.array(RIGHT)[:, ::-1].astype(float)
    controller.regions.put((Region("of the session", "", ((corners,),)),))
    qtbot.waitUntil(lambda: home.is_file() and read_regions(home)[0].name == "of the session")
    [before] = read_regions(home.with_suffix(".before.geojson"))
    assert before.name == "Region 1"
    home.write_text("{")
    dock = _opened_anew(qtbot, viewer, tmp_path / "S1.tif")
    qtbot.waitUntil(lambda: "is no GeoJSON" in dock.card.sentence.text())
    _draw(viewer, dock, qtbot, LEFT)
    qtbot.wait(2 * SETTLED_MS)
    assert home.read_text() == "{"


def test_regions_that_come_back_to_two_maps_side_by_side_are_seen_once_there_is_one(viewer, controller, qtbot):
    opened = open_path(sample_study_path() / "study.csv")
    corners = opened.section.table.obsm["spatial"][:3]
    write_regions(home_of(opened).path, (Region("nest", "", ((corners,),)),))
    take(controller, replace(opened, prediction=make_prediction(opened.section, genes=("ERBB2",))))
    qtbot.waitUntil(lambda: [region.name for region in controller.state.sheet.regions] == ["nest"])
    settle(controller)
    assert controller.state.shown.mode == "side by side"
    assert not _layer(viewer).visible
    assert len(viewer.layers) == 5
    controller.wish(mode="measured")
    settle(controller)
    assert _layer(viewer).visible


def test_where_nothing_can_be_kept_it_is_told_and_regions_can_be_drawn(
    viewer, controller, monkeypatch, tmp_path, qtbot
):
    (tmp_path / "file").write_text("")
    slide = make_slide(tmp_path / "S1.tif")
    dock = open_dock(viewer, "Regions")
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "file"))
    controller.open(slide)
    qtbot.waitUntil(lambda: "GR2ST_DATA" in dock.card.sentence.text())
    _draw(viewer, dock, qtbot, LEFT)
    assert len(_lines(dock)) == 1


def test_outlines_can_be_seen_at_every_zoom_also_of_a_region_drawn_later(viewer, regions, qtbot):
    _draw(viewer, regions, qtbot, LEFT)
    camera, layer = viewer.scene.camera, _layer(viewer)
    for factor in (0.2, 30):
        camera.zoom = camera.zoom * factor
        on_screen = np.array(layer.edge_width) * UM_PER_PX * camera.zoom
        assert on_screen == pytest.approx(OUTLINE_SCREEN_PX, rel=OUTLINE_PLAY)
    _draw(viewer, regions, qtbot, RIGHT)
    assert len(layer.edge_width) == 2
    assert layer.edge_width[0] == layer.edge_width[1]


def test_what_another_window_draws_on_the_slide_comes_here_with_the_next_change_and_is_told(
    viewer, controller, on_slide, qtbot
):
    other = RegionFile(home_of(controller.state.opened))
    _draw(viewer, on_slide, qtbot, LEFT)
    qtbot.waitUntil(_home(controller).is_file)
    corners = np.array(RIGHT)[:, ::-1].astype(float)
    [ours] = other.read()
    other.write((ours, Region("of the other", "Fat", ((corners,),))))
    _type(on_slide, qtbot, 0, KIND, "Tumor")
    qtbot.waitUntil(lambda: [name for name, _, _ in _lines(on_slide)] == ["Region 1", "of the other"])
    assert "Came from there: of the other." in on_slide.card.sentence.text()
    assert len(_layer(viewer).data) == 2
    _type(on_slide, qtbot, 1, NAME, "ours now")
    qtbot.waitUntil(lambda: {region.name for region in read_regions(_home(controller))} == {"Region 1", "ours now"})
    assert {region.kind for region in read_regions(_home(controller))} == {"Tumor", "Fat"}
