"""A trained model and its folder: weights as safetensors, a card as JSON, the bank as h5ad. Never pickle."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field, ValidationError

from gr2st import keys
from gr2st.appearance import Appearance  # noqa: TC001 - pydantic reads it
from gr2st.config import Recipe, Settings, TrainConfig, first_fault
from gr2st.errors import DataError, RecipeMismatch
from gr2st.io.store import atomic_folder, file_digest, write_h5ad, write_json
from gr2st.models.base import Bank
from gr2st.preparation import encoder_identity
from gr2st.registry import MODELS, load
from gr2st.training.facts import Places, facts_from, tensors_of

if TYPE_CHECKING:
    from anndata import AnnData
    from torch import Tensor

    from gr2st.models.base import SpotModel
    from gr2st.training.facts import Facts


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model that can predict, with all that is needed to say where it came from.

    ``digests`` maps each training section to the digests of its image, counts, encoder and recipe; ``appearances`` to
    the scale and colours of its picture (sections that were not looked at are absent). ``places`` are those of the
    spots in the bank, None without one; both they and ``facts`` are None where an earlier version stored it.
    """

    name: str
    module: SpotModel
    config: Settings
    training: TrainConfig
    recipe: Recipe
    n_features: int
    grid_size: int
    sections: tuple[str, ...]
    patients: tuple[str, ...]
    digests: Mapping[str, Mapping[str, str]]
    versions: Mapping[str, str]
    places: Places | None = None
    facts: Facts | None = None
    appearances: Mapping[str, Appearance] = field(default_factory=dict)


class ModelCard(Settings):
    """What model.json holds; a card that does not fit it is refused."""

    format: int
    model: str
    config: dict[str, Any]
    training: TrainConfig
    recipe: Recipe
    recipe_digest: str
    encoder: str
    n_features: int
    grid_size: int
    sections: tuple[str, ...]
    patients: tuple[str, ...]
    digests: dict[str, dict[str, str]]
    versions: dict[str, str]
    files: dict[str, str]
    appearances: dict[str, Appearance] = Field(default_factory=dict)


def versions() -> dict[str, str]:
    """Versions of the software whose change may change a number."""
    packages = ("gr2st-napari", "torch", "numpy", "scipy", "scikit-learn", "anndata")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def save_model(trained: TrainedModel, folder: Path) -> Path:
    """Write a model folder; an existing *model* folder of that name is replaced in one step, at the end."""
    folder = check_model_folder(folder)
    with atomic_folder(folder) as part:
        _save_tensors(trained.module.state_dict(), part / keys.MODEL_WEIGHTS)
        if trained.module.bank is not None:
            write_h5ad(part / keys.MODEL_BANK, _bank_table(trained.module.bank, trained.recipe, trained.places))
        if trained.facts is not None:
            _save_tensors(tensors_of(trained.facts), part / keys.MODEL_FACTS)
        write_json(part / keys.MODEL_CARD, _card(trained, part))
    return folder


def check_model_folder(folder: Path | str) -> Path:
    """The folder, if a model may be written there; DataError where something else lies there already."""
    folder = Path(folder)
    if folder.exists() and not _may_replace(folder):
        raise DataError(f"{folder} exists and is not a model folder; choose another name for the model.")
    return folder


def load_model(folder: Path, *, device: str = "cpu") -> TrainedModel:
    """Read a model folder.

    Raises
    ------
    DataError
        Not a model folder, or a file of it is missing or unreadable.
    RecipeMismatch
        The card and the files disagree, or the encoder here is another version.
    """
    folder = Path(folder)
    card = _read_card(folder)
    spec = MODELS[card.model]
    try:
        config = type(spec.config).model_validate(card.config)
    except ValidationError as error:
        raise RecipeMismatch(
            f"The settings in {folder / keys.MODEL_CARD} are not those of this version ({first_fault(error)}): "
            "train the model again."
        ) from error
    _check_card(folder, card)
    module: SpotModel = load(spec.factory)(
        config, n_genes=len(card.recipe.genes), n_features=card.n_features, grid_size=card.grid_size
    )
    _load_weights(module, folder)
    module.bank, places = _read_bank(folder / keys.MODEL_BANK) if keys.MODEL_BANK in card.files else (None, None)
    return TrainedModel(
        name=card.model,
        module=module.to(device).eval(),
        config=config,
        training=card.training,
        recipe=card.recipe,
        n_features=card.n_features,
        grid_size=card.grid_size,
        sections=card.sections,
        patients=card.patients,
        digests=card.digests,
        versions=card.versions,
        places=places,
        facts=facts_from(_read_tensors(folder / keys.MODEL_FACTS)) if keys.MODEL_FACTS in card.files else None,
        appearances=card.appearances,
    )


def _card(trained: TrainedModel, folder: Path) -> dict[str, Any]:
    return ModelCard(
        format=keys.FORMAT,
        model=trained.name,
        config=trained.config.model_dump(mode="json"),
        training=trained.training,
        recipe=trained.recipe,
        recipe_digest=trained.recipe.digest(),
        encoder=encoder_identity(trained.recipe.encoder),
        n_features=trained.n_features,
        grid_size=trained.grid_size,
        sections=trained.sections,
        patients=trained.patients,
        digests={name: dict(values) for name, values in trained.digests.items()},
        versions=dict(trained.versions),
        files={path.name: file_digest(path) for path in sorted(folder.iterdir())},
        appearances=dict(trained.appearances),
    ).model_dump(mode="json")


def _may_replace(folder: Path) -> bool:
    return folder.is_dir() and (not any(folder.iterdir()) or (folder / keys.MODEL_CARD).is_file())


def _read_card(folder: Path) -> ModelCard:
    path = folder / keys.MODEL_CARD
    if folder.is_file():
        raise DataError(f"{folder} is a file; a model is a folder, as `gr2st train` writes it.")
    if not path.is_file():
        raise DataError(f"{folder} is no model folder: {keys.MODEL_CARD} is not there. Make one with `gr2st train`.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not readable as JSON ({error}); train the model again.") from error
    found = content.get("format") if isinstance(content, dict) else None
    if isinstance(found, int) and found > keys.FORMAT:
        raise RecipeMismatch(f"{folder} has format {found}, this version reads up to {keys.FORMAT}: update gr2st.")
    try:
        return ModelCard.model_validate(content)
    except ValidationError as error:
        raise DataError(f"{path} is no model card ({first_fault(error)}): train the model again.") from error


def _check_card(folder: Path, card: ModelCard) -> None:
    if card.recipe.digest() != card.recipe_digest:
        raise RecipeMismatch(
            f"The recipe in {folder / keys.MODEL_CARD} has digest {card.recipe.digest()}, the model was made with "
            f"{card.recipe_digest}: the card was edited. Train the model again."
        )
    here = encoder_identity(card.recipe.encoder)
    if here != card.encoder:
        raise RecipeMismatch(f"{folder} was trained on features of {card.encoder}, here is {here}: train it again.")
    for name, digest in card.files.items():
        if not (folder / name).is_file():
            raise DataError(f"{folder} is incomplete: {name} is missing.")
        found = file_digest(folder / name)
        if found != digest:
            raise RecipeMismatch(
                f"{folder / name} has digest {found}, the model card says {digest}: the file belongs to another model "
                "or is damaged. Train the model again."
            )


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path.touch()
    mode = path.stat().st_mode
    try:
        # Straight into the file: as bytes in between, half a gigabyte of weights would lie in memory three times.
        save_file(state, path)
        # safetensors lets nobody but the user read its file.
        path.chmod(mode)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _read_tensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise DataError(f"{path} is not readable as safetensors ({error}); train the model again.") from error


def _load_weights(module: SpotModel, folder: Path) -> None:
    path = folder / keys.MODEL_WEIGHTS
    try:
        module.load_state_dict(_read_tensors(path))
    except RuntimeError as error:
        raise RecipeMismatch(f"{path} does not fit the model its card describes: {error}") from error


def _bank_table(bank: Bank, recipe: Recipe, places: Places | None) -> AnnData:
    import pandas as pd
    from anndata import AnnData

    rows = [f"{section}:{spot}" for section, spot in zip(bank.section, bank.spot, strict=True)]
    columns: dict[str, Any] = {"section": list(bank.section), "spot": list(bank.spot)}
    if places is not None:
        columns |= {"name": list(places.name), "patient": list(places.patient)}
        columns |= {"x": places.xy[:, 0], "y": places.xy[:, 1]}
    table = AnnData(
        X=bank.value.cpu().numpy().astype(np.float32),
        obs=pd.DataFrame(columns, index=rows),
        var=pd.DataFrame(index=list(recipe.genes)),
    )
    table.obsm["key"] = bank.key.cpu().numpy()
    return table


def _read_bank(path: Path) -> tuple[Bank, Places | None]:
    from anndata import read_h5ad

    table = read_h5ad(path)
    obs = table.obs
    bank = Bank(
        key=torch.from_numpy(np.asarray(table.obsm["key"])),
        value=torch.from_numpy(np.asarray(table.X)),
        section=tuple(map(str, obs["section"])),
        spot=tuple(int(row) for row in obs["spot"]),
    )
    if "name" not in obs:
        return bank, None
    xy = obs[["x", "y"]].to_numpy(np.float64)
    return bank, Places(tuple(map(str, obs["name"])), tuple(map(str, obs["patient"])), xy)
