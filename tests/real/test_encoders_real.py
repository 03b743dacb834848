"""Published weights, where this machine has them (GR2ST_WEIGHTS or the hub's cache): loaded strictly, and sane features."""

from __future__ import annotations

import numpy as np
import pytest

from gr2st.encoder_specs import PATHOLOGY_ENCODERS
from gr2st.encoders.timm_vit import TimmVit
from gr2st.encoders.weights import find_weights

pytestmark = pytest.mark.real


@pytest.mark.parametrize("spec", PATHOLOGY_ENCODERS, ids=lambda spec: spec.name)
def test_published_weights_load_and_tell_patches_apart(spec, timm, rng) -> None:
    if find_weights(spec) is None:
        pytest.skip(f"no weights of {spec.name} on this machine")
    grey = np.full((spec.input_px, spec.input_px, 3), 200, np.uint8)
    patches = np.stack([grey, rng.integers(0, 256, grey.shape).astype(np.uint8)])
    features = TimmVit(spec).encode(patches)
    assert features.shape == (2, spec.width)
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0.1
