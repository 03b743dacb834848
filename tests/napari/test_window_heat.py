"""Many spots as a picture, swipe, flicker, classes: what the viewer then holds and shows."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hands import click_cell, press
from napari.layers import Points
from napari.utils.colormaps import Colormap
from qtpy.QtWidgets import QApplication
from window_builders import make_bins, make_prediction, make_section, settle, take

from gr2st import keys
from gr2st_napari._colours import NOT_MEASURED, class_colours, colormap
from gr2st_napari._opening import Opened, opened_of
from gr2st_napari._swipe import span_of

pytestmark = pytest.mark.window

MEASURED, PREDICTED = "ERBB2 · measured · gene-normalised", "ERBB2 · predicted · gene-normalised"


@pytest.fixture
def filled(controller, section, prediction):
    """A controller that shows a section and its prediction."""
    take(controller, opened_of(section, prediction))
    return controller


@pytest.fixture
def bins(viewer, controller, qtbot):
    """Some 40,000 bins, in view."""
    section = make_bins()
    take(controller, Opened(section=section))
    qtbot.waitUntil(lambda: controller.state.shown is not None, timeout=60_000)
    return section


def _names(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def _colours_at(viewer, world) -> np.ndarray:
    """Colours (n, 3), 0 to 1, that the canvas shows at world positions (n, 2)."""
    QApplication.processEvents()
    pixels = viewer.screenshot(canvas_only=True, flash=False)
    camera = viewer.scene.camera
    places = (world - np.asarray(camera.center)[-2:]) * camera.zoom + np.array(pixels.shape[:2]) / 2
    row, column = np.floor(places).astype(int).T
    return pixels[row, column, :3] / 255


def _near(viewer, section, radius_px):
    """World positions of the bins near the middle of the view, and their rows; the canvas may be small."""
    radius_px = min(radius_px, *(side / 2 - 2 for side in viewer.screenshot(canvas_only=True, flash=False).shape[:2]))
    world = 0.5 * section.table.obsm[keys.SPATIAL][:, ::-1]
    away = np.abs(world - np.asarray(viewer.scene.camera.center)[-2:]).max(axis=1) * viewer.scene.camera.zoom
    rows = np.flatnonzero(away < radius_px)
    return world[rows], rows


def _is_whole(spots) -> bool:
    """Whether nothing is cut off."""
    [plane] = spots.experimental_clipping_planes
    return plane.position[2] * plane.normal[2] < -1e6


def _bare(viewer) -> None:
    """Nothing on the canvas but maps."""
    viewer.canvas.overlays.scale_bar.visible = False
    for layer in viewer.layers:
        layer.name_overlay.visible = False
        if "colorbar" in layer._overlays:
            layer.colorbar.visible = False


def test_forty_thousand_bins_are_one_picture_with_exact_colours(viewer, controller, bins):
    [gaps, image] = viewer.layers
    assert (image._type_string, image.data.shape, gaps.visible) == ("image", (200, 203), False)
    _bare(viewer)
    camera = viewer.scene.camera
    camera.center, camera.zoom = tuple(0.5 * bins.table.obsm[keys.SPATIAL][9000][::-1]), 0.5
    world, rows = _near(viewer, bins, 75)
    assert len(rows) > 100
    for gene in ("ACTB", "ERBB2"):
        controller.wish(gene=gene)
        panel = controller.state.shown.panels[0]
        low, high = panel.limits
        wanted = Colormap(**colormap("viridis")).map(np.clip((panel.values[rows] - low) / (high - low), 0, 1))
        blended = wanted[:, :3] * wanted[:, 3:]  # over black
        np.testing.assert_allclose(_colours_at(viewer, world), blended, atol=4 / 255)
    assert len(viewer.layers) == 2
    assert viewer.layers[1] is image


def test_the_corner_of_a_bin_is_the_bin_for_the_mouse_too(controller, bins):
    x, y = bins.table.obsm[keys.SPATIAL][9000]
    corner = 0.45 * bins.grid_pitch
    for right, down in ((corner, corner), (-corner, corner), (0, -corner)):
        assert controller._pointer.spot_at((0.5 * (y + down), 0.5 * (x + right))) == 9000


def test_a_bin_without_a_value_is_light_grey_and_no_bin_is_nothing(viewer, controller, bins, qtbot):
    prediction = make_prediction(bins, genes=("ERBB2",), keep=slice(15_000, None))
    take(controller, Opened(prediction=prediction))
    qtbot.waitUntil(lambda: controller.state.expression is not None, timeout=60_000)
    controller.wish(mode="predicted", gene="ERBB2")
    settle(controller)
    assert "15000 of 39700 spots have no value: light grey." in controller.state.notes
    _bare(viewer)
    camera = viewer.scene.camera
    camera.center, camera.zoom = tuple(0.5 * bins.table.obsm[keys.SPATIAL][9000][::-1]), 0.5
    world, _ = _near(viewer, bins, 75)
    grey = np.multiply(NOT_MEASURED[:3], NOT_MEASURED[3])
    np.testing.assert_allclose(_colours_at(viewer, world), np.tile(grey, (len(world), 1)), atol=2 / 255)
    picture = next(layer for layer in viewer.layers if layer.name.startswith("ERBB2 · predicted"))
    camera.center = picture.data_to_world(np.divmod(20_600, 203))  # in the hole
    nowhere = np.asarray(camera.center)[-2:][None]
    np.testing.assert_array_equal(_colours_at(viewer, nowhere), np.zeros((1, 3)))


def test_a_bin_is_hovered_like_a_spot(controller, viewer, bins):
    x, y = bins.table.obsm[keys.SPATIAL][12_345]
    controller._pointer._on_move(viewer, SimpleNamespace(position=(0.5 * y, 0.5 * x)))
    assert str(viewer.status).startswith(f"spot {bins.table.obs_names[12_345]} · ")


def test_many_bins_side_by_side_lie_in_cells_of_equal_size(viewer, controller, bins, qtbot):
    take(controller, Opened(prediction=make_prediction(bins, genes=("ERBB2",))))
    qtbot.waitUntil(lambda: viewer.canvas.grid.enabled, timeout=60_000)
    assert viewer.canvas.grid.stride == 2
    assert [layer.visible for layer in viewer.layers] == [False, True, False, True]
    assert tuple(viewer.layers[1].contrast_limits) == tuple(viewer.layers[3].contrast_limits)


def test_discs_and_pixels_wait_for_each_other_and_no_layer_is_taken_away(viewer, controller, section, bins):
    few, many = opened_of(section, make_prediction(section)), Opened(section=bins)
    take(controller, few)
    discs = [layer for layer in viewer.layers if isinstance(layer, Points)]
    assert len(discs) == 2
    for _ in range(2):
        take(controller, many)
        assert controller.state.shown.mode == "measured"
        assert [layer.visible for layer in discs] == [False, False]
        seen = [layer for layer in viewer.layers if layer.visible]
        assert len(seen) == 1
        assert np.isfinite(seen[0].data).sum() == bins.n_spots
        take(controller, few)
        assert all(layer in viewer.layers and layer.visible for layer in discs)
        assert viewer.canvas.grid.stride == 2
    viewer.layers.remove(seen[0])
    assert controller.state.shown is not None


@pytest.mark.parametrize("between", [("D1", (4, 5)), ("C4", (6, 8))])
def test_a_slide_that_is_opened_again_shows_all_its_spots_in_both_maps(viewer, controller, between):
    name, shape = between
    for _ in range(2):
        section = make_section()
        take(controller, opened_of(section, make_prediction(section)))
        maps = [layer for layer in viewer.layers if isinstance(layer, Points)]
        assert [(layer.visible, len(layer.data), _is_whole(layer)) for layer in maps] == [(True, 48, True)] * 2
        take(controller, opened_of(make_section(name, shape=shape), None))
        seen = [layer for layer in viewer.layers if isinstance(layer, Points) and layer.visible]
        assert [(len(layer.data), _is_whole(layer)) for layer in seen] == [(shape[0] * shape[1], True)]


def test_swipe_shows_each_spot_in_one_of_two_maps(viewer, dock, filled, section, qtbot):
    press(qtbot, dock.modes.buttons["swipe"])
    settle(filled)
    assert _names(viewer) == ["slide", MEASURED, PREDICTED, "divider"]
    assert not viewer.canvas.grid.enabled
    left, right = viewer.layers[MEASURED], viewer.layers[PREDICTED]
    assert (str(left.name_overlay.position), str(right.name_overlay.position)) == ("top_left", "top_right")
    assert (str(left.face_colorbar.position), str(right.face_colorbar.position)) == ("bottom_left", "bottom_right")
    filled.wish(mode="measured")
    settle(filled)
    assert _names(viewer) == ["slide", MEASURED]
    assert _is_whole(left)


@pytest.mark.parametrize("divider", [0.0, 0.5, 1.0])
def test_left_of_the_line_the_canvas_shows_one_map_and_right_of_it_the_other(viewer, filled, section, divider):
    _bare(viewer)
    world = viewer.layers["slide"].scale * section.table.obsm[keys.SPATIAL][:, ::-1]
    drawn = {}
    for mode in ("measured", "predicted", "swipe"):
        filled.wish(mode=mode, limits=(0.0, 5.0))
        settle(filled)
        filled.state.divider = divider
        _bare(viewer)
        drawn[mode] = _colours_at(viewer, world)
    low, high = span_of(section.table.obsm[keys.SPATIAL][:, 0])
    is_left = section.table.obsm[keys.SPATIAL][:, 0] <= low + divider * (high - low)
    differs = np.abs(drawn["measured"] - drawn["predicted"]).max(axis=1) > 0.02
    assert differs.sum() > 10
    np.testing.assert_allclose(drawn["swipe"][is_left], drawn["measured"][is_left], atol=0.01)
    np.testing.assert_allclose(drawn["swipe"][~is_left], drawn["predicted"][~is_left], atol=0.01)


def test_a_way_of_looking_that_is_left_before_it_stands_leaves_the_title_as_large_as_ever(viewer, filled, qtbot):
    filled.wish(mode="measured")
    settle(filled)
    size = viewer.layers[MEASURED].name_overlay.font_size
    filled.wish(mode="side by side")
    qtbot.waitUntil(lambda: viewer.canvas.grid.enabled)
    filled.wish(mode="measured")
    settle(filled)
    assert viewer.layers[MEASURED].name_overlay.font_size == size


def test_the_line_of_a_swipe_is_dragged_while_the_slide_stays(viewer, dock, filled, section):
    filled.wish(mode="swipe")
    settle(filled)
    divider, camera = filled._divider, viewer.scene.camera
    line = viewer.layers["divider"]
    x = 0.5 * line.data[0, 0, 1]
    event = SimpleNamespace(type="mouse_press", button=1, position=(100.0, x), pos=np.array((10, 10)))
    divider._on_move(viewer, event)
    assert not camera.mouse_pan
    steps = divider._on_press(viewer, event)
    next(steps)
    event.type, event.position = "mouse_move", (100.0, x + 60)
    next(steps)
    assert 0.5 * line.data[0, 0, 1] == pytest.approx(x + 60)
    assert viewer.layers[MEASURED].experimental_clipping_planes[0].position[2] == pytest.approx(x + 60)
    assert dock.modes.divider.value() == pytest.approx(1000 * filled.state.divider, abs=1)
    event.type = "mouse_release"
    assert next(steps, None) is None
    filled.wish(mode="predicted")
    settle(filled)
    assert camera.mouse_pan


def test_flicker_shows_two_maps_by_turns_in_one_layer_and_stops_when_it_is_left(viewer, dock, filled, qtbot):
    press(qtbot, dock.modes.buttons["flicker"])
    settle(filled)
    count, layer = len(viewer.layers), viewer.layers[-1]
    dock.modes.flicker.setValue(0.2)
    seen = set()
    qtbot.waitUntil(lambda: seen.add(layer.name) or len(seen) == 2, timeout=20_000)
    assert seen == {MEASURED, PREDICTED}
    assert len(viewer.layers) == count
    filled.wish(mode="measured")
    settle(filled)
    assert not filled._flicker.is_on
    assert layer.name == MEASURED


@pytest.mark.parametrize(("key", "mode"), [("Ctrl+5", "swipe"), ("Ctrl+6", "flicker")])
def test_a_key_leads_to_each_way_of_comparing(viewer, filled, key, mode):
    viewer.keymap[next(binding for binding in viewer.keymap if str(binding) == key)](viewer)
    assert filled.state.shown.mode == mode


def test_deleting_the_line_or_a_map_of_a_swipe_leaves_a_working_window(viewer, filled, qtbot):
    filled.wish(mode="swipe")
    settle(filled)
    viewer.layers.remove("divider")
    qtbot.waitUntil(lambda: filled.state.shown.mode == "measured")
    filled.wish(mode="swipe")
    settle(filled)
    viewer.layers.remove(PREDICTED)
    qtbot.waitUntil(lambda: filled.state.shown.mode == "measured")
    assert _names(viewer) == ["slide", MEASURED]
    filled.wish(mode="swipe")
    settle(filled)
    assert _names(viewer) == ["slide", MEASURED, PREDICTED, "divider"]


@pytest.fixture
def labelled(controller, section, prediction):
    """A section with labels in view: 20 spots of tumour, 20 of fat, 8 without a label."""
    section.table.obs[keys.LABEL] = ["tumour"] * 20 + ["fat"] * 20 + [None] * 8
    take(controller, opened_of(section, prediction))
    return controller


def _colour_by(dock, controller, what, qtbot) -> None:
    dock.colour_by.chosen.emit(what)
    qtbot.waitUntil(lambda: controller.state.shown.classes is not None, timeout=60_000)


def test_labels_are_shown_in_the_same_layer_with_a_legend(viewer, dock, labelled, qtbot):
    labelled.wish(mode="measured")
    settle(labelled)
    spots = viewer.layers[-1]
    _colour_by(dock, labelled, keys.LABEL, qtbot)
    assert viewer.layers[-1] is spots
    assert spots.name == "Pathologist label"
    assert not spots.face_colorbar.visible
    fat, tumour = class_colours(2)
    np.testing.assert_allclose(spots.face_color[[0, 20]][:, :3], [tumour, fat], atol=1e-6)
    np.testing.assert_allclose(spots.face_color[47], NOT_MEASURED, atol=1e-6)
    table = dock.classes.table
    lines = [(table.item(row, 0).text(), table.item(row, 1).text()) for row in range(table.rowCount())]
    assert lines == [("fat", "20"), ("tumour", "20"), ("no class", "8")]
    assert dock.classes.isVisible()
    assert not dock.look.isVisible()
    assert labelled.describe(20) == "spot 4x2 · Pathologist label: fat"


def test_a_click_on_a_class_hides_it_and_another_shows_it(viewer, dock, labelled, qtbot):
    labelled.wish(mode="measured")
    settle(labelled)
    _colour_by(dock, labelled, keys.LABEL, qtbot)
    spots = viewer.layers[-1]
    click_cell(qtbot, dock.classes.table, 0, 0)
    assert spots.face_color[20, 3] == 0
    assert spots.face_color[0, 3] == 1
    click_cell(qtbot, dock.classes.table, 2, 0)
    assert spots.face_color[47, 3] == 0
    press(qtbot, dock.classes.all)
    assert (spots.face_color[:, 3] > 0).all()


def test_a_gene_or_a_way_of_looking_ends_classes(viewer, dock, labelled, qtbot):
    _colour_by(dock, labelled, keys.LABEL, qtbot)
    settle(labelled)
    assert not viewer.canvas.grid.enabled
    assert not any(button.isChecked() for button in dock.modes.buttons.values())
    press(qtbot, dock.modes.buttons["difference"])
    settle(labelled)
    assert labelled.state.shown.mode == "difference"
    assert dock.look.isVisible()
    _colour_by(dock, labelled, keys.LABEL, qtbot)
    labelled.wish(gene="FASN", mode="measured")
    settle(labelled)
    assert viewer.layers[-1].name.startswith("FASN")
    assert viewer.layers[-1].face_colorbar.visible


def test_spots_are_clustered_beside_the_window(dock, labelled, qtbot):
    _colour_by(dock, labelled, "clusters", qtbot)
    assert labelled.state.shown.classes.names == ("1", "2", "3", "4", "5", "6")
    dock.classes.count.setValue(3)
    qtbot.waitUntil(lambda: dock.classes.table.rowCount() == 3, timeout=60_000)
    counts = labelled.state.shown.classes.counts
    assert sum(counts) == 48
    assert list(counts) == sorted(counts, reverse=True)


def test_another_section_without_labels_shows_its_genes(dock, labelled, qtbot):
    _colour_by(dock, labelled, keys.LABEL, qtbot)
    take(labelled, opened_of(make_section("D1"), None))
    assert labelled.state.shown.classes is None
    assert labelled.state.wish.colour_by == ""
    assert [dock.colour_by.which.itemData(at) for at in range(dock.colour_by.which.count())] == ["", "clusters"]


def _zoo(viewer) -> list:
    """Layers of somebody else: of every kind, hidden and shown, flat and deep."""
    stack = viewer.add_image(np.zeros((4, 30, 30)), name="stack", scale=(1, 10, 10))
    hidden = viewer.add_labels(np.ones((20, 20), int), name="hidden", visible=False)
    cloud = viewer.add_points(np.zeros((5, 3)), name="cloud")
    drawn = viewer.add_shapes(name="drawn")
    moving = viewer.add_tracks(np.array([[1, 0, 0, 0], [1, 1, 5, 5]], float), name="moving")
    return [stack, hidden, cloud, drawn, moving]


def _waits(layer) -> bool:
    """Whether a layer of ours waits, hidden, for the next comparison."""
    return "(predicted)" in layer.name or (layer.name == "divider" and not layer.visible)


@pytest.mark.parametrize("mode", ["side by side", "swipe", "flicker", "difference"])
def test_layers_of_others_are_as_they_were_after_each_view(viewer, controller, section, prediction, mode):
    below = _zoo(viewer)
    take(controller, opened_of(section, None))
    above = [viewer.add_image(np.zeros((9, 9)), name="above"), viewer.add_surface(_TRIANGLE, name="surface")]
    viewer.layers.selection = {above[0]}
    take(controller, Opened(prediction=prediction))
    controller.wish(mode="measured", space="gene", gene="ERBB2")
    settle(controller)
    grid = viewer.canvas.grid
    grid.enabled, grid.stride, grid.shape = True, 3, (2, -1)
    before = [(layer, layer.visible) for layer in viewer.layers if not _waits(layer)]
    for _ in range(2):
        controller.wish(mode=mode)
        settle(controller)
        viewer.layers[-1].visible = viewer.layers[-1].visible
        controller.wish(gene="FASN")
        controller.wish(mode="measured", gene="ERBB2")
        settle(controller)
        found = [(layer, layer.visible) for layer in viewer.layers if not _waits(layer)]
        assert found == before
        assert (grid.enabled, grid.stride, grid.shape) == (True, 3, (2, -1))
        assert viewer.layers.selection == {above[0]}
    assert all(layer in viewer.layers for layer in (*below, *above))


_TRIANGLE = (np.array([[0, 0], [0, 20], [10, 5]], float), np.array([[0, 1, 2]]))


def test_what_others_add_and_move_never_takes_the_two_maps_apart(viewer, filled, qtbot):
    ours = [layer.name for layer in viewer.layers]
    stranger = viewer.add_image(np.zeros((9, 9)), name="stranger")
    viewer.layers.move(viewer.layers.index(stranger), 0)
    viewer.layers.insert(1, type(stranger)(np.ones((5, 5)), name="another"))
    viewer.layers.move(3, 0)
    qtbot.waitUntil(lambda: [layer.name for layer in viewer.layers][:4] == ours)
    viewer.dims.ndisplay = 3
    filled.wish(gene="ACTB")
    viewer.dims.ndisplay = 2
    viewer.layers.remove("stranger")
    viewer.layers.remove("another")
    filled.wish(mode="measured")
    settle(filled)
    assert _names(viewer) == ["slide", "ACTB · measured · gene-normalised"]


def test_a_stack_scrolled_through_by_its_owner_hides_none_of_ours(viewer, filled):
    filled.wish(mode="swipe")
    settle(filled)
    viewer.add_image(np.zeros((4, 30, 30)), name="stack")
    viewer.dims.set_point(0, 3)
    assert (viewer.dims.ndim, len(viewer.layers[MEASURED]._view_data)) == (3, 48)
    filled.wish(mode="flicker")
    settle(filled)
    filled.wish(mode="measured", gene="FASN")
    settle(filled)
    assert _names(viewer) == ["slide", "FASN · measured · gene-normalised", "stack"]


@pytest.mark.parametrize("size_pt", [7, 8, 10])
def test_a_title_is_measured_as_wide_as_its_letters_are_drawn(viewer, controller, size_pt):
    from napari._vispy.visuals.text import Text

    fonts = viewer.window._qt_viewer.canvas.font_info()
    title = Text(MEASURED, font_info=fonts, font_size=size_pt)
    letters = [fonts.font_manager.get_font(fonts.face)[letter] for letter in MEASURED]
    # vispy puts letter beside letter, drawn at 256 points; a canvas has 96 pixels an inch.
    drawn_pt = sum(letter["advance"] for letter in letters) * size_pt / 256
    drawn_pt += sum(right["kerning"].get(left["char"], 0) for left, right in pairwise(letters)) * size_pt / 256
    assert title.get_width_height()[0] == pytest.approx(drawn_pt * 96 / 72, abs=1)
