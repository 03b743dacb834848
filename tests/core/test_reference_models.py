"""Reference rows: each against an independent way to the same number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from gr2st.config import ConstantConfig, NeighboursConfig, RidgeConfig
from gr2st.models.base import Batch, SpotModel
from gr2st.models.reference import DepthOracle, NearestPatches, Ridge, TrainingMean
from tests.contracts import N_FEATURES, N_GENES, toy_batch

SIZES = {"n_genes": N_GENES, "n_features": N_FEATURES, "grid_size": 16}


def fitted(model: SpotModel, batches: list[Batch]) -> SpotModel:
    for batch in batches:
        model.remember(batch)
    model.conclude()
    return model


def stacked(batches: list[Batch], name: str) -> np.ndarray:
    return torch.cat([getattr(batch, name) for batch in batches]).double().numpy()


@pytest.mark.parametrize("n", [40, 4], ids=["more-spots-than-features", "more-features-than-spots"])
@pytest.mark.parametrize("target", ["spot", "gene"])
def test_ridge_is_the_ridge_of_scikit_learn(n: int, target: str):
    batches = [toy_batch("A1", n=n, seed=1), toy_batch("A2", n=n, seed=2)]
    test = toy_batch("B1", seed=3)
    model = fitted(Ridge(RidgeConfig(target=target, penalty=0.5), **SIZES), batches)
    scaler = StandardScaler().fit(stacked(batches, "features"))
    other = SklearnRidge(alpha=0.5 * 2 * n).fit(
        scaler.transform(stacked(batches, "features")), stacked(batches, f"{target}_expression")
    )
    answer = model.predict(test)
    expected = other.predict(scaler.transform(test.features.double().numpy()))
    np.testing.assert_allclose(answer.expression.numpy(), expected, atol=2e-6)
    assert answer.space == target


def test_ridge_gives_no_say_to_a_feature_that_never_varies():
    batches = [
        replace(toy_batch("A1"), features=torch.cat([toy_batch("A1").features[:, 1:], torch.full((30, 1), 0.1)], 1))
    ]
    model = fitted(Ridge(RidgeConfig(), **SIZES), batches)
    other = replace(batches[0], features=batches[0].features + torch.eye(N_FEATURES)[-1] * 1e-3)
    torch.testing.assert_close(model.predict(batches[0]).expression, model.predict(other).expression, atol=1e-6, rtol=0)


def test_nearest_patches_is_the_regressor_of_scikit_learn():
    batches = [toy_batch("A1", seed=1), toy_batch("A2", seed=2)]
    test = toy_batch("B1", seed=3)
    model = fitted(NearestPatches(NeighboursConfig(k=7), **SIZES), batches)
    scaler = StandardScaler().fit(stacked(batches, "features"))
    other = KNeighborsRegressor(7).fit(
        scaler.transform(stacked(batches, "features")), stacked(batches, "gene_expression")
    )
    answer = model.predict(test)
    expected = other.predict(scaler.transform(test.features.double().numpy()))
    np.testing.assert_allclose(answer.expression.numpy(), expected, atol=1e-6)
    assert answer.reference_weight.unique().tolist() == pytest.approx([1 / 7])


def test_nearest_patches_names_the_nearest_spot_first():
    batches = [toy_batch("A1", seed=1), toy_batch("A2", seed=2)]
    model = fitted(NearestPatches(NeighboursConfig(k=3), **SIZES), batches)
    row = int(model.predict(batches[1]).reference[4, 0])
    assert (model.bank.section[row], model.bank.spot[row]) == ("A2", 4)


def test_the_training_mean_counts_every_spot_once():
    batches = [toy_batch("A1", n=10, seed=1), toy_batch("A2", n=30, seed=2)]
    answer = fitted(TrainingMean(ConstantConfig(target="spot"), **SIZES), batches).predict(toy_batch("B1", n=4))
    expected = stacked(batches, "spot_expression").mean(axis=0)
    np.testing.assert_allclose(answer.expression.numpy(), np.tile(expected, (4, 1)), rtol=1e-6)


def test_the_depth_oracle_says_the_logarithm_of_the_depth_for_every_gene():
    model = DepthOracle(ConstantConfig(), **SIZES)
    answer = model.predict(Batch("B1", depth=torch.tensor([0.0, 9.0, 999.0])))
    assert answer.expression.shape == (3, N_GENES)
    assert answer.expression[:, 5].tolist() == pytest.approx([0.0, 1.0, 3.0])
    assert answer.space == "mixed"
    assert model.needs == {"depth"}
