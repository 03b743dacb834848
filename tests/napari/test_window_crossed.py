"""Spots unlike the training are crossed out so that they can be told, and the map below read, at every zoom."""

from __future__ import annotations

import numpy as np
import pytest

from gr2st_napari._crossed import STEP, Crossed, grown

PITCH, CORNER = 50.0, 1000.0


def _grid(inside) -> Crossed:
    """Places of a grid, 50 px apart, those that are inside crossed out."""
    row, column = np.nonzero(inside)
    return Crossed(PITCH * np.column_stack([column, row]) + CORNER, diameter_px=0.9 * PITCH)


def _place(crossed, level, row, column):
    height, width, _ = level.shape
    x, y = (PITCH * np.array([column, row]) + CORNER - crossed.corner) / crossed.size * (width, height)
    return int(y), int(x)


def _level_of(crossed, pitch):
    """The level in which spots are so many pixels apart."""
    return min(crossed.levels, key=lambda level: abs(level.shape[1] * PITCH / crossed.size[0] - pitch))


@pytest.mark.parametrize("pitch", [100, 40, 20])
def test_where_there_is_room_each_spot_has_its_cross_and_no_other(pitch):
    inside = np.random.default_rng(1).random((9, 12)) < 0.5
    crossed = _grid(inside)
    level = _level_of(crossed, pitch)
    painted = level[:][..., 3] > 0
    for row, column in np.ndindex(inside.shape):
        at = _place(crossed, level, row, column)
        if all(0 < place < size for place, size in zip(at, painted.shape, strict=True)):
            assert painted[at] == inside[row, column]


@pytest.mark.parametrize("pitch", [10, 5, 2.5, 1.25])
def test_crosses_without_room_become_an_outline_and_hatching_through_which_the_map_is_read(pitch):
    inside = np.zeros((200, 240), bool)
    inside[50:150, 40:200] = True
    crossed = _grid(inside)
    level = _level_of(crossed, pitch)
    pixels = level[:]
    top, left = _place(crossed, level, 50, 40)
    bottom, right = _place(crossed, level, 149, 199)
    area = pixels[top:bottom, left:right]
    assert 0.05 < (area[..., 3] > 0).mean() < 0.5
    # White and black, so that it is seen on white and on black.
    assert {0, 255} == set(area[area[..., 3] > 0][:, 0])
    middle, reach = (top + bottom) // 2, int(max(pitch, 4)) + 2
    assert (pixels[middle, left - reach : left + 1, 0] == 255).any()
    assert (pixels[middle, right : right + reach, 0] == 255).any()
    assert not pixels[middle, : left - reach].any()


def test_a_single_spot_among_many_is_seen_and_so_is_a_gap():
    inside = np.zeros((120, 120), bool)
    inside[20:100, 20:100] = True
    inside[60, 60], inside[60, 110] = False, True
    crossed = _grid(inside)
    level = _level_of(crossed, 9)
    painted = level[:][..., 3] > 0

    def is_seen(row, column):
        y, x = _place(crossed, level, row, column)
        return painted[y - 6 : y + 7, x - 6 : x + 7].mean()

    assert is_seen(60, 110) > 0.2
    assert is_seen(60, 60) > 1.5 * is_seen(60, 80)


def test_what_is_drawn_in_windows_fits_together():
    inside = np.random.default_rng(2).random((40, 50)) < 0.6
    for level in _grid(inside).levels[6:10]:
        whole, half = level[:], level.shape[0] // 2
        np.testing.assert_array_equal(np.concatenate([level[:half], level[half:]]), whole)
        np.testing.assert_array_equal(level[13:90, 17:120], whole[13:90, 17:120])


def test_levels_follow_each_other_so_closely_that_no_line_is_lost():
    crossed = _grid(np.ones((30, 30), bool))
    widths = [level.shape[1] for level in crossed.levels]
    assert max(np.divide(widths[:-1], widths[1:])) < 1.01 * STEP
    assert widths[-1] <= 128
    assert crossed.pitch_px == PITCH


@pytest.mark.parametrize("n", [0, 1])
def test_no_spot_and_one_have_a_picture_too(n):
    crossed = Crossed(np.full((n, 2), CORNER), diameter_px=45.0)
    for level in crossed.levels:
        assert level[:].any() == bool(n)


def test_growing_reaches_as_far_as_it_is_told_and_no_further():
    marked = np.zeros((21, 23), bool)
    marked[10, 11] = True
    rows, columns = np.nonzero(grown(marked, 7))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 17, 4, 18)
    assert marked.sum() == 1
