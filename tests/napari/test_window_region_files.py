"""Two windows on one slide, and slides that are moved: no region is lost. Without a window."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from gr2st import Region, read_regions
from gr2st_napari._region_file import Home, RegionFile
from gr2st_napari._region_merging import are_same, meeting_words, merged

CORNERS = np.array([[100.0, 100.0], [900.0, 120.0], [500.0, 700.0]])


def _region(name, shift=0.0, kind=""):
    return Region(name, kind, ((CORNERS + shift,),))


def _told(regions):
    """Name and first corner of each region."""
    return {region.name: float(region.polygons[0][0][0, 0]) - 100 for region in regions}


A, B = _region("A"), _region("B", 10)


@pytest.mark.parametrize(
    ("ours", "theirs", "together"),
    [
        pytest.param([A, B], [A, B], {"A": 0, "B": 10}, id="nothing"),
        pytest.param([_region("A", 5), B], [A, B], {"A": 5, "B": 10}, id="we change"),
        pytest.param([A, B], [_region("A", 5), B], {"A": 5, "B": 10}, id="they change"),
        pytest.param([A, B, _region("C", 1)], [A, B, _region("D", 2)], {"A": 0, "B": 10, "C": 1, "D": 2}, id="draw"),
        pytest.param([B], [A, B], {"B": 10}, id="we remove"),
        pytest.param([A, B], [B], {"B": 10}, id="they remove"),
        pytest.param([B], [_region("A", 5), B], {"A": 5, "B": 10}, id="we remove what they change"),
        pytest.param([_region("A", 5), B], [B], {"A": 5, "B": 10}, id="they remove what we change"),
        pytest.param([_region("A", 5), B], [_region("A", 7), B], {"A": 5, "B": 10, "A 1": 7}, id="both change"),
        pytest.param([_region("Tumor"), B], [A, B], {"Tumor": 0, "B": 10}, id="we rename"),
        pytest.param([_region("Tumor"), B], [_region("Fat"), B], {"Tumor": 0, "B": 10}, id="both rename"),
        pytest.param(
            [_region("Tumor"), B], [A, B, _region("Tumor", 3)], {"Tumor": 0, "B": 10, "Tumor 1": 3}, id="meet"
        ),
        pytest.param([B, _region("A", 4)], [_region("Tumor"), B], {"B": 10, "Tumor": 4}, id="they rename"),
    ],
)
def test_what_either_of_two_windows_did_holds_and_where_both_did_both_stay(ours, theirs, together):
    assert _told(merged([A, B], ours, theirs)) == together


def test_a_region_one_window_has_put_into_a_class_and_the_other_drawn_anew_is_one_with_both():
    [region] = merged([A], [_region("A", kind="Tumor")], [_region("A", 5)])
    assert (region.kind, _told([region])) == ("Tumor", {"A": 5})
    both = merged([A], [_region("A", kind="Tumor")], [_region("A", kind="Fat")])
    assert [(region.name, region.kind) for region in both] == [("A", "Tumor"), ("A 1", "Fat")]


def test_what_no_other_window_touched_stays_in_its_order():
    ours = (_region("New", 3), B, _region("Newer", 4), _region("A", 7, kind="Fat"))
    assert are_same(merged([A, B], ours, [A, B]), ours)


def test_two_regions_drawn_under_one_name_get_the_next_number():
    together = merged([], [_region("Region 1", 1)], [_region("Region 1", 2), _region("Region 2", 3)])
    assert _told(together) == {"Region 1": 1, "Region 2": 3, "Region 3": 2}


def test_the_few_digits_of_a_layer_and_another_class_are_told_apart():
    far = _region("A", 150_000.123)
    from_layer = Region("A", "", tuple(tuple(ring.astype(np.float32) for ring in rings) for rings in far.polygons))
    assert are_same([far], [from_layer])
    assert not are_same([far], [_region("A", 150_000.5)])
    assert not are_same([far], [_region("A", 150_000.123, kind="Tumor")])


def test_what_another_window_did_is_told_in_words():
    after = (_region("A", 3), *(_region(name, 20 + at) for at, name in enumerate("CDEF")))
    assert meeting_words((A, B), after) == (
        "Regions of this slide were drawn in another window too. Came from there: 4 regions; changed there: A; "
        "removed there: B."
    )
    assert meeting_words((A,), (_region("Front"),)).endswith("Changed there: Front.")


def _file(folder, place=None, name="S1"):
    """The file of a slide, as a new window finds it."""
    study = folder / "study" if place is None else place
    study.mkdir(parents=True, exist_ok=True)
    picture = study / "S1.jpg"
    if not picture.exists():
        picture.write_bytes(bytes(range(256)) * 600)
    return RegionFile(Home(folder / "regions" / f"{study.name}-{name}.geojson", name, study, picture))


def test_two_windows_that_draw_on_one_slide_lose_nothing(tmp_path):
    one, other = _file(tmp_path), _file(tmp_path)
    assert one.read() == other.read() == ()
    one.write((A,))
    assert _told(other.write((B,))) == {"B": 10, "A": 0}
    # This window has not shown A yet, so that it lacks A does not remove it.
    assert _told(other.write((_region("B", 11),))) == {"B": 11, "A": 0}
    together = one.write((_region("A", 1),))
    assert _told(together) == {"A": 1, "B": 11} == _told(read_regions(one.path))
    one.agree(together)
    one.write((_region("A", 1),))
    assert _told(read_regions(one.path)) == {"A": 1}
    one.write(())
    assert not one.path.exists()


def test_a_region_that_got_another_name_beside_one_of_the_same_is_not_there_twice(tmp_path):
    one, other = _file(tmp_path), _file(tmp_path)
    one.write((_region("Region 1", 1),))
    other.agree(other.write((_region("Region 1", 2),)))
    one.agree(one.write((_region("Front", 1),)))
    assert _told(read_regions(one.path)) == {"Front": 1, "Region 1": 2}
    together = other.write((_region("Region 1", 2, kind="Fat"), _region("Region 2", 1)))
    assert [(region.name, region.kind) for region in together] == [("Region 1", "Fat"), ("Front", "")]


def test_a_file_that_is_gone_takes_no_region_from_the_window(tmp_path):
    file = _file(tmp_path)
    file.write((A, B))
    file.path.unlink()
    assert _told(file.write((A, _region("B", 11)))) == {"A": 0, "B": 11}


def test_the_regions_of_a_study_go_with_it_where_it_is_moved_and_not_with_a_copy(tmp_path):
    here, there, copy = (tmp_path / name for name in ("study", "moved", "copy"))
    _file(tmp_path, here).write((A,))
    shutil.copytree(here, copy)
    assert _file(tmp_path, copy).read() == ()
    here.rename(there)
    assert _file(tmp_path, there, name="S2").read() == ()
    assert _told(_file(tmp_path, there).read()) == {"A": 0}
    assert not _file(tmp_path, here).path.exists()
    _file(tmp_path, there).path.unlink()
    assert _file(tmp_path, there).read() == (), "what was removed after the move stays away"


def test_another_picture_and_a_damaged_trace_lead_to_no_regions(tmp_path):
    here, there = tmp_path / "study", tmp_path / "moved"
    _file(tmp_path, here).write((A,))
    here.rename(there)
    picture = there / "S1.jpg"
    known = picture.read_bytes()
    picture.write_bytes(known[:-1] + b"\0")
    assert _file(tmp_path, there).read() == ()
    picture.write_bytes(known)
    [trace] = (tmp_path / "regions" / "traces").iterdir()
    trace.write_text("{")
    assert _file(tmp_path, there).read() == ()
