"""Cell types from files: HoVer-Net's JSON and QuPath table, GeoJSON, the published table of spots."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gr2st import keys
from gr2st.cells.files import cells_from_files
from gr2st.config import PatchConfig
from gr2st.errors import DataError
from gr2st.io.cell_names import classes_of_names
from gr2st.io.nuclei import read_nuclei
from gr2st.io.section import read_section
from gr2st.io.spot_types import read_spot_types, write_spot_types
from gr2st.io.study import read_study, write_study
from gr2st.types import CELL_CLASSES, Section, SpotCells, finish
from tests.builders import her2st_folder

NOLABE, NECROS, NEOPLA, INFLAM, CONNEC, NO_NEO = range(6)
PATCH = PatchConfig(size_px=20, um_per_px=None)


def hovernet(nuclei: list[tuple[float, float, object]], magnification: object = None) -> str:
    """JSON as HoVer-Net writes it, from (x, y, number of the class)."""
    found = {
        str(number): {
            "bbox": [[0, 0], [1, 1]],
            "centroid": [x, y],
            "contour": [[0, 0], [1, 1]],
            "type_prob": 0.9,
            "type": kind,
        }
        for number, (x, y, kind) in enumerate(nuclei, start=1)
    }
    return json.dumps({"mag": magnification, "nuc": found})


def qupath(nuclei: list[tuple[float, float, str]]) -> str:
    rows = [f"{x}\t{y}\t\t{name}\t-65536" for x, y, name in nuclei]
    return "\n".join(["x\ty\tclass\tname\tcolor", *rows]) + "\n"


def square(x: float, y: float, side: float = 4.0) -> list[list[list[float]]]:
    half = side / 2
    corners = [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]]
    return [[*corners, corners[0]]]


def feature(geometry: str, coordinates: object, name: str | None = None, kind: str = "cell", **more: object) -> dict:
    properties = {"objectType": kind} | ({"classification": {"name": name}} if name else {})
    return {
        "type": "Feature",
        "geometry": {"type": geometry, "coordinates": coordinates},
        "properties": properties,
    } | more


def geojson(*features: dict) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Section:
    """A legacy section of 42 spots, 40 pixels apart, without cell types."""
    return read_section(read_study(her2st_folder(tmp_path_factory.mktemp("study"), names=("A1",))).entry("A1"))


def cells_of(section: Section, path: Path, patch: PatchConfig = PATCH) -> SpotCells:
    return finish(cells_from_files(replace(section, cells=path), patch))


# ------------------------------------------------------------------------------------------------------------- names


def test_hovernet_numbers_are_turned_into_the_published_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", hovernet([(float(kind), 0.0, kind) for kind in range(6)]))
    assert read_nuclei(path).nuclei.kind.tolist() == [NOLABE, NEOPLA, INFLAM, CONNEC, NECROS, NO_NEO]


def test_names_of_hovernet_pannuke_and_qupath_stand_for_the_same_classes() -> None:
    assert classes_of_names(CELL_CLASSES, "here") == list(range(6))
    names = ["Neoplastic", "Inflammatory", "Connective", "Dead", "Epithelial", "Tumor: Positive", "Stroma", "Other", ""]
    expected = [NEOPLA, INFLAM, CONNEC, NECROS, NO_NEO, NEOPLA, CONNEC, NOLABE, NOLABE]
    assert classes_of_names(names, "here") == expected


def test_names_that_are_not_known_are_refused_with_the_list() -> None:
    with pytest.raises(DataError, match=r"here has classes that are not known: 'alien', 'martian'\. Known: nolabe"):
        classes_of_names(["neopla", "martian", "Alien"], "here")


@pytest.mark.parametrize("kind", [6, -1, None, "neopla", 1.5, True])
def test_types_that_are_no_pannuke_number_are_refused(tmp_path: Path, kind: object) -> None:
    with pytest.raises(DataError, match="numbers for PanNuke, 0 to 5"):
        read_nuclei(write(tmp_path / "a.json", hovernet([(1, 1, kind)])))


# ------------------------------------------------------------------------------------------------- files of nuclei


def test_a_hovernet_file_gives_centroids_and_magnification(tmp_path: Path) -> None:
    read = read_nuclei(write(tmp_path / "a.json", hovernet([(1.5, 2.5, 1)], magnification=40)))
    np.testing.assert_array_equal(read.nuclei.xy, [[1.5, 2.5]])
    assert read.magnification == 40


def test_a_qupath_table_gives_centroids_and_classes(tmp_path: Path) -> None:
    read = read_nuclei(write(tmp_path / "a.tsv", qupath([(1.5, 2.5, "inflam"), (3, 4, "nolabe")])))
    np.testing.assert_array_equal(read.nuclei.xy, [[1.5, 2.5], [3, 4]])
    assert read.nuclei.kind.tolist() == [INFLAM, NOLABE]
    assert read.magnification is None


@pytest.mark.parametrize(("name", "text"), [("a.json", hovernet([])), ("a.tsv", qupath([])), ("a.geojson", geojson())])
def test_a_file_without_nuclei_is_a_file_of_no_nuclei(tmp_path: Path, name: str, text: str) -> None:
    assert len(read_nuclei(write(tmp_path / name, text)).nuclei) == 0


def test_geojson_takes_the_centroid_of_the_nucleus_where_it_is_given(tmp_path: Path) -> None:
    text = geojson(
        feature("Polygon", square(100, 50), "Tumor"),
        feature("Polygon", square(0, 0), "Stroma", nucleusGeometry={"type": "Polygon", "coordinates": square(7, 9)}),
        feature("Point", [3, 4], "Immune cells"),
        feature("MultiPolygon", [square(10, 10), square(20, 20)], "Necrosis"),
        feature("Polygon", [[[0, 0], [6, 0], [0, 6], [0, 0]]]),
    )
    nuclei = read_nuclei(write(tmp_path / "a.geojson", text)).nuclei
    np.testing.assert_allclose(nuclei.xy, [[100, 50], [7, 9], [3, 4], [10, 10], [20, 20], [2, 2]])
    assert nuclei.kind.tolist() == [NEOPLA, CONNEC, INFLAM, NECROS, NECROS, NOLABE]


def test_geojson_classes_may_be_lists_of_names(tmp_path: Path) -> None:
    one = feature("Point", [1, 1]) | {"properties": {"classification": {"names": ["Tumor", "Positive"]}}}
    assert read_nuclei(write(tmp_path / "a.geojson", json.dumps([one]))).nuclei.kind.tolist() == [NEOPLA]


def test_annotations_beside_cells_are_regions_and_left_out(tmp_path: Path) -> None:
    region = feature("Polygon", square(0, 0, 500), "Tumor", kind="annotation")
    read = read_nuclei(write(tmp_path / "a.geojson", geojson(region, feature("Point", [5, 5], "Stroma"))))
    assert read.nuclei.kind.tolist() == [CONNEC]
    assert read.notes == ("a.geojson: 1 annotation left out, as regions and not nuclei.",)
    alone = read_nuclei(write(tmp_path / "b.geojson", geojson(region)))
    assert alone.nuclei.kind.tolist() == [NEOPLA]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"mag": null, "nuc": {"1": {"cen', "not readable as JSON"),
        ('{"cells": []}', "neither HoVer-Net's"),
        ('{"mag": null, "nuc": {"1": {"type": 1}}}', "without a centroid or a type"),
        ('{"mag": null, "nuc": {"1": {"centroid": [1], "type": 1}}}', "no pairs of finite numbers"),
        ('{"mag": "x", "nuc": {}}', "magnification 'x'"),
        (hovernet([(float("nan"), 1, 1)]), "no pairs of finite numbers"),
        ("x\ty\tkind\n1\t2\tneopla\n", "lacks name"),
        (qupath([(1, 2, "martian")]), "'martian'"),
        ('{"type": "FeatureCollection", "features": 3}', "a list of features"),
        (geojson(feature("LineString", [[0, 0], [1, 1]])), "geometry of feature 1 of a.json"),
        (geojson(feature("Polygon", [])), "geometry of feature 1 of a.json"),
        (geojson(feature("Point", ["a", 1])), "geometry of feature 1 of a.json"),
        ("", "is empty"),
    ],
)
def test_what_is_no_file_of_nuclei_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_nuclei(write(tmp_path / "a.json", text))


# ----------------------------------------------------------------------------------------------------- whole slides


def test_nuclei_of_a_whole_slide_belong_to_the_windows_they_lie_in(bare: Section, tmp_path: Path) -> None:
    x, y = np.rint(bare.table.obsm[keys.SPATIAL][3])
    nuclei = [(x, y, 3), (x - 10, y, 3), (x + 9.9, y + 9.9, 2), (x + 10, y, 2), (x, y - 10.1, 2)]
    cells = cells_of(bare, write(tmp_path / "A1.json", hovernet(nuclei)))
    assert cells.cell_type[3] == CONNEC
    np.testing.assert_allclose(cells.cell_share[3], [0, 0, 0, 1 / 3, 2 / 3, 0], rtol=1e-6)
    assert not np.delete(cells.cell_type, 3, axis=0).any()
    assert not np.delete(cells.cell_share, 3, axis=0).any()
    assert cells.source == "files"


def test_the_window_follows_the_micrometres_of_the_patch(bare: Section, tmp_path: Path) -> None:
    x, y = bare.table.obsm[keys.SPATIAL][0]
    path = write(tmp_path / "A1.tsv", qupath([(x, y, "neopla"), (x + 15, y, "inflam"), (x + 15, y + 1, "inflam")]))
    scaled = replace(bare, um_per_px=2.0)
    assert cells_of(scaled, path, PatchConfig(size_px=20, um_per_px=2.0)).cell_type[0] == NEOPLA
    assert cells_of(scaled, path, PatchConfig(size_px=20, um_per_px=4.0)).cell_type[0] == INFLAM


def test_the_three_formats_of_one_slide_say_the_same(bare: Section, tmp_path: Path) -> None:
    xy = bare.table.obsm[keys.SPATIAL][:6]
    numbers, names = (1, 2, 3, 4, 5, 0), ("neopla", "inflam", "connec", "necros", "no-neo", "nolabe")
    paths = (
        write(tmp_path / "a.json", hovernet([(x, y, n) for (x, y), n in zip(xy.tolist(), numbers, strict=True)])),
        write(tmp_path / "a.tsv", qupath([(x, y, n) for (x, y), n in zip(xy.tolist(), names, strict=True)])),
        write(
            tmp_path / "a.geojson",
            geojson(*(feature("Polygon", square(x, y), n) for (x, y), n in zip(xy.tolist(), names, strict=True))),
        ),
    )
    for path in paths:
        assert cells_of(bare, path).cell_type[:6].tolist() == [NEOPLA, INFLAM, CONNEC, NECROS, NO_NEO, NOLABE]


def test_pixels_of_another_magnification_are_scaled_with_a_note(bare: Section, tmp_path: Path) -> None:
    x, y = bare.table.obsm[keys.SPATIAL][5]
    path = write(tmp_path / "A1.json", hovernet([(2 * x, 2 * y, 1)], magnification=40))
    cells = cells_of(replace(bare, um_per_px=0.504), path)
    assert cells.cell_type[5] == NEOPLA
    assert cells.notes == ("A1.json counts pixels at 40x; multiplied by 0.5.",)


def test_a_magnification_without_the_slides_resolution_is_told(bare: Section, tmp_path: Path) -> None:
    x, y = bare.table.obsm[keys.SPATIAL][5]
    path = write(tmp_path / "A1.json", hovernet([(x, y, 1)], magnification=40))
    (note,) = cells_of(replace(bare, um_per_px=None), path).notes
    assert "counts pixels at 40x; taken as level 0" in note


def test_a_magnification_that_does_not_fit_the_slide_is_refused(bare: Section, tmp_path: Path) -> None:
    path = write(tmp_path / "A1.json", hovernet([(1, 1, 1)], magnification=40))
    with pytest.raises(DataError, match="do not differ by a power of two"):
        cells_of(replace(bare, um_per_px=0.7), path)


def test_nuclei_of_another_picture_are_refused(bare: Section, tmp_path: Path) -> None:
    path = write(tmp_path / "A1.tsv", qupath([(10, 10, "neopla"), (99999, 10, "neopla")]))
    with pytest.raises(DataError, match=r"50% of the nuclei of A1\.tsv lie outside"):
        cells_of(bare, path)


def test_nuclei_beside_all_spots_are_refused(bare: Section, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="None of the 1 nuclei"):
        cells_of(bare, write(tmp_path / "A1.tsv", qupath([(1, 1, "neopla")])))


# ------------------------------------------------------------------------------------------------ one file per spot


def test_one_file_per_spot_counts_all_its_nuclei_whatever_their_pixels(bare: Section, tmp_path: Path) -> None:
    for spot in bare.spot_names:
        write(tmp_path / "json" / f"{spot}.json", hovernet([(500, 1, 2), (1, 500, 2), (1, 1, 1)]))
    cells = cells_of(bare, tmp_path)
    assert set(cells.cell_type) == {INFLAM}
    np.testing.assert_allclose(cells.cell_share[0], [0, 0, 1 / 3, 2 / 3, 0, 0], rtol=1e-6)
    assert cells.notes == ()


def test_files_of_spots_are_read_once_until_one_of_them_changes(
    bare: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gr2st.cells import files

    for spot in bare.spot_names:
        write(tmp_path / f"{spot}.tsv", qupath([(1, 1, "neopla")]))
    first = cells_of(bare, tmp_path)
    read: list[Path] = []
    monkeypatch.setattr(files, "read_nuclei", lambda path: read.append(path) or read_nuclei(path))
    again = cells_of(bare, tmp_path)
    assert read == []
    np.testing.assert_array_equal(again.cell_share, first.cell_share)
    write(tmp_path / f"{bare.spot_names[2]}.tsv", qupath([(1, 1, "inflam"), (2, 2, "inflam")]))
    assert cells_of(bare, tmp_path).cell_type[:4].tolist() == [NEOPLA, NEOPLA, INFLAM, NEOPLA]
    assert len(read) == bare.n_spots


def test_files_kept_for_other_spots_are_not_taken_for_these(bare: Section, tmp_path: Path) -> None:
    for number, spot in enumerate(bare.spot_names):
        write(tmp_path / f"{spot}.tsv", qupath([(1, 1, "neopla" if number else "inflam")]))
    assert cells_of(bare, tmp_path).cell_type[0] == INFLAM
    turned = replace(bare, table=bare.table[::-1].copy())
    assert cells_of(turned, tmp_path).cell_type[-1] == INFLAM


def test_a_spot_without_a_file_counts_as_nolabe_with_a_note(bare: Section, tmp_path: Path) -> None:
    for spot in bare.spot_names[1:]:
        write(tmp_path / f"{spot}.tsv", qupath([(1, 1, "neopla")]))
    cells = cells_of(bare, tmp_path)
    assert cells.cell_type.tolist() == [NOLABE] + [NEOPLA] * (bare.n_spots - 1)
    assert not cells.cell_share[0].any()
    (note,) = cells.notes
    assert note.startswith(f"1 of {bare.n_spots} spots of A1 have no file of nuclei and count as nolabe")


def test_files_named_by_no_spot_beside_those_of_the_spots_are_told(bare: Section, tmp_path: Path) -> None:
    for spot in (*bare.spot_names, "99x99"):
        write(tmp_path / "tiles" / f"{spot}.tsv", qupath([(1, 1, "neopla")]))
    assert cells_of(bare, tmp_path / "tiles").notes == ("Files of tiles named by no spot of A1, not used: 99x99.tsv.",)


def test_files_for_a_minority_of_the_spots_are_refused(bare: Section, tmp_path: Path) -> None:
    write(tmp_path / f"{bare.spot_names[0]}.tsv", qupath([(1, 1, "neopla")]))
    with pytest.raises(DataError, match="seem to be of another section"):
        cells_of(bare, tmp_path)


def test_files_named_by_no_spot_are_refused_with_the_names_that_are_wanted(bare: Section, tmp_path: Path) -> None:
    for name in ("patch_1", "patch_2"):
        write(tmp_path / f"{name}.json", hovernet([]))
    with pytest.raises(DataError, match=rf"named by a spot of section A1.*such as {bare.spot_names[0]}\.json"):
        cells_of(bare, tmp_path)


def test_a_folder_without_cell_types_is_refused(bare: Section, tmp_path: Path) -> None:
    write(tmp_path / "readme.txt", "nothing")
    with pytest.raises(DataError, match=r"looked for summary_spot_types\.tsv"):
        cells_of(bare, tmp_path)


# --------------------------------------------------------------------------------------------- table of spot types


def test_a_table_of_spots_is_joined_by_name_and_not_by_order(bare: Section, tmp_path: Path) -> None:
    kinds = [CELL_CLASSES[number % 6] for number in range(bare.n_spots)]
    frame = pd.DataFrame({"spot": bare.spot_names, "type": kinds})[::-1]
    frame.to_csv(tmp_path / keys.SPOT_TYPES, sep="\t", index=False)
    for path in (tmp_path, tmp_path / keys.SPOT_TYPES):
        cells = cells_of(bare, path)
        assert [CELL_CLASSES[kind] for kind in cells.cell_type] == kinds
        assert cells.cell_share is None


def test_a_written_table_is_read_back_the_same(bare: Section, tmp_path: Path, rng: np.random.Generator) -> None:
    counts = rng.multinomial(8, [1 / 6] * 6, size=bare.n_spots)
    counts[2] = 0
    written = SpotCells(counts.argmax(axis=1), (counts / np.maximum(counts.sum(1), 1)[:, None]).astype("f4"), "files")
    path = tmp_path / keys.SPOT_TYPES
    write_spot_types(path, bare.spot_names, written)
    cells = cells_of(bare, path)
    np.testing.assert_array_equal(cells.cell_type, written.cell_type)
    np.testing.assert_allclose(cells.cell_share, written.cell_share, atol=1e-4)
    assert path.read_text().splitlines()[0].split("\t") == ["spot", "type", *CELL_CLASSES, "source"]


def test_an_estimate_in_a_file_is_still_called_an_estimate(bare: Section, tmp_path: Path) -> None:
    estimate = SpotCells(np.zeros(bare.n_spots, np.int64), None, "estimate")
    write_spot_types(tmp_path / "types.tsv", bare.spot_names, estimate)
    assert cells_of(bare, tmp_path / "types.tsv").notes == (
        "The cell types in types.tsv are an estimate from the picture.",
    )


def test_spots_that_the_table_lacks_count_as_nolabe_with_a_note(bare: Section, tmp_path: Path) -> None:
    rows = "".join(f"{spot}\tneopla\n" for spot in bare.spot_names[:-2])
    cells = cells_of(bare, write(tmp_path / "t.tsv", "spot\ttype\n" + rows + "99x99\tinflam\n"))
    assert cells.cell_type[-2:].tolist() == [NOLABE, NOLABE]
    assert "2 of 42 spots of A1 have no row in t.tsv and count as nolabe" in cells.notes[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("spot\ttype\n1x1\tneopla\n1x1\tinflam\n", "spots more than once: 1x1"),
        ("spot\ttype\n1x1\tmartian\n", "'martian'"),
        ("spot\ttype\tneopla\n1x1\tneopla\t1\n", "proportions of neopla only"),
        ("spot\ttype\t" + "\t".join(CELL_CLASSES) + "\n1x1\tneopla\t0\t0\t.5\t0\t0\t0\n", "sum 1"),
        ("spot\ttype\t" + "\t".join(CELL_CLASSES) + "\n1x1\tneopla\tx\t0\t1\t0\t0\t0\n", "sum 1"),
    ],
)
def test_a_table_with_faults_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_spot_types(write(tmp_path / "t.tsv", text))


# ------------------------------------------------------------------------------------------------------- study.csv


def test_study_csv_names_the_cell_types_of_a_section(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    write(tmp_path / "hovernet" / "A1.tsv", qupath([]))
    write(tmp_path / "study.csv", "section,path,cells\nA1,ST-cnts/A1.tsv.gz,hovernet/A1.tsv\n")
    study = read_study(tmp_path)
    assert read_section(study.entry("A1")).cells == tmp_path / "hovernet" / "A1.tsv"
    write_study(study, tmp_path / "again" / "study.csv")
    again = read_study(tmp_path / "again").entry("A1").parts["cells"]
    assert again.resolve() == (tmp_path / "hovernet" / "A1.tsv").resolve()


def test_cell_types_that_do_not_exist_are_named_with_their_line(tmp_path: Path) -> None:
    her2st_folder(tmp_path, names=("A1",))
    write(tmp_path / "study.csv", "section,path,cells\nA1,ST-cnts/A1.tsv.gz,nowhere\n")
    with pytest.raises(DataError, match=r"line 2 \(A1\): the cells file .*nowhere does not exist"):
        read_study(tmp_path)


def test_a_section_without_cell_types_says_what_to_do(bare: Section) -> None:
    with pytest.raises(DataError, match="column cells of study.csv, or choose cell types 'estimate' or 'none'"):
        finish(cells_from_files(bare, PATCH))
