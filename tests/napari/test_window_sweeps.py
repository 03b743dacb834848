"""What is left out of Python's sweeps of its memory, and what never is."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from gr2st_napari import _sweeps


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Tells how often what is in memory was left out."""
    told: list[str] = []
    _sweeps._spare.cache_clear()
    monkeypatch.setattr(gc, "freeze", lambda: told.append("freeze"))
    yield told
    _sweeps._spare.cache_clear()


def test_what_was_loaded_for_an_empty_window_is_left_out_once(viewer, frozen) -> None:
    for _ in range(2):
        _sweeps.spare_what_is_loaded(viewer)
    assert frozen == ["freeze"]


def test_layers_that_are_there_already_may_be_swept_away(viewer, frozen) -> None:
    viewer.add_image(np.zeros((4, 4)))
    _sweeps.spare_what_is_loaded(viewer)
    assert not frozen
