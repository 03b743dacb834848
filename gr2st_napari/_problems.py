"""An error as the user sees it."""

from __future__ import annotations

import traceback

from gr2st import Gr2stError
from gr2st_napari._state import Problem


def problem_of(error: BaseException) -> Problem:
    """An error as a sentence; one that nobody foresaw says so and keeps its traceback as details."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, Gr2stError):
        sentence, _, rest = str(error).partition("\n")
        return Problem(
            sentence if not rest else f"{sentence} {rest.strip().splitlines()[0].strip(' -')}", f"{error}\n\n{details}"
        )
    return Problem(f"Something unforeseen went wrong ({type(error).__name__}: {error}).", details)
