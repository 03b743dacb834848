"""What to evaluate, as a value; and as JSON, out and in without loss: what a window sends, and what a folder keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gr2st.config import CellSource, GeneChoice, Recipe, Settings, TrainConfig, first_fault
from gr2st.errors import DataError
from gr2st.evaluation.folds import OWN_FOLDS, Protocol
from gr2st.evaluation.rows import Row, rows_of
from gr2st.registry import MODELS
from gr2st.types import Fold  # noqa: TC001 - pydantic reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to evaluate: a value that a window, a file and a command line fill in alike.

    Attributes
    ----------
    models : names of `gr2st.registry.MODELS`
    genes : GeneChoice
        A list, or a number of variable genes chosen anew from the training sections of every fold.
    protocol : "patient" or "section"
    sections : names, optional
        Only these sections of the study; empty: all that have an image.
    folds : Fold, optional
        Splits of the user's own, in place of those the protocol makes.
    recipe : fields of `Recipe` other than the genes
    training, config : settings per model name, in place of the registered ones
    ablations : names of `gr2st.evaluation.rows.ABLATIONS`
        Each model that has the part is also trained without it.
    seeds : int
        How often each model that draws lots is trained, with one seed after the other.
    preset : mapping
        What summary.json tells of the preset this plan was made from (`gr2st.evaluation.preset`).
    score_genes : names of genes, optional
        A list whose genes are scored by themselves too; it changes no fold.
    """

    models: tuple[str, ...]
    genes: GeneChoice
    protocol: Protocol = "patient"
    sections: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, TrainConfig] = field(default_factory=dict)
    config: Mapping[str, Settings] = field(default_factory=dict)
    ablations: tuple[str, ...] = ()
    seeds: int = 1
    preset: Mapping[str, Any] = field(default_factory=dict)
    score_genes: tuple[str, ...] = ()

    def rows(self) -> tuple[Row, ...]:
        """Every model, ablation and seed, in the order of the table."""
        return rows_of(
            self.models,
            self.config,
            self.training,
            recipe=self.recipe,
            ablations=self.ablations,
            seeds=self.seeds,
        )

    @property
    def held_out(self) -> str:
        """What the splits are called in results: the protocol, or that they are the user's own."""
        return OWN_FOLDS if self.folds else self.protocol

    @property
    def encoder(self) -> str:
        """Name of the patch encoder; settings that no recipe takes are refused here."""
        return self._recipe.encoder

    @property
    def cell_types(self) -> CellSource:
        """Where the cell types come from."""
        return self._recipe.cell_types

    @property
    def _recipe(self) -> Recipe:
        return Recipe(genes=("any",), **self.recipe)


_ADAPTER = TypeAdapter(Plan)


def plan_of_json(asked: Mapping[str, Any]) -> Plan:
    """The plan that JSON describes: fields of `Plan`, those left out as they are by default.

    Raises
    ------
    UnknownName
        Settings for a model that is not registered.
    DataError
        A field is missing, unknown or not what it should be; the first one is named.
    """
    unknown = set(asked) - {field.name for field in dataclasses.fields(Plan)}
    if unknown:
        raise DataError(f"This plan of an evaluation cannot be used: it has no field {', '.join(sorted(unknown))}.")
    config = asked.get("config", {})
    if not isinstance(config, Mapping):
        raise DataError("This plan of an evaluation cannot be used: config must hold the settings of each model.")
    try:
        settings = {name: type(MODELS[name].config).model_validate(fields) for name, fields in config.items()}
        return _ADAPTER.validate_python({**asked, "config": settings})
    except ValidationError as error:
        raise DataError(f"This plan of an evaluation cannot be used: {first_fault(error)}.") from error


def json_of_plan(plan: Plan) -> dict[str, Any]:
    """The plan as JSON holds it."""
    told: dict[str, Any] = _ADAPTER.dump_python(plan, mode="json", serialize_as_any=True)
    return told
