"""A study that is being put together: what adding, reading and typing make of it, and how it is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from window_builders import make_section

from gr2st import SectionEntry, Study
from gr2st.types import Alignment
from gr2st_napari import _study
from gr2st_napari._problems import problem_of
from gr2st_napari._state import Problem
from gr2st_napari._study import Draft, facts_of
from gr2st_napari._study_words import (
    FIT,
    LABELS,
    PICTURE,
    STATE,
    UM_PER_PX,
    card_of,
    findings,
    lines,
    why_not_open,
    why_not_save,
)

HERE = Path("/data")


def _entry(name: str, patient: str | None = "P1", **more) -> SectionEntry:
    return SectionEntry(name, patient, HERE / f"{name}.h5ad", "h5ad", **more)


def _draft(*entries: SectionEntry, path: Path = HERE) -> Draft:
    return _study.listed(_study.added(Draft(), [path]), path, Study("data", path, entries))


def _sound(*entries: SectionEntry, **more) -> Draft:
    """A draft with all its rows read."""
    draft = _draft(*entries)
    for row in draft.rows:
        draft = _study.read(draft, row.key, facts_of(make_section(row.entry.name, **more)))
    return draft


def test_an_empty_draft_says_what_to_do_and_cannot_be_saved():
    assert card_of(Draft()).actions == ("open", "open-sample")
    assert why_not_save(Draft()) == "Add at least one section first."


def test_rows_are_to_be_read_one_after_the_other():
    draft = _draft(_entry("A1"), _entry("A2"))
    assert draft.waiting == ()
    assert [line.texts[STATE] for line in lines(draft)] == ["reading…", "reading…"]
    assert why_not_save(draft) == "Wait until all sections are read."
    draft = _study.read(draft, draft.unread.key, facts_of(make_section("A1")))
    assert card_of(draft).sentence == "Reading A2: 1 of 2 sections done…"
    assert [line.texts[STATE] for line in lines(draft)] == ["sound", "reading…"]


def test_a_sound_study_can_be_saved_and_then_opened():
    draft = _sound(_entry("A1"), _entry("B1", "P2"))
    assert why_not_save(draft) == ""
    assert why_not_open(draft) == "Save the study first."
    assert card_of(draft).sentence == "2 sections of 2 patients. Ready to be saved."
    assert why_not_open(replace(draft, saved=HERE / "study.csv")) == ""


def test_a_table_that_is_dropped_counts_as_saved_until_something_is_changed():
    table = HERE / "my_study.csv"
    draft = _draft(_entry("A1"), path=table)
    assert (draft.saved, draft.home) == (table, table)
    assert _study.with_patient(draft, [1], "P1").saved == table
    changed = _study.with_patient(draft, [1], "P2")
    assert (changed.saved, changed.home) == (None, table)
    assert _study.removed(_draft(_entry("A1"), _entry("A2"), path=table), [1]).saved is None


def test_a_second_folder_joins_the_study_and_what_is_there_already_is_not_added_twice():
    first = _draft(_entry("A1"), path=HERE / "study.csv")
    again = _study.listed(first, HERE, Study("data", HERE, (_entry("A1"), _entry("A2"))))
    assert [row.entry.name for row in again.rows] == ["A1", "A2"]
    assert again.notes == ("Already in the study, not added again: A1.",)
    assert again.saved is None


def test_without_a_patient_the_study_waits_and_names_the_sections_once():
    draft = _sound(_entry("A1", None), _entry("A2", None), _entry("A3"))
    [finding] = findings(draft)
    assert finding.sentence == "2 sections have no patient: A1, A2."
    assert "column Patient" in finding.fix
    assert why_not_save(draft).startswith(finding.sentence)
    assert [line.tone for line in lines(draft)] == ["error", "error", "sound"]
    assert why_not_save(_study.with_patient(draft, [1, 2], " P7 ")) == ""


def test_two_sections_of_one_name_must_be_told_apart():
    other = replace(_entry("A1"), path=HERE / "other" / "A1.h5ad")
    draft = _sound(_entry("A1"), other)
    assert [line.texts[STATE] for line in lines(draft)] == ["name taken", "name taken"]
    assert why_not_save(draft) == (
        "Several sections are called A1. Give each its own name in the column Section, or remove one."
    )
    assert why_not_save(_study.renamed(draft, 2, "A1_again")) == ""
    assert _study.renamed(draft, 2, "  ") == draft


def test_an_unreadable_section_tells_all_that_is_wrong_and_leaves_by_being_removed():
    from gr2st import SectionInvalid

    draft = _sound(_entry("A1"), _entry("A2"))
    draft = _study.failed(draft, 2, problem_of(SectionInvalid.of("A2", ["No counts.", "No spots."])))
    [finding] = findings(draft)
    assert finding.sentence == "A2 cannot be read. No counts. No spots."
    assert "Read again" in finding.fix
    assert why_not_save(draft)
    assert why_not_save(_study.removed(draft, [2])) == ""


@pytest.mark.parametrize(
    ("more", "column", "shown", "word"),
    [
        ({"slide": False}, PICTURE, "none", "no picture"),
        ({"um_per_px": None}, UM_PER_PX, "not known", "no µm/px"),
        ({"alignment": Alignment("mirrored", 1.0, 0.4, "It looks mirrored.")}, FIT, "mirrored", "misfit"),
    ],
)
def test_what_does_not_hinder_saving_is_still_told_with_its_fix(more, column, shown, word):
    draft = _sound(_entry("A1"), **more)
    [line], [finding] = lines(draft), findings(draft)
    assert (line.texts[column], line.texts[STATE], line.tone) == (shown, word, "warning")
    assert not finding.is_blocking
    assert finding.fix.endswith(".")
    assert why_not_save(draft) == ""


def test_micrometres_per_pixel_are_the_users_before_the_files():
    draft = _sound(_entry("A1"))
    [line] = lines(draft)
    assert line.tips[UM_PER_PX] == "0.5 µm per pixel, from made by hand"
    typed = _study.with_um_per_px(draft, [1], "0,65")
    assert typed.rows[0].entry.um_per_px == 0.65
    assert lines(typed)[0].tips[UM_PER_PX] == "0.65 µm per pixel, from the study"
    assert _study.with_um_per_px(typed, [1], "").rows[0].um_per_px == 0.5


@pytest.mark.parametrize("text", ["zero point six", "0", "-1", "1000", "nan", "inf"])
def test_what_is_no_possible_number_of_micrometres_changes_nothing(text):
    draft = _sound(_entry("A1"))
    assert _study.with_um_per_px(draft, [1], text) == draft


def test_a_chosen_picture_is_the_sections_and_makes_it_read_again():
    draft = _sound(_entry("A1", without_image="No picture lies there."))
    after = _study.with_picture(draft, 1, HERE / "A1.jpg")
    assert after.rows[0].entry.parts["image"] == HERE / "A1.jpg"
    assert after.rows[0].entry.without_image == ""
    assert after.unread is after.rows[0]


def test_labels_are_counted():
    section = make_section("A1")
    section.table.obs["label"] = pd.Categorical([None] * 8 + ["tumour"] * 30 + ["fat"] * 10)
    draft = _draft(_entry("A1"))
    [line] = lines(_study.read(draft, 1, facts_of(section)))
    assert line.texts[LABELS] == "40 spots"
    assert line.tips[LABELS] == "tumour: 30 spots\nfat: 10 spots"


def test_stopping_leaves_out_what_was_not_read_and_says_so():
    draft = _study.read(_draft(_entry("A1"), _entry("A2")), 1, facts_of(make_section("A1")))
    after = _study.stopped(draft)
    assert [row.entry.name for row in after.rows] == ["A1"]
    assert after.notes == ("Stopped; not read and left out: A2.",)
    assert not after.is_reading


def test_a_folder_without_sections_is_told_and_looked_into_again_on_request():
    draft = _study.refused(_study.added(Draft(), [HERE]), HERE, Problem("No section was found in /data."))
    assert card_of(draft).sentence.startswith("data holds nothing that can be added.")
    assert findings(draft)[0].sentence == "data was not added. No section was found in /data."
    again = _study.to_read_again(draft)
    assert (again.waiting, again.refused) == ((HERE,), ())
