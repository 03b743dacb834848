"""The kernel branch: against scikit-learn, and what rank, surroundings and landmarks do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.gaussian_process.kernels import Matern
from sklearn.kernel_ridge import KernelRidge
from torch import Tensor

from gr2st.errors import DataError
from gr2st.models.base import Batch
from gr2st.models.kernel import KernelBranch
from gr2st.registry import MODELS

OURS = MODELS["gr2st"].config
N, FEATURES, GENES = 40, 5, 12


def section(seed: int, name: str = "C2", n: int = N) -> tuple[Batch, Tensor]:
    random = torch.Generator().manual_seed(seed)
    position = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(n / 8), indexing="ij"), -1).reshape(-1, 2)
    features = torch.randn(n, FEATURES, generator=random)
    return Batch(name, features=features, position=position), torch.randn(n, GENES, generator=random)


def fitted(*sections: tuple[Batch, Tensor], **settings: object) -> KernelBranch:
    branch = KernelBranch(OURS.model_copy(update=settings), n_genes=GENES, n_features=FEATURES)
    for batch, expression in sections:
        branch.remember(batch, expression)
    branch.conclude()
    return branch


def test_without_surroundings_it_is_kernel_ridge_onto_principal_components() -> None:
    train, other, test = section(0), section(1, "C3"), section(2, "C4")[0]
    branch = fitted(train, other, context_radius=0, kernel_rank=3)
    features = torch.cat([train[0].features, other[0].features]).double().numpy()
    target = torch.cat([train[1], other[1]]).double().numpy()
    apart = ((features[:, None] - features) ** 2).sum(-1)
    width = np.sqrt(np.median(apart)) / OURS.kernel_gamma
    ridge = KernelRidge(alpha=OURS.kernel_penalty, kernel=Matern(width, nu=0.5))
    components = PCA(3).fit(target)
    ridge.fit(features, components.transform(target))
    expected = components.inverse_transform(ridge.predict(test.features.numpy()))
    np.testing.assert_allclose(branch.predict(test).numpy(), expected, atol=1e-5)


def test_more_genes_than_spots_give_the_same_components() -> None:
    batch, expression = section(0, n=8)
    branch = fitted((batch, expression), kernel_rank=4)
    expected = PCA(4).fit(expression.numpy()).components_
    overlap = branch.programmes.components.numpy() @ expected.T
    np.testing.assert_allclose(np.abs(overlap), np.eye(4), atol=1e-4)


def test_a_spot_is_judged_with_its_surroundings() -> None:
    train, (test, _) = section(0), section(2)
    order = torch.randperm(N, generator=torch.Generator().manual_seed(0))
    moved = replace(test, position=test.position[order])
    alone, together = fitted(train, context_radius=0), fitted(train)
    torch.testing.assert_close(alone.predict(test), alone.predict(moved))
    assert (together.predict(test) - together.predict(moved)).abs().max() > 1e-3


def test_as_many_landmarks_as_spots_change_nothing_and_half_as_many_little() -> None:
    random = torch.Generator().manual_seed(0)
    batch, _ = section(0)
    signal = torch.sin(batch.features @ torch.randn(FEATURES, GENES, generator=random))
    full = fitted((batch, signal), kernel_landmarks=N).predict(batch)
    torch.testing.assert_close(fitted((batch, signal), kernel_landmarks=3 * N).predict(batch), full)
    half = fitted((batch, signal), kernel_landmarks=N // 2).predict(batch)
    assert torch.corrcoef(torch.stack([half.flatten(), full.flatten()]))[0, 1] > 0.9


def test_a_stored_branch_predicts_the_same() -> None:
    branch, (test, _) = fitted(section(0)), section(2)
    fresh = KernelBranch(OURS, n_genes=GENES, n_features=FEATURES)
    fresh.load_state_dict(branch.state_dict())
    torch.testing.assert_close(fresh.predict(test), branch.predict(test), rtol=0, atol=0)


def test_it_must_be_fitted_first() -> None:
    branch = KernelBranch(OURS, n_genes=GENES, n_features=FEATURES)
    with pytest.raises(DataError, match="has not been fitted"):
        branch.predict(section(0)[0])
    with pytest.raises(DataError, match="nothing to learn from"):
        branch.conclude()
