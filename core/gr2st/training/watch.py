"""Sections held out of a training, scored while it goes on: it comes to the same bits as if nobody had looked."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from gr2st.correlation import gene_pcc, mean_score
from gr2st.errors import DataError
from gr2st.io.sketches import Sketch, write_sketch
from gr2st.training.batches import shown_to, to_batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from gr2st.models.base import Answer, Batch, SpotModel
    from gr2st.registry import ModelSpec
    from gr2st.types import Float32, Prepared

TIMES = 20
"""About how often a training is looked at."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A section as `predict` would see it, and its measured S (n, genes), NaN for genes it did not measure."""

    batch: Batch
    measured: Float32
    spots: tuple[str, ...]

    @classmethod
    def of(cls, section: Prepared, spec: ModelSpec, module: SpotModel, device: torch.device) -> Watched:
        """Blinded here, whatever the caller hands in; DataError where nothing was measured to hold it against."""
        if section.spot_expression is None:
            raise DataError(f"Section {section.section} was prepared without spot_expression; it cannot be watched.")
        return cls(to_batch(shown_to(spec, section), module.needs, device), section.spot_expression, section.spots)


@dataclass(frozen=True)
class SketchBook:
    """Where what is watched is kept as it would be predicted now, gene by gene."""

    folder: Path
    genes: tuple[str, ...]
    epochs: int

    def keep(self, watched: Watched, answer: Answer, epoch: int) -> None:
        """Keep one section, in the place of how it was predicted before."""
        values = answer.expression.cpu().numpy().astype(np.float32)
        name = watched.batch.section
        write_sketch(self.folder, Sketch(name, watched.spots, self.genes, values, answer.space, epoch, self.epochs))


class Watch:
    """Scores the held-out sections with a network that is being trained.

    Its own copy of the model shares the parameters with the one in training and nothing else: mode, buffers, bank and
    what is remembered per section are apart.

    Parameters
    ----------
    module : SpotModel
        Before its first step.
    learned_from : sequence of Batch
        All training sections: what retrieval looks up.
    watched : sequence of Watched
    book : SketchBook, optional
        Keeps what is predicted at each look.
    """

    def __init__(
        self,
        module: SpotModel,
        learned_from: Sequence[Batch],
        watched: Sequence[Watched],
        book: SketchBook | None = None,
    ) -> None:
        shared = {id(parameter): parameter for parameter in module.parameters()}
        self._module = copy.deepcopy(module, shared).eval()
        self._learned_from = learned_from
        self._watched = watched
        self._book = book
        self._has_concluded = False

    @staticmethod
    def is_due(epoch: int, epochs: int) -> bool:
        """Whether to look after this epoch (from 1): `TIMES` times in all, and at the end."""
        return epoch % max(1, epochs // TIMES) == 0 or epoch == epochs

    @torch.no_grad()
    def bring_up_to_date(self) -> Iterator[None]:
        """Fill the bank with the training sections as the parameters are now; a pause after each section."""
        take_in = self._module.renew if self._has_concluded else self._module.remember
        for batch in self._learned_from:
            take_in(batch)
            yield
        if not self._has_concluded:
            self._module.conclude()
        self._has_concluded = True

    def look(self, epoch: int) -> dict[str, float]:
        """As `scores_of`, with the network as it was last brought up to date, in this epoch (from 1)."""
        answers = answers_to(self._module, self._watched)
        if self._book is not None:
            for one, answer in zip(self._watched, answers, strict=True):
                self._book.keep(one, answer, epoch)
        return scores_of(answers, self._watched)


@torch.no_grad()
def answers_to(module: SpotModel, watched: Sequence[Watched]) -> list[Answer]:
    """What the model says of each section now."""
    return [module.predict(one.batch) for one in watched]


def scores_of(answers: Sequence[Answer], watched: Sequence[Watched]) -> dict[str, float]:
    """``pcc``: mean over the sections of the mean Pearson r per gene, on S; nothing where no gene has a score."""
    pairs = zip(answers, watched, strict=True)
    means = [mean_score(gene_pcc(answer.expression.cpu().numpy(), one.measured)) for answer, one in pairs]
    known = [mean for mean in means if mean is not None]
    return {"pcc": float(np.mean(known))} if known else {}
