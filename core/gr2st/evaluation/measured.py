"""A section predicted blind, then its measured expression laid beside: the only place where the two meet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.evaluation.metrics import gene_pcc
from gr2st.preparation import prepare, values_digest
from gr2st.preprocess.genes import counts_of
from gr2st.preprocess.normalise import gene_normalise, spot_normalise
from gr2st.registry import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Float32, Prediction, Section, Steps


def predict_section(trained: TrainedModel, section: Section) -> Steps[Prediction]:
    """Prepare a section as the model wants it, predict it blind, then lay the measured values and scores beside."""
    # Torch is for predicting alone: a page about what was predicted is written without.
    from gr2st.prediction import predict
    from gr2st.training.loop import device_of

    oracle = {"depth"} if MODELS[trained.name].is_oracle else set()
    needs = trained.module.needs | {"grid", "position"} | oracle
    prepared = yield from prepare(section, trained.recipe, needs=needs, device=str(device_of(trained.module)))
    prediction = yield from predict(trained, prepared)
    return with_measured(prediction, section)


def with_measured(prediction: Prediction, section: Section) -> Prediction:
    """Lay the measured expression and the scores beside a finished prediction; the predicted values stay as they are.

    Genes that the section did not measure stay without a score (NaN), and their measured columns are NaN.
    """
    table = prediction.table.copy()
    counts = measured_counts(section.table[list(table.obs_names)], prediction.genes)
    for layer, score, normalise in (
        (keys.MEASURED_SPOT, keys.PCC_SPOT, spot_normalise),
        (keys.MEASURED_GENE, keys.PCC_GENE, gene_normalise),
    ):
        measured = normalised(counts, normalise)
        table.layers[layer] = measured
        table.var[score] = gene_pcc(np.asarray(table.layers[keys.PREDICTED]), measured)
    table.uns[keys.PROVENANCE] = {**table.uns[keys.PROVENANCE], "measured": values_digest(counts)}
    return replace(prediction, table=table).noted(_notes_on_scores(prediction.section, table.n_obs))


def _notes_on_scores(section: str, n_spots: int) -> tuple[str, ...]:
    """What a correlation over one or two spots is worth."""
    if n_spots == 1:
        return (f"Section {section} has 1 spot: no gene has a score, a correlation needs several spots.",)
    if n_spots == 2:
        return (f"Section {section} has 2 spots: every score is 1 or -1 whatever is predicted, and says nothing.",)
    return ()


def normalised(counts: Float32, normalise: Callable[[Float32], Float32]) -> Float32:
    """Counts (spots, genes) on a scale of expression; genes that were not measured stay NaN and count for nothing."""
    present = ~np.isnan(counts).any(axis=0)
    values = np.full(counts.shape, np.nan, np.float32)
    values[:, present] = normalise(counts[:, present])
    return values


def measured_counts(table: AnnData, genes: tuple[str, ...]) -> Float32:
    """Counts (spots, genes) of a section, NaN columns for genes it did not measure."""
    known = set(map(str, table.var_names))
    present = [gene in known for gene in genes]
    counts = np.full((table.n_obs, len(genes)), np.nan, np.float32)
    counts[:, present] = counts_of(table, tuple(gene for gene, here in zip(genes, present, strict=True) if here))
    return counts
