"""Inner folds: training sections held out in turn to choose settings, so that no test section ever does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gr2st.config import Settings
    from gr2st.types import Prepared

MARGIN = 0.002
"""Gain in mean Pearson r for which other settings are taken than those given."""


InnerFold = tuple[list["Prepared"], list["Prepared"]]
"""Sections to learn from, sections held out."""


def inner_folds(sections: Sequence[Prepared], count: int) -> tuple[InnerFold, ...]:
    """Splits (learn from, held out) of the training sections, at most `count`.

    Whole patients are held out where there are several, else single sections; with one section there is no split.
    """
    patients = {section.patient for section in sections}
    by_patient = len(patients) > 1 and None not in patients
    unit_of = [section.patient if by_patient else section.section for section in sections]
    units = list(dict.fromkeys(unit_of)) if len(set(unit_of)) > 1 else []
    return tuple(
        (
            [section for section, own in zip(sections, unit_of, strict=True) if own != unit],
            [section for section, own in zip(sections, unit_of, strict=True) if own == unit],
        )
        for unit in units[:count]
    )


def best_choice(scores: Sequence[Mapping[Settings, float]], given: Settings) -> Settings:
    """The settings of the highest mean over held-out sections, where that is `MARGIN` above the mean of those given.

    A gain below the margin is noise of a few sections; the settings given stay, as they do where nothing was to choose.
    """
    means = {choice: sum(one[choice] for one in scores) / len(scores) for choice in (scores[0] if scores else {})}
    if not means:
        return given
    best = max(means, key=means.__getitem__)
    return best if means[best] > means[given] + MARGIN else given
