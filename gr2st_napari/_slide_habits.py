"""What the next window begins with in the Slide dock: the model and the distance of spots that were chosen last."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from gr2st import DataError, Settings, data_dir, first_fault, keys, write_json


class Habits(Settings):
    """As the user last chose; without a choice there is no model."""

    model: Path | None = None
    pitch_um: float = 100.0


def read_habits() -> Habits:
    """What was chosen last; a model that is no longer in its place is none.

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = habits_path()
    if not path.is_file():
        return Habits()
    try:
        habits = Habits.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        fault = first_fault(error) if isinstance(error, ValidationError) else error.strerror
        raise DataError(
            f"{path} does not tell which model was chosen last ({fault}): choose one, and the file is written anew."
        ) from error
    is_there = habits.model is not None and (habits.model / keys.MODEL_CARD).is_file()
    return habits if is_there else habits.model_copy(update={"model": None})


def write_habits(habits: Habits) -> None:
    """Keep a choice; StorageError where that cannot be."""
    write_json(habits_path(), habits.model_dump(mode="json"))


def habits_path() -> Path:
    """The file in which it is kept."""
    return data_dir("slides") / "habits.json"
