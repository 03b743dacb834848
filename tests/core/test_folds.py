"""Splits by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gr2st.errors import DataError, UnknownName
from gr2st.evaluation.folds import OWN_FOLDS, make_folds, read_folds, sisters_warning
from gr2st.types import Fold, SectionEntry


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


def test_folds_that_learn_from_a_patient_they_test_on_are_named():
    patients = {"A1": "A", "A2": "A", "B1": "B", "X": None}
    apart, mixed, unknown = Fold("apart", ("A1",), ("B1",)), Fold("mixed", ("A1",), ("A2",)), Fold("x", ("X",), ("A1",))
    assert sisters_warning([apart], patients, OWN_FOLDS) == ""
    assert "in the training set of mixed, x: optimistic" in sisters_warning(
        [apart, mixed, unknown], patients, OWN_FOLDS
    )
    assert sisters_warning([mixed], patients, "section").startswith("Sister sections of the held-out patient")


def test_a_table_of_folds_tells_who_trains_and_who_tests(tmp_path):
    path = tmp_path / "folds.csv"
    path.write_text("fold,section,role\none,A1,train\none,B1,test\nrest,A2,\n")
    assert read_folds(path, entries(A1="A", A2="A", B1="B")) == (
        Fold("one", ("A1",), ("B1",)),
        Fold("rest", ("A1", "B1"), ("A2",)),
    )


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("fold,slide\none,A1\n", "needs the columns fold and section"),
        ("fold,section,role\none,A1,held\n", "is test or train, not held"),
        ("fold,section\none,A9\n", "No section is called 'A9'"),
        ("fold,section,role\none,A1,train\none,A1,test\n", "Fold one names A1 twice"),
        ("fold,section,role\none,A1,train\n", "Fold one has no section to test on"),
        ("fold,section\na/b,A1\n", "cannot be a folder"),
    ],
)
def test_folds_that_cannot_be_used_are_refused(tmp_path, table: str, sentence: str):
    path = tmp_path / "folds.csv"
    path.write_text(table)
    with pytest.raises((DataError, UnknownName), match=sentence):
        read_folds(path, entries(A1="A", A2="A", B1="B"))
