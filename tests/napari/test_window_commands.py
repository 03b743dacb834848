"""napari's command palette and Preferences reach what the docks do."""

from __future__ import annotations

import pytest
from app_model.types import MenuItem
from napari._app_model import get_app_model
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from napari._qt.widgets.qt_command_palette import QCommandList
from napari.settings import get_plugin_settings
from npe2 import PluginManager
from qtpy.QtWidgets import QAbstractSpinBox
from window_builders import make_prediction, make_section, open_dock, take

from gr2st import COLOUR_MAPS
from gr2st_napari._controller import controller_of
from gr2st_napari._opening import opened_of
from gr2st_napari._preferences import Preferences
from gr2st_napari._state import SPACES

pytestmark = pytest.mark.window
PLUGIN = "gr2st-napari"


@pytest.fixture
def controller(viewer):
    """The controller of a window that shows a section with its prediction."""
    section = make_section()
    made = controller_of(viewer)
    take(made, opened_of(section, make_prediction(section)))
    yield made
    made.close()


@pytest.fixture
def page():
    """Our page of the Preferences, as it was afterwards."""
    found = get_plugin_settings(PLUGIN).maps
    before = found.model_dump()
    yield found
    found.update(before)


def run(command: str) -> None:
    get_app_model().commands.execute_command(f"{PLUGIN}.{command}").result()


def test_every_way_of_looking_is_a_command(controller, qtbot):
    for command, mode in {
        "show_measured": "measured",
        "show_difference": "difference",
        "show_predicted": "predicted",
        "show_side_by_side": "side by side",
        "show_swipe": "swipe",
        "show_flicker": "flicker",
    }.items():
        run(command)
        # Without a dock the first command waits for what is read beside the window.
        qtbot.waitUntil(lambda mode=mode: controller.state.shown.mode == mode)


WORDS = {
    "measured": "show_measured",
    "predicted": "show_predicted",
    "side by side": "show_side_by_side",
    "difference": "show_difference",
    "swipe": "show_swipe",
    "flicker": "show_flicker",
    "next": "next_gene",
    "previous": "previous_gene",
}
"""What is typed into the palette, mostly the words on the buttons."""


@pytest.mark.parametrize("word", WORDS)
def test_the_words_of_a_button_find_its_command_first_whatever_was_used_last(viewer, qtbot, word):
    menus = get_app_model().menus
    commands = [item.command for item in menus.get_menu(menus.COMMAND_PALETTE_ID) if isinstance(item, MenuItem)]
    wanted = f"{PLUGIN}.{WORDS[word]}"
    # The palette puts what was used before all that it finds as good.
    commands.sort(key=lambda command: (not command.id.startswith(PLUGIN), command.id == wanted))
    palette = QCommandList()
    qtbot.addWidget(palette)
    palette.extend_command(commands)
    assert next(iter(palette.iter_top_hits(word))).id == wanted


def test_genes_are_stepped_through_by_command(viewer, controller, qtbot):
    dock = open_dock(viewer, "Genes")
    first = controller.state.shown.gene
    listed = list(dock.genes.model.genes)
    run("next_gene")
    assert controller.state.shown.gene == listed[listed.index(first) + 1]
    run("previous_gene")
    assert controller.state.shown.gene == first


def test_one_command_opens_every_dock(viewer):
    run("all_docks")
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    as_in_menu = {f"{widget.display_name} ({manifest.display_name})" for widget in manifest.contributions.widgets}
    assert set(viewer.window.dock_widgets) == as_in_menu


def test_what_needs_an_argument_is_not_offered_in_the_palette():
    manifest = PluginManager.instance().get_manifest(PLUGIN)
    needing = {manifest.contributions.readers[0].command, manifest.contributions.writers[0].command}
    assert {command.id for command in manifest.contributions.commands if command.enablement == "False"} == needing


def test_preferences_are_the_first_wish_and_change_what_is_shown(viewer, page):
    page.colormap, page.clip = "magma", 5.0
    controller = controller_of(viewer)
    assert (controller.state.wish.colormap, controller.state.wish.clip) == ("magma", 5.0)
    page.colormap = "cividis"
    assert controller.state.wish.colormap == "cividis"
    controller.wish(clip=2.0)
    # As the dialog of napari does: the whole page at once.
    page.update({**page.model_dump(), "colormap": "inferno"})
    assert (controller.state.wish.colormap, controller.state.wish.clip) == ("inferno", 2.0)
    page.colormap = "cividis"
    controller.close()
    page.colormap = "viridis"
    assert controller.state.wish.colormap == "cividis"


def test_a_number_of_two_digits_can_be_typed_into_napari_s_dialog_and_one_too_high_cannot(viewer, page, qtbot):
    controller = controller_of(viewer)
    dialog = PreferencesDialog(parent=viewer.window._qt_window)
    dialog.show()
    dialog._list.setCurrentRow(dialog._list.count() - 1)
    clip = dialog._stack.currentWidget().findChild(QAbstractSpinBox)
    for typed, kept in (("15", 15), ("99", 9), ("x-4", 4)):
        clip.selectAll()
        qtbot.keyClicks(clip, typed)
        assert controller.state.wish.clip == page.clip == kept
    dialog.reject()
    assert controller.state.wish.clip == Preferences().clip
    controller.close()


def test_the_page_of_the_preferences_offers_what_there_is(page):
    assert page.model_dump() == {
        "colormap": Preferences().colormap,
        "space": Preferences().space,
        "clip": Preferences().clip,
    }
    extras = {name: field.json_schema_extra for name, field in type(page).model_fields.items()}
    assert extras["colormap"]["enum"] == list(COLOUR_MAPS)
    assert extras["space"]["enum"] == list(SPACES)
