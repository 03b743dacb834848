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
from gr2st.training.loop import limited_threads
from gr2st.types import Prediction, Progress

if TYPE_CHECKING:
    from anndata import AnnData

    from gr2st.models.base import Answer
    from gr2st.training.checkpoint import TrainedModel
    from gr2st.types import Prepared, Steps


def predict(trained: TrainedModel, prepared: Prepared) -> Steps[Prediction]:
    """Predict the expression of a section from its picture.

    The section is blinded here, whatever the caller hands in: no measured value reaches the model. The one exception is
    a model registered as an oracle, which is given the depth and says so in its name.

    Returns
    -------
    Prediction
        ``layers["predicted"]`` (spots x genes, float32), the spatial graph, and the functional graph the model draws
        over its *predicted* expression.

    Raises
    ------
    RecipeMismatch
        The section was prepared with another recipe or encoder than the model was trained with.
    """
    _check_recipe(trained, prepared)
    yield Progress(f"Predicting {prepared.section}", 0, 1)
    seen = shown_to(MODELS[trained.name], prepared)
    device = device_of(trained)
    # Sums depend on the number of threads in their last bits: prediction takes as many as training.
    with torch.no_grad(), limited_threads(trained.training.threads):
        answer = trained.module.predict(to_batch(seen, trained.module.needs, device))
        graphs = graphs_of(trained, seen, answer.expression)
    table = _table(trained, seen, answer, graphs)
    yield Progress(f"Predicting {prepared.section}", 1, 1)
    return Prediction(section=prepared.section, model=trained.name, table=table).noted(answer.notes)


def device_of(trained: TrainedModel) -> torch.device:
    """Where the model's numbers lie; the CPU for a model without any."""
    return next((tensor.device for tensor in trained.module.state_dict().values()), torch.device("cpu"))


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


def graphs_of(trained: TrainedModel, seen: Prepared, expression: torch.Tensor) -> dict[str, torch.Tensor]:
    """Graphs over the section by name, with the prediction (n, genes) in the place of the measured expression."""
    shown = to_batch(seen, frozenset({"grid", "position", "cell_type"}), device_of(trained))
    batch = Batch(
        section=seen.section,
        # Only the picture of the graph needs a place in the array; beyond the training array its edge stands in.
        grid=None if shown.grid is None else shown.grid.clamp(0, trained.grid_size - 1),
        position=shown.position,
        cell_type=shown.cell_type,
        spot_expression=expression,
        gene_expression=expression,
    )
    return trained.module.edges(batch)


def _fits_grid(trained: TrainedModel, seen: Prepared) -> bool:
    """Whether the position tables of the model reach over this section; only its graphs need them."""
    return int(seen.grid.min()) >= 0 and int(seen.grid.max()) < trained.grid_size


def _table(trained: TrainedModel, seen: Prepared, answer: Answer, graphs: dict[str, torch.Tensor]) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    predicted = answer.expression.cpu().numpy().astype(np.float32)
    obs = pd.DataFrame(
        {keys.ARRAY_COL: seen.grid[:, 0], keys.ARRAY_ROW: seen.grid[:, 1]},
        index=pd.Index(seen.spots, name="spot"),
    )
    if answer.confidence is not None:
        obs[keys.CONFIDENCE] = answer.confidence.cpu().numpy()
    table = AnnData(X=predicted, obs=obs, var=pd.DataFrame(index=list(trained.recipe.genes)))
    table.layers[keys.PREDICTED] = predicted
    table.obsm[keys.SPATIAL] = seen.pixel
    for key, matrix in adjacencies(graphs, len(seen.spots)).items():
        table.obsp[key] = matrix
    note = _graph_note(trained, seen, fits_grid=_fits_grid(trained, seen))
    table.uns[keys.PROVENANCE] = provenance_of(trained, seen, space=answer.space, graphs=note)
    if answer.reference is not None and answer.reference_weight is not None:
        table.obsm[keys.REFERENCE] = answer.reference.cpu().numpy().astype(np.int32)
        table.obsm[keys.REFERENCE_WEIGHT] = answer.reference_weight.cpu().numpy().astype(np.float32)
    return table


def adjacencies(graphs: dict[str, torch.Tensor], n_spots: int) -> dict[str, Any]:
    """Graphs as sparse matrices, by their slot in the file."""
    slots = {"spatial": keys.SPATIAL_GRAPH, "functional": keys.FUNCTIONAL_GRAPH}
    return {slots[name]: _adjacency(edges, n_spots) for name, edges in graphs.items()}


def _adjacency(edges: torch.Tensor, n_spots: int) -> Any:
    """Sparse 0/1 matrix; row = target spot, column = the spot it listens to."""
    from scipy.sparse import csr_matrix

    source, target = edges.cpu().numpy()
    kept = source != target
    ones = np.ones(int(kept.sum()), np.float32)
    return csr_matrix((ones, (target[kept], source[kept])), shape=(n_spots, n_spots))


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
        "trained_on": list(trained.sections),
        "training_patients": list(trained.patients),
        "versions": dict(trained.versions),
        "graphs": graphs,
    }
    if bank is not None:
        provenance["bank_section"] = np.asarray(bank.section, dtype=str)
        provenance["bank_spot"] = np.asarray(bank.spot, dtype=np.int64)
    return provenance
