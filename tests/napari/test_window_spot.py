"""The Spot dock in a real window: the clicked spot, its references, maps of trust, graphs, the scatter."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hands import choose, click_cell, click_tab, press
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QLabel
from window_builders import (
    UM_PER_PX,
    explained,
    holder_of,
    make_prediction,
    make_section,
    make_slide,
    make_slide_prediction,
    open_dock,
    settle,
    take,
)

from gr2st import Region, keys, read_section, read_study, sample_study_path
from gr2st_napari._opening import open_prediction, opened_of
from gr2st_napari._trust import outside_of
from gr2st_napari.views.spot import CASE, SCATTER, TRUST

pytestmark = pytest.mark.window

PATIENCE_MS = 30_000


@pytest.fixture
def spot(viewer, controller):
    """The Spot dock, opened as napari's menu does."""
    return open_dock(viewer, "Spot")


@pytest.fixture
def told(controller, spot, section, prediction):
    """The dock over a slide whose prediction tells all."""
    take(controller, opened_of(section, explained(prediction)))
    QApplication.processEvents()
    return spot


def _layer(viewer, name):
    return next((layer for layer in viewer.layers if layer.name == name), None)


def _heatmap(viewer):
    role = {"role": "spots"}.items()
    return next(layer for layer in viewer.layers if layer.visible and role <= layer.metadata.get("gr2st", {}).items())


def _drag(qtbot, page, corners) -> None:
    """Go round a part of the plot, corners in its own numbers."""
    window, left = page.plot.viewport(), Qt.MouseButton.LeftButton
    at = [_place(page, corner) for corner in (*corners, corners[0])]
    _send(window, QEvent.Type.MouseButtonPress, at[0], left, left)
    for start, end in pairwise(at):
        for share in (0.5, 1.0):
            qtbot.wait(12)  # pyqtgraph looks at the mouse a hundred times a second
            _send(window, QEvent.Type.MouseMove, start + (end - start) * share, Qt.MouseButton.NoButton, left)
    _send(window, QEvent.Type.MouseButtonRelease, at[0], left, Qt.MouseButton.NoButton)
    QApplication.processEvents()


def _send(window, kind, at, button, buttons) -> None:
    """qtbot moves the mouse without a button held."""
    there, plain = QPointF(window.mapToGlobal(at)), Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QMouseEvent(kind, QPointF(at), there, button, buttons, plain))


def _place(page, point) -> QPoint:
    return page.plot.mapFromScene(page.box.mapViewToScene(QPointF(*map(float, point))))


def test_an_empty_dock_says_what_to_do_on_every_page(spot):
    assert spot.card.sentence.text().startswith("No slide is open.")
    assert spot.card.button("open-sample") is not None
    assert not spot.case.references.isVisibleTo(spot)
    assert "Open a slide" in spot.scatter.hint.text()
    assert "Evaluate dock" in spot.trust.curve_words.text()


def test_long_names_of_spots_and_slides_do_not_widen_the_page(spot):
    name = "Show AACTCACCGAACTTAT-1 on a_section_with_a_rather_long_name_of_its_own"
    spot.case.show_ways(name, "", "")
    assert spot.case.widget().minimumSizeHint().width() < 240
    spot.case.there.resize(200, 24)
    assert spot.case.there.fontMetrics().horizontalAdvance(spot.case.there.shown_text()) <= 200
    assert spot.case.there.text() == spot.case.there.toolTip() == name


def test_without_a_prediction_the_dock_offers_to_predict(controller, spot, section):
    take(controller, opened_of(section, None))
    assert spot.card.button("predict") is not None
    controller.spot.pick(3)
    assert "no prediction yet" in spot.card.sentence.text()
    assert "measured" in spot.case.values.text()
    assert "no prediction yet" in spot.scatter.hint.text()
    assert not spot.trust.graphs["spatial"].isEnabled()


def test_a_clicked_spot_is_told_with_edges_coloured_by_attention(viewer, controller, told):
    controller.spot.pick(10)
    settle(controller)
    assert told.card.sentence.text() == "Spot 2x1"
    assert "Looks like the training slides" in told.case.trust.text()
    assert [line.section for line in told.case.references.references.lines][:2] == ["C2", "C3"]
    assert "same patient (C)" in told.case.patients.text()
    assert [bar.name for bar in told.case.parts.bars] == ["looked up", "computed", "kernel"]
    assert told.case.edges.switches["spatial"].text() == "2 spatial neighbours"
    edges = _layer(viewer, "spatial neighbours")
    assert len(np.unique(edges.edge_color[:2], axis=0)) == 2, "two edges of unlike attention have unlike colours"


def test_kinds_of_edges_are_switched_each_by_itself_and_back(viewer, controller, told, qtbot):
    controller.spot.pick(10)
    settle(controller)
    press(qtbot, told.case.edges.switches["spatial"])
    assert [_layer(viewer, f"{kind} neighbours").visible for kind in ("spatial", "functional")] == [False, True]
    controller.spot.pick(11)
    assert not _layer(viewer, "spatial neighbours").visible
    press(qtbot, told.case.edges.switches["spatial"])
    assert _layer(viewer, "spatial neighbours").visible


def test_edges_that_were_hidden_are_those_of_the_spot_clicked_meanwhile(viewer, controller, spot, section, prediction):
    graph = explained(prediction).table.obsp[keys.SPATIAL_GRAPH].tolil()
    row = section.n_spots - 1 - 11
    graph[row] = 0
    prediction.table.obsp[keys.SPATIAL_GRAPH] = graph.tocsr()
    take(controller, opened_of(section, prediction))
    controller.spot.pick(10)
    controller.wish(mode="predicted")
    settle(controller)
    controller.spot.show_edges("spatial", is_shown=False)
    controller.spot.pick(11)
    controller.spot.show_edges("spatial", is_shown=True)
    controller.wish(mode="side by side")
    settle(controller)
    edges = [layer for layer in viewer.layers if layer.name.startswith("spatial neighbours") and layer.visible]
    assert [len(layer.data) for layer in edges] == [32, 32], "no edge, only the ring round the spot"


def test_another_number_of_reference_spots_is_listed(controller, told, qtbot):
    controller.spot.pick(10)
    assert len(told.case.references.references.lines) == 8
    told.case.count.setValue(3)
    assert len(told.case.references.references.lines) == 3
    assert "3 of 12" in told.case.heading.text()


def test_reference_spots_show_their_pictures_and_lead_to_their_slide_and_back(controller, spot, qtbot):
    study = read_study(sample_study_path())
    here, there = (read_section(study.entry(name)) for name in ("B1", "A1"))
    genes = there.genes[:3]
    take(controller, opened_of(here, explained(make_prediction(here, genes=genes), bank=there), study))
    controller.spot.pick(60)
    lines = spot.case.references.references
    qtbot.waitUntil(lambda: not controller.state.why.is_cutting, timeout=PATIENCE_MS)
    assert all(line.picture.shape == (160, 160, 3) for line in lines.lines)
    assert spot.case.pair.reference.words.text().startswith("A1")
    click_cell(qtbot, spot.case.references, 2, 1)
    assert spot.case.there.text() == f"Show {there.spot_names[2]} on A1"
    press(qtbot, spot.case.there)
    qtbot.waitUntil(lambda: controller.state.opened.name == "A1", timeout=PATIENCE_MS)
    settle(controller)
    assert controller.state.spot == 2
    press(qtbot, spot.case.back)
    settle(controller)
    assert controller.state.opened.name == "B1"
    assert controller.state.opened.prediction is not None
    assert controller.state.spot == 60
    assert not spot.case.back.isVisibleTo(spot)


def test_a_spot_laid_on_a_bare_slide_shows_its_piece_of_the_slide(controller, spot, tmp_path, qtbot):
    slide = make_slide(tmp_path / "S1.tif")
    take(controller, open_prediction(make_slide_prediction(tmp_path / "S1.h5ad", slide)))
    controller.spot.pick(10)
    qtbot.waitUntil(lambda: not controller.state.why.is_cutting, timeout=PATIENCE_MS)
    assert [picture.shape for picture in controller.state.why.pictures.values()] == [(160, 160, 3)]
    words = [label.text() for label in spot.findChildren(QLabel) if label.isVisibleTo(spot)]
    assert not [text for text in words if "neighbour" in text], "no model has drawn a graph on it"


def test_a_reference_whose_slide_is_not_at_hand_says_so_in_words(controller, told, qtbot):
    controller.spot.pick(10)
    qtbot.waitUntil(lambda: not controller.state.why.is_cutting, timeout=PATIENCE_MS)
    assert told.case.pair.reference.picture.text() == "Open the study that has C2 to see its picture."
    assert not told.case.there.isEnabled()
    assert controller.state.problem is None


def test_a_map_of_trust_recolours_the_spots_and_a_mode_ends_it(viewer, controller, told, qtbot):
    click_tab(qtbot, told.pages, TRUST)
    before = len(viewer.layers)
    choose(qtbot, told.trust.measure, "spread")
    heatmap = _heatmap(viewer)
    assert heatmap.name.startswith("ERBB2 · spread among reference spots")
    wanted = (0.1 + 0.01 * controller.state.expression.rows_of_prediction) / 0.2
    np.testing.assert_allclose(heatmap.features["expr"], wanted, rtol=1e-5)
    assert len(viewer.layers) <= before
    controller.wish(gene="FASN")
    assert _heatmap(viewer).name.startswith("FASN · spread")
    controller.wish(mode="predicted")
    settle(controller)
    assert _heatmap(viewer).name.startswith("FASN · predicted")
    assert told.trust.measure.currentData() == "expression"


def test_spots_unlike_the_training_are_crossed_in_every_map(viewer, controller, told, qtbot):
    assert controller.state.wish.mode == "side by side"
    crosses = [layer for layer in viewer.layers if layer.name.startswith("unlike the training")]
    expression = controller.state.expression
    outside = outside_of(expression)
    for layer in crosses:
        for xy, is_outside in zip(expression.xy, outside, strict=True):
            value = layer.get_value(UM_PER_PX * xy[::-1], world=True)
            assert (value is not None and value[1] is not None and bool(value[1][3])) == is_outside
    click_tab(qtbot, told.pages, TRUST)
    assert "3 of 48 spots" in told.trust.outside_words.text()
    press(qtbot, told.trust.outside)
    assert not any(layer.visible for layer in crosses)
    press(qtbot, told.trust.outside)
    controller.wish(mode="predicted")
    settle(controller)
    viewer.layers.remove(crosses[0])
    qtbot.waitUntil(lambda: not told.trust.outside.isChecked(), timeout=PATIENCE_MS)
    assert not [layer for layer in viewer.layers if layer.name.startswith("unlike the training")]


def test_a_whole_graph_lies_under_the_spots_and_rests_while_the_mouse_moves(viewer, controller, told, qtbot):
    click_tab(qtbot, told.pages, TRUST)
    press(qtbot, told.trust.graphs["spatial"])
    qtbot.waitUntil(lambda: _layer(viewer, "spatial graph") is not None, timeout=PATIENCE_MS)
    settle(controller)
    graph = _layer(viewer, "spatial graph")
    assert graph.visible
    assert controller.state.wish.mode == "predicted", "a second map would leave no room for it"
    assert len(graph.data) == 48
    assert viewer.layers.index(graph) < viewer.layers.index(_heatmap(viewer))
    assert "48 pairs of spots" in told.trust.graph_words.text()
    controller._pointer.moved.emit()
    assert not graph.visible
    qtbot.waitUntil(lambda: graph.visible, timeout=PATIENCE_MS)
    controller.wish(mode="side by side")
    settle(controller)
    assert not graph.visible
    controller.wish(mode="predicted")
    settle(controller)
    assert graph.visible
    viewer.layers.remove(graph)
    assert not told.trust.graphs["spatial"].isChecked()


def test_a_whole_graph_follows_the_prediction_and_goes_with_its_slide(viewer, controller, told, qtbot):
    controller.spot.graphs.show("functional", is_shown=True)
    qtbot.waitUntil(lambda: _layer(viewer, "functional graph") is not None, timeout=PATIENCE_MS)
    take(controller, opened_of(make_section("D1", shape=(4, 5)), None))
    assert _layer(viewer, "functional graph") is None
    assert "Needs a prediction" in told.trust.graph_words.text()


def test_points_gone_round_in_the_scatter_light_up_on_the_slide_and_a_click_picks_a_spot(
    viewer, controller, told, qtbot
):
    controller.wish(gene="ACTB", space="gene")
    click_tab(qtbot, told.pages, SCATTER)
    page = told.scatter
    QApplication.processEvents()
    assert page.title.text() == "<b>ACTB</b>: r = 1.00 over 48 spots"
    points = page._points
    high = points[:, 0] > np.median(points[:, 0])
    left, right = np.median(points[:, 0]), points[:, 0].max() + 0.05
    low, top = points[high, 1].min() - 0.02, points[:, 1].max() + 0.05
    _drag(qtbot, page, [(left, low), (right, low), (right, top), (left, top)])
    settle(controller)
    lit = np.zeros(48, bool)
    lit[list(controller.state.why.lit)] = True
    np.testing.assert_array_equal(lit, high)
    rings = [layer for layer in viewer.layers if layer.name.startswith("lit up") and layer.visible]
    assert [len(layer.data) for layer in rings] == [high.sum()] * 2
    assert page.lighting.currentText() == f"{high.sum()} spots chosen here"
    nearest = int(points[:, 0].argmin())
    qtbot.mouseClick(page.plot.viewport(), Qt.MouseButton.LeftButton, pos=_place(page, points[nearest]))
    QApplication.processEvents()
    assert points[controller.state.spot, 0] == points[nearest, 0]
    assert len(page._picked.data) == 1
    press(qtbot, page.clear)
    assert not any(layer.visible for layer in rings)


def test_a_drawn_region_lights_up_in_the_scatter_and_follows_its_shape(viewer, controller, told, qtbot):
    corners = np.array([[200, 100], [590, 100], [590, 700], [200, 700]], float)
    controller.regions._write((Region("left", "", ((corners,),)),))
    click_tab(qtbot, told.pages, SCATTER)
    choose(qtbot, told.scatter.lighting, "left")
    assert len(controller.state.why.lit) == 24
    assert len(told.scatter._lit.data) == 24
    controller.regions._write((Region("left", "", ((corners / [1, 2],),)),))
    assert len(controller.state.why.lit) < 24
    controller.regions.remove(["left"])
    assert controller.state.why.lit == ()
    assert told.scatter.lighting.currentText() == "nothing"


def test_another_slide_takes_edges_marks_and_what_was_lit_away(viewer, controller, told):
    controller.spot.pick(10)
    controller.spot.light([1, 2, 3])
    take(controller, opened_of(make_section("D1", shape=(4, 5)), None))
    assert controller.state.why.case is None
    assert controller.state.why.lit == ()
    assert not told.case.references.isVisibleTo(told)
    names = [layer.name for layer in viewer.layers if layer.visible]
    assert not [name for name in names if "lit up" in name or "unlike" in name or "neighbours" in name]


def test_the_dock_fits_into_three_hundred_pixels(controller, told):
    controller.spot.pick(10)
    assert told.minimumSizeHint().width() <= 300
    for page in (CASE, TRUST, SCATTER):
        assert told.pages.widget(page).minimumSizeHint().width() <= 300


def test_every_heading_of_the_reference_spots_can_be_read_whole_on_the_narrowest_dock(viewer, told, controller, qtbot):
    controller.state.spot = 0
    qtbot.waitUntil(told.case.references.isVisible, timeout=PATIENCE_MS)
    viewer.window._qt_window.resizeDocks([holder_of(told)], [told.minimumWidth()], Qt.Orientation.Horizontal)
    QApplication.processEvents()
    header = told.case.references.horizontalHeader()
    cut = [at for at in range(header.count()) if header.sectionSize(at) < header.sectionSizeHint(at)]
    assert cut == []
