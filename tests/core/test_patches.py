"""Patches: where they lie, at which scale, from which level, and what happens at the edge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gr2st.config import PatchConfig
from gr2st.errors import DataError
from gr2st.preprocess.patches import count_padded, cut_patches


class PyramidSlide:
    """A slide in memory whose windows must lie inside; it remembers what was read."""

    path = Path("slide.tif")
    um_per_px = None

    def __init__(self, *levels):
        self.levels = levels
        self.height, self.width = levels[0].shape[:2]
        self.read = []

    def read_region(self, x, y, width, height, level=0):
        rows, columns = self.levels[level].shape[:2]
        assert 0 <= x < x + width <= columns
        assert 0 <= y < y + height <= rows
        self.read.append((level, width, height))
        return self.levels[level][y : y + height, x : x + width].copy()


def position_slide(height=300, width=400):
    """Red is the column, green the row, blue their sum, all modulo 256."""
    y, x = np.mgrid[:height, :width]
    return PyramidSlide(np.stack((x % 256, y % 256, (x + y) % 256), axis=-1).astype(np.uint8))


def smooth_pyramid():
    """Three levels, each 2 x 2 averaged, of a picture that grows brighter to the right and down."""
    y, x = np.mgrid[:512, :512]
    base = np.stack((x / 4, y / 4, (x + y) / 4), axis=-1)
    halve = lambda a: a.reshape(len(a) // 2, 2, -1, 2, 3).mean((1, 3))  # noqa: E731
    return PyramidSlide(*(np.rint(a).astype(np.uint8) for a in (base, halve(base), halve(halve(base)))))


def cut(slide, xy, config, um_per_px=None, **options):
    return np.concatenate(list(cut_patches(slide, np.asarray(xy, float), config, um_per_px, **options)))


AS_SCANNED = PatchConfig(size_px=32, um_per_px=None)


def test_a_patch_is_the_exact_square_round_the_rounded_centre() -> None:
    slide = position_slide()
    patch = cut(slide, [[100.4, 149.6]], AS_SCANNED)[0]
    np.testing.assert_array_equal(patch, slide.levels[0][150 - 16 : 150 + 16, 100 - 16 : 100 + 16])
    assert patch.dtype == np.uint8


def test_x_is_the_column_and_y_the_row() -> None:
    patch = cut(position_slide(), [[200, 50]], AS_SCANNED)[0]
    assert tuple(patch[16, 16]) == (200, 50, 250)


@pytest.mark.parametrize("um_per_px", [0.69, 0.69 * 1.019, 0.69 / 1.019])
def test_a_scale_within_two_percent_is_taken_pixel_by_pixel(um_per_px: float) -> None:
    slide = position_slide()
    config = PatchConfig(size_px=32, um_per_px=0.69)
    np.testing.assert_array_equal(cut(slide, [[60, 60]], config, um_per_px), cut(slide, [[60, 60]], AS_SCANNED))


def test_three_percent_are_resampled() -> None:
    patch = cut(position_slide(), [[100, 100]], PatchConfig(size_px=128, um_per_px=0.69), 0.69 * 1.03)[0]
    width = 127 / 1.03
    assert abs(np.ptp(patch[0, :, 0].astype(int)) - width) <= 1


def test_coarser_patches_are_area_averages() -> None:
    slide = position_slide()
    patch = cut(slide, [[100, 100]], PatchConfig(size_px=16, um_per_px=1.5), 0.5)[0]
    expected = slide.levels[0][76:124, 76:124].reshape(16, 3, 16, 3, 3).mean((1, 3))
    np.testing.assert_allclose(patch, expected, atol=0.51)


def test_finer_patches_are_interpolated_over_the_same_tissue() -> None:
    patch = cut(position_slide(), [[100, 100]], PatchConfig(size_px=64, um_per_px=0.25), 1.0)[0]
    assert patch.shape == (64, 64, 3)
    red = patch[..., 0].astype(int)
    assert abs(int(red[:, 0].mean()) - 92) <= 1
    assert abs(int(red[:, -1].mean()) - 107) <= 1
    assert (np.diff(red, axis=1) >= 0).all()


@pytest.mark.parametrize(("um_per_px", "level"), [(0.5, 0), (0.9, 0), (1.0, 1), (1.4, 1), (2.0, 2), (8.0, 2)])
def test_the_coarsest_level_that_is_fine_enough_is_read(um_per_px: float, level: int) -> None:
    slide = smooth_pyramid()
    cut(slide, [[256, 256]], PatchConfig(size_px=16, um_per_px=um_per_px), 0.5)
    assert {entry[0] for entry in slide.read} == {level}


@pytest.mark.parametrize("um_per_px", [1.0, 1.5, 2.0, 2.6])
def test_levels_agree_on_what_a_patch_shows(um_per_px: float) -> None:
    slide = smooth_pyramid()
    config = PatchConfig(size_px=32, um_per_px=um_per_px)
    from_pyramid = cut(slide, [[250.3, 260.8]], config, 0.5)
    from_base = cut(PyramidSlide(slide.levels[0]), [[250.3, 260.8]], config, 0.5)
    np.testing.assert_allclose(from_pyramid.astype(int), from_base.astype(int), atol=2)


def test_a_level_at_the_asked_scale_is_read_without_resampling() -> None:
    slide = smooth_pyramid()
    patch = cut(slide, [[256, 256]], PatchConfig(size_px=32, um_per_px=1.0), 0.5)[0]
    np.testing.assert_array_equal(patch, slide.levels[1][112:144, 112:144])


def test_beyond_the_edge_the_picture_is_mirrored() -> None:
    slide = position_slide()
    patch = cut(slide, [[4, 150]], AS_SCANNED)[0]
    np.testing.assert_array_equal(patch[:, 12:], slide.levels[0][134:166, :20])
    np.testing.assert_array_equal(patch[:, :12], patch[:, 12:24][:, ::-1])


@pytest.mark.parametrize("centre", [(0, 0), (399.9, 299.9), (399.9, 0)])
def test_a_spot_on_the_very_corner_still_has_a_patch(centre: tuple[float, float]) -> None:
    assert cut(position_slide(), [centre], AS_SCANNED).shape == (1, 32, 32, 3)


def test_a_patch_larger_than_the_picture_is_mirrored_over_and_over() -> None:
    patch = cut(position_slide(10, 12), [[5, 5]], AS_SCANNED)[0]
    assert patch[..., 0].max() == 11
    assert patch[..., 1].max() == 9


def test_patches_that_reach_over_the_edge_are_counted() -> None:
    xy = np.array([[16, 16], [15, 100], [200, 100], [384, 284], [385, 284]], dtype=float)
    assert count_padded(position_slide(), xy, AS_SCANNED, None) == 2


@pytest.mark.parametrize("batch", [1, 2, 5, 64])
def test_batches_keep_the_order_of_the_spots(batch: int) -> None:
    xy = np.array([[30 + 20 * i, 250 - 30 * i] for i in range(5)], dtype=float)
    batches = list(cut_patches(position_slide(), xy, AS_SCANNED, None, batch=batch))
    assert [len(part) for part in batches] == [len(xy[i : i + batch]) for i in range(0, 5, batch)]
    np.testing.assert_array_equal(np.concatenate(batches)[:, 16, 16, :2], xy)


def test_no_spots_give_no_batches() -> None:
    assert list(cut_patches(position_slide(), np.zeros((0, 2)), AS_SCANNED, None)) == []


@pytest.mark.parametrize("bad", [(-1, 5), (400, 5), (5, 300), (np.nan, 5)])
def test_a_centre_outside_the_picture_is_refused_before_anything_is_read(bad: tuple[float, float]) -> None:
    slide = position_slide()
    with pytest.raises(DataError, match=r"1 of 2 spot centres lie outside slide\.tif \(400 x 300 px\)"):
        cut_patches(slide, np.array([(50.0, 50.0), bad]), AS_SCANNED, None)
    assert slide.read == []


@pytest.mark.parametrize("unknown", [None, 0.0, float("nan")])
def test_an_unknown_resolution_is_refused_with_the_way_out(unknown: float | None) -> None:
    config = PatchConfig(size_px=32, um_per_px=0.69)
    with pytest.raises(DataError, match=r"resolution of slide\.tif is not known.*um_per_px of study\.csv"):
        cut_patches(position_slide(), np.array([[50.0, 50.0]]), config, unknown)
