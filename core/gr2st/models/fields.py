"""Reading the fields of a batch: what a model asked for is there, or an error names everything that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gr2st.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from gr2st.config import Space
    from gr2st.models.base import Batch


def required(batch: Batch, *names: str) -> tuple[Tensor, ...]:
    """The named fields of a batch; DataError naming all that are None."""
    missing = [name for name in names if getattr(batch, name) is None]
    if missing:
        raise DataError(
            f"Section {batch.section!r}: the model needs {', '.join(names)}, but {', '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not there; prepare the section with a recipe that gives it."
        )
    return tuple(getattr(batch, name) for name in names)


def expression_field(space: Space) -> str:
    """Name of the batch field that holds the expression of a space."""
    return f"{space}_expression"
