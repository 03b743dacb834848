"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

REAL_DATA = Path(os.environ.get("GR2ST_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real sections; the test is skipped where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real sections at {REAL_DATA}: set GR2ST_TEST_DATA to their folder")
    return REAL_DATA


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache out of the tests; one cache folder serves the whole run."""
    base = tmp_path_factory.getbasetemp() / "cache"
    monkeypatch.setenv("GR2ST_CACHE", str(base))


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(0)
