"""Splits of a study by section names, and the rule that no fold may leak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from gr2st.errors import DataError
from gr2st.types import Fold

if TYPE_CHECKING:
    from gr2st.types import SectionEntry

Protocol = Literal["patient", "section"]

WARNINGS: dict[str, str] = {
    "section": "Sister sections of the held-out patient are in the training set, as published: optimistic.",
    "patient": "",
}


def make_folds(entries: Sequence[SectionEntry], protocol: Protocol) -> tuple[Fold, ...]:
    """One fold per patient (default of the field's honest practice) or per section (as published).

    Raises
    ------
    DataError
        Fewer than two groups, or sections without a patient under the patient protocol.
    """
    groups = _by_patient(entries) if protocol == "patient" else {entry.name: [entry.name] for entry in entries}
    if len(groups) < 2:
        raise DataError(
            f"Leaving one {protocol} out needs at least two {protocol}s; found {len(groups)} "
            f"({', '.join(groups) or 'none'}). {_advice(protocol)}"
        )
    names = [entry.name for entry in entries]
    return tuple(
        Fold(name=group, train=tuple(name for name in names if name not in held), test=tuple(held))
        for group, held in groups.items()
    )


def _by_patient(entries: Sequence[SectionEntry]) -> dict[str, list[str]]:
    unknown = [entry.name for entry in entries if not entry.patient]
    if unknown:
        raise DataError(
            f"Sections without a patient: {', '.join(unknown)}. Name the patient of each in study.csv, "
            "or use --protocol section."
        )
    groups: dict[str, list[str]] = {}
    for entry in entries:
        groups.setdefault(str(entry.patient), []).append(entry.name)
    return groups


def _advice(protocol: Protocol) -> str:
    return "Add sections of another patient, or use --protocol section." if protocol == "patient" else "Add sections."
