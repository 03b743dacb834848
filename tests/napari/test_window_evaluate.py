"""The Evaluate dock in a real window: set up, follow, stop and go on, read, look at a gene."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hands import click_cell, press
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog
from window_builders import open_dock, settle

from gr2st import (
    GeneChoice,
    Plan,
    data_dir,
    evaluate,
    finish,
    keys,
    read_evaluation,
    read_prediction,
    read_study,
    save_prediction,
)
from gr2st.io.run_writer import write_state
from gr2st.types import Progress
from gr2st_napari._controller import controller_of
from gr2st_napari._evaluate_words import HELD_OUT, MODEL, PCC_SPOT, STATE
from gr2st_napari.views.evaluate import RESULTS, SETUP, TRAININGS
from gr2st_napari.views.gene_model import GENE, PCC
from tests.builders import her2st_folder

pytestmark = pytest.mark.window

LONG_MS = 60_000
GENES = ("GENE2", "GENE3", "GENE5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A small study of two patients, three slides."""
    return her2st_folder(tmp_path_factory.mktemp("small") / "small")


def _evaluated(study: Path, out: Path, genes=GENES) -> Path:
    plan = Plan(models=("ridge", "mean"), genes=GeneChoice(listed=genes))
    return finish(evaluate(read_study(study), plan, out)).out


@pytest.fixture
def made(folder, tmp_path_factory) -> Path:
    """An evaluation of ridge and mean, made without a window; a copy of its own for each test."""
    base = tmp_path_factory.getbasetemp()
    if not (base / "made").is_dir():
        _evaluated(folder, base / "made")
    out = tmp_path_factory.mktemp("copy") / "made"
    shutil.copytree(base / "made", out)
    return out


@pytest.fixture
def dock(viewer, qtbot):
    """The Evaluate dock, opened as napari's menu does."""
    return open_dock(viewer, "Evaluate")


def _desk(viewer):
    return controller_of(viewer).state.desk


def _open_study(viewer, qtbot, study: Path) -> None:
    controller_of(viewer).open(study)
    qtbot.waitUntil(lambda: _desk(viewer).design.study is not None, timeout=LONG_MS)


def _open(viewer, dock, qtbot, evaluation: Path, monkeypatch) -> None:
    """Through the menu, as a user does."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(evaluation))
    dock.more.menu().actions()[-1].trigger()
    qtbot.waitUntil(lambda: dock.name.text() == evaluation.name, timeout=LONG_MS)


def _trainings(dock, column: int) -> list[str]:
    model = dock.trainings.lines
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


def _models(dock) -> list[list[str]]:
    table = dock.results.models
    return [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())]


def _genes(dock) -> list[str]:
    model = dock.results.genes.model
    return [model.gene_at(row) for row in range(model.rowCount())]


def test_the_dock_opened_first_asks_for_a_study(dock):
    assert dock.card.sentence.text().startswith("No study is open.")
    assert dock.card.button("open-evaluation").isVisible()
    assert not dock.start.start.isEnabled()
    assert dock.start.told.text() == "Not yet: Open a study first."


def test_what_is_asked_is_counted_as_it_is_clicked(viewer, dock, qtbot, folder):
    _open_study(viewer, qtbot, folder)
    assert dock.setup.count.text() == "2 patients: 2 trainings per model, 10 in all."
    dock.setup.protocol.buttons["section"].click()
    assert dock.setup.count.text() == "3 slides: 3 trainings per model, 15 in all."
    dock.setup.models.boxes["gr2st"].click()
    assert dock.setup.count.text() == "3 slides: 3 trainings per model, 12 in all."
    assert dock.setup.references.names == ["ridge", "knn", "mean", "depth-oracle"]
    assert not any(box.isEnabled() for box in dock.setup.references.boxes.values())
    dock.setup.parts.boxes["no-kernel"].click()
    assert dock.start.told.text().startswith("Not yet: No model here has what these ablations leave out: no-kernel.")


def test_an_evaluation_made_without_a_window_shows_models_slides_and_genes(viewer, dock, qtbot, made, monkeypatch):
    _open(viewer, dock, qtbot, made, monkeypatch)
    summary = read_evaluation(made).summary["models"]
    assert dock.pages.currentIndex() == RESULTS
    [ridge, mean] = _models(dock)
    assert ridge[0] == "ridge"
    assert ridge[1].startswith(f"{summary['ridge']['pcc_spot']:.3f}\n[")
    assert mean == ["mean", "-", "-"]
    assert _trainings(dock, MODEL) == ["ridge", "mean"] * 2
    assert _trainings(dock, HELD_OUT) == ["A", "A", "B", "B"]
    assert _trainings(dock, STATE) == ["done"] * 4
    scores = pd.read_csv(made / keys.GENE_SCORES).query("model == 'ridge'").groupby("gene")["pcc_spot"].mean()
    assert _genes(dock) == list(scores.sort_values(ascending=False).index)
    dock.results.space.setCurrentIndex(1)
    dock.results.space.activated.emit(1)
    assert _models(dock)[0][1].startswith(f"{summary['ridge']['pcc_gene']:.3f}\n[")


def test_a_clicked_gene_stands_side_by_side_on_a_slide_that_was_held_out(viewer, dock, qtbot, made, monkeypatch):
    _open(viewer, dock, qtbot, made, monkeypatch)
    dock.results.section.setCurrentText("B1")
    dock.results.section.textActivated.emit("B1")
    gene = _genes(dock)[1]
    click_cell(qtbot, dock.results.genes.table, 1, GENE)
    qtbot.waitUntil(lambda: controller_of(viewer).state.opened is not None, timeout=LONG_MS)
    settle(controller_of(viewer))
    opened = controller_of(viewer).state.opened
    assert (opened.section.name, opened.prediction.section, opened.prediction.model) == ("B1", "B1", "ridge")
    titles = [layer.name for layer in viewer.layers if gene in layer.name]
    assert titles == [f"{gene} · measured · gene-normalised", f"{gene} · predicted · gene-normalised"]
    prediction = opened.prediction
    click_cell(qtbot, dock.results.genes.table, 2, GENE)
    assert controller_of(viewer).state.wish.gene == _genes(dock)[2]
    assert controller_of(viewer).state.opened.prediction is prediction


def test_a_gene_that_one_fold_does_not_have_is_shown_on_a_slide_of_another(viewer, dock, qtbot, made, monkeypatch):
    _open(viewer, dock, qtbot, made, monkeypatch)
    gene = _genes(dock)[0]
    for file in (made / "folds" / "ridge" / "A").glob("*.h5ad"):
        held = read_prediction(file)
        save_prediction(replace(held, table=held.table[:, [name for name in held.genes if name != gene]].copy()), file)
    assert dock.results.section.currentText() == "A1"
    click_cell(qtbot, dock.results.genes.table, 0, GENE)
    qtbot.waitUntil(lambda: dock.results.section.currentText() == "B1", timeout=LONG_MS)
    qtbot.waitUntil(lambda: controller_of(viewer).state.wish.gene == gene, timeout=LONG_MS)
    assert controller_of(viewer).state.opened.name == "B1"


def test_a_chosen_model_ranks_the_genes_of_the_genes_dock(viewer, dock, qtbot, made, folder, monkeypatch):
    _open_study(viewer, qtbot, folder)
    genes = open_dock(viewer, "Genes", tabify=False).genes
    assert genes.table.isColumnHidden(PCC)
    _open(viewer, dock, qtbot, made, monkeypatch)
    click_cell(qtbot, dock.results.models, 0, 0)
    qtbot.waitUntil(lambda: genes.model.rowCount() > 0, timeout=LONG_MS)
    ranked = [genes.model.gene_at(row) for row in range(len(GENES))]
    assert ranked == _genes(dock)
    assert genes.count.text() == "12 genes · PCC of ridge over 3 held-out slides"


def test_a_training_that_failed_says_why(viewer, dock, qtbot, folder, tmp_path, monkeypatch):
    _evaluated(folder, tmp_path / "failing", ("GENE2", "NOPE1"))
    _open(viewer, dock, qtbot, tmp_path / "failing", monkeypatch)
    assert dock.pages.currentIndex() == TRAININGS
    assert _trainings(dock, STATE) == ["failed"] * 4
    click_cell(qtbot, dock.trainings.table, 1, MODEL)
    assert dock.trainings.sentence.text().startswith("Training mean, A held out: ")
    assert "NOPE1" in dock.trainings.sentence.text()
    assert "Traceback" in dock.trainings.details.toPlainText()
    assert dock.card.sentence.text().startswith("4 trainings of 4 failed")
    assert dock.trainings.resume.isVisible()
    dock.turn_to(RESULTS)
    assert dock.results.empty.isVisible()


def test_what_another_process_computes_is_followed(viewer, dock, qtbot, made, monkeypatch):
    result = next((made / "folds" / "mean" / "B").glob(keys.FOLD_RESULT))
    kept = result.read_bytes()
    result.unlink()
    write_state(made, "running", Progress("Evaluating", 3, 4))
    _open(viewer, dock, qtbot, made, monkeypatch)
    assert dock.card.sentence.text().startswith("made goes on in the background: 3 of 4 trainings done")
    assert _trainings(dock, STATE)[-1] == "waiting"
    assert not dock.trainings.pause.isVisible()
    dock.trainings.stop.click()
    qtbot.waitUntil((made / keys.RUN_STOP).is_file, timeout=5_000)
    result.write_bytes(kept)
    qtbot.waitUntil(lambda: _trainings(dock, STATE)[-1] == "done", timeout=5_000)
    write_state(made, "finished", Progress("Evaluating", 4, 4))
    qtbot.waitUntil(lambda: dock.pages.currentIndex() == RESULTS, timeout=5_000)


def test_figures_are_there_while_trainings_go_on_and_grow_with_them(viewer, dock, qtbot, made, folder, monkeypatch):
    _open_study(viewer, qtbot, folder)
    write_state(made, "running", Progress("Evaluating", 3, 4))
    _open(viewer, dock, qtbot, made, monkeypatch)
    assert dock.pages.currentIndex() == SETUP
    dock.turn_to(RESULTS)
    assert not dock.results.empty.isVisible()
    assert [row[0] for row in _models(dock)] == ["ridge", "mean"]
    click_cell(qtbot, dock.results.models, 0, 0)
    state = controller_of(viewer).state
    dock.results.genes.table.sortByColumn(GENE, Qt.SortOrder.AscendingOrder)
    early, gene = state.ranking, _genes(dock)[0]
    table = pd.read_csv(made / keys.GENE_SCORES)
    table.loc[table["gene"] == gene, ["pcc_spot", "pcc_gene"]] = -1.0
    table.to_csv(made / keys.GENE_SCORES, index=False)
    summary = json.loads((made / keys.SUMMARY).read_text())
    (made / keys.SUMMARY).write_text(json.dumps({**summary, "complete": False, "warnings": ["Not complete."]}))
    qtbot.waitUntil(lambda: dock.results.warnings.text() == "Not complete.", timeout=5_000)
    assert _genes(dock)[0] == gene, "the order is the user's"
    assert state.ranking is not early
    assert state.ranking.scores.of(gene, "spot") == -1.0
    assert dock.pages.currentIndex() == RESULTS


def test_a_report_is_written_while_the_worker_is_busy_and_its_process_ends(
    viewer, dock, qtbot, made, tmp_path, monkeypatch
):
    _open(viewer, dock, qtbot, made, monkeypatch)
    controller = controller_of(viewer)
    controller.state.desk = replace(_desk(viewer), act="evaluate", request=-1)
    page = tmp_path / "page.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(page), ""))
    report = dock.results.export.menu().actions()[-1]
    report.trigger()
    assert dock.card.sentence.text().startswith("Writing a report of what is done…")
    assert dock.card.sentence.text().endswith("The evaluation goes on meanwhile.")
    assert (report.isEnabled(), report.toolTip().split(":")[0]) == (False, "A report is being written")
    press(qtbot, dock.card.button("stop-report"))
    qtbot.waitUntil(report.isEnabled, timeout=LONG_MS)
    assert not page.exists()
    report.trigger()
    qtbot.waitUntil(page.is_file, timeout=LONG_MS)
    qtbot.waitUntil(lambda: dock.card.sentence.text().endswith(f"The report is {page}."), timeout=LONG_MS)
    assert not controller.scribe.is_running
    assert not controller.worker.is_running
    controller.state.desk = replace(_desk(viewer), act="", request=None)


def test_tables_are_exported_as_they_are(viewer, dock, qtbot, made, tmp_path, monkeypatch):
    _open(viewer, dock, qtbot, made, monkeypatch)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    dock.results.export.menu().actions()[0].trigger()
    qtbot.waitUntil(lambda: dock.card.sentence.text().startswith("The tables of made are in"), timeout=LONG_MS)
    for name in (keys.SECTION_SCORES, keys.GENE_SCORES):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes()


def test_figures_and_a_report_are_exported(viewer, dock, qtbot, made, tmp_path, monkeypatch):
    _open(viewer, dock, qtbot, made, monkeypatch)
    _, figures, report = dock.results.export.menu().actions()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "page.html"), ""))
    figures.trigger()
    qtbot.waitUntil(lambda: dock.card.sentence.text().startswith("The figures of made are in"), timeout=LONG_MS)
    assert {path.stem for path in tmp_path.glob("*.png")} == {"genes_spot", "genes_gene", "slides_spot", "slides_gene"}
    report.trigger()
    qtbot.waitUntil(lambda: dock.card.sentence.text().startswith("The report is"), timeout=LONG_MS)
    page = (tmp_path / "page.html").read_text()
    assert "ridge" in page
    assert all(gene in page for gene in GENES)


def test_a_folder_that_is_no_evaluation_is_told(viewer, dock, qtbot, tmp_path):
    controller_of(viewer).evaluator.open(tmp_path)
    qtbot.waitUntil(lambda: dock.card.button("dismiss") is not None, timeout=LONG_MS)
    assert "is no evaluation" in dock.card.sentence.text()


def test_an_evaluation_is_stopped_gone_on_with_and_survives_the_death_of_its_worker(
    viewer, dock, qtbot, folder, tmp_path, monkeypatch
):
    _open_study(viewer, qtbot, folder)
    (tmp_path / "genes.txt").write_text("\n".join(GENES))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "genes.txt"), ""))
    dock.setup.genes.way.setCurrentIndex(1)
    dock.setup.genes.way.activated.emit(1)
    qtbot.waitUntil(lambda: _desk(viewer).design.genes.listed == GENES, timeout=LONG_MS)
    shorter = _desk(viewer).design.training_of("gr2st").model_copy(update={"epochs": 30, "inner_folds": 0})
    dock.setup.settings.training.changed.emit(shorter)
    dock.start.start.click()
    assert dock.pages.currentIndex() == TRAININGS
    qtbot.waitUntil(lambda: "done" in _trainings(dock, STATE), timeout=LONG_MS)
    dock.trainings.stop.click()
    qtbot.waitUntil(dock.trainings.resume.isVisible, timeout=LONG_MS)
    assert "Nothing that is done is lost." in dock.card.sentence.text()
    done = [score for score in _trainings(dock, PCC_SPOT) if score]
    dock.trainings.resume.click()
    qtbot.waitUntil(lambda: controller_of(viewer).worker.is_running, timeout=LONG_MS)
    os.kill(controller_of(viewer).worker.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: dock.card.button("go-on") is not None, timeout=LONG_MS)
    assert dock.card.sentence.text().startswith("The worker process ended unexpectedly")
    dock.card.button("go-on").click()
    qtbot.waitUntil(lambda: dock.pages.currentIndex() == RESULTS, timeout=LONG_MS)
    assert _trainings(dock, STATE) == ["done"] * 10
    assert _trainings(dock, PCC_SPOT)[: len(done)] == done
    assert [row[0] for row in _models(dock)] == ["gr2st", "ridge", "knn", "mean", "depth-oracle"]
    [found] = data_dir("evaluations").glob("*-small")
    assert read_evaluation(found).state == "finished"
