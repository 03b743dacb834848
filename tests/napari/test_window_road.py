"""The whole road by mouse and keys: from an empty window to a model, a prediction, an evaluation and a report.

Where GR2ST_TOUR names a folder, the window is kept there as a picture at every station, and training takes longer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hands import choose, choose_in_menu, click_cell, click_tick, drop, press, type_in_cell, type_over
from qtpy.QtWidgets import QFileDialog
from superqt import QCollapsible
from window_builders import holder_of, open_dock

from gr2st import data_dir, list_runs, read_curves, read_study, sample_study_path
from gr2st_napari._controller import controller_of
from gr2st_napari._evaluate_words import STATE as TRAINING_STATE
from gr2st_napari._results_words import warnings_of
from gr2st_napari._show import save_picture, wait_until_drawn
from gr2st_napari._study_words import PATIENT, SECTION, STATE
from gr2st_napari.views.evaluate import RESULTS
from gr2st_napari.views.gene_list import GENE

pytestmark = pytest.mark.window

LONG_MS = 300_000
PICTURE_PX = (1200, 800)
IS_TOUR = "GR2ST_TOUR" in os.environ
MODELS = ["gr2st", "ridge", "knn", "mean", "depth-oracle"]


@dataclass(frozen=True)
class Route:
    """What differs from one study to the next.

    Attributes
    ----------
    folders : tuple of Path
        What falls on the Study dock.
    patients : section -> patient
        What is typed.
    held_out : str
        The slide that is opened, and that the model does not learn from.
    protocol : str
        What the evaluation holds out.
    training, config : setting -> value
        What is typed of how the network learns, and of the network itself.
    """

    folders: tuple[Path, ...]
    patients: dict[str, str]
    held_out: str
    genes: tuple[str, ...]
    protocol: str
    training: dict[str, str]
    config: dict[str, str]


@pytest.fixture(autouse=True)
def own_data(tmp_path, monkeypatch) -> None:
    """Runs and evaluations of each test's own."""
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "own"))


@pytest.fixture
def record(viewer, request) -> Callable[[str], None]:
    """Keep the window as a picture, where pictures are wanted."""
    if not IS_TOUR:
        return lambda _name: None
    folder = Path(os.environ["GR2ST_TOUR"]) / request.node.name
    folder.mkdir(parents=True, exist_ok=True)
    viewer.window.resize(*PICTURE_PX)

    def record(name: str) -> None:
        wait_until_drawn(viewer)
        save_picture(viewer, folder / f"{name}.png")

    return record


@pytest.fixture
def answer(monkeypatch) -> Callable[[str, Path], None]:
    """Answer the next question of the system for a file: its window belongs to the system, not to us."""

    def answer(question: str, path: Path) -> None:
        told = str(path) if question == "getExistingDirectory" else (str(path), "")
        monkeypatch.setattr(QFileDialog, question, lambda *_: told)

    return answer


def test_the_road_on_the_sample(viewer, qtbot, tmp_path, answer, record):
    data = tmp_path / "data"
    shutil.copytree(sample_study_path(), data, ignore=shutil.ignore_patterns("study.csv", "visium", "A2*", "B2*"))
    shutil.copytree(sample_study_path() / "visium", tmp_path / "visium")
    route = Route(
        folders=(data, tmp_path / "visium"),
        patients={"B2": "B"},
        held_out="A1",
        genes=("ERBB2", "COL1A1", "KRT19", "FASN", "CD74", "IGKC"),
        protocol="patient",
        training={"epochs": "60" if IS_TOUR else "3", "inner_folds": "0"},
        config={} if IS_TOUR else {"projection": "16", "heads": "2", "retrieval_k": "10"},
    )
    road(viewer, qtbot, route, tmp_path, answer, record)


@pytest.mark.real
def test_the_road_on_three_slides_of_one_patient(viewer, qtbot, tmp_path, answer, record, real_data):
    route = Route(
        folders=(real_data / "her2st" / "data",),
        patients={"C2": "C", "C3": "C", "C4": "C"},
        held_out="C2",
        genes=("ERBB2", "GRB7", "FASN", "COL1A1", "CD74", "IGKC", "KRT19", "ACTB"),
        protocol="section",
        training={"epochs": "60" if IS_TOUR else "4", "inner_folds": "0"},
        config={},
    )
    road(viewer, qtbot, route, tmp_path, answer, record)


def road(viewer, qtbot, route: Route, tmp_path: Path, answer, record) -> None:
    """From an empty window to a report."""
    panel = tmp_path / "panel.txt"
    panel.write_text("\n".join(route.genes))
    _put_together(viewer, qtbot, route, tmp_path / "my study" / "study.csv", answer, record)
    answer("getOpenFileName", panel)
    _train(viewer, qtbot, route, record)
    _predict(viewer, qtbot, route, record)
    _evaluate(viewer, qtbot, route, record)
    _look_at_a_gene(viewer, qtbot, record)
    answer("getSaveFileName", tmp_path / "report.html")
    _report(viewer, qtbot, tmp_path / "report.html", record)


def _put_together(viewer, qtbot, route: Route, target: Path, answer, record) -> None:
    """Drop folders, say whose slides they are, save: the first slide comes up."""
    dock = _dock(viewer, "Study")
    record("01-empty-window")
    drop(dock, *route.folders)
    qtbot.waitUntil(lambda: _has_read(dock), timeout=LONG_MS)
    record("02-folders-dropped")
    for name, patient in route.patients.items():
        type_in_cell(qtbot, dock.table, _column(dock.table, SECTION).index(name), PATIENT, patient)
    target.parent.mkdir()
    answer("getSaveFileName", target)
    press(qtbot, dock.save)
    state = controller_of(viewer).state
    qtbot.waitUntil(lambda: state.shown is not None and bool(viewer.layers), timeout=LONG_MS)
    assert {entry.name: entry.patient for entry in read_study(target).entries}.items() >= route.patients.items()
    assert state.opened.name == route.held_out
    record("03-slide-open")


def _train(viewer, qtbot, route: Route, record) -> None:
    """Plan, check, train on the other slides."""
    dock, state = _dock(viewer, "Train"), controller_of(viewer).state
    plan = dock.plan
    names = [option.name for option in state.train_draft.study.sections]
    click_tick(qtbot, plan.sections.list, names.index(route.held_out))
    choose(qtbot, plan.watch.box, route.held_out)
    _choose_genes(qtbot, plan.genes)
    choose(qtbot, plan.device.box, "cpu")
    press(qtbot, plan.more.button)
    _type_settings(qtbot, plan.training, route.training)
    _type_settings(qtbot, plan.config, route.config)
    plan.verticalScrollBar().setValue(0)
    record("04-training-planned")
    press(qtbot, dock.check)
    qtbot.waitUntil(lambda: dock.card.sentence.text().startswith("Checked: nothing stands in the way"), timeout=LONG_MS)
    record("05-training-checked")
    press(qtbot, dock.start)
    qtbot.waitUntil(lambda: dock.card.sentence.text().startswith("Trained: "), timeout=LONG_MS)
    qtbot.waitUntil(dock.progress.curves.scores.isVisible, timeout=LONG_MS)
    [run] = list_runs(data_dir("runs")).found
    assert (run.state, len(read_curves(run.folder))) == ("finished", int(route.training["epochs"]))
    record("06-model-trained")


def _predict(viewer, qtbot, route: Route, record) -> None:
    """The open slide, as measured and as predicted."""
    press(qtbot, _dock(viewer, "Train").card.button("predict"))
    state = controller_of(viewer).state
    qtbot.waitUntil(lambda: state.opened.prediction is not None, timeout=LONG_MS)
    press(qtbot, _dock(viewer, "Genes").modes.buttons["side by side"])
    qtbot.waitUntil(lambda: state.shown.mode == "side by side", timeout=LONG_MS)
    assert (state.opened.name, set(state.opened.prediction.genes)) == (route.held_out, set(route.genes))
    record("07-measured-and-predicted")


def _evaluate(viewer, qtbot, route: Route, record) -> None:
    """Set up, check, follow to the end."""
    dock = _dock(viewer, "Evaluate")
    setup = dock.setup
    press(qtbot, setup.protocol.buttons[route.protocol])
    _choose_genes(qtbot, setup.genes)
    choose(qtbot, setup.device.box, "cpu")
    [folded] = (part for part in setup.findChildren(QCollapsible) if part.text() == "Repeats and settings")
    press(qtbot, folded.toggleButton())
    _type_settings(qtbot, setup.settings.training, route.training)
    _type_settings(qtbot, setup.settings.settings, route.config)
    setup.verticalScrollBar().setValue(0)
    press(qtbot, dock.start.check)
    qtbot.waitUntil(lambda: dock.findings.count() > 0, timeout=LONG_MS)
    record("08-evaluation-checked")
    press(qtbot, dock.start.start)
    qtbot.waitUntil(lambda: "done" in _column(dock.trainings.table, TRAINING_STATE), timeout=LONG_MS)
    record("09-evaluation-runs")
    qtbot.waitUntil(lambda: dock.pages.currentIndex() == RESULTS, timeout=LONG_MS)
    assert set(_column(dock.trainings.table, TRAINING_STATE)) == {"done"}
    record("10-results")


def _look_at_a_gene(viewer, qtbot, record) -> None:
    """A click on a gene of the results shows it on a slide that was held out."""
    dock, state = _dock(viewer, "Evaluate"), controller_of(viewer).state
    gene = dock.results.genes.model.gene_at(0)
    click_cell(qtbot, dock.results.genes.table, 0, GENE)
    qtbot.waitUntil(lambda: state.shown is not None and state.shown.gene == gene, timeout=LONG_MS)
    assert state.opened.prediction.model == state.desk.chosen
    record("11-a-gene-of-the-results")


def _report(viewer, qtbot, page: Path, record) -> None:
    """The page for others: models, and what a reader of the numbers must know."""
    dock = _dock(viewer, "Evaluate")
    choose_in_menu(qtbot, dock.results.export, "Report")
    qtbot.waitUntil(lambda: dock.card.sentence.text().startswith("The report is"), timeout=LONG_MS)
    written = page.read_text()
    warnings = warnings_of(controller_of(viewer).state.desk.results)
    assert warnings
    assert [words for words in (*MODELS, *warnings) if words not in written] == []
    record("12-report-written")


def _dock(viewer, name: str) -> Any:
    """The dock, opened or brought to the front, as napari's menu does."""
    dock = open_dock(viewer, name, tabify=True)
    holder_of(dock).show()
    holder_of(dock).raise_()
    return dock


def _choose_genes(qtbot, genes) -> None:
    """From the file that the next question will be answered with."""
    qtbot.keyClick(genes.way, "F")
    qtbot.waitUntil(lambda: genes.told.isVisible() and " genes of panel.txt" in genes.told.text(), timeout=LONG_MS)


def _type_settings(qtbot, form, settings: dict[str, str]) -> None:
    for name, text in settings.items():
        type_over(qtbot, form.editors[name].entry, text)


def _has_read(dock) -> bool:
    states = _column(dock.table, STATE)
    return bool(states) and "reading…" not in states


def _column(table, column: int) -> Sequence[str]:
    model = table.model()
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]
