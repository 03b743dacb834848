"""Small sections, predictions and slides made by hand, and a worker that only pretends."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.sparse import csr_matrix

from gr2st import Prediction, Section, gene_normalise, keys, spot_normalise
from gr2st.types import Alignment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari import Viewer
    from qtpy.QtWidgets import QDockWidget, QWidget

    from gr2st_napari._controller import Controller
    from gr2st_napari._opening import Opened

GOOD = Alignment("good", 1.0, 0.98, "98 % of the spots lie on tissue.")
PITCH = 100.0
UM_PER_PX = 0.5
PATIENCE_S = 60
SIZE_PX = (800, 600)
"""Of the window: software drawing takes its time by the pixel."""


@dataclass(eq=False)
class PaperSlide:
    """A slide held in memory: pink in the middle, white around."""

    width: int = 1200
    height: int = 900
    path: Path = Path("paper.jpg")
    um_per_px: float | None = UM_PER_PX
    pixels: Any = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = np.full((self.height, self.width, 3), 240, np.uint8)
        self.pixels[100:-100, 100:-100] = (200, 140, 190)

    @property
    def levels(self) -> tuple[Any, ...]:
        return (self.pixels,)

    def thumbnail(self, longest_px: int) -> Any:
        step = max(1, max(self.width, self.height) // longest_px)
        return self.pixels[::step, ::step]

    def read_region(self, x: int, y: int, width: int, height: int, level: int = 0) -> Any:
        return self.pixels[y : y + height, x : x + width]

    def close(self) -> None:
        """There is no file to let go of."""


def make_section(
    name: str = "C4",
    *,
    shape: tuple[int, int] = (6, 8),
    genes: Sequence[str] = ("ACTB", "ERBB2", "ERBB3", "FASN", "KRT19"),
    alignment: Alignment = GOOD,
    slide: Any = None,
    um_per_px: float | None = UM_PER_PX,
) -> Section:
    """Spots on a square array, 100 px apart; counts that rise to the right for the first gene and are random else."""
    row, column = (index.ravel() for index in np.indices(shape))
    random = np.random.default_rng(7)
    counts = random.poisson(5, (row.size, len(genes))).astype(np.float32)
    if len(genes):
        counts[:, 0] = column + 1
    obs = pd.DataFrame(
        {keys.ARRAY_ROW: row, keys.ARRAY_COL: column}, index=[f"{x}x{y}" for x, y in zip(column, row, strict=True)]
    )
    var = pd.DataFrame({keys.GENE_ID: [f"ENSG{at:011d}" for at in range(len(genes))]}, index=list(genes))
    table = AnnData(csr_matrix(counts), obs=obs, var=var)
    table.obsm[keys.SPATIAL] = PITCH * np.column_stack([column, row]) + [250.0, 150.0]
    return Section(
        name=name,
        patient="C",
        table=table,
        slide=PaperSlide() if slide is None else slide or None,
        um_per_px=um_per_px,
        um_per_px_source="made by hand",
        spot_diameter_um=30.0,
        grid_pitch=PITCH,
        layout="legacy-st",
        alignment=alignment,
    )


def make_bins(shape: tuple[int, int] = (200, 203), *, turn: float = 0.065, hole: int = 900) -> Section:
    """Square bins 30 px apart, the array turned by some radians, some bins in the middle missing."""
    section = make_section("HD", shape=shape, genes=("ACTB", "ERBB2"), slide=False)
    table = section.table
    place = table.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(float)
    to_pixels = 30.0 * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    table.obsm[keys.SPATIAL] = place @ to_pixels + 500.0
    middle = len(table) // 2
    kept = np.r_[0:middle, middle + hole : len(table)]
    return replace(section, table=table[kept].copy(), spot_diameter_um=15.0, grid_pitch=30.0, layout="visium-hd")


def make_prediction(
    section: Section,
    *,
    genes: Sequence[str] = ("ERBB2", "ACTB", "FASN"),
    space: str = "gene",
    keep: slice = slice(None),
    trained_on: Sequence[str] = ("C2", "C3"),
) -> Prediction:
    """Predicted = 0.8 x gene-normalised + 0.1, spots in reverse order; scores fall with the order of the genes."""
    rows = np.arange(section.n_spots)[keep][::-1]
    counts = section.table[:, list(genes)].X
    measured = {keys.MEASURED_SPOT: spot_normalise(counts), keys.MEASURED_GENE: gene_normalise(counts)}
    table = AnnData(obs=section.table.obs.iloc[rows].copy(), var=pd.DataFrame(index=list(genes)))
    for layer, values in measured.items():
        table.layers[layer] = values[rows]
    table.layers[keys.PREDICTED] = (0.8 * measured[keys.MEASURED_GENE] + 0.1).astype(np.float32)[rows]
    table.obsm[keys.SPATIAL] = section.table.obsm[keys.SPATIAL][rows]
    table.var[keys.PCC_SPOT] = np.linspace(0.5, 0.1, len(genes))
    table.var[keys.PCC_GENE] = np.linspace(0.6, 0.2, len(genes))
    size = len(rows)
    ring = csr_matrix((np.ones(2 * size), (np.tile(np.arange(size), 2), np.r_[_next(size), _before(size)])))
    table.obsp[keys.SPATIAL_GRAPH] = ring
    table.obsp[keys.FUNCTIONAL_GRAPH] = csr_matrix((np.ones(size), (np.arange(size), (np.arange(size) + 5) % size)))
    table.uns[keys.PROVENANCE] = {
        "format": keys.FORMAT,
        "section": section.name,
        "model": "gr2st-v2",
        "space": space,
        "trained_on": list(trained_on),
    }
    return Prediction(section=section.name, model="gr2st-v2", table=table)


def explained(
    prediction: Prediction, *, bank: Section | None = None, patients: Sequence[str] = ("C",), n_references: int = 12
) -> Prediction:
    """The same prediction with all that stands behind it: each spot has the first spots of `bank` as references."""
    table, (n, g) = prediction.table, prediction.table.shape
    place = np.arange(n)
    names = list(bank.spot_names) if bank is not None else [f"{at}x0" for at in range(20)]
    k = min(n_references, len(names))
    table.obsm[keys.REFERENCE] = np.tile(np.arange(k, dtype=np.int32), (n, 1))
    table.obsm[keys.REFERENCE_WEIGHT] = np.tile(np.arange(k, 0, -1) / (k * (k + 1) / 2), (n, 1)).astype(np.float32)
    table.obsm[keys.REFERENCE_DISTANCE] = np.tile(np.arange(1, k + 1), (n, 1)).astype(np.float32)
    table.obsm[keys.REFERENCE_SIMILARITY] = np.full((n, k), 0.9, np.float32)
    table.obsm[keys.EXPERTS] = np.tile([0.5, 0.1, 0.1, 0.1, 0.1, 0.1], (n, 1)).astype(np.float32)
    table.obs[keys.DISTANCE] = np.where(place < 3, 3.0, 1.0)
    table.obs[keys.OUTSIDE] = place < 3
    table.layers[keys.SPREAD] = np.tile(0.1 + 0.01 * place[:, None], (1, g)).astype(np.float32)
    table.layers[keys.DISAGREEMENT] = np.full((n, g), 0.02, np.float32)
    table.var[keys.USUAL_SPREAD] = 0.2
    for part, share in (("retrieval", 0.2), ("regression", 0.1), ("kernel", 0.7)):
        table.var[keys.SHARES[part]] = share
    for key, strength in ((keys.SPATIAL_GRAPH, 0.1), (keys.FUNCTIONAL_GRAPH, 0.2)):
        graph = table.obsp[key].tocsr()
        graph.data = np.linspace(strength, 2 * strength, graph.nnz).astype(np.float32)
        table.obsp[key] = graph
    trained = table.uns[keys.PROVENANCE][keys.TRAINED_ON] if bank is None else [bank.name]
    xy = np.zeros((len(names), 2)) if bank is None else np.asarray(bank.table.obsm[keys.SPATIAL])
    table.uns[keys.PROVENANCE] |= {
        keys.TRAINED_ON: list(trained),
        keys.SECTION_PATIENTS: [patients[at % len(patients)] for at in range(len(trained))],
        keys.BANK_SECTION: np.array([trained[at % len(trained)] for at in range(len(names))]),
        keys.BANK_SPOT: np.arange(len(names)),
        keys.BANK_NAME: np.array(names),
        keys.BANK_XY: xy,
        keys.ATTENTION: "mean over heads",
        keys.OUTSIDE_BEYOND: 2.5,
        keys.COMPARED_WITH: 100,
    }
    return prediction


def make_slide(path: Path, um_per_px: float | None = UM_PER_PX) -> Path:
    """A picture of tissue in a file: TIFF, which can tell its scale."""
    import tifffile

    resolution = {} if um_per_px is None else {"resolution": (1e4 / um_per_px,) * 2, "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, PaperSlide().pixels, photometric="rgb", tile=(256, 256), **resolution)
    return path


def make_slide_prediction(path: Path, slide: Path, genes: Sequence[str] = ("ACTB", "ERBB2")) -> Path:
    """What the worker would make of a slide: the first gene rises to the right, the second downwards."""
    from gr2st import open_slide, virtual_section
    from gr2st.io.prediction_writer import writing_prediction

    section = virtual_section(open_slide(slide), 50.0, um_per_px=UM_PER_PX, everywhere=True)
    xy = np.asarray(section.table.obsm[keys.SPATIAL])
    told = {"format": keys.FORMAT, "section": section.name, "model": "gr2st", "space": "gene", "trained_on": ["C2"]}
    told |= {"image": open_slide(slide).digest(), keys.NOTES: ["The slide is paler than C2."]}
    told[keys.VIRTUAL] = {"slide": str(slide), "pitch_um": 50.0, "um_per_px": UM_PER_PX, "um_per_px_source": "test"}
    with writing_prediction(path, section.n_spots, genes) as writer:
        writer.add((xy / 100).astype(np.float32))
        var = pd.DataFrame({keys.PREDICTED_MEAN: writer.means()}, index=list(genes))
        parts = {"obs": section.table.obs, "var": var, "obsm": {keys.SPATIAL: xy}, "uns": {keys.PROVENANCE: told}}
        writer.finish(parts)
    return path


def make_evaluation(folder: Path, genes: Sequence[str] = ("ERBB2", "ACTB")) -> Path:
    """The tables of an evaluation of ridge on two patients, as an earlier version wrote them: without a card."""
    scores = {"pcc_spot": 0.4, "pcc_gene": 0.5}
    told = {
        name: {"mean": value, "low": None, "high": None, "unit": "patients", "n": 2} for name, value in scores.items()
    }
    sections = {name: {**scores, "n_spots": 9, "seconds": 1.0} for name in ("A1", "B1")}
    ridge = {**scores, "interval": told, "sections": sections}
    summary = {"protocol": "patient", "warning": "", "genes": len(genes), "models": {"ridge": ridge}}
    folder.mkdir(parents=True)
    (folder / keys.SUMMARY).write_text(json.dumps(summary))
    lines = [{"model": "ridge", "seed": 0, "fold": name[0], "section": name, **scores} for name in sections]
    pd.DataFrame(lines).assign(seconds=1.0).to_csv(folder / keys.SECTION_SCORES, index=False)
    by_gene = [{**line, "gene": gene} for line in lines for gene in genes]
    pd.DataFrame(by_gene).to_csv(folder / keys.GENE_SCORES, index=False)
    return folder


def _next(size: int) -> Any:
    return (np.arange(size) + 1) % size


def _before(size: int) -> Any:
    return (np.arange(size) - 1) % size


def open_dock(viewer: Viewer, name: str, *, tabify: bool = False) -> Any:
    """A dock, once it is filled: the one that is there, else as a script opens it."""
    from gr2st_napari._frames import FRAMES

    there = [inside for inside in viewer.window.dock_widgets.values() if isinstance(inside, FRAMES[name])]
    frame = there[0] if there else viewer.window.add_plugin_dock_widget("gr2st-napari", name, tabify=tabify)[1]
    return frame.filled()


def holder_of(dock: QWidget) -> QDockWidget:
    """What napari holds a dock in."""
    return dock.parentWidget().parentWidget()


def close_dock(viewer: Viewer, dock: QWidget) -> None:
    """As its cross does."""
    viewer.window.remove_dock_widget(holder_of(dock))


def empty_viewer(viewer: Viewer) -> None:
    """Put a window back as napari opens it, in its size: many docks make it grow."""
    from gr2st_napari import _controller

    if viewer in _controller._CONTROLLERS:
        _controller._CONTROLLERS[viewer].close()
    viewer.window.remove_dock_widget("all")
    viewer.layers.clear()
    viewer.window.resize(*SIZE_PX)
    viewer.canvas.grid.reset()
    viewer.status = "Ready"


FAKE_WORKER = r'''
"""Stands in for gr2st.worker: does what the name of the section says."""
import json, os, shutil, sys

def say(**event):
    print(json.dumps(event), flush=True)

print("a library says hello on standard output", flush=True)
say(event="ready", version="0")
for line in sys.stdin:
    request = json.loads(line)
    number, act = request.get("id"), request["do"]
    if act == "quit":
        break
    if act == "cancel":
        say(id=request["target"], event="cancelled")
    elif act == "pyramid":
        say(id=number, event="result", files={"pyramid": request["image"]})
    elif act == "check_slide":
        pitch = request["plan"]["pitch_um"]
        count = 150 if request["plan"]["everywhere"] else 96
        found = [{"kind": "good", "subject": "slide", "sentence": f"{count} spots, {pitch:g} µm apart."},
                 {"kind": "warning", "subject": "slide", "sentence": "The slide is paler than C2."},
                 {"kind": "good", "subject": "time", "sentence": "About 2 minutes on this machine."}]
        say(id=number, event="result", files={"findings": found, "seconds": 120.0, "trainings": 0})
    elif act == "predict_slide":
        say(id=number, event="progress", stage="Looking at the tissue", done=3, total=96, note="", values={})
        answer = os.path.join(os.path.dirname(request["plan"]["model"]), "answer.h5ad")
        if os.path.exists(answer):
            shutil.copy(answer, request["out"])
            say(id=number, event="result", files={"prediction": request["out"]})
    elif act == "predict":
        section = request["section"]
        say(id=number, event="progress", stage="Encoding patches", done=3, total=10, note="", values={})
        if section == "dies":
            sys.stderr.write("Fatal: out of luck\n"); sys.stderr.flush()
            os._exit(11)
        if section == "fails":
            say(id=number, event="error", kind="DataError", message="The model reads 9 genes.", details="Traceback ...")
        elif section == "deaf":
            sys.stdin.close()
            while True:
                pass
        elif section != "waits":
            shutil.copy(os.path.join(os.path.dirname(request["model"]), "answer.h5ad"), request["out"])
            say(id=number, event="result", files={"prediction": request["out"]})
'''


def take(controller: Controller, opened: Opened) -> None:
    """Show what was read elsewhere, and wait until it is drawn."""
    controller.take(opened)
    settle(controller)


def settle(controller: Controller) -> None:
    """Let the window turn until all that is open is drawn."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + PATIENCE_S
    while not controller.is_settled and time.monotonic() < end:
        QApplication.processEvents()
    assert controller.is_settled
