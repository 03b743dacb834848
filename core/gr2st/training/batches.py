"""From prepared sections to tensors on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from gr2st.config import Gr2stConfig
from gr2st.errors import DataError
from gr2st.models.base import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from gr2st.registry import ModelSpec
    from gr2st.types import Prepared

FLOATS = ("features", "position", "cell_share", "spot_expression", "gene_expression", "depth")
INTEGERS = ("grid", "cell_type")
OPTIONAL = frozenset({"cell_type", "cell_share"})
APART = 10_000.0
"""Array steps between sections whose spots are mixed: no spatial edge joins two sections."""
WHOLE = {"feature_scale": "section", "expression_scale": "section", "gate_sees": "surroundings"}
"""Settings of GR2ST by which a spot is seen among all others of its section."""


def to_batch(prepared: Prepared, fields: frozenset[str], device: torch.device) -> Batch:
    """The asked-for fields of a section as float32 / int64 tensors; DataError where a field was not prepared."""
    missing = [name for name in sorted(fields - OPTIONAL) if getattr(prepared, name) is None]
    if missing:
        raise DataError(f"Section {prepared.section} was prepared without {', '.join(missing)}, which the model needs.")
    floats = [name for name in FLOATS if name in fields]
    tensors: dict[str, Any] = {name: _tensor(getattr(prepared, name), torch.float32, device) for name in floats}
    tensors |= {name: _tensor(getattr(prepared, name), torch.int64, device) for name in INTEGERS if name in fields}
    return Batch(section=prepared.section, **tensors)


def shown_to(spec: ModelSpec, prepared: Prepared) -> Prepared:
    """What a model may see of a section it predicts: nothing measured; an oracle, which says so, the depth."""
    return replace(prepared.blind(), depth=prepared.depth if spec.is_oracle else None)


@dataclass(frozen=True, eq=False, slots=True)
class Portions:
    """What the steps of an epoch see: whole sections, or `batch_spots` spots drawn from all of them.

    An epoch takes its `units` (sections or spots) in an order drawn anew.
    """

    batches: Sequence[Batch]
    batch_spots: int | None = None

    @classmethod
    def of(cls, batches: Sequence[Batch], batch_spots: int | None) -> Portions:
        """Cut for these training sections; their spots are pooled once, where they are to be mixed."""
        return cls(batches if batch_spots is None else [_pooled(batches)], batch_spots)

    @property
    def units(self) -> int:
        """How many sections or spots an epoch takes in."""
        return len(self.batches) if self.batch_spots is None else size_of(self.batches[0])

    def __len__(self) -> int:
        """Steps of an epoch."""
        return math.ceil(self.units / (self.batch_spots or 1))

    def step(self, order: Sequence[int], number: int) -> Batch:
        """What the step of that number sees in an epoch of this order."""
        if self.batch_spots is None:
            return self.batches[order[number]]
        (pooled,) = self.batches
        tensors = _tensors(pooled)
        rows = torch.tensor(order[number * self.batch_spots : (number + 1) * self.batch_spots])
        taken: dict[str, Any] = {name: tensor[rows.to(tensor.device)] for name, tensor in tensors.items()}
        return replace(pooled, **taken)


def refuse_mixing(config: object, batch_spots: int | None) -> None:
    """DataError where spots of several sections would be mixed for a model that sees each section as a whole."""
    if batch_spots is None or not isinstance(config, Gr2stConfig):
        return
    whole = [f"{name} {value!r}" for name, value in WHOLE.items() if getattr(config, name) == value]
    whole += ["picture_radius above 0"] if config.picture_radius else []
    if whole:
        raise DataError(
            f"batch_spots={batch_spots} mixes the spots of several sections, but this model sees each section as a "
            f"whole ({', '.join(whole)}). Train by whole sections (batch_spots=None), or change these settings."
        )


def _pooled(batches: Sequence[Batch]) -> Batch:
    """All spots of all sections as one batch, the sections far apart."""
    apart = [
        batch if batch.position is None else replace(batch, position=batch.position + APART * number)
        for number, batch in enumerate(batches)
    ]
    shared = [name for name in _tensors(apart[0]) if all(name in _tensors(batch) for batch in apart)]
    joined: dict[str, Any] = {name: torch.cat([_tensors(batch)[name] for batch in apart]) for name in shared}
    return Batch(section=" + ".join(batch.section for batch in batches), **joined)


def _tensors(batch: Batch) -> dict[str, Tensor]:
    """The fields of a batch that are filled."""
    fields = {name: getattr(batch, name) for name in (*FLOATS, *INTEGERS)}
    return {name: tensor for name, tensor in fields.items() if tensor is not None}


def size_of(batch: Batch) -> int:
    """Spots of a batch."""
    return len(next(iter(_tensors(batch).values())))


def _tensor(array: npt.NDArray[Any] | None, dtype: torch.dtype, device: torch.device) -> Tensor | None:
    # A copy in torch's own memory: sums over numpy's, which starts anywhere, differ in their last bits from run to run.
    return None if array is None else torch.tensor(array, dtype=dtype, device=device)
