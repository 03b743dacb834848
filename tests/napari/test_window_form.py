"""The form made from settings, and the options, without a viewer."""

from __future__ import annotations

import math

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog

from gr2st import ENCODERS, MODELS, GeneChoice, PatchConfig, Recipe, TrainConfig
from gr2st_napari._fields import fields_of, shown
from gr2st_napari._options import SectionOption, encoder_options, model_options
from gr2st_napari.views.plan_choices import NAME, GenesChoice, OptionBox, SectionList
from gr2st_napari.views.settings_form import SettingsForm

pytestmark = pytest.mark.window

EVERY = {
    **{f"{spec.name} config": spec.config for spec in MODELS.values()},
    **{f"{spec.name} training": spec.training for spec in MODELS.values()},
    "patch": PatchConfig(),
    "recipe": Recipe(genes=("ERBB2",)),
}


def _form(qtbot, settings, registered=None) -> SettingsForm:
    form = SettingsForm()
    qtbot.addWidget(form)
    form.show_settings(registered or settings, settings)
    return form


def _type(form, qtbot, name: str, text: str) -> None:
    entry = form.editors[name].entry
    entry.selectAll()
    qtbot.keyClicks(entry, text) if text else qtbot.keyClick(entry, Qt.Key.Key_Delete)


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_a_form_that_nobody_touched_gives_back_its_settings(qtbot, settings):
    form = _form(qtbot, settings)
    assert {name: editor.value for name, editor in form.editors.items()} == {
        name: getattr(settings, name) for name in form.editors
    }
    form._on_edited()
    assert (form.settings, form.fault) == (settings, "")
    assert not form.reset.isEnabled()


@pytest.mark.parametrize("settings", EVERY.values(), ids=EVERY)
def test_every_field_says_what_it_is_called_in_files_and_what_it_does(settings):
    for field in fields_of(type(settings)):
        assert field.tip.endswith(f"In files: {field.name}")
        assert "_" not in field.words
        assert type(settings).model_fields[field.name].description in field.tip


def test_no_field_of_the_settings_of_models_is_left_out_of_the_form():
    for spec in MODELS.values():
        for settings in (spec.config, spec.training):
            assert [field.name for field in fields_of(type(settings))] == list(type(settings).model_fields)


@pytest.mark.parametrize("value", [1e-4, 1e-8, 0.1, 3.0, 0.1 + 0.2, 1 / 3, 50, 16.0])
def test_a_number_is_shown_without_losing_a_digit(value):
    assert float(shown(value)) == value


def test_what_is_typed_becomes_settings_and_is_bold(qtbot):
    form = _form(qtbot, TrainConfig())
    told = []
    form.changed.connect(told.append)
    _type(form, qtbot, "learning_rate", "3e-5")
    assert told[-1] == form.settings == TrainConfig(learning_rate=3e-5)
    assert "bold" in form.labels["learning_rate"].styleSheet()
    assert "bold" not in form.labels["epochs"].styleSheet()
    form.reset.click()
    assert form.settings == TrainConfig()
    assert form.editors["learning_rate"].entry.text() == "0.0001"
    assert "bold" not in form.labels["learning_rate"].styleSheet()


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("epochs", "-", "Epochs: '-' is not a whole number."),
        ("epochs", "", "Epochs: a whole number is wanted."),
        ("learning_rate", "nan", "Learning rate: 'nan' is not a number."),
        ("learning_rate", "0", "Learning rate: input should be greater than 0."),
    ],
)
def test_what_cannot_be_is_told_in_words_and_changes_nothing(qtbot, name, text, fault):
    form = _form(qtbot, TrainConfig())
    _type(form, qtbot, name, text)
    assert form.fault == form.fault_line.text() == fault
    assert form.settings == TrainConfig()
    assert "border" in form.editors[name].entry.styleSheet()
    form.reset.click()
    assert form.fault == ""


def test_a_field_that_may_be_none_has_a_tick(qtbot):
    form = _form(qtbot, TrainConfig())
    editor = form.editors["batch_spots"]
    assert not editor.entry.isEnabled()
    editor.given.click()
    assert form.settings.batch_spots == TrainConfig(batch_spots=2).batch_spots
    _type(form, qtbot, "batch_spots", "256")
    assert form.settings == TrainConfig(batch_spots=256)
    editor.given.click()
    assert form.settings == TrainConfig()


def test_switches_and_choices_are_widgets_of_their_own(qtbot):
    form = _form(qtbot, MODELS["gr2st"].training)
    assert isinstance(form.editors["reset_each_epoch"].entry, QCheckBox)
    form.editors["reset_each_epoch"].entry.click()
    assert form.settings.reset_each_epoch is True
    precision = form.editors["precision"].entry
    assert isinstance(precision, QComboBox)
    precision.setCurrentText("bf16")
    precision.activated.emit(precision.currentIndex())
    assert form.settings.precision == "bf16"


def test_other_settings_take_the_place_of_those_shown(qtbot):
    form = _form(qtbot, MODELS["gr2st"].config)
    form.show_settings(MODELS["ridge"].config, MODELS["ridge"].config)
    assert list(form.editors) == ["target", "penalty"]
    assert math.isclose(form.editors["penalty"].value, 3.0)


def test_every_model_but_the_oracle_is_offered_with_a_sentence():
    options = model_options()
    assert [option.name for option in options] == [name for name, spec in MODELS.items() if not spec.is_oracle]
    assert all(option.about.endswith(".") for option in options)


def test_an_encoder_without_weights_here_is_offered_but_cannot_be_chosen(qtbot, tmp_path, monkeypatch):
    monkeypatch.setenv("GR2ST_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "uni").mkdir()
    (tmp_path / "uni" / "pytorch_model.bin").write_bytes(b"weights")
    options = {option.name: option for option in encoder_options()}
    assert list(options) == list(ENCODERS)
    assert options["handcrafted"].why_not == options["uni"].why_not == ""
    assert "gr2st encoders --download h-optimus-0" in options["h-optimus-0"].why_not
    assert "CC-BY-NC-ND-4.0" in options["uni"].about
    box = OptionBox("encoder")
    qtbot.addWidget(box)
    box.show_options(tuple(options.values()), "handcrafted")
    at = box.box.findData("h-optimus-0", NAME)
    assert not box.box.model().item(at).isEnabled()
    assert box.current == "handcrafted"


def test_sections_are_ticked_one_by_one_or_all_at_once(qtbot):
    sections = SectionList()
    qtbot.addWidget(sections)
    options = (SectionOption("A1", "A", 141), SectionOption("B1", "B"), SectionOption("C1", "C", why_not="no picture"))
    sections.show_sections(options, ["A1", "B1"])
    assert sections.list.item(0).text() == "A1 · patient A · 141 spots"
    assert sections.list.item(2).text() == "C1 · patient C · no picture"
    assert sections.names == ["A1", "B1"]
    with qtbot.waitSignal(sections.chosen) as told:
        sections.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert told.args == [["A1"]]
    sections.none.click()
    assert sections.names == []
    with qtbot.waitSignal(sections.chosen) as told:
        sections.every.click()
    assert told.args == [["A1", "B1"]]


def test_genes_are_a_number_or_a_file(qtbot, monkeypatch):
    genes = GenesChoice()
    qtbot.addWidget(genes)
    genes.show()
    genes.show_genes(GeneChoice(n_variable=100))
    with qtbot.waitSignal(genes.number_chosen) as told:
        genes.number.setValue(50)
    assert told.args == [50]
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("/data/panel.txt", ""))
    with qtbot.waitSignal(genes.file_chosen) as told:
        genes.way.activated.emit(1)
    assert told.args == ["/data/panel.txt"]
    genes.show_genes(GeneChoice(listed=("ERBB2", "FASN")), "panel.txt")
    assert genes.told.text() == "2 genes of panel.txt"
    assert not genes.number.isVisible()
