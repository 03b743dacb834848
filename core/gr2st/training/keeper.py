"""Where an unfinished training lies on disk, so that a stop, a crash or a pause loses at most seconds of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gr2st.errors import DataError
from gr2st.io.store import atomic_folder, write_json

if TYPE_CHECKING:
    from gr2st.config import Settings
    from gr2st.training.fit import Fit

EVERY_S = 30.0
"""Seconds between two writings while a training runs."""
TENSORS, NUMBERS, SCORES, TRAINING = "state.safetensors", "state.json", "scores.json", "training.json"

Scores = Mapping["Settings", float]


class Keeper:
    """A folder that keeps the phases of one training: its inner folds and the training itself.

    Parameters
    ----------
    folder : Path
        Made where missing.
    digest : str
        Of all that decides the outcome.

    Raises
    ------
    DataError
        The folder keeps another training.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder = Path(folder)
        card = self.folder / TRAINING
        if not card.is_file():
            write_json(card, {"digest": digest})
        elif json.loads(card.read_text(encoding="utf-8"))["digest"] != digest:
            raise DataError(
                f"{folder} keeps an unfinished training with other settings or other data. Give the settings and "
                "sections it was begun with to go on with it, or delete that folder to train anew."
            )

    def place(self, phase: str) -> Place:
        """Where one phase is kept."""
        return Place(self.folder / phase)


@dataclass
class Place:
    """Where one phase of a training is kept: its last state while it runs, its scores when an inner fold has ended."""

    folder: Path
    _kept: float = field(default_factory=time.monotonic)

    @property
    def is_due(self) -> bool:
        """Whether the last writing is long enough ago."""
        return time.monotonic() - self._kept >= EVERY_S

    def keep(self, state: Fit) -> None:
        """Write where the training stands; what was kept before is replaced in one step."""
        from safetensors.torch import save

        tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors().items()}
        with atomic_folder(self.folder) as part:
            (part / TENSORS).write_bytes(save(tensors))
            write_json(part / NUMBERS, state.numbers())
        self._kept = time.monotonic()

    def restore(self, state: Fit) -> None:
        """Put a fresh training where the kept one stands; nothing where none is kept."""
        from safetensors.torch import load_file

        if (self.folder / NUMBERS).is_file():
            numbers = json.loads((self.folder / NUMBERS).read_text(encoding="utf-8"))
            state.restore(load_file(self.folder / TENSORS), numbers)

    def keep_scores(self, scores: Sequence[Scores]) -> None:
        """Write what an inner fold found, in place of its state."""
        told = [[[settings.model_dump(mode="json"), value] for settings, value in one.items()] for one in scores]
        with atomic_folder(self.folder) as part:
            write_json(part / SCORES, told)

    def scores(self, kind: type[Settings]) -> list[dict[Settings, float]] | None:
        """What an inner fold found, or None where it has not ended."""
        path = self.folder / SCORES
        if not path.is_file():
            return None
        told: list[list[tuple[dict[str, Any], float]]] = json.loads(path.read_text(encoding="utf-8"))
        return [{kind.model_validate(settings): value for settings, value in one} for one in told]
