"""The Genes dock in a real window: every test looks at what the viewer then holds."""

from __future__ import annotations

import os
import sys
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace

import napari
import numpy as np
import pytest
from on_canvas import click_at, shown_map, shown_names, world_of
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QStyle, QStyleOptionComboBox
from window_builders import PaperSlide, close_dock, holder_of, make_prediction, make_section, open_dock, settle, take

from gr2st import SectionEntry, Study, sample_study_path
from gr2st_napari import _vispy_programs as programs
from gr2st_napari._controller import controller_of
from gr2st_napari._opening import Opened, open_section, opened_of
from gr2st_napari._state import Problem
from gr2st_napari.views.card import NARROWEST_PX

pytestmark = pytest.mark.window


@pytest.fixture
def filled(controller, section, prediction):
    """A controller that shows a section and its prediction."""
    take(controller, opened_of(section, prediction))
    return controller


def test_the_dock_opened_first_in_an_empty_viewer_says_what_to_do(dock):
    assert dock.card.sentence.text().startswith("Nothing is open.")
    assert dock.card.button("open") is not None
    assert dock.card.button("open-sample").isVisible()
    assert not dock.genes.isVisible()
    assert dock.foot.line.text() == "Idle"


def test_the_dock_opens_twice_and_both_show_the_same(viewer, dock, controller, section):
    from gr2st_napari._docks import GenesDock

    second = GenesDock(viewer)
    viewer.window.add_dock_widget(second, name="again")
    take(controller, opened_of(section, None))
    for view in (dock, second):
        assert view.card.sentence.text().startswith("C4: 48 spots, 5 genes measured.")
        assert view.genes.isVisibleTo(view)


def test_a_closed_dock_comes_back_with_the_state_of_the_viewer(viewer, dock, filled):
    filled.wish(gene="FASN", mode="difference")
    settle(filled)
    close_dock(viewer, dock)
    QApplication.processEvents()
    filled.wish(gene="ACTB")
    again = open_dock(viewer, "Genes")
    assert again.modes.buttons["difference"].isChecked()
    assert again.genes.model.gene_at(again.genes.table.currentIndex().row()) == "ACTB"
    assert controller_of(viewer) is filled


def test_a_section_is_drawn_over_its_slide_at_true_size(viewer, dock, controller, section):
    take(controller, opened_of(section, None))
    assert shown_names(viewer) == ["slide", f"{controller.state.wish.gene} · measured · spot-normalised"]
    spots = viewer.layers[1]
    np.testing.assert_array_equal(spots.data, section.table.obsm["spatial"][:, ::-1])
    assert spots.size[0] == 60.0
    assert spots.face_colorbar.visible
    assert spots.name_overlay.visible
    assert viewer.canvas.overlays.scale_bar.visible
    assert [str(unit) for unit in spots.units] == ["micrometer", "micrometer"]
    assert viewer.layers[0].extent.world[1].tolist() == pytest.approx([449.5, 599.5])


def test_picking_a_gene_recolours_the_same_layer(viewer, dock, controller, section, qtbot):
    take(controller, opened_of(section, None))
    spots = viewer.layers[1]
    qtbot.keyClicks(dock.genes.line, "krt19")
    qtbot.keyClick(dock.genes.line, Qt.Key.Key_Return)
    assert viewer.layers[1] is spots
    assert len(viewer.layers) == 2
    assert spots.name == "KRT19 · measured · spot-normalised"
    np.testing.assert_array_equal(spots.features["expr"], controller.state.shown.panels[0].values)
    assert tuple(spots.face_contrast_limits) == controller.state.shown.panels[0].limits


def test_leaving_side_by_side_gives_grid_order_and_own_layers_back(viewer, controller, section, prediction):
    below = viewer.add_image(np.zeros((10, 10)), name="mine below")
    take(controller, opened_of(section, None))
    shapes = viewer.add_shapes(name="mine above")
    hidden = viewer.add_points(name="mine hidden", visible=False)
    controller.wish(gene="ERBB2")
    order, grid = shown_names(viewer), viewer.canvas.grid
    grid.spacing = 3
    take(controller, Opened(prediction=prediction))
    assert grid.enabled
    assert [below.visible, shapes.visible, hidden.visible] == [False, False, False]
    ours = ["slide", "ERBB2 · measured · gene-normalised", "slide (predicted)", "ERBB2 · predicted · gene-normalised"]
    assert [layer.name for layer in viewer.layers][:4] == ours
    assert "2 of your own layers hidden while two maps stand side by side." in controller.state.notes
    controller.wish(mode="measured", space="spot")
    settle(controller)
    assert shown_names(viewer) == order
    assert (grid.enabled, grid.stride, grid.shape, grid.spacing) == (False, 1, (-1, -1), 3)
    assert [below.visible, shapes.visible, hidden.visible] == [True, True, False]


def test_buttons_that_need_a_prediction_are_off_and_say_why(dock, controller, section):
    take(controller, opened_of(section, None))
    button = dock.modes.buttons["side by side"]
    assert not button.isEnabled()
    assert button.toolTip() == "Needs a prediction: open one, or predict with a model."
    assert dock.modes.buttons["measured"].isEnabled()


def test_colours_can_be_chosen_where_a_difference_was_asked_for_and_cannot_be_shown(viewer, dock, controller, section):
    take(controller, opened_of(section, None))
    controller.wish(mode="difference")
    settle(controller)
    assert dock.look.colormap.isEnabled()
    dock.look.high.setValue(3.5)
    assert shown_map(viewer, "measured").face_contrast_limits[1] == 3.5


def test_missing_values_are_drawn_light_grey(viewer, controller, section):
    take(controller, opened_of(section, make_prediction(section, keep=slice(5, None))))
    controller.wish(mode="predicted", gene="ERBB2")
    settle(controller)
    colours = shown_map(viewer, "predicted").face_color
    np.testing.assert_allclose(colours[:5], np.tile([0.82, 0.82, 0.82, 0.85], (5, 1)), atol=1e-6)
    assert "5 of 48 spots have no value: light grey." in controller.state.notes


def test_a_real_mouse_names_the_spot_it_is_on_and_opens_it_with_a_click(viewer, dock, filled, section, qtbot):
    filled.wish(mode="measured")
    settle(filled)
    qtbot.wait(100)
    canvas = next(widget for widget in QApplication.allWidgets() if widget.inherits("QOpenGLWidget"))
    camera = viewer.scene.camera
    world = np.array([world_of(section, spot) for spot in range(section.n_spots)])
    spot = int(np.hypot(*(world - np.asarray(camera.center)[-2:]).T).argmin())  # the window of the tests is small
    words = f"spot {section.table.obs_names[spot]} · ERBB2 measured "
    steps = cycle((QPoint(1, 1), QPoint(0, 0)))

    def there() -> QPoint:
        place = (world[spot] - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(place[1] + canvas.width() / 2), round(place[0] + canvas.height() / 2))

    def is_named() -> bool:
        qtbot.mouseMove(canvas, there() + next(steps))
        return str(viewer.status).startswith(words)

    qtbot.waitUntil(is_named, timeout=20_000)
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=there())
    qtbot.waitUntil(lambda: filled.state.spot == spot)
    assert "spatial neighbours" in dock.legend.text()


def test_clicking_a_spot_draws_its_neighbours_in_both_cells_and_a_click_beside_clears_them(
    viewer, dock, filled, section
):
    click_at(viewer, filled, world_of(section, 20))
    assert filled.state.spot == 20
    settle(filled)
    edges = [layer for layer in viewer.layers if "neighbours" in layer.name and layer.visible]
    assert [layer.name for layer in edges] == [
        "spatial neighbours",
        "functional neighbours",
        "spatial neighbours (predicted)",
        "functional neighbours (predicted)",
    ]
    assert viewer.canvas.grid.stride == 4
    kinds = [layer._type_string for layer in viewer.layers]
    assert kinds == ["image", "points", "vectors", "vectors"] * 2
    np.testing.assert_array_equal(edges[0].data[0], [section.table.obsm["spatial"][20][::-1], [0, -100]])
    assert "2 spatial neighbours" in dock.legend.text()
    assert "1 functional neighbour (similar expression)" in dock.legend.text()
    click_at(viewer, filled, world_of(section, 30))
    assert filled.state.spot == 30
    assert sum("neighbours" in name for name in shown_names(viewer)) == 4
    click_at(viewer, filled, (1.0, 1.0))
    assert filled.state.spot is None
    assert not any(layer.visible for layer in edges)
    assert not dock.legend.isVisible()


def test_edges_that_come_layer_by_layer_are_those_of_the_spot_clicked_last(viewer, filled, section, qtbot):
    def edges():
        return [layer for layer in viewer.layers if "neighbours" in layer.name]

    filled.state.spot = 20
    assert edges() == [], "a layer is made in a turn of its own"
    qtbot.waitUntil(lambda: len(edges()) == 1)
    assert not edges()[0].visible
    filled.state.spot = 30
    settle(filled)
    place = section.table.obsm["spatial"][30][::-1]
    assert [layer.visible for layer in edges()] == [True] * 4
    assert all((layer.data[0, 0] == place).all() for layer in edges())


def test_edges_still_to_come_do_not_come_after_a_click_beside_or_into_another_slide(viewer, filled, section, qtbot):
    filled.state.spot = 20
    qtbot.waitUntil(lambda: any("neighbours" in name for name in shown_names(viewer)))
    filled.state.spot = None
    settle(filled)
    filled.state.spot = 20
    take(filled, opened_of(make_section("C5", shape=(3, 4)), None))
    assert not any("neighbours" in layer.name and layer.visible for layer in viewer.layers)


def test_edges_keep_their_width_on_the_screen(viewer, filled):
    filled.state.spot = 3
    settle(filled)
    layer = next(layer for layer in viewer.layers if layer.name == "spatial neighbours")
    for zoom in (1.0, 5.0):
        viewer.scene.camera.zoom = zoom
        assert layer.edge_width * 0.5 * zoom == pytest.approx(1.5)


def test_deleting_our_layers_one_by_one_never_breaks_the_window(viewer, dock, filled, qtbot):
    filled.state.spot = 3
    settle(filled)
    viewer.layers.remove("functional neighbours")
    qtbot.waitUntil(lambda: filled.state.spot is None)
    viewer.layers.remove("slide (predicted)")
    qtbot.waitUntil(lambda: not viewer.canvas.grid.enabled)
    settle(filled)
    assert shown_names(viewer) == ["slide", "ERBB2 · measured · gene-normalised"]
    viewer.layers.remove("slide")
    filled.wish(mode="side by side")
    settle(filled)
    assert viewer.canvas.grid.stride == 1
    viewer.layers.remove("ERBB2 · measured · gene-normalised")
    qtbot.waitUntil(lambda: filled.state.opened is None)
    assert len(viewer.layers) == 0
    assert dock.card.sentence.text().startswith("Nothing is open.")


def test_deleting_everything_at_once_empties_the_dock(viewer, dock, filled, qtbot):
    filled.state.spot = 3
    settle(filled)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: filled.state.opened is None)
    assert len(viewer.layers) == 0
    assert not viewer.canvas.grid.enabled


def test_another_section_replaces_the_first_and_keeps_the_gene_in_view(viewer, controller, section):
    take(controller, opened_of(section, None))
    controller.wish(gene="FASN")
    take(controller, opened_of(make_section("C5", shape=(3, 4)), None))
    assert shown_names(viewer) == ["slide", "FASN · measured · spot-normalised"]
    assert len(viewer.layers[1].data) == 12


def test_a_prediction_of_another_section_is_refused_in_a_sentence(viewer, dock, controller, section):
    take(controller, opened_of(section, None))
    # The spot names are the same: arrays of legacy sections are all numbered alike.
    other = make_section("D1")
    other.table.obsm["spatial"] = other.table.obsm["spatial"] + 7.0
    take(controller, Opened(prediction=make_prediction(other)))
    assert dock.card.sentence.text().startswith("The prediction is of section D1, not of C4")
    assert controller.state.opened.prediction is None
    dock.card.button("dismiss").click()
    assert dock.card.sentence.text().startswith("C4: 48 spots")


def test_a_card_that_changes_twice_in_a_turn_leaves_no_window_of_its_own(dock, controller, qapp):
    controller.state.problem = Problem("The counts file is empty.", "line 1")
    buttons = dock.card.button("details").parentWidget()
    controller.state.problem = None
    qapp.processEvents()
    assert not buttons.isVisible()


def test_an_error_keeps_its_details_behind_a_button(dock, controller):
    controller.state.problem = Problem("The counts file is empty.", "line 1\nline 2")
    assert dock.card.sentence.text() == "The counts file is empty."
    assert not dock.card.details.isVisible()
    dock.card.button("details").click()
    assert dock.card.details.isVisible()
    assert dock.card.details.toPlainText() == "line 1\nline 2"


def test_a_path_that_cannot_be_read_is_a_sentence(dock, controller, qtbot, tmp_path):
    controller.open(tmp_path / "nothing here")
    qtbot.waitUntil(lambda: controller.state.problem is not None, timeout=20_000)
    assert "Traceback" not in dock.card.sentence.text()
    assert "nothing here" in dock.card.sentence.text()
    assert dock.foot.line.text() == "Idle"


def _study(tmp_path, name):
    """A study of one section whose name tells the pretending worker what to do."""
    return Study("study", tmp_path, (SectionEntry(name, None, tmp_path, "legacy-st"),))


@pytest.fixture
def predicting(controller, tmp_path, prediction):
    """Ask for a prediction of a section called `name`."""
    from gr2st import save_prediction

    save_prediction(prediction, tmp_path / "answer.h5ad")

    def ask(name: str) -> None:
        study = _study(tmp_path, name)
        take(controller, opened_of(make_section(name), None, study))
        controller.predict(tmp_path / "model")

    return ask


def test_a_prediction_runs_beside_the_window_and_is_shown_when_it_is_there(viewer, dock, controller, predicting, qtbot):
    predicting("C4")
    assert dock.foot.line.text() == "Predicting C4"
    assert dock.foot.button.isVisible()
    controller.wish(gene="ACTB")
    assert "ACTB" in viewer.layers[1].name
    qtbot.waitUntil(lambda: controller.state.opened.prediction is not None, timeout=20_000)
    settle(controller)
    assert viewer.canvas.grid.enabled
    assert dock.foot.line.text() == "Idle"
    assert dock.card.sentence.text() == "C4: 3 genes predicted by gr2st-v2, trained on C2, C3."


def test_progress_is_shown_and_a_cancel_gives_the_window_back(dock, controller, predicting, qtbot):
    predicting("waits")
    qtbot.waitUntil(lambda: dock.foot.line.text() == "Encoding patches 3 of 10", timeout=20_000)
    assert (dock.foot.bar.value(), dock.foot.bar.maximum()) == (3, 10)
    dock.foot.button.click()
    assert dock.foot.button.text() == "Stopping…"
    qtbot.waitUntil(lambda: not controller.state.job.is_running, timeout=5_000)
    assert controller.state.problem is None
    assert dock.card.button("predict") is not None


def test_a_worker_that_dies_leaves_a_sentence_and_a_working_window(viewer, dock, controller, predicting, qtbot):
    predicting("dies")
    qtbot.waitUntil(lambda: controller.state.problem is not None, timeout=20_000)
    assert dock.card.sentence.text().startswith("The worker process ended unexpectedly (exit code 11).")
    controller.wish(gene="FASN")
    assert viewer.layers[1].name.startswith("FASN")


def test_closing_the_window_leaves_no_process(fake_worker, tmp_path, qtbot):
    viewer = napari.Viewer(show=True)
    open_dock(viewer, "Genes")
    controller = controller_of(viewer)
    controller.worker._command = (sys.executable, fake_worker)
    take(controller, opened_of(make_section("waits"), None, _study(tmp_path, "waits")))
    controller.predict(tmp_path / "model")
    qtbot.waitUntil(lambda: controller.state.job.done == 3, timeout=20_000)
    process = controller.worker.process_id
    viewer.close()
    qtbot.waitUntil(lambda: not controller.worker.is_running, timeout=10_000)
    if os.name == "posix":
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_the_pyramid_replaces_the_preview_in_place(viewer, controller, section, qtbot, monkeypatch):
    from gr2st_napari import _pyramids
    from gr2st_napari._opening import Picture

    slide = PaperSlide()
    preview = Picture(levels=(slide.pixels[::4, ::4],), path=Path("big.jpg"), shrink=(4.0, 4.0), is_preview=True)
    pyramid = Picture(levels=(slide.pixels, slide.pixels[::2, ::2]), path=Path("big.jpg"))
    monkeypatch.setattr(_pyramids, "display_pyramid", lambda path: Path("cached.tif"))
    monkeypatch.setattr(_pyramids, "pyramid_picture", lambda found, image: pyramid)
    asked, make = [], controller._pyramids.make
    monkeypatch.setattr(controller._pyramids, "make", asked.append)
    controller.take(Opened(section=section, picture=preview))
    qtbot.waitUntil(lambda: "slide" in viewer.layers, timeout=20_000)
    layer = viewer.layers["slide"]
    extent = layer.extent.world.copy()
    make(asked.pop())
    qtbot.waitUntil(lambda: len(layer.data) == 2, timeout=20_000)
    assert viewer.layers["slide"] is layer
    # Centres of the outermost pixels, 4 times as wide before.
    np.testing.assert_allclose(extent, layer.extent.world + np.array([[0.75, 0.75], [-0.75, -0.75]]))


def test_a_prediction_of_another_section_of_the_study_shows_that_section(controller, qtbot):
    controller.open(sample_study_path())
    qtbot.waitUntil(lambda: controller.state.opened is not None, timeout=20_000)
    assert controller.state.opened.name == "A1"
    study = controller.state.opened.study
    b1 = open_section(study, study.entry("B1")).section
    take(controller, Opened(prediction=make_prediction(b1, genes=b1.genes[:3])))
    qtbot.waitUntil(lambda: controller.state.opened.name == "B1", timeout=20_000)
    settle(controller)
    assert controller.state.problem is None
    assert [panel.title.split(" · ")[1] for panel in controller.state.shown.panels] == ["measured", "predicted"]


def test_what_is_remembered_of_a_program_is_what_vispy_reads_in_it(filled, qtbot, monkeypatch):
    read, seen = programs._variables_of, []
    monkeypatch.setattr(programs, "_variables_of", lambda code: (seen.append(code), read(code))[1])
    filled.wish(mode="measured")
    settle(filled)
    qtbot.waitUntil(lambda: len(seen) > 9, timeout=20_000)
    for code in seen:
        whole = SimpleNamespace(_shaders=[SimpleNamespace(code=part) for part in code])
        programs._read_variables(whole, update_variables=False)
        assert read(code) == whole._code_variables
        assert [programs._convert_plain("desktop", part) for part in code] == [
            programs._convert("desktop", part) for part in code
        ]


def test_every_colour_map_can_be_read_whole_on_the_narrowest_dock(viewer, dock, controller, section, qtbot):
    take(controller, opened_of(section, None))
    dock.resize(dock.minimumWidth(), 700)
    box = dock.look.colormap
    names = [box.itemData(at) for at in range(box.count())]
    longest = max(map(box.fontMetrics().horizontalAdvance, names))
    option = QStyleOptionComboBox()
    box.initStyleOption(option)
    part = QStyle.SubControl.SC_ComboBoxEditField
    room = box.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, part, box).width()
    assert room - box.iconSize().width() >= longest


def test_what_can_be_set_in_the_genes_dock_has_room_on_the_narrowest_dock(viewer, dock, controller, section, qtbot):
    take(controller, opened_of(section, make_prediction(section)))
    look, buttons = dock.look, list(dock.modes.buttons.values())
    for width, columns in ((NARROWEST_PX, 2), (340, 3)):
        viewer.window._qt_window.resizeDocks([holder_of(dock)], [width], Qt.Orientation.Horizontal)
        qtbot.waitUntil(lambda width=width: dock.width() == width)
        qtbot.waitUntil(lambda columns=columns: len({button.x() for button in buttons}) == columns)
        for part in (*buttons, look.space, look.clip, look.keep, look.log):
            assert part.width() >= part.minimumSizeHint().width(), part.objectName()
            assert part.mapTo(dock, part.rect().topRight()).x() < width, part.objectName()
