"""What is asked for, as values that a window, a file and a command line fill in alike: no torch, no files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import SerializeAsAny, ValidationError, ValidationInfo, field_validator

from gr2st.config import GeneChoice, Recipe, Settings, TrainConfig, first_fault
from gr2st.errors import DataError
from gr2st.registry import ENCODERS, MODELS

GridShape = Literal["square", "hexagonal"]


class TrainPlan(Settings):
    """One training: which model learns which genes from which sections, and how. Made by `of`.

    ``model_dump(mode="json")`` and `of` lose nothing.

    Attributes
    ----------
    study : Path
        Absolute.
    model : str
        A name of `gr2st.registry.MODELS`.
    genes : GeneChoice
    sections : tuple of str
        Names; none: all sections that have a picture.
    held_out : str
        A section of the study that is left out and scored while the others train; "": none.
    sketch : bool
        Whether sections that are scored on the way are also kept as they would be predicted then
        (`gr2st.io.sketches`). The model comes to the same bits.
    recipe : mapping
        All fields of `Recipe` other than the genes, as JSON holds them.
    training, config : settings
    """

    study: Path
    model: str
    genes: GeneChoice
    sections: tuple[str, ...]
    held_out: str = ""
    sketch: bool = False
    recipe: dict[str, Any]
    training: TrainConfig
    config: SerializeAsAny[Settings]

    @classmethod
    def of(cls, **asked: Any) -> TrainPlan:
        """A plan from some of its fields: settings that are not given are the registered ones of the model.

        Patches have the size and resolution the encoder was made for, unless the recipe says otherwise.

        Raises
        ------
        UnknownName
            No such model or encoder.
        DataError
            A field is missing, unknown or not what it should be; the first one is named.
        """
        spec = MODELS[str(asked.get("model"))]
        registered = {"sections": (), "recipe": {}, "training": spec.training, "config": spec.config}
        try:
            return cls.model_validate(registered | asked)
        except ValidationError as error:
            raise DataError(f"This plan of a training cannot be used: {first_fault(error)}.") from error

    @field_validator("study")
    @classmethod
    def _found_from_anywhere(cls, study: Path) -> Path:
        return study.expanduser().absolute()

    @field_validator("recipe")
    @classmethod
    def _in_full(cls, recipe: Mapping[str, Any]) -> dict[str, Any]:
        encoder = ENCODERS[str(recipe.get("encoder", Recipe.model_fields["encoder"].default))]
        own = {"size_px": encoder.input_px, "um_per_px": encoder.um_per_px}
        fields = {"patch": own, **recipe, "genes": ("any",)}
        return _checked(Recipe, fields).model_dump(mode="json", exclude={"genes"})

    @field_validator("training")
    @classmethod
    def _with_epochs_where_there_are_any(cls, training: TrainConfig, info: ValidationInfo) -> TrainConfig:
        model = MODELS[info.data["model"]]
        if training.epochs and not model.training.epochs:
            raise ValueError(f"{model.name} is solved in closed form: its epochs must be 0, not {training.epochs}")
        return training

    @field_validator("config", mode="before")
    @classmethod
    def _of_the_model(cls, config: Any, info: ValidationInfo) -> Settings:
        kind = type(MODELS[info.data["model"]].config)
        return _checked(kind, config.model_dump() if isinstance(config, Settings) else config)


class SlidePlan(Settings):
    """One slide without spots to be predicted: with which model, on which grid, where. Made by `of`.

    Attributes
    ----------
    model, slide : Path
        Folder of the model and file of the picture, absolute.
    pitch_um : float
        Distance between neighbouring spots of the grid, micrometres.
    um_per_px : float or None
        Micrometres per level-0 pixel as the user states them; None: as the file tells.
    shape : "square" or "hexagonal"
    regions : Path or None
        GeoJSON file with the regions that are predicted; None: the whole slide.
    everywhere : bool
        Also where no tissue is found.
    """

    model: Path
    slide: Path
    pitch_um: float = 100.0
    um_per_px: float | None = None
    shape: GridShape = "square"
    regions: Path | None = None
    everywhere: bool = False

    @classmethod
    def of(cls, **asked: Any) -> SlidePlan:
        """A plan from its fields; DataError naming the first that is missing, unknown or not what it should be."""
        try:
            return cls.model_validate(asked)
        except ValidationError as error:
            raise DataError(f"This plan of a slide cannot be used: {first_fault(error)}.") from error

    @field_validator("model", "slide", "regions")
    @classmethod
    def _found_from_anywhere(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()


def _checked(kind: type[Settings], fields: Any) -> Settings:
    """The settings, inside the check of a plan: their first fault alone is told, in the same words as its own."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise ValueError(first_fault(error)) from error
