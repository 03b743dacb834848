"""Sketches of a training: sections it does not learn from, as it would predict them now; read without torch."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gr2st import keys
from gr2st.errors import DataError
from gr2st.io.store import atomic_path, cause_of

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Float32


@dataclass(frozen=True, eq=False, slots=True)
class Sketch:
    """One section as an unfinished model predicts it.

    Attributes
    ----------
    section : str
    spots, genes : tuple of str
    values : (spots, genes) float32
    space : str
        Scale of the values, as in a prediction: "spot", "gene" or "mixed".
    epoch, epochs : int
        Epochs the model had learned for (from 1), and those it is to learn for.
    """

    section: str
    spots: tuple[str, ...]
    genes: tuple[str, ...]
    values: Float32
    space: str
    epoch: int
    epochs: int


def write_sketch(folder: Path, sketch: Sketch) -> None:
    """Keep a sketch in a folder, in the place of the one before of the same section."""
    with atomic_path(_file(folder, sketch.section)) as part, part.open("wb") as file:
        np.savez(
            file,
            section=np.array(sketch.section),
            spots=np.array(sketch.spots, dtype=str),
            genes=np.array(sketch.genes, dtype=str),
            values=sketch.values,
            space=np.array(sketch.space),
            epochs=np.array([sketch.epoch, sketch.epochs]),
        )


def read_sketch(run: Path, section: str) -> Sketch | None:
    """The last sketch of a section in the folder of a run; None where there is none yet.

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = _file(run / keys.RUN_SKETCHES, section)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            return Sketch(
                section=str(held["section"]),
                spots=tuple(map(str, held["spots"])),
                genes=tuple(map(str, held["genes"])),
                values=held["values"],
                space=str(held["space"]),
                epoch=int(held["epochs"][0]),
                epochs=int(held["epochs"][1]),
            )
    except OSError as error:
        raise DataError(f"{path} cannot be read: {cause_of(error)}.") from error
    except (ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is no sketch of a section ({error}): delete it; the next one takes its place."
        ) from error


def _file(folder: Path, section: str) -> Path:
    return folder / f"{section}.npz"
