"""Intervals and paired differences: what a mean over a few patients is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from gr2st.types import Float64

Scores: TypeAlias = Mapping[str, float | None]
"""Section -> score, None where there is none."""
Patients: TypeAlias = Mapping[str, str | None]
Unit = Literal["patients", "sections"]

DRAWS = 10_000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over sections with its 95 % percentile interval; ``low`` and ``high`` are None for a single unit.

    ``unit`` says what was drawn with replacement, ``n_units`` how many of them there are: with one patient only,
    sections are drawn, and the interval then tells nothing about other patients.
    """

    mean: float
    low: float | None
    high: float | None
    unit: Unit
    n_units: int


def estimate(scores: Mapping[str, float | None], patients: Patients, *, seed: int = 0) -> Estimate | None:
    """Mean of section scores, with an interval by bootstrap over patients (percentile method, Efron 1979).

    Whole patients are drawn with replacement, each with all its sections, since sections of one patient are alike.
    Sections are drawn where fewer than two patients are known.

    Parameters
    ----------
    scores : section -> score
    patients : section -> patient
    seed : int

    Returns
    -------
    Estimate or None
        None where no section has a score.
    """
    known = {section: score for section, score in scores.items() if score is not None}
    if not known:
        return None
    unit, groups = _units(list(known), patients)
    low, high = _quantiles(np.array([list(known.values())]).T, groups, DRAWS, seed)
    bounds = [None if np.isnan(bound[0]) else float(bound[0]) for bound in (low, high)]
    return Estimate(float(np.mean(list(known.values()))), bounds[0], bounds[1], unit, len(set(groups)))


def intervals(
    values: Float64, sections: Sequence[str], patients: Patients, *, draws: int = DRAWS, seed: int = 0
) -> tuple[Float64, Float64]:
    """The interval of `estimate` for many scores at once.

    Parameters
    ----------
    values : (sections, scores)
        NaN where a section has no such score.
    sections : names of the rows
    patients : section -> patient
    draws, seed : int

    Returns
    -------
    low, high : (scores,) float64
        NaN for a score of a single unit.
    """
    low, high = np.full((2, values.shape[1]), np.nan)
    patterns, which = np.unique(~np.isnan(values), axis=1, return_inverse=True)
    for number, known in enumerate(patterns.T):
        if known.any():
            columns = which == number
            _, groups = _units([name for name, has in zip(sections, known, strict=True) if has], patients)
            low[columns], high[columns] = _quantiles(values[known][:, columns], groups, draws, seed)
    return low, high


def paired_difference(one: Scores, other: Scores, patients: Patients) -> Estimate | None:
    """Mean of ``one - other`` over the sections that both have a score for, with its interval."""
    pairs = [(section, score, other.get(section)) for section, score in one.items()]
    differences = {name: mine - theirs for name, mine, theirs in pairs if mine is not None and theirs is not None}
    return estimate(differences, patients)


def _units(sections: Sequence[str], patients: Patients) -> tuple[Unit, list[str]]:
    """What is drawn with replacement, and the one that each section belongs to."""
    named = [patients.get(section) for section in sections]
    if None in named or len(set(named)) < 2:
        return "sections", list(sections)
    return "patients", list(map(str, named))


def _quantiles(values: Float64, groups: Sequence[str], draws: int, seed: int) -> tuple[Float64, Float64]:
    """Bounds of the mean of every column (sections, columns) over draws of groups; NaN for a single group."""
    names, at = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        unknown = np.full(values.shape[1], np.nan)
        return unknown, unknown
    belongs = (at == np.arange(len(names))[:, None]).astype(np.float64)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    means = drawn @ (belongs @ values) / (drawn @ belongs.sum(axis=1))[:, None]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
