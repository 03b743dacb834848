"""Splits by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gr2st.errors import DataError
from gr2st.evaluation.folds import make_folds
from gr2st.types import SectionEntry


def entries(**patients: str | None) -> list[SectionEntry]:
    return [SectionEntry(name, patient, Path(name), "legacy-st") for name, patient in patients.items()]


def test_a_patient_is_held_out_with_all_sections() -> None:
    folds = make_folds(entries(A1="A", A2="A", B1="B"), "patient")
    assert [(fold.name, fold.train, fold.test) for fold in folds] == [
        ("A", ("B1",), ("A1", "A2")),
        ("B", ("A1", "A2"), ("B1",)),
    ]


def test_a_section_is_held_out_alone_under_the_published_protocol() -> None:
    folds = make_folds(entries(A1="A", A2="A", B1="B"), "section")
    assert (folds[0].train, folds[0].test) == (("A2", "B1"), ("A1",))
    assert len(folds) == 3


@pytest.mark.parametrize("protocol", ["patient", "section"])
def test_no_section_is_trained_on_and_tested(protocol: str) -> None:
    for fold in make_folds(entries(A1="A", A2="A", B1="B", C1="C"), protocol):  # type: ignore[arg-type]
        assert not set(fold.train) & set(fold.test)


def test_sections_without_a_patient_are_named_and_refused() -> None:
    with pytest.raises(DataError, match=r"without a patient: A2, B1.*study\.csv.*--protocol section"):
        make_folds(entries(A1="A", A2=None, B1=None), "patient")


def test_a_single_patient_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match=r"at least two patients; found 1 \(A\)"):
        make_folds(entries(A1="A", A2="A"), "patient")
