"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # A process per core: more threads would only wait for each other. Before torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

REAL_DATA = Path(os.environ.get("GR2ST_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


LONGEST = (
    "test_window_road",
    "test_window_dock",
    "test_window_heat",
    "test_window_faults",
    "test_worker",
    "test_cluster",
)
"""Files that take longest. They are begun first: a core must not wait at the end for the other one's last file."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, then the other tests in a window, then the quick ones."""
    items.sort(key=lambda item: (item.path.stem not in LONGEST, item.path.parent.name != "napari"))


@pytest.fixture(scope="module", autouse=True)
def _only_new_garbage() -> None:
    """What is alive when a file of tests begins is passed over by the garbage collector from then on.

    A sweep through all that a long run has loaded takes most of a second, and napari sweeps whenever layers are cleared.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real sections; the test is skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real sections at {REAL_DATA}: set GR2ST_TEST_DATA to their folder")
    return REAL_DATA


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's folders out of the tests; one cache folder serves the whole run."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("GR2ST_CACHE", str(base / "cache"))
    monkeypatch.setenv("GR2ST_DATA", str(base / "data"))


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights in the place of the user's own, and no cache of the hub."""
    from huggingface_hub import constants

    folder = tmp_path / "weights"
    monkeypatch.setenv("GR2ST_WEIGHTS", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


@pytest.fixture(scope="session")
def timm() -> Iterator[Any]:
    """The package timm, made to import where torchvision does not fit torch."""
    from tests.torchvision_stand_in import declare_missing_operators

    kept = declare_missing_operators()
    import timm

    yield timm
    del kept


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)
