"""Weights that the published code trained, put into our network of the same names, with a bank of our own sections."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from gr2st.errors import DataError
from gr2st.io.store import file_digest
from gr2st.io.tensors import faults_of, read_tensors
from gr2st.registry import MODELS, load
from gr2st.training.batches import to_batch
from gr2st.training.checkpoint import TrainedModel, versions
from gr2st.training.loop import appearances_of, check_sections, n_features_of, pick_device, remember
from gr2st.types import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gr2st.config import Recipe
    from gr2st.io.tensors import State
    from gr2st.models.gr2st import Gr2st
    from gr2st.types import Prepared, Steps

INSIDE = ("state_dict", "model_state_dict")
"""Where training scripts put the weights of a network, beside other things."""

PARALLEL = "module."
"""What torch puts before each name when it trains on several GPUs."""

TABLE = "x_embed.weight"
"""Position table (rows of the array, genes): it tells both."""

PICTURE = "image_projection.projection.weight"
"""First layer of the picture side (width, features)."""

ORIGIN = "weights"
"""Key among the versions of a trained model: the file its weights were taken from."""


def open_checkpoint(path: Path | str, model: str, *, n_genes: int, n_features: int) -> Gr2st:
    """The network of a published preset with the weights of a file, which is mapped: leave it in place while in use.

    Position tables keep the rows they have in the file.

    Raises
    ------
    UnknownName, DataError
        No such model, or one without published weights; or the file does not hold its weights, for these numbers of
        genes and features, with exactly its names.
    """
    path = Path(path)
    _check_published(model)
    state = _plain(read_tensors(path, inside=INSIDE))
    _check_sizes(path, state, n_genes, n_features)
    network = _network(model, state, n_genes, n_features)
    _check_names(path, model, network.state_dict(), state)
    network.load_state_dict({name: values.to(torch.float32) for name, values in state.items()}, assign=True)
    return network.eval()


def import_checkpoint(
    path: Path | str, model: str, sections: Sequence[Prepared], recipe: Recipe, *, device: str = "auto"
) -> Steps[TrainedModel]:
    """A trained model with the weights of a published file and the bank of these sections.

    Parameters
    ----------
    path : Path or str
        A state dictionary as torch writes it, by itself or below ``state_dict``; or a .safetensors file.
    model : str
        A registered model with published weights.
    sections : sequence of Prepared
        What retrieval looks up. The file does not say which sections its weights were trained on.
    recipe : Recipe
        The recipe the sections were prepared with; its genes in the order of the weights.
    device : str

    Returns
    -------
    TrainedModel
        With 0 epochs of training; ``versions["weights"]`` names the file and its digest.

    Raises
    ------
    DataError
        As `open_checkpoint`; or no section, or sections of another recipe.
    """
    path = Path(path)
    check_sections(sections, recipe)
    place = pick_device(device)
    stage = f"Reading the weights of {path.name}"
    yield Progress(stage, 0, 1)
    n_features = n_features_of(sections)
    network = open_checkpoint(path, model, n_genes=len(recipe.genes), n_features=n_features).to(place)
    origin = f"{path.name} {file_digest(path)}"
    yield Progress(stage, 1, 1)
    fields = network.needs | network.learns_from
    yield from remember(network, [to_batch(section, fields, place) for section in sections])
    spec = MODELS[model]
    return TrainedModel(
        name=model,
        module=network,
        config=spec.config,
        training=spec.training.model_copy(update={"epochs": 0, "device": device}),
        recipe=recipe,
        n_features=n_features,
        grid_size=network.x_embed.num_embeddings,
        sections=tuple(section.section for section in sections),
        patients=tuple(sorted({section.patient for section in sections if section.patient})),
        digests={section.section: dict(section.digests) for section in sections},
        appearances=appearances_of(sections),
        versions=versions() | {ORIGIN: origin},
    )


def _check_published(model: str) -> None:
    if not MODELS[model].is_published:
        published = " and ".join(spec.name for spec in MODELS.values() if spec.is_published)
        raise DataError(f"{model} has no published weights, only {published} have; train it with `gr2st train`.")


def _plain(state: State) -> State:
    """The names without what training on several GPUs puts before all of them."""
    if all(name.startswith(PARALLEL) for name in state):
        return {name.removeprefix(PARALLEL): values for name, values in state.items()}
    return state


def _network(model: str, state: State, n_genes: int, n_features: int) -> Gr2st:
    """The network without any weights, on torch's meta device: nothing is allocated."""
    spec = MODELS[model]
    rows = len(state[TABLE]) if TABLE in state and state[TABLE].ndim else 1
    with torch.device("meta"):
        network: Gr2st = load(spec.factory)(spec.config, n_genes=n_genes, n_features=n_features, grid_size=rows)
    return network


def _check_sizes(path: Path, state: State, n_genes: int, n_features: int) -> None:
    """What the two telling tensors say of genes and features, before sixty others say it by their shapes."""
    genes, features = (state[name].shape[-1:] if name in state else () for name in (TABLE, PICTURE))
    findings = []
    if genes and genes[0] != n_genes:
        findings.append(
            f"it holds {genes[0]} genes, the list has {n_genes}: give the list it was trained with, in that order"
        )
    if features and features[0] != n_features:
        findings.append(
            f"it reads {features[0]} features per spot, the encoder gives {n_features}: choose the encoder it was "
            "trained on (published: phikon-v2)"
        )
    if findings:
        raise DataError(f"{path} does not fit: {'; '.join(findings)}.")


def _check_names(path: Path, model: str, wanted: State, found: State) -> None:
    faults = faults_of(wanted, found)
    if faults:
        raise DataError(
            f"{path} does not hold the weights of {model!r}: of {len(wanted)} parameters wanted, {', '.join(faults)}. "
            f"{_other_model(model, found)}"
        )
    broken = [name for name, values in found.items() if not math.isfinite(values.float().sum())]
    if broken:
        raise DataError(f"{path} holds weights that are not finite numbers, in {', '.join(broken[:3])}: get it again.")


def _other_model(model: str, found: State) -> str:
    for spec in MODELS.values():
        if (
            spec.is_published
            and spec.name != model
            and set(_network(spec.name, found, 2, 1).state_dict()) == set(found)
        ):
            return f"Its names are those of {spec.name}: say --model {spec.name}."
    return "Only a file with exactly the published names and shapes can be used."
