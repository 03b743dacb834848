"""Clusters of the expression, predicted and measured, held against a pathologist's labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gr2st import keys

if TYPE_CHECKING:
    from anndata import AnnData

    from gr2st.evaluation.metrics import Matrix
    from gr2st.types import Bool, Int64, Prediction

COMPONENTS = 20
RESTARTS = 10
SEED = 0
UNDECIDED = "undetermined"
"""A label that names no region."""
SIDES = {"predicted": keys.PREDICTED, "measured": keys.MEASURED_SPOT}
AGREEMENTS = tuple(f"{index}_{side}" for index in ("ari", "nmi") for side in SIDES)


def label_agreement(prediction: Prediction, section: AnnData) -> dict[str, float | None]:
    """How well clusters of the predicted and of the measured expression agree with the labels of a section.

    Both sides are clustered alike, over the same spots and genes: the measured side says what the genes could tell.

    Parameters
    ----------
    prediction : Prediction
        With its measured values beside it, as `gr2st.with_measured` returns it.
    section : AnnData
        The table of the section, with a label per spot in ``obs`` where the data has labels.

    Returns
    -------
    dict
        Adjusted Rand index and normalised mutual information of each side, by the names of `AGREEMENTS`. None where
        fewer than two labels are known, or where the expression does not make as many clusters as there are labels.
    """
    table = prediction.table
    labels = _labels_of(section, table)
    chosen = labels >= 0
    count = len(np.unique(labels[chosen]))
    agreement: dict[str, float | None] = dict.fromkeys(AGREEMENTS)
    if count < 2:
        return agreement
    measured = ~np.isnan(np.asarray(table.layers[keys.MEASURED_SPOT])).any(axis=0)
    for side, layer in SIDES.items():
        found = clusters(np.asarray(table.layers[layer], np.float64)[chosen][:, measured], count)
        if found is not None:
            agreement |= _agreement(labels[chosen], found, side)
    return agreement


def clusters(expression: Matrix, count: int) -> Int64 | None:
    """Cluster of each spot: k-means on the principal components (at most `COMPONENTS`) of the standardised genes.

    The number of clusters is given, not found, so that two expressions are parted equally finely.

    Parameters
    ----------
    expression : (spots, genes)
        Constant genes have no say.
    count : int
        Number of clusters, at least 2.

    Returns
    -------
    (spots,) int64, or None where fewer than `count` spots differ from each other
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA

    varied = np.asarray(expression, np.float64)[:, _varies(expression)]
    if len(np.unique(varied, axis=0)) < count or not varied.shape[1]:
        return None
    standard = (varied - varied.mean(axis=0)) / varied.std(axis=0)
    scores = PCA(min(COMPONENTS, *standard.shape), svd_solver="full").fit_transform(standard)
    found: Int64 = KMeans(count, n_init=RESTARTS, random_state=SEED).fit_predict(scores).astype(np.int64)
    return found


def _varies(expression: Matrix) -> Bool:
    return np.asarray(np.ptp(expression, axis=0) > 0)


def _labels_of(section: AnnData, table: AnnData) -> Int64:
    """Number of each spot's label, -1 where it has none that names a region."""
    if keys.LABEL not in section.obs:
        return np.full(table.n_obs, -1)
    found = section.obs[keys.LABEL].loc[list(table.obs_names)]
    names = [_name_of(label) for label in found]
    known = sorted(set(names) - {""})
    return np.array([known.index(name) if name else -1 for name in names], np.int64)


def _name_of(label: Any) -> str:
    """The label as text, "" where it names no region."""
    import pandas as pd

    text = "" if pd.isna(label) else str(label).strip()
    return "" if text.lower() == UNDECIDED else text


def _agreement(labels: Int64, found: Int64, side: str) -> dict[str, float | None]:
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return {
        f"ari_{side}": float(adjusted_rand_score(labels, found)),
        f"nmi_{side}": float(normalized_mutual_info_score(labels, found)),
    }
