"""The window: another gene of 5,000 spots, how long it is held, a gene found, its freedom beside a training.

Software OpenGL. Without a training: process time. With one: wall time, for the window must get its turn.
"""

from __future__ import annotations

import time
from functools import cache
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from benchmarks.holding import held
from gr2st import MODELS, Prediction, Section, TrainPlan, gene_normalise, keys, sample_study_path, spot_normalise
from gr2st.types import Alignment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtOpenGLWidgets import QOpenGLWidget

    from gr2st_napari._opening import Opened
    from gr2st_napari._worker import WorkerProcess

SPOTS, GENES = 5_000, 1_000
TICK_MS, LOOKED_S = 5, 3.0
ROUNDS, SWITCHES = 3, 8
PATIENCE_S = 120.0
BINS, BIN_GENES, BIN_COUNTS = 708, 200, 40_000
"""Bins of an HD section in a row and in a column, its genes, and how many bins count each."""
LISTED = 20_000
TYPED = {"E": "A", "ERB": "KRT", "ENSG0000001": "ENSG0000002"}
"""What is typed, and what stood there before."""


class GeneSwitch:
    """One gene after the other, each drawn to the end."""

    timer = time.process_time
    params = (["measured", "side by side"],)
    param_names = ("view",)
    number, repeat, warmup_time = 1, 15, 0.5
    timeout = 180

    def setup(self, view: str) -> None:
        made = section()
        self.show(_opened(made, prediction(made)), view)

    def show(self, opened: Opened, view: str = "measured") -> None:
        """Open a window with this; all its threads are at rest then."""
        self.open_window()
        self.take(opened)
        self.controller.wish(mode=view)
        self.genes = cycle(self.controller.state.expression.genes)
        self.frames, self.canvas = 0, _canvas()
        self.canvas.frameSwapped.connect(self._count_frame)
        self.time_gene_switch(view)

    def take(self, opened: Opened) -> None:
        """Open another section in the window."""
        self.controller.take(opened)
        while not self.controller.is_settled or self.controller.facts.is_busy:  # the time of all threads is measured
            _settle()

    def open_window(self) -> None:
        from gr2st_napari._display import ensure_display

        ensure_display()
        import napari

        from gr2st_napari._controller import controller_of

        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1400, 900)
        self.viewer.window.add_plugin_dock_widget("gr2st-napari", "Genes")[1].filled()
        _settle()  # the view is fitted to the canvas beside the dock
        self.controller = controller_of(self.viewer)

    def teardown(self, _view: str) -> None:
        from qtpy.QtWidgets import QApplication

        self.viewer.close()
        QApplication.processEvents()

    def time_gene_switch(self, _view: str) -> None:
        from qtpy.QtWidgets import QApplication
        from vispy.gloo import gl

        self.controller.wish(gene=next(self.genes))
        drawn = self.frames
        while self.frames == drawn:
            QApplication.processEvents()
        gl.glFinish()

    def _count_frame(self) -> None:
        self.frames += 1


class Holding:
    """How long the window is held at a time, at most; time of its thread.

    The first slide of a window has its layers made and programs for the graphics compiled; so have two maps that come
    to stand beside each other. Everything else is filled anew.
    """

    params = (["first slide", "another slide", "half a million bins", "two maps", "one map", "another gene"],)
    param_names = ("what",)
    unit = "ms"
    timeout = 300

    def track_longest_hold(self, what: str) -> float:
        bench = GeneSwitch()
        bench.open_window()
        controller, made = bench.controller, [section(name) for name in ("one", "other")]
        first, second = (_opened(one, prediction(one)) for one in made)
        many = _opened(bins(), prediction(bins(), genes=3))
        steps = {
            "first slide": lambda: controller.take(first),
            "another slide": lambda: controller.take(second),
            "one map": lambda: controller.wish(mode="measured"),
            "two maps": lambda: controller.wish(mode="side by side"),
            "another gene": lambda: controller.wish(gene=controller.state.expression.genes[-1]),
            "half a million bins": lambda: controller.take(many),
        }
        longest = {}
        for name, step in steps.items():
            longest[name] = held(controller, step)
            if name == what:
                break
        bench.teardown("measured")
        return 1000 * longest[what]


class BesideTraining:
    """The same window while `gr2st` is trained on the sample in its worker, and while that rests; wall time."""

    params = (["delay p50", "delay p95", "gene switch"],)
    param_names = ("what",)
    unit = "ms"
    timeout = 600

    def track_resting(self, what: str) -> float:
        return _beside_training()["resting"][what]

    def track_training(self, what: str) -> float:
        return _beside_training()["training"][what]

    def track_ratio(self, what: str) -> float:
        return self.track_training(what) / self.track_resting(what)

    track_ratio.unit = "times"  # type: ignore[attr-defined]


@cache
def _beside_training() -> dict[str, dict[str, float]]:
    """Milliseconds of everything, measured once.

    Rest and training take turns, so that what else the machine does falls on both alike.
    """
    bench = GeneSwitch()
    bench.setup("measured")
    with TemporaryDirectory() as folder:
        training = _Training(bench.controller.worker, Path(folder) / "run")
        delays: dict[str, list[float]] = {"resting": [], "training": []}
        switches: dict[str, list[float]] = {"resting": [], "training": []}
        for state in ("resting", "training") * ROUNDS:
            training.go_on() if state == "training" else training.rest()
            delays[state] += _delays()
            switches[state] += [_seconds(lambda: bench.time_gene_switch("measured")) for _ in range(SWITCHES)]
        bench.teardown("measured")
    return {state: _told(delays[state], switches[state]) for state in delays}


class _Training:
    """A training in the worker of a window; made, it is under way."""

    def __init__(self, worker: WorkerProcess, run: Path) -> None:
        self._worker = worker
        self._heard: set[str] = set()
        worker.progressed.connect(lambda _request, event: self._heard.add("epoch" if event["values"] else "step"))
        worker.paused.connect(lambda _request: self._heard.add("paused"))
        worker.failed.connect(lambda _request, sentence, details: self._heard.add(f"failed: {sentence}"))
        settings = MODELS["gr2st"].training.model_copy(update={"epochs": 10_000, "inner_folds": 0, "device": "cpu"})
        plan = TrainPlan.of(study=sample_study_path(), model="gr2st", training=settings, genes={"n_variable": 100})
        self._request = worker.train(plan, run)
        self._wait_for("epoch")

    def rest(self) -> None:
        self._heard.clear()
        self._worker.pause(self._request)
        self._wait_for("paused")

    def go_on(self) -> None:
        self._heard.clear()
        self._worker.resume(self._request)
        self._wait_for("epoch")

    def _wait_for(self, event: str) -> None:
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + PATIENCE_S
        while event not in self._heard:
            QApplication.processEvents()
            time.sleep(TICK_MS / 1000)
            if time.monotonic() > end:
                raise TimeoutError(f"No {event!r} in {PATIENCE_S:.0f} s of training; heard: {self._heard}.")


def _delays() -> list[float]:
    """Seconds by which a timer of `TICK_MS` comes late."""
    from qtpy.QtCore import QEventLoop, Qt, QTimer
    from qtpy.QtWidgets import QApplication

    late: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        late.append(max(0.0, now - last - TICK_MS / 1000))
        last = now

    timer = QTimer(interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)
    timer.start()
    end = last + LOOKED_S
    while last < end:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    timer.stop()
    return late


def _seconds(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def _told(delays: Sequence[float], switches: Sequence[float]) -> dict[str, float]:
    p50, p95 = np.percentile(delays, [50, 95])
    seconds = {"delay p50": p50, "delay p95": p95, "gene switch": np.median(switches)}
    return {what: 1000 * float(value) for what, value in seconds.items()}


class GeneSearch:
    """One change of what is typed, in a list of 20,000 genes with every column, until the table is drawn."""

    timer = time.process_time
    params = (list(TYPED),)
    param_names = ("typed",)
    number, repeat, warmup_time = 1, 15, 0.5

    def setup(self, typed: str) -> None:
        from gr2st_napari._display import ensure_display

        ensure_display()
        from qtpy.QtWidgets import QApplication

        from gr2st_napari.views.gene_columns import ColumnChooser
        from gr2st_napari.views.gene_list import GeneList
        from gr2st_napari.views.gene_model import DETECTED, STAR

        self.app = QApplication.instance() or QApplication([])
        self.view = GeneList()
        columns = ColumnChooser(self.view)
        random = np.random.default_rng(0)
        letters = random.choice(list("ABCDEFGHIKLMNOPRSTB1234567890"), (LISTED, 6))
        aliases = [f"ENSG{at:011d}" for at in range(LISTED)]
        self.view.show_genes(["".join(name) for name in letters], aliases, random.random(LISTED))
        for column in range(DETECTED, STAR + 1):
            self.view.model.set_column(column, random.random(LISTED))
        self.view.resize(420, 700)
        self.view.show()
        columns.fit()
        self.texts = cycle((typed, TYPED[typed]))
        self.time_filter_20000(typed)

    def teardown(self, _typed: str) -> None:
        self.view.close()
        self.view.deleteLater()

    def time_filter_20000(self, _typed: str) -> None:
        self.view.line.setText(next(self.texts))
        self.app.processEvents()


def _settle() -> None:
    from qtpy.QtWidgets import QApplication

    for _ in range(10):
        QApplication.processEvents()


def _canvas() -> QOpenGLWidget:
    """The widget napari draws on."""
    from qtpy.QtWidgets import QApplication

    return next(widget for widget in QApplication.allWidgets() if widget.inherits("QOpenGLWidget"))


def _opened(made: Section, predicted: Prediction) -> Opened:
    from gr2st_napari._opening import Opened

    return Opened(section=made, prediction=predicted)


def section(name: str = "bench") -> Section:
    """A hexagonal array of spots, 100 um apart."""
    random = np.random.default_rng(0)
    row, column = np.divmod(np.arange(SPOTS), 71)
    xy = 145.0 * np.column_stack([column + 0.5 * (row % 2), row * 0.866]) + 300
    counts = random.poisson(random.gamma(1, 2, GENES), (SPOTS, GENES)).astype(np.float32)
    table = AnnData(csr_matrix(counts), var=pd.DataFrame(index=[f"GENE{at}" for at in range(GENES)]))
    table.obs_names = [f"spot{at}" for at in range(SPOTS)]
    table.obsm[keys.SPATIAL] = xy
    return Section(
        name=name,
        patient=None,
        table=table,
        slide=None,
        um_per_px=0.69,
        um_per_px_source="made",
        spot_diameter_um=55.0,
        grid_pitch=145.0,
        layout="visium",
        alignment=Alignment("unknown", 1.0, 1.0, ""),
    )


@cache
def bins(side: int = BINS, name: str = "bins") -> Section:
    """Square bins of 8 um, turned a little, with a hole; each gene in as many of them, or in half of all."""
    random = np.random.default_rng(0)
    row, column = (index.ravel() for index in np.indices((side, side)))
    kept = np.hypot(row - 0.42 * side, column - side / 2) > 20
    row, column = row[kept], column[kept]
    turn = np.deg2rad(3.7)
    xy = 29.0 * np.column_stack([column, row]) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    where = random.integers(0, len(row), (BIN_GENES, min(BIN_COUNTS, len(row) // 2)))
    genes = np.repeat(np.arange(BIN_GENES), where.shape[1])
    counts = csr_matrix((random.integers(1, 9, where.size), (where.ravel(), genes)), dtype=np.float32)
    counts.resize(len(row), BIN_GENES)
    table = AnnData(counts, var=pd.DataFrame(index=[f"GENE{at}" for at in range(BIN_GENES)]))
    table.obs_names = [f"s_008um_{y:05d}_{x:05d}-1" for y, x in zip(row, column, strict=True)]
    table.obs[keys.ARRAY_ROW], table.obs[keys.ARRAY_COL] = row, column
    table.obsm[keys.SPATIAL] = xy + 2000
    return Section(
        name=name,
        patient=None,
        table=table,
        slide=None,
        um_per_px=8 / 29,
        um_per_px_source="made",
        spot_diameter_um=8.0,
        grid_pitch=29.0,
        layout="visium-hd",
        alignment=Alignment("unknown", 1.0, 1.0, ""),
    )


def prediction(section: Section, genes: int | None = None) -> Prediction:
    """Of all genes, or of the first ones."""
    counts = section.table.X[:, :genes]
    table = AnnData(obs=section.table.obs.copy(), var=section.table.var.iloc[:genes].copy())
    table.layers[keys.MEASURED_SPOT], table.layers[keys.MEASURED_GENE] = spot_normalise(counts), gene_normalise(counts)
    table.layers[keys.PREDICTED] = 0.9 * table.layers[keys.MEASURED_GENE]
    table.obsm[keys.SPATIAL] = section.table.obsm[keys.SPATIAL]
    provenance = {"format": keys.FORMAT, "section": section.name, "model": "made", "space": "gene"}
    table.uns[keys.PROVENANCE] = provenance
    return Prediction(section.name, "made", table)
