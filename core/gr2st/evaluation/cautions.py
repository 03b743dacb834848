"""What a reader of the scores must know, in sentences: how far a number carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gr2st.evaluation.ranking import is_oracle
from gr2st.io.tables import plural

if TYPE_CHECKING:
    from gr2st.evaluation.plan import Plan

BASELINE = "ridge"
"""The row that every other is compared with, section by section."""
SPACE_TITLES = {"pcc_spot": "spot-normalised", "pcc_gene": "gene-normalised"}
ENOUGH_PATIENTS = 3

Patients = Mapping[str, str | None]


def departures(plan: Plan) -> str:
    """In what an evaluation departs from the published one it was made from, in a sentence; "" in nothing."""
    departs = "; ".join(plan.preset.get("departs", ()))
    return f"Not as published: {departs}." if departs else ""


def cautions(summary: Mapping[str, Any], plan: Plan, patients: Patients, sisters: str) -> list[str]:
    """Every sentence that is due, the most important first; `sisters` is that of the sister sections."""
    said = [
        *_unfinished(summary["folds"]),
        sisters,
        *_few_patients(summary["models"], patients),
        *_oracles_ahead(summary),
        *_no_difference(summary["models"]),
        departures(plan),
    ]
    return list(filter(None, said))


def _unfinished(folds: Mapping[str, int]) -> Iterator[str]:
    failed, of = folds["failed"], f"of {plural(folds['planned'], 'fold')}"
    waiting = folds["planned"] - folds["done"] - failed
    if waiting:
        yield f"Not complete: {waiting} {of} {_are(waiting)} still to be done, and every mean is over the others alone."
    if failed:
        yield f"{failed} {of} failed: rows with failures have their mean over fewer sections than the others."


def _few_patients(models: Mapping[str, Any], patients: Patients) -> Iterator[str]:
    scored = {section for row in models.values() for section in row["sections"]}
    named = {patients.get(section) for section in scored}
    if None in named:
        yield (
            "The patient of some sections is not known: the intervals are over sections and say nothing of other "
            "patients."
        )
    elif len(named) == 1:
        yield "The intervals are over sections of 1 patient and say nothing of other patients."
    elif 1 < len(named) < ENOUGH_PATIENTS:
        yield (
            f"The intervals are over {len(named)} patients: they are little more than the range, and say little of "
            "other patients."
        )


def _oracles_ahead(summary: Mapping[str, Any]) -> Iterator[str]:
    """The space in which an oracle scores higher than every model."""
    models = summary["models"]
    for space, title in SPACE_TITLES.items():
        scores = {label: row[space] for label, row in models.items() if row[space] is not None}
        honest = {label: score for label, score in scores.items() if not is_oracle(label)}
        best = max(honest, key=honest.__getitem__, default=None)
        for label in filter(is_oracle, scores):
            if best is not None and scores[label] > honest[best]:
                yield (
                    f"{label} ({scores[label]:.3f}) is above the best model, {best} ({honest[best]:.3f}), {title}: how "
                    "many molecules a spot caught alone tells more about these genes than any model reads from the "
                    "picture, so much of what is scored here is depth and no pattern of single genes."
                )


def _no_difference(models: Mapping[str, Any]) -> Iterator[str]:
    """Rows whose paired difference to ridge has an interval that includes 0."""
    for space, title in SPACE_TITLES.items():
        told = {label: row.get(f"minus_{BASELINE}", {}).get(space) for label, row in models.items()}
        unclear = [label for label, one in told.items() if one and _includes_zero(one) and not is_oracle(label)]
        if unclear:
            yield (
                f"No difference to {BASELINE} is shown for {', '.join(unclear)} ({title}): the 95 % interval of the "
                "paired difference includes 0."
            )


def _includes_zero(told: Mapping[str, Any]) -> bool:
    return told["low"] is not None and told["low"] <= 0 <= told["high"]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
