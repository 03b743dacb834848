"""Tissue is found on uneven glass, beside halos, frames and painted black; what is no H&E is known as such."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from gr2st.io.tissue import is_histology, tissue_mask
from tests.core.pictures import GLASS, PALE, histology, triangle

SHAPE = (600, 700)


def agreement(found, true):
    """Share of the union that both masks have in common."""
    return (found & true).sum() / (found | true).sum()


@pytest.fixture
def true():
    return triangle(*SHAPE)


def test_tissue_is_found(true):
    assert agreement(tissue_mask(histology(true)), true) > 0.95


def test_pale_tissue_is_found(true):
    assert agreement(tissue_mask(histology(true, tissue=PALE)), true) > 0.95


def test_dark_grey_glass_is_no_tissue(true):
    assert agreement(tissue_mask(histology(true, glass=GLASS * 0.5, tissue=PALE * 0.5)), true) > 0.95


def test_a_pink_halo_is_no_tissue(true):
    picture = histology(true).astype(float)
    halo = ndimage.gaussian_filter(true.astype(float), 40)[..., None] * 2
    halo = np.where(true[..., None], 0, halo.clip(max=1))
    picture -= halo * [4, 22, 6]
    found = tissue_mask(picture.clip(0, 255).astype(np.uint8))
    assert agreement(found, true) > 0.93


def test_an_uneven_lamp_changes_little(true):
    light = np.linspace(1, 0.65, SHAPE[1])[None, :, None]
    found = tissue_mask((histology(true) * light).astype(np.uint8))
    assert agreement(found, true) > 0.95


def test_painted_black_and_dark_borders_are_no_tissue(true):
    picture = histology(true)
    picture[~ndimage.binary_dilation(true, iterations=8)] = 0
    picture[-40:] = (22, 16, 15)
    assert agreement(tissue_mask(picture), true) > 0.93


def test_grey_marks_of_the_array_are_no_tissue(true):
    picture = histology(true)
    picture[540:580:4, 20:680] = (120, 122, 121)
    picture[20:580, 20:50:5] = (90, 90, 90)
    assert agreement(tissue_mask(picture), true) > 0.95


def test_a_large_picture_gives_a_mask_of_its_own_size(true):
    large = histology(true).repeat(3, axis=0).repeat(3, axis=1)[:-1, :-2]
    found = tissue_mask(large)
    assert found.shape == large.shape[:2]
    assert agreement(found, true.repeat(3, axis=0).repeat(3, axis=1)[:-1, :-2]) > 0.95


def test_a_picture_full_of_tissue_is_all_tissue():
    assert tissue_mask(histology(np.ones((200, 300), bool))).mean() > 0.99


def test_empty_glass_has_no_tissue():
    assert tissue_mask(histology(np.zeros((300, 300), bool))).mean() < 0.01


def test_a_tiny_picture_does_not_fail():
    assert tissue_mask(np.full((3, 5, 3), 200, np.uint8)).shape == (3, 5)


def test_stained_tissue_is_histology(true):
    assert is_histology(histology(true))
    assert is_histology(histology(true, tissue=PALE))
    assert is_histology(histology(true, glass=np.zeros(3)))


def test_what_is_no_stained_picture_is_not(true):
    rng = np.random.default_rng(0)
    fluorescence = np.where(true[..., None], [30, 160, 60], 8) + rng.integers(0, 8, (*SHAPE, 3))
    cells = ndimage.gaussian_filter((true & (rng.random(SHAPE) > 0.98)).astype(float), 2)
    magenta = cells[..., None] / cells.max() * [230, 40, 220] + 6
    grey = np.repeat(histology(true)[..., 1:2], 3, axis=2)
    for name, picture in {
        "black": np.zeros((*SHAPE, 3)),
        "white": np.full((*SHAPE, 3), 255),
        "flat pink": np.full((*SHAPE, 3), (220, 150, 200)),
        "fluorescence": fluorescence,
        "magenta fluorescence": magenta,
        "grey": grey,
    }.items():
        assert not is_histology(picture.astype(np.uint8)), name
