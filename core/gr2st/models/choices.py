"""Which blend of the parts of a prediction, and how many retrieved spots, serve best on a section held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from gr2st.config import Gr2stConfig, Settings

NEIGHBOURS = (20, 40, 60, 100, 200)
SHARES = tuple(tenth / 10 for tenth in range(1, 10))


@cache
def candidates(config: Gr2stConfig) -> tuple[Gr2stConfig, ...]:
    """The settings to compare, those given among them: `retrieval_k`, `blend` and `kernel_share`.

    A part that is left out stays out: a share of 0 or 1 is kept.
    """
    fields = ("retrieval_k", "blend", "kernel_share")
    given = tuple(getattr(config, name) for name in fields)
    neighbours = given[:1] if config.blend == 0 else NEIGHBOURS
    grid = product(neighbours, _open(config.blend), _open(config.kernel_share))
    every = dict.fromkeys([given, *grid])
    return tuple(config.model_copy(update=dict(zip(fields, values, strict=True))) for values in every)


def _open(share: float) -> Sequence[float]:
    return (share,) if share in (0, 1) else SHARES


@torch.no_grad()
def blend_scores(
    configs: Sequence[Gr2stConfig],
    retrieved: Mapping[int, Tensor],
    regressed: Tensor,
    by_kernel: Tensor,
    targets: Sequence[Tensor],
) -> dict[Settings, float]:
    """Mean Pearson r over genes and targets of the prediction that each of the settings would give.

    Correlations of a blend follow from the covariances of its parts, so that no blend is computed spot by spot.

    Parameters
    ----------
    configs : settings, as from `candidates`
    retrieved : (n, genes) by number of retrieved spots
    regressed, by_kernel : (n, genes)
        All three on one scale per gene.
    targets : (n, genes) each
        Measured expression; genes that do not vary have no say.
    """
    scores: dict[Settings, float] = {}
    for k, found in retrieved.items():
        same_k = [config for config in configs if config.retrieval_k == k]
        shares = found.new_tensor([list(shares_of(config).values()) for config in same_k], dtype=torch.float64)
        parts = _centred(torch.stack([found, regressed, by_kernel]).double())
        means = torch.stack([_mean_pcc(shares, parts, _centred(target.double())) for target in targets])
        scores |= dict(zip(same_k, means.mean(dim=0).tolist(), strict=True))
    return scores


def shares_of(config: Gr2stConfig) -> dict[str, float]:
    """Shares of retrieval, regression and kernel branch in a prediction, in this order."""
    network = 1 - config.kernel_share
    return {
        "retrieval": config.blend * network,
        "regression": (1 - config.blend) * network,
        "kernel": config.kernel_share,
    }


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(dim=-2, keepdim=True)


def _mean_pcc(shares: Tensor, parts: Tensor, target: Tensor) -> Tensor:
    """(settings,) from shares (settings, parts), centred parts (parts, n, genes) and target (n, genes)."""
    among = torch.einsum("ang,bng->gab", parts, parts)
    across = torch.einsum("ang,ng->ag", parts, target)
    spread = torch.einsum("ca,gab,cb->cg", shares, among, shares).clamp(min=0).sqrt()
    r = (shares @ across) / (spread * target.norm(dim=0))
    return torch.nanmean(torch.where(r.isfinite(), r, torch.nan), dim=1)
