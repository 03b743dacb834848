"""What is looked at in one window that stays open: maps side by side, modes, colours, limits, the mouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from on_canvas import click_at, mouse_event, shown_map, shown_names, world_of
from qtpy.QtCore import Qt
from vispy.visuals.shaders.program import ModularProgram
from window_builders import empty_viewer, make_prediction, make_section, open_dock, settle, take

from gr2st_napari._controller import Controller, controller_of
from gr2st_napari._opening import opened_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer

    from gr2st import Section
    from gr2st_napari._state import Wish

pytestmark = pytest.mark.window


@dataclass(frozen=True)
class Kept:
    """The window of this file, and how it was when its slide had come."""

    controller: Controller
    dock: Any
    section: Section
    wish: Wish
    layers: tuple[tuple[Any, bool], ...]
    view: tuple[Any, float]


@pytest.fixture(scope="module")
def kept(window) -> Iterator[Kept]:
    """A section and its prediction side by side: two maps take a second to make, and as long to take away."""
    dock = open_dock(window, "Genes")
    controller, section = controller_of(window), make_section()
    take(controller, opened_of(section, make_prediction(section)))
    camera = window.scene.camera
    yield Kept(controller, dock, section, controller.state.wish, _all(window), (camera.center, camera.zoom))
    empty_viewer(window)


@pytest.fixture
def viewer(kept, window, qapp) -> Iterator[Viewer]:
    """The window, put back after each test to how it was when its slide had come."""
    yield window
    for layer in [layer for layer in window.layers if layer not in [ours for ours, _ in kept.layers]]:
        window.layers.remove(layer)
    kept.controller.state.wish = kept.wish
    settle(kept.controller)
    window.scene.camera.center, window.scene.camera.zoom = kept.view
    window.status = "Ready"
    qapp.processEvents()
    assert _all(window) == kept.layers
    assert kept.controller.state.spot is None


@pytest.fixture
def filled(kept, viewer) -> Controller:
    return kept.controller


@pytest.fixture
def dock(kept, viewer) -> Any:
    return kept.dock


@pytest.fixture
def section(kept) -> Section:
    return kept.section


def _all(viewer) -> tuple[tuple[Any, bool], ...]:
    """Every layer, and whether it is seen."""
    return tuple((layer, layer.visible) for layer in viewer.layers)


def test_a_prediction_stands_beside_the_measured_map_with_equal_limits(viewer, filled):
    grid = viewer.canvas.grid
    assert (grid.enabled, grid.shape, grid.stride) == (True, (1, 2), 2)
    assert shown_names(viewer) == [
        "slide",
        "ERBB2 · measured · gene-normalised",
        "slide (predicted)",
        "ERBB2 · predicted · gene-normalised",
    ]
    assert tuple(viewer.layers[1].face_contrast_limits) == tuple(viewer.layers[3].face_contrast_limits)
    assert viewer.layers[0].data[0] is viewer.layers[2].data[0]
    assert viewer.layers[1].name_overlay.font_size == viewer.layers[3].name_overlay.font_size


def test_a_layer_drawn_while_two_maps_stand_side_by_side_stays(viewer, filled):
    own = viewer.add_shapes(name="drawn meanwhile")
    filled.wish(gene="ACTB")
    filled.wish(mode="predicted")
    settle(filled)
    assert own in viewer.layers
    assert own.visible
    assert shown_names(viewer) == ["slide", "ACTB · predicted · gene-normalised", "drawn meanwhile"]


def test_the_dock_tells_of_hidden_layers_as_long_as_they_are_hidden(viewer, dock, filled):
    filled.wish(mode="measured")
    settle(filled)
    viewer.add_shapes(name="mine")
    filled.wish(mode="side by side")
    settle(filled)
    assert dock.notes.text() == "1 of your own layers hidden while two maps stand side by side."
    filled.wish(mode="difference")
    settle(filled)
    assert dock.notes.text() == ""


def test_the_view_keeps_its_centre_when_the_canvas_is_cut_in_two(viewer, filled):
    camera = viewer.scene.camera
    filled.wish(mode="measured")
    settle(filled)
    camera.center, camera.zoom = (0.0, 210.0, 305.0), 4.0
    filled.wish(mode="side by side")
    settle(filled)
    assert camera.center[-2:] == pytest.approx((210.0, 305.0))
    assert 1.0 < camera.zoom < 4.0
    filled.wish(mode="measured")
    settle(filled)
    assert camera.center[-2:] == pytest.approx((210.0, 305.0))
    assert camera.zoom == pytest.approx(4.0)


@pytest.mark.parametrize("turns", (0, 1, 2, 3, 5))
def test_a_mind_changed_while_two_maps_come_or_go_ends_in_what_was_wished_last(viewer, filled, turns):
    settle(filled)
    beside, order = _seen(viewer), shown_names(viewer)
    filled.wish(mode="measured")
    _some(filled, turns)
    filled.wish(mode="side by side")
    settle(filled)
    assert (_seen(viewer), shown_names(viewer), viewer.canvas.grid.enabled) == (beside, order, True)
    filled.wish(mode="measured")
    settle(filled)
    alone = _seen(viewer)
    filled.wish(mode="side by side")
    _some(filled, turns)
    filled.wish(mode="measured")
    settle(filled)
    assert (_seen(viewer), viewer.canvas.grid.enabled) == (alone, False)


def _seen(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def _some(controller, turns: int) -> None:
    """Let so many pieces of the window's work be done, fewer where there are not as many."""
    for _ in range(turns):
        if controller.canvas.turns.is_busy:
            controller.canvas.turns._next()


@pytest.mark.parametrize(
    ("key", "mode"), [("Control-1", "measured"), ("Control-2", "predicted"), ("Control-4", "difference")]
)
def test_a_key_switches_the_view(viewer, dock, filled, key, mode):
    viewer.keymap[
        next(binding for binding in viewer.keymap if str(binding) == key.replace("Control", "Ctrl").replace("-", "+"))
    ](viewer)
    assert filled.state.shown.mode == mode
    assert dock.modes.buttons[mode].isChecked()


def test_difference_is_one_diverging_map(viewer, dock, filled, qtbot):
    qtbot.mouseClick(dock.modes.buttons["difference"], Qt.MouseButton.LeftButton)
    settle(filled)
    assert shown_names(viewer) == ["slide", "ERBB2 · predicted minus measured · gene-normalised"]
    spots = shown_map(viewer, "predicted minus")
    assert spots.face_colormap.name == "gr2st difference"
    assert spots.face_contrast_limits[0] == -spots.face_contrast_limits[1]
    filled.wish(mode="measured")
    settle(filled)
    assert spots.face_colormap.name == "gr2st viridis"


def test_limits_by_hand_stay_from_gene_to_gene_until_they_are_let_go(viewer, dock, filled):
    filled.wish(mode="measured")
    settle(filled)
    dock.look.low.setValue(0.5)
    dock.look.high.setValue(3.5)
    filled.wish(gene="ACTB")
    assert tuple(shown_map(viewer, "measured").face_contrast_limits) == (0.5, 3.5)
    assert dock.look.keep.isChecked()
    dock.look.keep.click()
    assert filled.state.wish.limits is None
    assert tuple(shown_map(viewer, "measured").face_contrast_limits) != (0.5, 3.5)


def test_the_scale_of_the_values_and_the_colours_can_be_chosen(viewer, dock, filled):
    filled.wish(mode="measured")
    settle(filled)
    dock.look.space_chosen.emit("spot")
    dock.look.colormap_chosen.emit("magma")
    spots = shown_map(viewer, "measured")
    assert spots.name == "ERBB2 · measured · spot-normalised"
    assert spots.face_colormap.name == "gr2st magma"
    assert dock.look.space.currentText() == "Relative to the spot"


def test_hovering_a_spot_shows_its_name_and_values_and_outlasts_napari_s_own_line(viewer, filled, section):
    filled._pointer._on_move(viewer, mouse_event(world_of(section, 13)))
    values = [panel.values[13] for panel in filled.state.shown.panels]
    words = f"spot 5x1 · ERBB2 measured {values[0]:.2f} · ERBB2 predicted {values[1]:.2f}"
    assert viewer.status == words
    viewer.status = "napari's own line, worked out in a thread"
    assert viewer.status == words
    filled.wish(gene="FASN")
    assert viewer.status.startswith("spot 5x1 · FASN measured ")
    filled._pointer._on_move(viewer, mouse_event((1.0, 1.0)))
    viewer.status = "napari's own line"
    filled.wish(gene="ACTB")
    assert viewer.status == "napari's own line"
    viewer.status = f"{filled.state.shown.panels[0].title} [12 34]"
    filled.wish(gene="FASN")
    assert viewer.status == ""


def test_a_drag_is_no_click(viewer, filled, section):
    click_at(viewer, filled, world_of(section, 20), moved=40)
    assert filled.state.spot is None


def test_a_click_while_the_user_draws_is_not_ours(viewer, filled, section):
    own = viewer.add_shapes()
    viewer.layers.selection = {own}
    own.mode = "add_rectangle"
    click_at(viewer, filled, world_of(section, 20))
    assert filled.state.spot is None


def test_another_gene_builds_no_shader_program(filled, qtbot, monkeypatch):
    filled.wish(gene="ACTB")
    settle(filled)
    qtbot.wait(300)
    built = []
    build = ModularProgram._build
    monkeypatch.setattr(ModularProgram, "_build", lambda program: (built.append(program), build(program)))
    filled.wish(gene="FASN")
    qtbot.wait(200)
    assert not built
