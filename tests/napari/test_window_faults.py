"""What goes wrong with the real worker ends in a sentence, and in a window that works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFileDialog
from window_builders import empty_viewer, holder_of, open_dock

from gr2st import TrainPlan, data_dir, keys, read_evaluation, read_run, sample_study_path
from gr2st.io.run_writer import begin_run
from gr2st_napari._controller import controller_of
from gr2st_napari._evaluate_words import PCC_SPOT, STATE
from gr2st_napari.views.evaluate import RESULTS, SETUP
from gr2st_napari.views.plan_choices import NAME
from gr2st_napari.views.train import PLAN, RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.window

LONG_MS = 45_000
GENES = ("ERBB2", "COL1A1")
DIED = "The worker process ended unexpectedly"


@dataclass
class House:
    """A window with its docks, one study in them, and a worker that faults can be brought to."""

    viewer: Any
    train: Any
    evaluate: Any
    study: Path
    fault_file: Path

    @property
    def controller(self) -> Any:
        return controller_of(self.viewer)

    @property
    def state(self) -> Any:
        return self.controller.state

    @property
    def worker(self) -> Any:
        return self.controller.worker

    def fault(self, do: str, at: str, *, of: str = "write", **more: str) -> None:
        """Let this go wrong when a file with `at` in its path is opened."""
        self.fault_file.write_text(json.dumps({"do": do, "at": at, "of": of, **more}))

    def mend(self) -> None:
        self.fault_file.write_text("")

    @property
    def cache(self) -> Path:
        """Features that other tests have made would leave the worker nothing to read."""
        return self.study.with_name("cache")

    def counts(self, name: str) -> Path:
        return self.study / "ST-cnts" / f"{name}.tsv.gz"


def copied_sample(folder: Path) -> Path:
    """Two slides of two patients of the sample study, to be damaged."""
    study = sample_study_path()
    for part in ("ST-cnts", "ST-spotfiles", "ST-imgs"):
        shutil.copytree(study / part, folder / part, ignore=shutil.ignore_patterns("A2*", "B2*"))
    lines = (study / "study.csv").read_text().splitlines()
    kept = [line for line in lines if line.startswith(("section", "A1", "B1"))]
    (folder / "study.csv").write_text("\n".join(kept) + "\n")
    return folder


@pytest.fixture(scope="module")
def made(window, tmp_path_factory) -> Iterator[House]:
    """One window for all tests of this file: every worker takes seconds to start."""
    base = tmp_path_factory.mktemp("faults")
    train, evaluate = (open_dock(window, name) for name in ("Train", "Evaluate"))
    house = House(window, train, evaluate, copied_sample(base / "small"), base / "fault.json")
    house.mend()
    for process in (house.worker, house.controller.scribe):
        process._command = (sys.executable, [str(Path(__file__).with_name("faulty_worker.py")), str(house.fault_file)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GR2ST_DATA", str(base / "data"))
        patched.setenv("CUDA_VISIBLE_DEVICES", "")
        (base / "genes.txt").write_text("\n".join(GENES))
        patched.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(base / "genes.txt"), ""))
        yield house
    empty_viewer(window)
    QApplication.processEvents()


@pytest.fixture
def house(made, qtbot, tmp_path, monkeypatch) -> House:
    """The window at rest, with no runs and no evaluations."""
    monkeypatch.setenv("GR2ST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GR2ST_CACHE", str(made.cache))
    made.mend()
    if made.state.train_draft.study is None:
        made.controller.open(made.study)
        qtbot.waitUntil(
            lambda: made.state.opened is not None and made.state.opened.section is not None, timeout=LONG_MS
        )
        plan_tiny(made.train.plan, qtbot)
        plan_references(made.evaluate.setup, qtbot)
        qtbot.waitUntil(lambda: made.state.desk.design.genes.listed == GENES, timeout=LONG_MS)
        qtbot.waitUntil(lambda: made.state.train_draft.genes.listed == GENES, timeout=LONG_MS)
    return made


def plan_tiny(plan, qtbot) -> None:
    """By clicks: two genes of a file, one slide, the smallest network."""
    plan.genes.way.activated.emit(1)
    choose(plan.model, "gr2st-v2")
    choose(plan.device, "cpu")
    plan.sections.none.click()
    plan.sections.list.item(0).setCheckState(Qt.CheckState.Checked)
    plan.more.button.click()
    type_in(plan.training, qtbot, epochs="30")
    type_in(plan.config, qtbot, projection="16", heads="2", retrieval_k="10")


def plan_references(setup, qtbot) -> None:
    """By clicks: the same genes; the reference models alone."""
    setup.genes.way.activated.emit(1)
    setup.models.boxes["gr2st"].click()


def choose(option_box, name: str) -> None:
    at = option_box.box.findData(name, NAME)
    option_box.box.setCurrentIndex(at)
    option_box.box.activated.emit(at)


def type_in(form, qtbot, **texts: str) -> None:
    for name, text in texts.items():
        entry = form.editors[name].entry
        entry.selectAll()
        qtbot.keyClicks(entry, text)


def wait_words(qtbot, label, words: str) -> None:
    """Wait for a text; what was said in its place is told where it does not come."""
    try:
        qtbot.waitUntil(lambda: words in label.text(), timeout=LONG_MS)
    except qtbot.TimeoutError:
        pytest.fail(f"{words!r} was waited for, this came: {label.text()!r}")


# -- the Train dock ----------------------------------------------------------------------------------------------------


def name_run(house: House, qtbot, name: str) -> Path:
    show(house, house.train)
    house.train.show_page(PLAN)
    house.train.plan.name.clear()
    qtbot.keyClicks(house.train.plan.name, name)
    qtbot.keyClick(house.train.plan.name, Qt.Key.Key_Return)
    return data_dir("runs") / name


def show(house: House, dock) -> None:
    holder_of(dock).show()
    holder_of(dock).raise_()
    QApplication.processEvents()


def told(house: House, qtbot, words: str) -> str:
    """What the card of the Train dock says, once that has `words` in it."""
    sentence = house.train.card.sentence
    wait_words(qtbot, sentence, words)
    return str(sentence.text())


def wait_runs(house: House, qtbot, **states: str) -> None:
    """The list of runs comes to have these, in these states."""
    table = house.train.runs.table

    def there() -> bool:
        house.controller.trainer.runs.look()
        return states == {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}

    qtbot.waitUntil(there, timeout=LONG_MS)


def assert_at_rest(house: House) -> None:
    """An error can be put away, and everything may be begun anew."""
    assert house.train.card.findChild(type(house.train.start), "gr2st_details") is not None
    house.train.card.button("dismiss").click()
    assert house.state.training.phase == "idle"
    assert house.train.start.isEnabled()
    assert house.train.check.isEnabled()
    assert not house.train.stop.isEnabled()


def assert_gone_on_with(house: House, qtbot, folder: Path) -> None:
    """Resume leads to the end, with every epoch once."""
    assert house.train.rest.text() == "Resume"
    house.train.rest.click()
    told(house, qtbot, f"Trained: {folder.name}.")
    assert [one.epoch for one in house.state.training.epochs] == list(range(1, 31))
    assert (folder / keys.RUN_MODEL / keys.MODEL_CARD).is_file()
    assert not list(folder.glob(".*")), "nothing half-written stays"
    wait_runs(house, qtbot, **{folder.name: "finished"})


def test_a_worker_that_dies_at_rest_or_while_it_checks_leaves_nothing(house, qtbot):
    folder = name_run(house, qtbot, "unborn")
    house.train.check.click()
    told(house, qtbot, "Checked: nothing stands in the way.")
    os.kill(house.worker.process_id, signal.SIGKILL)
    qtbot.waitUntil(lambda: not house.worker.is_running, timeout=LONG_MS)
    assert "Checked: nothing stands in the way." in house.train.card.sentence.text()
    house.fault("kill", "ST-cnts", of="read")
    house.train.check.click()
    assert told(house, qtbot, DIED).endswith("The window is fine: try again.")
    assert_at_rest(house)
    assert house.train.rest.text() == "Pause"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("stage", "at"),
    [("reading", "/features/"), ("training", "/.curves."), ("writing", "/.bank.")],
)
def test_a_training_whose_worker_dies_can_go_on(house, qtbot, stage, at):
    folder = name_run(house, qtbot, stage)
    if stage == "reading":
        shutil.rmtree(house.cache, ignore_errors=True)
    house.fault("kill", at)
    house.train.start.click()
    told(house, qtbot, DIED)
    assert read_run(folder).state == "interrupted"
    wait_runs(house, qtbot, **{stage: "interrupted"})
    assert_at_rest(house)
    assert (house.train.rest.text(), house.train.rest.isEnabled()) == ("Resume", True)
    if stage == "writing":
        assert_gone_on_with(house, qtbot, folder)


def test_a_training_that_finds_the_disk_full_goes_on_when_there_is_room(house, qtbot):
    folder = name_run(house, qtbot, "full")
    house.fault("full", str(folder), under=str(folder))
    house.train.start.click()
    process = wait_full(house, qtbot)
    assert_at_rest(house)
    assert house.train.rest.text() == "Pause", "there is nothing yet that could be gone on with"
    house.fault("full", "/.curves.", under=str(folder))
    house.train.start.click()
    assert wait_full(house, qtbot) == process
    wait_runs(house, qtbot, full="interrupted")
    assert_at_rest(house)
    house.fault("full", "/model.safetensors", under=str(folder))
    house.train.rest.click()
    assert wait_full(house, qtbot) == process
    wait_runs(house, qtbot, full="interrupted")
    assert_at_rest(house)
    house.mend()
    assert_gone_on_with(house, qtbot, folder)


def test_a_map_that_finds_the_disk_full_and_then_loses_its_worker_is_gone_on_with(house, qtbot):
    folder = name_run(house, qtbot, "drawn")
    plan = house.train.plan
    choose(plan.watch, "B1")
    plan.sketch.click()
    house.fault("full", "/sketches/", under=str(folder))
    house.train.start.click()
    wait_full(house, qtbot)
    wait_runs(house, qtbot, drawn="interrupted")
    assert_at_rest(house)
    house.fault("kill", "/sketches/")
    house.train.rest.click()
    told(house, qtbot, DIED)
    assert_at_rest(house)
    assert_gone_on_with(house, qtbot, folder)
    assert not list((folder / keys.RUN_SKETCHES).glob(".*"))
    plan.sketch.click()
    choose(plan.watch, "")
    plan.sections.none.click()
    plan.sections.list.item(0).setCheckState(Qt.CheckState.Checked)


def wait_full(house: House, qtbot) -> int:
    """The card says what could not be written and what to do; number of the worker, which lives on."""
    sentence = told(house, qtbot, f"{data_dir('runs')}")
    assert "could not be written: No space left on device." in sentence
    assert sentence.endswith("Free some space or choose another folder, and try again.")
    assert house.worker.is_running
    return int(house.worker.process_id)


def test_a_slide_that_is_gone_is_named_before_the_start_and_after_it(house, qtbot):
    name_run(house, qtbot, "gone")
    counts = house.counts("A1")
    lost = counts.rename(f"{counts}.lost")
    house.train.start.click()
    sentence = told(house, qtbot, counts.name)
    assert "A1" in sentence
    assert house.train.start.isEnabled()
    lost.rename(counts)
    house.fault("lose", "/.run.", file=str(counts))
    house.train.start.click()
    qtbot.waitUntil(lambda: house.state.training.outcome == "failed", timeout=LONG_MS)
    assert counts.name in told(house, qtbot, "A1")
    lost.rename(counts)
    assert_at_rest(house)
    assert_gone_on_with(house, qtbot, data_dir("runs") / "gone")


def test_a_gpu_that_is_not_there_hinders_the_start(house, qtbot):
    folder = name_run(house, qtbot, "on-gpu")
    choose(house.train.plan.device, "cuda")
    house.train.start.click()
    assert told(house, qtbot, "A GPU (cuda) was asked for").endswith("choose auto or cpu.")
    assert not folder.exists()
    choose(house.train.plan.device, "cpu")
    assert house.train.start.isEnabled()


def test_a_loss_that_is_no_number_ends_the_training_in_a_sentence(house, qtbot):
    folder = name_run(house, qtbot, "diverged")
    type_in(house.train.plan.training, qtbot, learning_rate="1e30")
    house.train.start.click()
    sentence = told(house, qtbot, "The loss is not finite in epoch 2 on section A1")
    assert sentence.endswith("Lower the learning rate, or look for extreme values in this section.")
    wait_runs(house, qtbot, diverged="failed")
    assert read_run(folder).message == sentence
    assert_at_rest(house)
    type_in(house.train.plan.training, qtbot, learning_rate="1e-4")


def test_a_prediction_that_is_cancelled_beside_a_long_step_does_not_end_the_training(house, qtbot):
    folder = name_run(house, qtbot, "long")
    genes = open_dock(house.viewer, "Genes", tabify=True)
    show(house, genes)
    house.fault("wait", "/.curves.")
    house.train.start.click()
    qtbot.waitUntil(
        lambda: house.state.training.phase == "running" and not house.fault_file.read_text(), timeout=LONG_MS
    )
    process = house.worker.process_id
    house.controller.predict(folder / keys.RUN_MODEL)
    qtbot.waitUntil(genes.foot.button.isVisible, timeout=LONG_MS)
    genes.foot.button.click()
    told(house, qtbot, "Trained: long.")
    assert house.state.problem is None
    assert house.state.job.request is None
    assert house.worker.process_id != process
    assert [one.epoch for one in house.state.training.epochs] == list(range(1, 31))
    assert read_run(folder).state == "finished"


def test_damaged_runs_are_told_of_and_hide_no_other(house, qtbot):
    runs = data_dir("runs")
    plan = TrainPlan.of(study=house.study, model="mean", genes={"n_variable": 2})
    for name in ("sound", "torn", "crooked"):
        begin_run(runs / name, plan, device="cpu", versions={})
    (runs / "torn" / keys.RUN_CARD).write_text('{"format": 1, "pl')
    (runs / "crooked" / keys.RUN_CURVES).write_text("stage,epoch,loss\nTraining,one,2.0\n")
    wait_runs(house, qtbot, sound="interrupted", crooked="interrupted")
    show(house, house.train)
    house.train.show_page(RUNS)
    hint = house.train.runs.hint
    assert hint.isVisible()
    assert f"{runs / 'torn' / keys.RUN_CARD} is not readable as JSON" in hint.text()
    assert f"{runs / 'crooked' / keys.RUN_CURVES} is no table of epochs" in hint.text()


# -- the Evaluate dock -------------------------------------------------------------------------------------------------


def trainings(house: House, column: int = STATE) -> list[str]:
    lines = house.evaluate.trainings.lines
    return [lines.data(lines.index(row, column)) for row in range(lines.rowCount())]


def evaluate_told(house: House, qtbot, words: str) -> str:
    sentence = house.evaluate.card.sentence
    wait_words(qtbot, sentence, words)
    return str(sentence.text())


def start_evaluation(house: House, qtbot) -> None:
    show(house, house.evaluate)
    house.evaluate.turn_to(SETUP)
    house.evaluate.start.start.click()


def go_on_to_the_end(house: House, qtbot) -> None:
    house.evaluate.card.button("go-on").click()
    # The page of results may be in view from before.
    qtbot.waitUntil(lambda: trainings(house) == ["done"] * 8, timeout=LONG_MS)
    folder = house.state.desk.evaluation.folder
    qtbot.waitUntil(lambda: read_evaluation(folder).state == "finished", timeout=LONG_MS)
    qtbot.waitUntil(lambda: house.evaluate.pages.currentIndex() == RESULTS, timeout=LONG_MS)


def test_a_worker_that_dies_between_two_trainings_or_in_a_report_loses_nothing(house, qtbot, tmp_path, monkeypatch):
    house.fault("kill", "/folds/mean/A/")
    start_evaluation(house, qtbot)
    evaluate_told(house, qtbot, DIED)
    qtbot.waitUntil(lambda: trainings(house) == ["done", "done", *["waiting"] * 6], timeout=LONG_MS)
    done = trainings(house, PCC_SPOT)[:2]
    qtbot.waitUntil(lambda: house.state.desk.evaluation.state == "interrupted", timeout=LONG_MS)
    assert house.evaluate.card.findChild(type(house.train.start), "gr2st_details") is not None
    go_on_to_the_end(house, qtbot)
    assert trainings(house, PCC_SPOT)[:2] == done
    page = tmp_path / "page.html"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(page), ""))
    house.fault("kill", "page.")
    house.evaluate.results.export.menu().actions()[-1].trigger()
    evaluate_told(house, qtbot, DIED)
    assert not page.exists()
    house.evaluate.card.button("dismiss").click()
    house.evaluate.results.export.menu().actions()[-1].trigger()
    evaluate_told(house, qtbot, f"The report is {page}.")
    assert page.is_file()


def test_an_evaluation_that_finds_the_disk_full_goes_on_when_there_is_room(house, qtbot):
    under = str(data_dir("evaluations"))
    house.fault("full", under, under=under)
    start_evaluation(house, qtbot)
    assert "Free some space" in evaluate_told(house, qtbot, "No space left on device")
    house.evaluate.card.button("dismiss").click()
    house.fault("full", "/folds/knn/A/", under=under)
    start_evaluation(house, qtbot)
    assert "Free some space" in evaluate_told(house, qtbot, "No space left on device")
    qtbot.waitUntil(lambda: house.state.desk.evaluation.state == "interrupted", timeout=LONG_MS)
    assert trainings(house).count("done") == 1
    house.mend()
    go_on_to_the_end(house, qtbot)


def test_a_slide_that_goes_between_two_trainings_is_named_and_the_rest_is_done_when_it_is_back(house, qtbot):
    counts = house.counts("B1")
    house.fault("lose", "/folds/knn/A/", file=str(counts))
    start_evaluation(house, qtbot)
    sentence = evaluate_told(house, qtbot, "failed:")
    assert counts.name in sentence
    assert "B1" in sentence
    assert trainings(house)[0] == "done"
    Path(f"{counts}.lost").rename(counts)
    go_on_to_the_end(house, qtbot)


def test_a_training_of_an_evaluation_that_diverges_leaves_the_others_alone(house, qtbot):
    setup = house.evaluate.setup
    setup.models.boxes["gr2st-v2"].click()
    choose(setup.settings.model, "gr2st-v2")
    type_in(setup.settings.training, qtbot, epochs="2", learning_rate="1e30")
    start_evaluation(house, qtbot)
    assert "The loss is not finite in epoch 2 on section" in evaluate_told(house, qtbot, "2 trainings of 10 failed:")
    assert sorted(trainings(house)) == ["done"] * 8 + ["failed"] * 2
    setup.models.boxes["gr2st-v2"].click()


def test_damaged_evaluations_are_told_of_and_hide_no_other(house, qtbot):
    folder = data_dir("evaluations") / "torn"
    folder.mkdir()
    (folder / keys.EVALUATION_CARD).write_text('{"format": 1')
    house.evaluate._recent.aboutToShow.emit()
    qtbot.waitUntil(lambda: len(house.evaluate._recent.actions()) == 3, timeout=LONG_MS)
    [damaged, _, _] = house.evaluate._recent.actions()
    assert not damaged.isEnabled()
    assert "not readable as JSON" in damaged.toolTip()
