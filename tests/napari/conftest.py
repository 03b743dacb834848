"""A screen, settings of their own and a viewer for the tests of the window."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gr2st_napari._display import ensure_display

# Both before Qt and napari are imported.
ensure_display()
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="gr2st-napari-")) / "settings.yaml")
sys.path.insert(0, str(Path(__file__).parent))

from window_builders import FAKE_WORKER, SIZE_PX, empty_viewer, make_prediction, make_section, open_dock  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari import Viewer
    from qtpy.QtWidgets import QApplication

    from gr2st_napari._controller import Controller
    from gr2st_napari._docks import GenesDock


@pytest.fixture(scope="session")
def window(qapp: QApplication) -> Iterator[Viewer]:
    """A real window for all tests: making one takes seconds."""
    import napari

    made = napari.Viewer(show=True)
    made.window.resize(*SIZE_PX)
    gc.collect()
    gc.freeze()
    yield made
    made.close()
    qapp.processEvents()


@pytest.fixture
def viewer(window: Viewer, qapp: QApplication) -> Iterator[Viewer]:
    """The window, empty, and as napari opens it."""
    yield window
    empty_viewer(window)
    qapp.processEvents()


@pytest.fixture(autouse=True)
def _sweeps_of_the_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite says by itself what sweeps leave out: its window outlives all its controllers."""
    from gr2st_napari import _controller

    monkeypatch.setattr(_controller, "SPARED", _NoOneSpared())


class _NoOneSpared:
    def watch(self, viewer: Viewer) -> None: ...

    def let_go(self, thing: object) -> None: ...


@pytest.fixture
def only_new_garbage() -> Iterator[None]:
    """Let the garbage collector pass over what earlier tests of this process left: its sweeps run in any thread."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@pytest.fixture
def dock(viewer: Viewer) -> GenesDock:
    """The Genes dock, opened as napari's menu does, in an empty viewer."""
    return open_dock(viewer, "Genes")  # type: ignore[return-value]


@pytest.fixture
def controller(viewer: Viewer, dock: GenesDock, fake_worker: list[str]) -> Controller:
    """The controller of the viewer, with a worker that only pretends."""
    from gr2st_napari._controller import controller_of

    found = controller_of(viewer)
    found.worker._command = (sys.executable, fake_worker)
    return found


@pytest.fixture
def fake_worker(tmp_path: Path) -> list[str]:
    """Arguments that start the pretending worker."""
    script = tmp_path / "fake_worker.py"
    script.write_text(FAKE_WORKER)
    return [str(script)]


@pytest.fixture
def section() -> Any:
    return make_section()


@pytest.fixture
def prediction(section: Any) -> Any:
    return make_prediction(section)
