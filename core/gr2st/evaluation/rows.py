"""Lines of a table of results: models, ablated models, and how often each is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gr2st.config import Gr2stConfig, Settings, TrainConfig
from gr2st.errors import DataError, UnknownName
from gr2st.registry import MODELS

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "no-functional": {"functional": "none"},
    "no-spatial": {"spatial": "none"},
    "no-retrieval": {"blend": 0.0},
    "no-regression": {"blend": 1.0},
    "no-kernel": {"kernel_share": 0.0},
    "no-network": {"kernel_share": 1.0},
    "no-context": {"context_radius": 0.0},
    "no-scaling": {"feature_scale": "as given", "expression_scale": "as given"},
}
"""Name of an ablation -> settings of GR2ST that leave the part out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model with its settings, trained once per fold with one seed.

    ``label`` names it in tables and folders: the model, with the ablation behind a full stop where there is one.
    """

    label: str
    model: str
    config: Settings
    training: TrainConfig

    @property
    def folder(self) -> str:
        """Name of its folder: the label, with the seed where it is not the first."""
        return self.label if self.training.seed == 0 else f"{self.label}.seed{self.training.seed}"


def rows_of(
    models: Sequence[str],
    config: Mapping[str, Settings],
    training: Mapping[str, TrainConfig],
    *,
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
    rows = [variant for row in plain for variant in (row, *_ablated(row, ablations))]
    _refuse_idle(ablations, rows)
    return tuple(seeded for row in rows for seeded in _seeded(row, seeds))


def _training(name: str, training: Mapping[str, TrainConfig]) -> TrainConfig:
    return training.get(name, MODELS[name].training)


def _ablated(row: Row, ablations: Sequence[str]) -> Iterator[Row]:
    """The row without each part it has; settings that would change nothing, or that no model takes, give none."""
    for name in ablations:
        changes = _changes(name)
        if isinstance(row.config, Gr2stConfig) and _has_part(row.config, changes):
            without = Gr2stConfig.model_validate(row.config.model_dump() | dict(changes))
            yield Row(f"{row.label}.{name}", row.model, without, row.training)


def _changes(ablation: str) -> Mapping[str, Any]:
    if ablation not in ABLATIONS:
        raise UnknownName.of("ablation", ablation, ABLATIONS)
    return ABLATIONS[ablation]


def _has_part(config: Gr2stConfig, changes: Mapping[str, Any]) -> bool:
    needs_kernel = "context_radius" in changes or "kernel_share" in changes
    if needs_kernel and config.kernel_share == 0:
        return False
    if changes.get("blend") == 0 and not config.experts:
        return False
    return any(getattr(config, name) != value for name, value in changes.items())


def _refuse_idle(ablations: Sequence[str], rows: Sequence[Row]) -> None:
    idle = [name for name in ablations if not any(row.label.endswith(f".{name}") for row in rows)]
    if idle:
        models = ", ".join(row.label for row in rows)
        raise DataError(f"No model here has what these ablations leave out: {', '.join(idle)}. Models: {models}.")


def _seeded(row: Row, seeds: int) -> Iterator[Row]:
    """One row per seed; a model solved in closed form gives the same each time and is run once."""
    first = row.training.seed
    for seed in range(first, first + (seeds if row.training.epochs else 1)):
        yield Row(row.label, row.model, row.config, row.training.model_copy(update={"seed": seed}))
