"""The Study dock in a real window: dropping, typing, saving."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from hands import drop, editor_of, type_in_cell
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QFileDialog
from window_builders import close_dock, open_dock

from gr2st import read_study, sample_study_path
from gr2st_napari._study_words import PATIENT, SECTION, SPOTS, STATE, UM_PER_PX

pytestmark = pytest.mark.window

LONG_MS = 60_000


@pytest.fixture
def study(viewer, qtbot):
    """The Study dock, opened as napari's menu does."""
    return open_dock(viewer, "Study")


@pytest.fixture
def data(tmp_path) -> Path:
    """Two sections of the sample in a folder of their own, without a study.csv."""
    sample, data = sample_study_path(), tmp_path / "data"
    for name in ("A1", "B1"):
        for found in sample.glob(f"ST-*/**/{name}*"):
            if found.is_file():
                copy = data / found.relative_to(sample)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, copy)
    return data


def _column(dock, column: int) -> list[str]:
    model = dock.table.model()
    return [model.data(model.index(row, column)) for row in range(model.rowCount())]


def _wait_read(dock, qtbot, rows: int) -> None:
    qtbot.waitUntil(
        lambda: len(_column(dock, STATE)) == rows and "reading…" not in _column(dock, STATE), timeout=LONG_MS
    )


def _problems(dock) -> list[str]:
    return [dock.problems.item(at).text() for at in range(dock.problems.count())]


def test_the_dock_opened_first_asks_for_folders_and_files(study):
    assert study.card.sentence.text().startswith("No section yet.")
    assert study.card.button("open-sample").isVisible()
    assert study.hint.text() == "Drop folders and files here"
    assert not study.table.isVisible()
    assert not study.save.isVisible()


def test_a_dropped_folder_becomes_a_study_that_opens_in_the_viewer(viewer, study, data, qtbot, monkeypatch):
    drop(study, data)
    _wait_read(study, qtbot, 2)
    assert _column(study, SECTION) == ["A1", "B1"]
    assert _column(study, SPOTS) == ["141", "137"]
    assert _column(study, PATIENT) == ["A", "B"]
    assert not study.open.isEnabled()
    assert study.open.toolTip() == "Save the study first."
    offered: list[str] = []
    target = data / "study.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (offered.append(a[2]) or str(target), ""))
    study.save.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=LONG_MS)
    assert offered == [str(target)]
    assert read_study(target).names == ("A1", "B1")
    assert study.open.isEnabled()
    genes = open_dock(viewer, "Genes")
    assert [genes.sections.itemText(at) for at in range(2)] == ["A1", "B1"]


def test_saving_waits_until_every_section_has_a_patient(study, tmp_path, qtbot):
    shutil.copytree(sample_study_path() / "visium", tmp_path / "visium")
    drop(study, tmp_path / "visium")
    _wait_read(study, qtbot, 1)
    assert not study.save.isEnabled()
    assert study.reason.text().startswith("Not yet: B2 has no patient.")
    assert _problems(study)[0].startswith("B2 has no patient.\n→ Type it")
    type_in_cell(qtbot, study.table, 0, PATIENT, "P9")
    assert _column(study, PATIENT) == ["P9"]
    assert study.save.isEnabled()
    assert not study.reason.isVisible()


def test_a_patient_typed_with_several_rows_selected_is_all_of_theirs(study, data, qtbot):
    drop(study, data)
    _wait_read(study, qtbot, 2)
    study.table.selectAll()
    model = study.table.model()
    model.setData(model.index(0, PATIENT), "X")
    assert _column(study, PATIENT) == ["X", "X"]


def test_what_is_being_typed_stays_while_other_sections_are_read_and_added(study, data, tmp_path, qtbot):
    drop(study, data)
    qtbot.waitUntil(lambda: len(_column(study, STATE)) == 2, timeout=LONG_MS)
    study.table.edit(study.table.model().index(1, PATIENT))
    editor_of(study.table).setText("half a na")
    shutil.copytree(sample_study_path() / "visium", tmp_path / "visium")
    drop(study, tmp_path / "visium")
    _wait_read(study, qtbot, 3)
    assert editor_of(study.table).text() == "half a na"
    qtbot.keyClick(editor_of(study.table), Qt.Key.Key_Return)
    QApplication.processEvents()
    assert _column(study, PATIENT) == ["A", "half a na", ""]


def test_an_existing_table_is_shown_for_editing_and_saved_over(viewer, study, data, qtbot, monkeypatch):
    table = data / "study.csv"
    table.write_text("section,patient,path,um_per_px\nleft,P1,ST-cnts/A1.tsv.gz,1.5\nright,P2,ST-cnts/B1.tsv.gz,1.6\n")
    drop(study, table)
    _wait_read(study, qtbot, 2)
    assert _column(study, UM_PER_PX) == ["1.5", "1.6"]
    assert study.open.isEnabled()
    type_in_cell(qtbot, study.table, 0, SECTION, "first")
    type_in_cell(qtbot, study.table, 1, UM_PER_PX, "1.9")
    assert not study.open.isEnabled()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: (a[2], ""))
    study.save.click()
    qtbot.waitUntil(study.open.isEnabled, timeout=LONG_MS)
    saved = read_study(table)
    assert saved.names == ("first", "right")
    assert [entry.um_per_px for entry in saved.entries] == [1.5, 1.9]


def test_an_unreadable_section_is_told_mended_and_read_again(study, data, qtbot):
    counts = data / "ST-cnts" / "B1.tsv.gz"
    kept = counts.read_bytes()
    counts.write_bytes(b"nonsense")
    drop(study, data)
    _wait_read(study, qtbot, 2)
    assert _column(study, STATE) == ["sound", "unreadable"]
    [problem] = _problems(study)
    assert problem.startswith("B1 cannot be read.")
    assert not study.save.isEnabled()
    study.problems.itemClicked.emit(study.problems.item(0))
    assert study.table.keys() == [2]
    counts.write_bytes(kept)
    study.again.click()
    _wait_read(study, qtbot, 2)
    assert _column(study, STATE) == ["sound", "sound"]
    study.table.selectRow(1)
    study.remove.click()
    assert _column(study, SECTION) == ["A1"]


def test_the_same_section_from_two_folders_must_get_two_names(study, data, tmp_path, qtbot):
    shutil.copytree(data, tmp_path / "copy")
    drop(study, data, tmp_path / "copy")
    _wait_read(study, qtbot, 4)
    assert _column(study, STATE) == ["name taken"] * 4
    study.table.selectRow(2)
    study.remove.click()
    type_in_cell(qtbot, study.table, 2, SECTION, "B1_again")
    assert _column(study, STATE) == ["sound"] * 3


def test_a_picture_can_be_given_to_a_section_that_has_none(study, data, qtbot, monkeypatch):
    picture = next((data / "ST-imgs").rglob("B1*"))
    away = data.parent / "B1_elsewhere.jpg"
    picture.rename(away)
    drop(study, data)
    _wait_read(study, qtbot, 2)
    assert _column(study, STATE)[1].startswith("no picture")
    study.table.selectRow(1)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(away), ""))
    study.picture.click()
    _wait_read(study, qtbot, 2)
    assert "no picture" not in _column(study, STATE)[1]


def test_what_holds_no_section_is_told_and_dismissed_by_the_nextdrop(study, tmp_path, data, qtbot):
    (tmp_path / "holiday").mkdir()
    drop(study, tmp_path / "holiday")
    qtbot.waitUntil(lambda: bool(_problems(study)), timeout=LONG_MS)
    assert "holiday was not added. No section was found in" in _problems(study)[0]
    assert study.card.sentence.text().startswith("holiday holds nothing that can be added.")
    drop(study, data)
    _wait_read(study, qtbot, 2)
    assert _problems(study) == []


def test_a_study_that_cannot_be_written_stays_and_says_why(study, data, qtbot, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    drop(study, data)
    _wait_read(study, qtbot, 2)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "file" / "study.csv"), ""))
    study.save.click()
    qtbot.waitUntil(lambda: study.card.button("dismiss") is not None, timeout=LONG_MS)
    assert "study.csv" in study.card.sentence.text()
    assert not study.open.isEnabled()
    study.card.button("dismiss").click()
    assert "Ready to be saved." in study.card.sentence.text()


def test_reading_can_be_stopped_and_leaves_out_the_rest(study, data, qtbot, monkeypatch):
    monkeypatch.setattr("gr2st_napari._study_builder.read_section", lambda _entry: time.sleep(0.3))
    drop(study, data)
    qtbot.waitUntil(lambda: len(_column(study, STATE)) == 2, timeout=LONG_MS)
    study.foot.button.click()
    assert _column(study, STATE) == []
    assert study.foot.line.text() == "Idle"


def test_a_closed_dock_comes_back_with_the_study(viewer, study, data, qtbot):
    drop(study, data)
    _wait_read(study, qtbot, 2)
    close_dock(viewer, study)
    QApplication.processEvents()
    again = open_dock(viewer, "Study")
    assert _column(again, SECTION) == ["A1", "B1"]


@pytest.mark.usefixtures("only_new_garbage")
def test_reading_keeps_the_windows_own_thread_free(study, data, qtbot):
    spent: list[float] = []
    last = time.thread_time()

    def tick() -> None:
        nonlocal last
        now = time.thread_time()
        spent.append(now - last)
        last = now

    timer = QTimer(interval=5)
    timer.timeout.connect(tick)
    timer.start()
    drop(study, data)
    _wait_read(study, qtbot, 2)
    timer.stop()
    assert len(spent) > 20
    assert max(spent) < 0.1
