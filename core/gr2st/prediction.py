"""`predict`: a trained model and a section without its expression in, a prediction out."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from gr2st import keys
from gr2st.errors import RecipeMismatch
from gr2st.models.base import Batch
from gr2st.registry import MODELS
from gr2st.training.batches import shown_to, to_batch
from gr2st.training.loop import device_of, limited_threads
from gr2st.types import Prediction, Progress

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from gr2st.models.base import Answer, Attention, Bank
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Float32, Prepared, Steps

GRAPHS = {"spatial": keys.SPATIAL_GRAPH, "functional": keys.FUNCTIONAL_GRAPH}
WEIGHTS = "mean over heads"
"""What the numbers in the graphs of a file are."""

STORED_EARLIER = (
    "An earlier version stored this model: how far each spot lies from those of training, and where the training spots "
    "behind it lie, is not known. Train it again to see both."
)


def predict(trained: TrainedModel, prepared: Prepared) -> Steps[Prediction]:
    """Predict the expression of a section from its picture.

    The section is blinded here, whatever the caller hands in: no measured value reaches the model. The one exception is
    a model registered as an oracle, which is given the depth and says so in its name.

    Returns
    -------
    Prediction
        ``layers["predicted"]`` (spots x genes, float32), and what stands behind it: the training spots, the attention
        over the graphs that the model draws over its *predicted* expression, how far each value can be trusted
        (docs/data.md).

    Raises
    ------
    RecipeMismatch
        The section was prepared with another recipe or encoder than the model was trained with.
    """
    _check_recipe(trained, prepared)
    yield Progress(f"Predicting {prepared.section}", 0, 1)
    seen = shown_to(MODELS[trained.name], prepared)
    device = device_of(trained.module)
    # Sums depend on the number of threads in their last bits: prediction takes as many as training.
    with torch.no_grad(), limited_threads(trained.training.threads):
        batch = to_batch(seen, trained.module.needs, device)
        answer = trained.module.predict(batch)
        table = _table(trained, seen, answer, columns_of_spots(trained, answer, batch))
        _add_attention(table, graphs_of(trained, seen, answer.expression))
    yield Progress(f"Predicting {prepared.section}", 1, 1)
    return Prediction(section=prepared.section, model=trained.name, table=table).noted(_notes(trained, answer))


def _notes(trained: TrainedModel, answer: Answer) -> tuple[str, ...]:
    return answer.notes if trained.facts is not None else (*answer.notes, STORED_EARLIER)


def _check_recipe(trained: TrainedModel, prepared: Prepared) -> None:
    found = prepared.digests.get("recipe")
    if found is not None and found != trained.recipe.digest():
        raise RecipeMismatch(
            f"The model was trained with recipe {trained.recipe.digest()}, section {prepared.section} was prepared "
            f"with {found}: prepare it with the model's own recipe."
        )
    if "features" in trained.module.needs:
        width = None if prepared.features is None else prepared.features.shape[1]
        if width != trained.n_features:
            raise RecipeMismatch(
                f"The model reads {trained.n_features} features per spot, section {prepared.section} has {width}."
            )


def graphs_of(trained: TrainedModel, seen: Prepared, expression: torch.Tensor) -> dict[str, Attention]:
    """Attention over the graphs of a section, with the prediction (n, genes) in the place of the measured values."""
    shown = to_batch(seen, frozenset({"grid", "position", "cell_type"}), device_of(trained.module))
    batch = Batch(
        section=seen.section,
        # Only the picture of the graph needs a place in the array; beyond the training array its edge stands in.
        grid=None if shown.grid is None else shown.grid.clamp(0, trained.grid_size - 1),
        position=shown.position,
        cell_type=shown.cell_type,
        spot_expression=expression,
        gene_expression=expression,
    )
    return trained.module.attention(batch)


def _fits_grid(trained: TrainedModel, seen: Prepared) -> bool:
    """Whether the position tables of the model reach over this section; only its graphs need them."""
    return int(seen.grid.min()) >= 0 and int(seen.grid.max()) < trained.grid_size


def _table(trained: TrainedModel, seen: Prepared, answer: Answer, of_spots: Mapping[str, Any]) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    predicted = _floats(answer.expression)
    obs = pd.DataFrame(
        {keys.ARRAY_COL: seen.grid[:, 0], keys.ARRAY_ROW: seen.grid[:, 1], **of_spots},
        index=pd.Index(seen.spots, name="spot"),
    )
    var = pd.DataFrame(columns_of_genes(trained, answer), index=list(trained.recipe.genes))
    table = AnnData(X=predicted, obs=obs, var=var)
    table.layers[keys.PREDICTED] = predicted
    table.obsm[keys.SPATIAL] = seen.pixel
    note = _graph_note(trained, seen, fits_grid=_fits_grid(trained, seen))
    table.uns[keys.PROVENANCE] = provenance_of(trained, seen, space=answer.space, graphs=note)
    if keys.DISTANCE in of_spots:
        table.uns[keys.PROVENANCE] |= compared_with(trained)
    for name, values in behind_spots(answer).items():
        table.obsm[name] = values
    for name, values in behind_values(answer).items():
        table.layers[name] = values
    return table


def behind_spots(answer: Answer) -> dict[str, Any]:
    """What stands behind each spot, by its slot in obsm: the training spots and the experts."""
    told = {
        keys.REFERENCE_WEIGHT: answer.reference_weight,
        keys.REFERENCE_DISTANCE: answer.reference_distance,
        keys.REFERENCE_SIMILARITY: answer.reference_similarity,
        keys.EXPERTS: answer.experts,
    }
    rows = {} if answer.reference is None else {keys.REFERENCE: answer.reference.cpu().numpy().astype(np.int32)}
    return rows | {name: _floats(values) for name, values in told.items() if values is not None}


def behind_values(answer: Answer) -> dict[str, Float32]:
    """How far each value can be trusted, by its layer."""
    told = {keys.SPREAD: answer.spread, keys.DISAGREEMENT: answer.disagreement}
    return {name: _floats(values) for name, values in told.items() if values is not None}


def columns_of_genes(trained: TrainedModel, answer: Answer) -> dict[str, Any]:
    """Per gene: what it varies by in training, on the scale of the answer, and the shares of the model's parts."""
    columns: dict[str, Any] = {keys.SHARES[part]: np.float32(share) for part, share in answer.shares.items()}
    usual = None if trained.facts is None else trained.facts.spread.get(answer.space)
    return columns if usual is None else columns | {keys.USUAL_SPREAD: usual.numpy()}


def columns_of_spots(trained: TrainedModel, answer: Answer, batch: Batch) -> dict[str, Any]:
    """Per spot: confidence, and how far its picture lies from those of training, where the model looks and knows."""
    columns: dict[str, Any] = {} if answer.confidence is None else {keys.CONFIDENCE: _floats(answer.confidence)}
    pictures = None if trained.facts is None else trained.facts.pictures
    features = trained.module.looks_at(batch)
    if pictures is None or features is None:
        return columns
    distance = _floats(pictures.distance(features))
    return columns | {keys.DISTANCE: distance, keys.OUTSIDE: distance > pictures.beyond}


def compared_with(trained: TrainedModel) -> dict[str, Any]:
    """What the distances of `columns_of_spots` are measured against, for the provenance."""
    pictures = None if trained.facts is None else trained.facts.pictures
    if pictures is None:
        return {}
    return {keys.OUTSIDE_BEYOND: pictures.beyond, keys.COMPARED_WITH: len(pictures.features)}


def _add_attention(table: AnnData, graphs: Mapping[str, Attention]) -> None:
    for name, matrix in adjacencies(graphs).items():
        table.obsp[name] = matrix
        table.uns[keys.PROVENANCE][keys.ATTENTION] = WEIGHTS


def adjacencies(graphs: Mapping[str, Attention]) -> dict[str, Any]:
    """Graphs as sparse matrices, by their slot in obsp."""
    return {GRAPHS[name]: _adjacency(attention) for name, attention in graphs.items()}


def _floats(values: torch.Tensor) -> Float32:
    return values.cpu().numpy().astype(np.float32)


def _adjacency(attention: Attention) -> Any:
    """Sparse matrix; row = target spot, column = the spot it listens to, value = how much."""
    from scipy.sparse import csr_matrix

    first, source, weight = (part.cpu().numpy() for part in (attention.first, attention.source, attention.weight))
    return csr_matrix((weight, source, first), shape=(len(first) - 1, len(first) - 1))


def _graph_note(trained: TrainedModel, seen: Prepared, *, fits_grid: bool) -> str:
    untyped = seen.cell_type is None and trained.recipe.cell_types != "none"
    return "; ".join(
        filter(
            None,
            (
                "over the predicted expression",
                "" if fits_grid else "array larger than in training, edge repeated",
                "without the cell types of training" if untyped else "",
            ),
        )
    )


def _digest_of_data(trained: TrainedModel) -> str:
    """One digest over those of all training sections; model.json tells them one by one."""
    text = json.dumps({name: dict(digests) for name, digests in trained.digests.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def provenance_of(trained: TrainedModel, seen: Prepared, *, space: str, graphs: str) -> dict[str, Any]:
    """Where a prediction comes from; `space` is that of its values, `graphs` a remark on its graphs."""
    bank = trained.module.bank
    provenance: dict[str, Any] = {
        "format": keys.FORMAT,
        "model": trained.name,
        "title": MODELS[trained.name].title,
        "section": seen.section,
        "patient": seen.patient or "",
        "space": space,
        "encoder": trained.recipe.encoder,
        "cell_types": trained.recipe.cell_types,
        "recipe": trained.recipe.digest(),
        "config": trained.config.digest(),
        "training": trained.training.digest(),
        "training_data": _digest_of_data(trained),
        "image": seen.digests.get("image", ""),
        "seed": trained.training.seed,
        keys.TRAINED_ON: list(trained.sections),
        "training_patients": list(trained.patients),
        "versions": dict(trained.versions),
        "graphs": graphs,
    }
    return provenance if bank is None else provenance | _of_bank(trained, bank)


def _of_bank(trained: TrainedModel, bank: Bank) -> dict[str, Any]:
    """Where the training spots are from, that the rows of references can be looked up."""
    told: dict[str, Any] = {
        keys.BANK_SECTION: np.asarray(bank.section, dtype=str),
        keys.BANK_SPOT: np.asarray(bank.spot, dtype=np.int64),
    }
    if (places := trained.places) is None:
        return told
    patients = dict(zip(bank.section, places.patient, strict=True))
    return told | {
        keys.BANK_NAME: np.asarray(places.name, dtype=str),
        keys.BANK_XY: places.xy,
        keys.SECTION_PATIENTS: [patients[section] for section in trained.sections],
    }
