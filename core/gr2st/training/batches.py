"""From prepared sections to tensors on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from gr2st.errors import DataError
from gr2st.models.base import Batch

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from gr2st.types import Prepared

FLOATS = ("features", "position", "cell_share", "spot_expression", "gene_expression", "depth")
INTEGERS = ("grid", "cell_type")
OPTIONAL = frozenset({"cell_type", "cell_share"})


def to_batch(prepared: Prepared, fields: frozenset[str], device: torch.device) -> Batch:
    """The asked-for fields of a section as float32 / int64 tensors; DataError where a field was not prepared."""
    missing = [name for name in sorted(fields - OPTIONAL) if getattr(prepared, name) is None]
    if missing:
        raise DataError(f"Section {prepared.section} was prepared without {', '.join(missing)}, which the model needs.")
    tensors = {name: _tensor(getattr(prepared, name), torch.float32, device) for name in FLOATS if name in fields}
    tensors |= {name: _tensor(getattr(prepared, name), torch.int64, device) for name in INTEGERS if name in fields}
    return Batch(section=prepared.section, **tensors)


def _tensor(array: npt.NDArray[Any] | None, dtype: torch.dtype, device: torch.device) -> Tensor | None:
    # A copy in torch's own memory: sums over numpy's, which starts anywhere, differ in their last bits from run to run.
    return None if array is None else torch.tensor(array, dtype=dtype, device=device)
