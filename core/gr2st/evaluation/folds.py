"""Splits of a study by section names, and the rule that no fold may leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gr2st.errors import DataError, UnknownName
from gr2st.io.tables import read_frame, repeated, some
from gr2st.types import Fold

if TYPE_CHECKING:
    import pandas as pd

    from gr2st.types import SectionEntry

Protocol = Literal["patient", "section"]

OWN_FOLDS = "own folds"
"""What summary.json calls the protocol where the user's own splits were evaluated."""
SISTERS = {
    "section": "Sister sections of the held-out patient are in the training set, as published: optimistic.",
    OWN_FOLDS: "Sections of a held-out patient, or of one that is not known, are in the training set of {folds}: "
    "optimistic.",
}
TEST, TRAIN = "test", "train"
"""What a section is in a fold."""


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


def read_folds(path: Path, entries: Sequence[SectionEntry]) -> tuple[Fold, ...]:
    """Splits of the user's own, from a table with the columns fold and section, and optionally role.

    Each line puts a section into a fold, as ``test`` (the default) or ``train``. In a fold without ``train`` lines, all
    other sections train.

    Raises
    ------
    DataError, UnknownName
        The file cannot be read, has other columns or roles, or its folds cannot be used (`check_folds`).
    """
    table = read_frame(path, text=("fold", "section", "role"))
    if not {"fold", "section"} <= set(table):
        raise DataError(
            f"{path} needs the columns fold and section (and may have role); it has {', '.join(map(str, table))}."
        )
    lines = table.fillna({"role": TEST}) if "role" in table else table.assign(role=TEST)
    unknown = sorted(set(lines["role"]) - {TEST, TRAIN})
    if unknown:
        raise DataError(f"{path}: a section of a fold is {TEST} or {TRAIN}, not {', '.join(unknown)}.")
    names = [entry.name for entry in entries]
    folds = tuple(_fold_of(str(name), part, names) for name, part in lines.groupby("fold", sort=False))
    check_folds(folds, names)
    return folds


def _fold_of(name: str, lines: pd.DataFrame, names: Sequence[str]) -> Fold:
    test = tuple(lines["section"][lines["role"] == TEST])
    train = tuple(lines["section"][lines["role"] == TRAIN])
    return Fold(name=name, train=train or tuple(other for other in names if other not in test), test=test)


def check_folds(folds: Sequence[Fold], names: Sequence[str]) -> None:
    """Refuse splits that cannot be evaluated, or in which a section is learned from and tested on.

    Raises
    ------
    UnknownName
        A section that is not among `names`.
    DataError
        A fold without sections to learn from or to test on, a section in both, a section or a fold named twice.
    """
    for fold in folds:
        for section in (*fold.train, *fold.test):
            if section not in names:
                raise UnknownName.of("section", section, names)
        if not fold.train or not fold.test:
            raise DataError(f"Fold {fold.name} has no section to {'test on' if fold.train else 'learn from'}.")
        twice = repeated((*fold.train, *fold.test))
        if twice:
            raise DataError(f"Fold {fold.name} names {some(twice)} twice; learn from a section or test on it.")
        if not fold.name.strip(". ") or set(fold.name) & set("/\\:"):
            raise DataError(f"Fold {fold.name!r} cannot be a folder: name it by letters and digits.")
    again = repeated(fold.name for fold in folds)
    if again:
        raise DataError(f"Folds named twice: {some(again)}.")


def sisters_warning(folds: Sequence[Fold], patients: Mapping[str, str | None], protocol: str) -> str:
    """That sections of a held-out patient are learned from; "" where every fold keeps patients apart.

    Parameters
    ----------
    folds : what was evaluated
    patients : section name to patient; None where the study does not say
    protocol : "patient", "section" or `OWN_FOLDS`
    """
    leaking = [fold.name for fold in folds if not _keeps_apart(fold, patients)]
    return SISTERS[OWN_FOLDS if protocol == OWN_FOLDS else "section"].format(folds=some(leaking)) if leaking else ""


def _keeps_apart(fold: Fold, patients: Mapping[str, str | None]) -> bool:
    trained, tested = ({patients.get(name) for name in names} for names in (fold.train, fold.test))
    return None not in trained | tested and not trained & tested


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
