"""An error as the user sees it."""

from __future__ import annotations

import traceback

from gr2st import Gr2stError
from gr2st_napari._state import Problem


def problem_of(error: BaseException) -> Problem:
    """An error as a sentence; one that nobody foresaw says so and keeps its traceback as details."""
    details = "".join(traceback.format_exception(error))
    if isinstance(error, Gr2stError):
        return problem_in(str(error), details)
    return Problem(f"Something unforeseen went wrong ({type(error).__name__}: {error}).", details)


def problem_in(words: str, details: str) -> Problem:
    """An error told in words: the first of its findings in the sentence, all of them in the details."""
    sentence, _, rest = words.partition("\n")
    if not rest:
        return Problem(words, details)
    return Problem(f"{sentence} {rest.strip().splitlines()[0].strip(' -')}", f"{words}\n\n{details}")
