"""What every encoder must keep: those of the registry without weights, and tiny ones on the road of those with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gr2st.encoders.base import load_encoder
from gr2st.errors import DataError, UnknownName
from gr2st.registry import ENCODERS, load
from tests.tiny_vit import TINY, tiny, write_weights

WITHOUT_WEIGHTS = [spec for spec in ENCODERS.values() if not spec.needs_weights]
TINY_ONES = [TINY, replace(tiny(pooling="class and mean"), name="tiny-mean", width=2 * TINY.width)]


@pytest.fixture(params=[*WITHOUT_WEIGHTS, *TINY_ONES], ids=lambda spec: spec.name)
def spec(request, weights):
    if request.param.needs_weights:
        request.getfixturevalue("timm")
        write_weights(request.param, weights)
    return request.param


@pytest.fixture
def encoder(spec):
    return load(spec.factory)(spec, device="cpu")


@pytest.fixture
def patches(encoder, rng):
    """Noise, black, white, one grey, half black and half white, one red, smooth pink: (7, side, side, 3)."""
    side = encoder.spec.input_px
    ramp = np.linspace(120, 240, side)[None, :, None]
    pictures = [rng.integers(0, 256, (side, side, 3)), *(np.full((side, side, 3), value) for value in (0, 255, 128))]
    pictures.append(np.where(np.arange(side)[:, None, None] < side // 2, 0, 255) + np.zeros((side, side, 3)))
    pictures += [
        np.zeros((side, side, 3)) + np.array((255, 0, 0)),
        np.broadcast_to(ramp, (side, side, 3)) * (1, 0.7, 0.9),
    ]
    return np.stack(pictures).astype(np.uint8)


def test_an_encoder_gives_float32_rows_of_the_width_it_states(encoder, patches) -> None:
    features = encoder.encode(patches)
    assert features.shape == (len(patches), encoder.spec.width)
    assert features.dtype == np.float32
    assert encoder.encode(patches[:0]).shape == (0, encoder.spec.width)


def test_features_are_finite_even_for_black_white_and_flat_patches(encoder, patches) -> None:
    assert np.isfinite(encoder.encode(patches)).all()


def test_different_patches_have_different_features(encoder, patches) -> None:
    features = encoder.encode(patches)
    assert len(np.unique(features, axis=0)) == len(patches)


def test_a_patch_has_the_same_features_in_any_batch(encoder, patches) -> None:
    together = encoder.encode(np.tile(patches, (3, 1, 1, 1)))
    alone = np.concatenate([encoder.encode(patch[None]) for patch in patches])
    np.testing.assert_allclose(together, np.tile(alone, (3, 1)), rtol=1e-5, atol=1e-5)


def test_a_second_run_gives_the_very_same_features(encoder, patches) -> None:
    np.testing.assert_array_equal(
        encoder.encode(patches), load(encoder.spec.factory)(encoder.spec, device="cpu").encode(patches)
    )


def test_encoding_leaves_the_patches_as_they_are(encoder, patches) -> None:
    before = patches.copy()
    encoder.encode(patches)
    np.testing.assert_array_equal(patches, before)


def test_patches_need_not_lie_in_one_piece_and_may_be_read_only(encoder, patches) -> None:
    mirrored = patches[:, :, ::-1]
    mirrored.flags.writeable = False
    np.testing.assert_array_equal(encoder.encode(mirrored), encoder.encode(np.ascontiguousarray(mirrored)))


@pytest.mark.parametrize("wrong", ["size", "grey", "float", "single"])
def test_other_shapes_and_types_are_refused_with_the_size_it_takes(encoder, patches, wrong: str) -> None:
    side = encoder.spec.input_px
    given = {
        "size": patches[:, 1:],
        "grey": patches[..., 0],
        "float": patches.astype(np.float32),
        "single": patches[0],
    }[wrong]
    with pytest.raises(DataError, match=rf"takes uint8 patches of {side} x {side} px in RGB, found"):
        encoder.encode(given)


def test_an_unknown_encoder_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="No encoder is called 'handcraftd'. Did you mean 'handcrafted'"):
        load_encoder("handcraftd")
