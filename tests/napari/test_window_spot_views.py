"""Long names in the narrow parts of the Spot dock: nothing is pushed out, and the whole name is in a tip."""

from __future__ import annotations

import numpy as np
import pytest

from gr2st_napari._spot_words import CLASS_WORDS, Bar, ReferenceLine
from gr2st_napari.views.bars import GAP_PX, LEFT_PX, NUMBER_PX, Bars
from gr2st_napari.views.picture_pair import SpotPicture
from gr2st_napari.views.reference_list import PATIENT, SECTION, ReferenceTable

DOCK_PX = 260
LONG = "SRR-2021-0437_breast_primary_block-3_rep2"


@pytest.mark.parametrize(("section", "patient"), [("C3", "C"), (LONG, "Patient 0437"), ("C3", LONG)])
def test_all_columns_of_reference_spots_are_in_view_and_slide_and_patient_share_their_room(qtbot, section, patient):
    table = ReferenceTable()
    qtbot.addWidget(table)
    line = ReferenceLine(section, patient, "230", "0.7 %", section, np.zeros((8, 8, 3), np.uint8))
    table.resize(DOCK_PX, 300)
    table.show_lines([line] * 8, 0)
    table.show()
    header = table.horizontalHeader()
    assert header.length() <= table.viewport().width()
    assert all(header.sectionSize(at) >= header.sectionSizeHint(at) for at in range(header.count()))
    if section == LONG:
        assert header.sectionSize(SECTION) >= header.sectionSize(PATIENT) - 1


def test_a_long_name_under_a_picture_keeps_its_two_ends_and_is_whole_in_a_tip(qtbot):
    picture = SpotPicture("picture")
    qtbot.addWidget(picture)
    picture.resize(120, 160)
    picture.show()
    picture.show_picture(np.zeros((8, 8, 3), np.uint8), f"{LONG} · 0.7 %")
    assert picture.words.text().startswith("SRR")
    assert picture.words.text().endswith("0.7 %")
    assert picture.fontMetrics().horizontalAdvance(picture.words.text()) <= picture.width()
    assert picture.words.toolTip() == f"{LONG} · 0.7 %"


def test_names_of_cell_types_are_whole_beside_their_bars_and_short_ones_leave_the_bars_where_they_are(qtbot):
    bars, parts = Bars("experts"), Bars("parts")
    for chart in (bars, parts):
        qtbot.addWidget(chart)
        chart.resize(DOCK_PX, 100)
    bars.show_bars([Bar(name, 0.2) for name in CLASS_WORDS.values()])
    widest = max(bars.fontMetrics().horizontalAdvance(name) for name in CLASS_WORDS.values())
    assert widest <= bars.name_px() - LEFT_PX - GAP_PX
    bars.show_bars([Bar(LONG, 0.2)])
    assert DOCK_PX - bars.name_px() - NUMBER_PX > 60, "a bar can be seen"
    parts.show_bars([Bar("kernel", 0.9)])
    bars.show_bars([Bar("expert 1", 0.2)])
    assert bars.name_px() == parts.name_px()
