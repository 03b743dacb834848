"""Handcrafted features: names, building blocks against plain references, and what the features say of drawn tissue."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from gr2st.encoders.channels import RUIFROK, channels_of
from gr2st.encoders.handcrafted import Handcrafted, feature_names
from gr2st.encoders.statistics import blur, dilate, erode, histogram, quantiles

SIDE = 224


def stained(haematoxylin, eosin) -> np.ndarray:
    """Patch (1, 224, 224, 3) of tissue with these amounts of stain, by Ruifrok's directions."""
    amounts = np.stack(np.broadcast_arrays(haematoxylin, eosin, np.zeros((SIDE, SIDE))), axis=-1)
    light = 256 * 10 ** -(amounts @ np.array(RUIFROK)) - 1
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)[None]


def discs(count: int, radius: float, seed: int = 0) -> np.ndarray:
    """Bool (224, 224): discs on a jittered grid, none touching another."""
    rng = np.random.default_rng(seed)
    per_side = int(np.ceil(count**0.5))
    step = SIDE / per_side
    room = max(step / 2 - radius - 3, 0)
    y, x = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), bool)
    for index in rng.permutation(per_side**2)[:count]:
        row, column = (np.array(divmod(index, per_side)) + 0.5) * step + rng.uniform(-room, room, 2)
        mask |= (y - row) ** 2 + (x - column) ** 2 <= radius**2
    return mask


def cells(count: int, radius: float = 6.0) -> np.ndarray:
    return stained(np.where(discs(count, radius), 0.8, 0.08), 0.3)


def features(patch: np.ndarray) -> dict[str, float]:
    return dict(zip(feature_names(), Handcrafted().encode(patch)[0].tolist(), strict=True))


def test_every_feature_has_one_name_and_the_registry_knows_how_many() -> None:
    names = feature_names()
    assert len(set(names)) == len(names) == Handcrafted().spec.width
    assert {"haematoxylin.mean", "nuclei.area", "centres.sigma2.5.count", "holes.all", "pattern.eosin.9"} <= set(names)


def test_stains_are_separated_as_they_were_mixed() -> None:
    stains = channels_of(torch.from_numpy(stained(0.6, 0.25))).stains
    np.testing.assert_allclose(stains.mean((0, 2, 3)), [0.6, 0.25, 0.0], atol=0.01)


def test_half_size_density_is_the_mean_of_the_pixels_densities(rng) -> None:
    patch = rng.integers(0, 256, (1, SIDE, SIDE, 3)).astype(np.uint8)
    density = -np.log10((patch[0] + 1.0) / 256).reshape(112, 2, 112, 2, 3).mean((1, 3))
    channels = channels_of(torch.from_numpy(patch))
    np.testing.assert_allclose(channels.density[0].permute(1, 2, 0), density, atol=1e-5)
    np.testing.assert_allclose(
        channels.rgb[0].permute(1, 2, 0), patch[0].reshape(112, 2, 112, 2, 3).mean((1, 3)), atol=1e-4
    )


@pytest.mark.parametrize("sigma", [1.0, 2.5, 8.0])
def test_blur_is_a_mirrored_gaussian(rng, sigma: float) -> None:
    image = rng.normal(size=(28, 28))
    expected = ndimage.gaussian_filter(image, sigma, mode="reflect", radius=round(3 * sigma))
    found = blur(torch.from_numpy(image[None, None]).float(), sigma)[0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("side", [1, 3, 5, 7, 9, 13, 21])
def test_dilation_and_erosion_are_those_of_a_square(rng, side: int) -> None:
    mask = rng.random((2, 1, 30, 30)) < 0.2
    square = np.ones((1, 1, side, side), bool)
    tensor = torch.from_numpy(mask.astype(np.uint8))
    np.testing.assert_array_equal(dilate(tensor, side).bool(), ndimage.binary_dilation(mask, square))
    np.testing.assert_array_equal(erode(tensor, side).bool(), ndimage.binary_erosion(mask, square, border_value=1))


def test_the_dilation_of_amounts_is_their_running_maximum(rng) -> None:
    amounts = rng.normal(size=(1, 2, 20, 20)) - 5
    expected = ndimage.maximum_filter(amounts, (1, 1, 7, 7), mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(dilate(torch.from_numpy(amounts), 7), expected)


def test_quantiles_of_a_histogram_are_those_of_the_values(rng) -> None:
    values = rng.normal(0.5, 0.1, (2, 3, 40, 40))
    counts = histogram(torch.from_numpy(values).float(), torch.zeros(3), torch.ones(3))
    found = quantiles(counts, (0.05, 0.5, 0.95)).numpy()
    np.testing.assert_allclose(
        found, np.moveaxis(np.quantile(values, (0.05, 0.5, 0.95), axis=(2, 3)), 0, -1), atol=0.01
    )


def test_threads_change_no_bit_and_are_given_back(rng) -> None:
    patches = rng.integers(0, 256, (20, SIDE, SIDE, 3)).astype(np.uint8)
    before = torch.get_num_threads()
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(Handcrafted().encode(patches))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_more_nuclei_are_counted_as_more() -> None:
    few, many = features(cells(25)), features(cells(100))
    assert 10 ** few["centres.sigma2.5.count"] - 1 == pytest.approx(25, abs=2)
    assert 10 ** many["centres.sigma2.5.count"] - 1 == pytest.approx(100, abs=5)
    assert many["nuclei.area"] > 3 * few["nuclei.area"]
    assert many["dark.h0.5.reach6"] > few["dark.h0.5.reach6"]


def test_larger_nuclei_survive_a_wider_opening() -> None:
    small, large = features(cells(36, 5.0)), features(cells(36, 12.0))
    assert small["nuclei.wider_than9"] < 0.05
    assert large["nuclei.wider_than9"] > 0.5


def test_area_and_amounts_of_drawn_nuclei_are_measured() -> None:
    found = features(cells(49, 7.0))
    share = discs(49, 7.0).mean()
    assert found["dark.h0.35.area"] == pytest.approx(share, rel=0.15)
    assert found["nuclei.haematoxylin"] > 0.5
    assert found["eosin.q50"] * 1.6 - 0.4 == pytest.approx(0.3, abs=0.03)


def test_fibres_are_aligned_and_cells_are_not() -> None:
    stripes = stained(0.1, 0.3 + 0.2 * np.sin(np.mgrid[:SIDE, :SIDE][1] / 4))
    assert features(stripes)["edges.saturation.sigma1.aligned"] > 0.9
    assert features(cells(64))["edges.haematoxylin.sigma1.aligned"] < 0.2


def test_lumina_are_holes_by_their_width() -> None:
    fine, wide = (
        stained(np.where(discs(n, r), 0.0, 0.3), np.where(discs(n, r), 0.0, 0.3)) for n, r in ((81, 7), (1, 80))
    )
    assert features(fine)["holes.all"] > -1
    assert features(fine)["holes.wider_than22"] == pytest.approx(-2)
    assert features(wide)["holes.wider_than42"] > -1


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_turning_a_patch_changes_little(turn: int) -> None:
    patch = cells(50)
    upright, turned = (Handcrafted().encode(p)[0] for p in (patch, np.rot90(patch, turn, axes=(1, 2))))
    np.testing.assert_allclose(turned, upright, atol=0.02)
