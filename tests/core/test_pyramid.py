"""A big picture gets a pyramid once; a changed picture gets a new one."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from gr2st.errors import DataError, StorageError
from gr2st.io import pyramid
from gr2st.io.pyramid import build_pyramid, display_pyramid, needs_pyramid
from gr2st.io.slide import open_slide
from gr2st.types import finish


@pytest.fixture
def image(tmp_path, monkeypatch):
    """A JPEG of 2301 x 1203 pixels whose colours change slowly."""
    monkeypatch.setenv("GR2ST_CACHE", str(tmp_path / "cache"))
    rows, columns = np.mgrid[:1203, :2301]
    pixels = np.stack([rows // 5, columns // 10, (rows + columns) // 15], axis=-1).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "section.jpg", quality=95)
    return tmp_path / "section.jpg"


def test_the_pyramid_shows_the_picture_at_every_level(image):
    assert display_pyramid(image) is None
    built = finish(build_pyramid(image))
    assert display_pyramid(image) == built
    original, slide = open_slide(image).levels[0][:], open_slide(built)
    assert [level.shape[:2] for level in slide.levels] == [(1203, 2301), (601, 1150), (300, 575)]
    assert slide.levels[0].chunks == (512, 512, 3)
    for step, level in zip((1, 2, 4), slide.levels, strict=True):
        height, width = level.shape[0] * step, level.shape[1] * step
        reduced = original[:height, :width].reshape(level.shape[0], step, level.shape[1], step, 3).mean(axis=(1, 3))
        assert np.abs(level[:] - reduced).mean() < 2
        assert np.abs(level[-1:, -60:] - reduced[-1:, -60:]).mean() < 4


def test_the_progress_runs_to_its_end(image):
    steps = list(build_pyramid(image))
    assert steps[0].stage == "Preparing section.jpg for display"
    assert [step.done for step in steps] == [0, 3, 5, 6]
    assert {step.total for step in steps} == {6}


def test_a_finished_pyramid_is_not_built_again(image, monkeypatch):
    built = finish(build_pyramid(image))
    monkeypatch.setattr(pyramid, "open_slide", lambda _: pytest.fail("opened again"))
    assert finish(build_pyramid(image)) == built


def test_a_changed_picture_has_no_pyramid_yet(image):
    finish(build_pyramid(image))
    stamp = image.stat().st_mtime_ns + 1_000_000_000
    os.utime(image, ns=(stamp, stamp))
    assert display_pyramid(image) is None


def test_a_cancelled_build_leaves_nothing(image):
    steps = build_pyramid(image)
    next(steps)
    next(steps)
    steps.close()
    assert display_pyramid(image) is None
    assert list((image.parent / "cache" / "pyramids").iterdir()) == []


def test_a_full_disk_leaves_nothing(image, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tifffile.TiffWriter.write", fail)
    with pytest.raises(StorageError, match="No space left on device"):
        finish(build_pyramid(image))
    assert list((image.parent / "cache" / "pyramids").iterdir()) == []


def test_a_missing_or_broken_picture_is_refused(image):
    with pytest.raises(DataError, match="There is no image"):
        display_pyramid(image.with_name("absent.jpg"))
    image.write_bytes(image.read_bytes()[:5000])
    with pytest.raises(DataError, match="cut off"):
        finish(build_pyramid(image))


def test_only_big_pictures_of_one_level_need_a_pyramid(image, monkeypatch):
    assert not needs_pyramid(open_slide(image))
    monkeypatch.setattr(pyramid, "_BIG_PIXELS", 2_000_000)
    assert needs_pyramid(open_slide(image))
    assert not needs_pyramid(open_slide(finish(build_pyramid(image))))
