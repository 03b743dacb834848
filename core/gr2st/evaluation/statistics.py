"""Intervals and paired differences: what a mean over a few patients is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

Scores: TypeAlias = Mapping[str, float | None]
"""Section -> score, None where there is none."""

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
    unit: Literal["patients", "sections"]
    n_units: int


def estimate(
    scores: Mapping[str, float | None], patients: Mapping[str, str | None], *, seed: int = 0
) -> Estimate | None:
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
    named = {patients.get(section) for section in known}
    unit: Literal["patients", "sections"] = "patients" if None not in named and len(named) > 1 else "sections"
    groups = [patients[section] if unit == "patients" else section for section in known]
    low, high = _interval(list(known.values()), list(map(str, groups)), seed)
    return Estimate(float(np.mean(list(known.values()))), low, high, unit, len(set(groups)))


def paired_difference(one: Scores, other: Scores, patients: Mapping[str, str | None]) -> Estimate | None:
    """Mean of ``one - other`` over the sections that both have a score for, with its interval."""
    pairs = [(section, score, other.get(section)) for section, score in one.items()]
    differences = {name: mine - theirs for name, mine, theirs in pairs if mine is not None and theirs is not None}
    return estimate(differences, patients)


def _interval(values: Sequence[float], groups: Sequence[str], seed: int) -> tuple[float | None, float | None]:
    names, at = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None, None
    sums, sizes = np.bincount(at, weights=values), np.bincount(at)
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    means = drawn @ sums / (drawn @ sizes)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
