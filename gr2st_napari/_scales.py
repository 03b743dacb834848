"""Colour limits, and on which scale values are shown: their logarithmic one, or parts per 10,000. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gr2st import SPACE_NAMES

if TYPE_CHECKING:
    from gr2st_napari._expression import Float32
    from gr2st_napari._state import Limits, Wish

PER_10000 = ", per 10,000"


def is_linear(wish: Wish, space: str) -> bool:
    """Whether values of a space are to be shown without their logarithm; mean z-scores and mixed scales have none."""
    return not wish.log and not wish.members and space in ("spot", "gene")


def scaled(values: Float32, wish: Wish, space: str) -> Float32:
    """Values of a space as they are wished for; log10(1 + x) becomes x, which is a share in parts per 10,000."""
    return np.expm1(values * np.float32(np.log(10))) if is_linear(wish, space) else values


def scale_words(wish: Wish, space: str) -> str:
    """How the scale is called in a title."""
    return f"{SPACE_NAMES.get(space, space)}{PER_10000 if is_linear(wish, space) else ''}"


def limits_on_other_scale(limits: Limits | None, *, log: bool) -> Limits | None:
    """Colour limits that show the same once `log` is switched to what it says; below no expression there is nothing."""
    if limits is None:
        return None
    low, high = (np.log10(1 + max(0.0, end)) if log else 10.0**end - 1 for end in limits)
    return (float(low), float(high))


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten: both ends of the colour bar then carry a number."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * next(step for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= 0.999 * value))
