"""Regions: which spots they hold, how they are compared, and the files of QuPath."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from gr2st import DataError, Region, benjamini_hochberg, compare_regions, read_regions, spots_inside, write_regions


def box(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)


RING = Region("ring", "Tumor", ((box(0, 0, 10, 10), box(3, 3, 7, 7)),), (200, 0, 0))


def test_a_hole_is_outside_and_what_lies_round_it_inside():
    assert spots_inside(RING, [[1, 1], [5, 5], [9, 5], [11, 5], [-1, 5]]).tolist() == [True, False, True, False, False]


def test_an_island_in_a_hole_is_inside_as_a_polygon_of_its_own():
    region = Region("two", "", (RING.polygons[0], (box(4, 4, 6, 6),)))
    assert spots_inside(region, [[5, 5], [3.5, 3.5]]).tolist() == [True, False]


def test_polygons_that_overlap_join_and_do_not_cancel():
    region = Region("both", "", ((box(0, 0, 4, 4),), (box(2, 2, 6, 6),)))
    assert spots_inside(region, [[3, 3]]).tolist() == [True]


def test_spots_on_a_shared_border_and_corner_are_in_exactly_one_region():
    parts = [(0, 0, 5, 5), (5, 0, 10, 5), (0, 5, 5, 10), (5, 5, 10, 10)]
    spots = [[5, 2], [5, 5], [2, 5], [8, 5], [5, 8]]
    inside = np.array([spots_inside(Region("", "", ((box(*part),),)), spots) for part in parts])
    assert inside.sum(axis=0).tolist() == [1, 1, 1, 1, 1]


def test_a_concave_outline_and_either_direction_of_drawing_hold_the_same_spots():
    outline = np.array([[0, 0], [10, 0], [10, 10], [5, 2], [0, 10]], np.float64)
    for ring in (outline, outline[::-1]):
        assert spots_inside(Region("", "", ((ring,),)), [[5, 1], [5, 5], [1, 5]]).tolist() == [True, False, True]


def test_no_spots_and_no_polygons_are_no_error():
    assert spots_inside(RING, np.empty((0, 2))).shape == (0,)
    assert spots_inside(Region("", "", ()), [[1, 1]]).tolist() == [False]


@pytest.fixture
def values():
    random = np.random.default_rng(3)
    made = random.poisson(2, (40, 7)).astype(np.float32)
    made[:15, 0] += 5
    made[:, 1] = 4
    made[[2, 30], 2] = np.nan
    made[:, 3] = np.nan
    made[:12, 4] = np.nan
    return made


def test_every_gene_is_tested_as_scipy_tests_it_alone(values):
    a, b = np.arange(40) < 15, np.arange(40) >= 15
    table = compare_regions(values, list("abcdefg"), a, b).set_index("gene")
    for column, gene in enumerate("abcdefg"):
        one, other = (values[side, column][np.isfinite(values[side, column])] for side in (a, b))
        assert (table.n_a[gene], table.n_b[gene]) == (len(one), len(other))
        if gene in "acfg":
            wanted = stats.mannwhitneyu(one.astype(float), other.astype(float), method="asymptotic").pvalue
            assert table.p[gene] == pytest.approx(wanted, rel=1e-12)
            assert table.difference[gene] == pytest.approx(one.mean(dtype=float) - other.mean(dtype=float))
            assert table.detected_a[gene] == (one > 0).mean()
    assert table.p["a"] < 1e-4
    assert table.p["b"] == 1
    known = table.p.notna()
    assert list(table.index[~known]) == ["d", "e"]
    assert table.reason["e"] == "fewer than 5 spots with a value in one of the regions"
    assert table.q[known].tolist() == stats.false_discovery_control(table.p[known]).tolist()


def test_genes_without_a_test_do_not_weigh_on_the_correction():
    p = np.array([0.01, np.nan, 0.04, 0.03])
    np.testing.assert_allclose(benjamini_hochberg(p), [0.03, np.nan, 0.04, 0.04])
    assert np.isnan(benjamini_hochberg([np.nan])).all()


def test_regions_that_share_spots_are_not_compared(values):
    a = np.arange(40) < 15
    with pytest.raises(DataError, match="The two regions overlap: 15 of their spots lie in both"):
        compare_regions(values, list("abcdefg"), a, np.ones(40, bool))
    with pytest.raises(DataError, match="40 spots x 1 genes"):
        compare_regions(values, ["a"], a, ~a)


def test_regions_come_back_from_their_file_as_they_went(tmp_path):
    two = Region("pair", "", ((box(0.5, 0, 2, 2),), (box(3, 3, 4, 4),)))
    write_regions(tmp_path / "regions.geojson", [RING, two])
    again = read_regions(tmp_path / "regions.geojson")
    assert [(one.name, one.kind, one.colour) for one in again] == [("ring", "Tumor", (200, 0, 0)), ("pair", "", None)]
    for before, after in zip((RING, two), again, strict=True):
        for was, now in zip(before.polygons, after.polygons, strict=True):
            assert [ring.tolist() for ring in was] == [ring.tolist() for ring in now]
    written = json.loads((tmp_path / "regions.geojson").read_text())
    assert [one["geometry"]["type"] for one in written["features"]] == ["Polygon", "MultiPolygon"]
    assert (
        written["features"][0]["geometry"]["coordinates"][1][0]
        == written["features"][0]["geometry"]["coordinates"][1][-1]
    )


def feature(kind, coordinates, **properties):
    return {
        "type": "Feature",
        "id": "x",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


SQUARE = [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]


def written(tmp_path, content):
    path = tmp_path / "found.geojson"
    path.write_text(json.dumps(content))
    return path


def test_a_file_of_qupath_is_read_with_classes_and_colours_old_and_new(tmp_path):
    new = feature(
        "Polygon", SQUARE, objectType="annotation", name="left", classification={"name": "Tumor", "color": [200, 0, 0]}
    )
    names = feature(
        "Polygon", SQUARE, objectType="annotation", classification={"names": ["Stroma"], "color": [1, 2, 3]}
    )
    old = feature(
        "MultiPolygon", [SQUARE], objectType="annotation", classification={"name": "Necrosis", "colorRGB": -13421569}
    )
    cell = feature("Polygon", SQUARE, objectType="cell", classification={"name": "Tumor"})
    point = feature("Point", [1, 1], objectType="annotation")
    found = read_regions(written(tmp_path, {"type": "FeatureCollection", "features": [new, names, old, cell, point]}))
    assert [(one.name, one.kind, one.colour) for one in found] == [
        ("left", "Tumor", (200, 0, 0)),
        ("", "Stroma", (1, 2, 3)),
        ("", "Necrosis", (51, 51, 255)),
    ]
    assert len(found[0].polygons[0][0]) == 4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"type": "Topology"}, "found.geojson is no GeoJSON: a list of features is wanted."),
        ([feature("Point", [1, 1])], "found.geojson has no region: polygons are wanted, found 1 feature without any."),
        ([feature("Polygon", [[[0, 0], [1, 1], [0, 0]]])], "has a ring of fewer than three corners"),
        ([feature("Polygon", "nonsense")], "The geometry of feature 1 of found.geojson is none that can be read"),
        ([feature("Polygon", [[[0, 0], [1, None], [2, 2]]])], "(not finite|none that can be read)"),
    ],
)
def test_what_is_no_region_is_told_in_a_sentence(tmp_path, content, sentence):
    with pytest.raises(DataError, match=sentence):
        read_regions(written(tmp_path, content))


def test_a_file_that_is_not_there_or_no_json_is_told(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.geojson cannot be read: No such file"):
        read_regions(tmp_path / "nowhere.geojson")
    (tmp_path / "text.geojson").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"text.geojson is no GeoJSON"):
        read_regions(tmp_path / "text.geojson")
