"""Lines of a table of results: models, ablated models, and how often each is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gr2st.config import Gr2stConfig, Settings, TrainConfig
from gr2st.errors import DataError, UnknownName
from gr2st.registry import MODELS


@dataclass(frozen=True, slots=True)
class Ablation:
    """What leaves one part out: settings of GR2ST, of its training, or fields of the recipe.

    ``needs_types`` marks a part that does nothing without cell types.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    needs_types: bool = False


ABLATIONS: Mapping[str, Ablation] = {
    "no-type": Ablation(recipe={"cell_types": "none"}, needs_types=True),
    "no-functional": Ablation({"functional": "none"}),
    "no-spatial": Ablation({"spatial": "none"}),
    "no-retrieval": Ablation({"blend": 0.0}),
    "no-regression": Ablation({"blend": 1.0}),
    "no-kernel": Ablation({"kernel_share": 0.0}),
    "no-network": Ablation({"kernel_share": 1.0}),
    "no-context": Ablation({"context_radius": 0.0}),
    "no-bias": Ablation({"score_bias": 0.0}),
    "no-own-threshold": Ablation({"functional_spread": None}),
    "no-gate-context": Ablation({"gate_sees": "spot"}),
    "no-type-shares": Ablation({"gate_target": "majority"}, needs_types=True),
    "no-programmes": Ablation({"programmes": 0}),
    "no-choice": Ablation(training={"inner_folds": 0}),
    "no-scaling": Ablation({"feature_scale": "as given", "expression_scale": "as given"}),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One model with its settings, trained once per fold with one seed.

    ``label`` names it in tables and folders: the model, with the ablation behind a full stop where there is one;
    ``recipe`` holds the fields in which its recipe differs from that of the evaluation.
    """

    label: str
    model: str
    config: Settings
    training: TrainConfig
    recipe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of its folder: the label, with the seed where it is not the first."""
        return self.label if self.training.seed == 0 else f"{self.label}.seed{self.training.seed}"


def rows_of(
    models: Sequence[str],
    config: Mapping[str, Settings],
    training: Mapping[str, TrainConfig],
    *,
    recipe: Mapping[str, Any] | None = None,
    ablations: Sequence[str] = (),
    seeds: int = 1,
) -> tuple[Row, ...]:
    """Every model, every ablation of those that have the part, and every seed of those that draw lots.

    Raises
    ------
    UnknownName
        An unknown model or ablation.
    DataError
        An ablation that no model of the list has.
    """
    for name in (*models, *config, *training):
        MODELS[name]
    plain = [Row(name, name, config.get(name, MODELS[name].config), _training(name, training)) for name in models]
    types = (recipe or {}).get("cell_types", "none")
    rows = [variant for row in plain for variant in (row, *_ablated(row, ablations, has_types=types != "none"))]
    _refuse_idle(ablations, rows)
    return tuple(seeded for row in rows for seeded in _seeded(row, seeds))


def _training(name: str, training: Mapping[str, TrainConfig]) -> TrainConfig:
    return training.get(name, MODELS[name].training)


def _ablated(row: Row, ablations: Sequence[str], *, has_types: bool) -> Iterator[Row]:
    """The row without each part it has; ablations that would change nothing give none."""
    for name in ablations:
        if name not in ABLATIONS:
            raise UnknownName.of("ablation", name, ABLATIONS)
        config, changes = row.config, ABLATIONS[name]
        if not isinstance(config, Gr2stConfig):
            continue
        if (has_types or not changes.needs_types) and _has_part(row, config, changes):
            without = Gr2stConfig.model_validate(config.model_dump() | dict(changes.config))
            training = row.training.model_copy(update=dict(changes.training))
            yield Row(f"{row.label}.{name}", row.model, without, training, changes.recipe)


def _has_part(row: Row, config: Gr2stConfig, ablation: Ablation) -> bool:
    """Whether the ablation would change anything that this row computes."""
    changes = ablation.config
    if {"context_radius", "kernel_share"} & set(changes) and config.kernel_share == 0:
        return False
    if not config.experts and (changes.get("blend") == 0 or {"gate_sees", "gate_target"} & set(changes)):
        return False
    settings = config.model_dump() | row.training.model_dump()
    changed = any(settings[name] != value for name, value in {**changes, **ablation.training}.items())
    return changed or bool(ablation.recipe)


def _refuse_idle(ablations: Sequence[str], rows: Sequence[Row]) -> None:
    idle = [name for name in ablations if not any(row.label.endswith(f".{name}") for row in rows)]
    if idle:
        models = ", ".join(row.label for row in rows)
        raise DataError(f"No model here has what these ablations leave out: {', '.join(idle)}. Models: {models}.")


def _seeded(row: Row, seeds: int) -> Iterator[Row]:
    """One row per seed; a model solved in closed form gives the same each time and is run once."""
    first = row.training.seed
    for seed in range(first, first + (seeds if row.training.epochs else 1)):
        yield replace(row, training=row.training.model_copy(update={"seed": seed}))
