"""Reinhard normalisation: colours there and back, the look aimed at, blank patches, batches."""

from __future__ import annotations

import numpy as np
import pytest

from gr2st.preprocess.stain import TARGET_MEAN, TARGET_SPREAD, reinhard, to_lab, to_rgb


@pytest.fixture
def patches(rng):
    """Three patches of violet nuclei in pink, each with a cast of its own."""
    nuclei = rng.random((3, 48, 48, 1)) < 0.3
    colour = np.where(nuclei, (90, 60, 130), (215, 150, 190)) + rng.normal(0, 8, (3, 48, 48, 3))
    cast = np.array([(0, 0, 0), (-30, 10, -20), (15, -25, 5)])[:, None, None, :]
    return np.clip(colour + cast, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_known_colours_have_their_lab_values(rgb, lab) -> None:
    np.testing.assert_allclose(to_lab(np.array(rgb, np.uint8)), lab, atol=0.02)


def test_every_colour_comes_back_from_lab(rng) -> None:
    rgb = rng.integers(0, 256, (5000, 3)).astype(np.uint8)
    np.testing.assert_array_equal(to_rgb(to_lab(rgb)), rgb)


def test_tissue_takes_the_mean_and_spread_of_the_built_in_look(patches) -> None:
    lab = to_lab(reinhard(patches)).reshape(3, -1, 3)
    np.testing.assert_allclose(lab.mean(axis=1), np.tile(TARGET_MEAN, (3, 1)), atol=1.5)
    np.testing.assert_allclose(lab.std(axis=1), np.tile(TARGET_SPREAD, (3, 1)), atol=1.5)


def test_the_built_in_look_is_that_of_the_documentation() -> None:
    np.testing.assert_allclose(TARGET_MEAN, (57.6, 27.6, -21.5))
    np.testing.assert_allclose(TARGET_SPREAD, (15.1, 7.9, 8.0), atol=0.06)


def test_casts_come_out_alike(patches) -> None:
    before = patches.reshape(3, -1, 3).mean(axis=1)
    after = reinhard(patches).reshape(3, -1, 3).mean(axis=1)
    assert np.ptp(before, axis=0).max() > 25
    assert np.ptp(after, axis=0).max() < 4


def test_a_patch_does_not_depend_on_its_batch(patches) -> None:
    alone = np.concatenate([reinhard(patches[i : i + 1]) for i in range(3)])
    np.testing.assert_array_equal(reinhard(np.tile(patches, (5, 1, 1, 1)))[:3], alone)


@pytest.mark.parametrize("value", [255, 240])
def test_a_blank_patch_is_left_as_it_is(value: int) -> None:
    blank = np.full((1, 32, 32, 3), value, np.uint8)
    blank[0, 0, :8] = (90, 60, 130)
    np.testing.assert_array_equal(reinhard(blank), blank)


def test_a_flat_dark_patch_moves_to_the_target_without_noise() -> None:
    out = reinhard(np.full((1, 16, 16, 3), 120, np.uint8))
    assert len(np.unique(out.reshape(-1, 3), axis=0)) == 1
    np.testing.assert_allclose(to_lab(out[0, 0, 0]), TARGET_MEAN, atol=1)


def test_glass_beside_tissue_does_not_change_its_colour_statistics(patches) -> None:
    half = patches[:1].copy()
    half[:, :24] = 250
    tissue = to_lab(reinhard(half)[:, 24:]).reshape(-1, 3)
    np.testing.assert_allclose(tissue.mean(axis=0), TARGET_MEAN, atol=1.5)


def test_input_is_left_alone_and_no_patches_give_none(patches) -> None:
    before = patches.copy()
    assert reinhard(patches).dtype == np.uint8
    np.testing.assert_array_equal(patches, before)
    assert reinhard(patches[:0]).shape == (0, 48, 48, 3)
