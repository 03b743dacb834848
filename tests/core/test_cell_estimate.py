"""The estimate of cell types: nuclei found in drawn pictures, classed by size, outline, stain and company."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from gr2st import keys
from gr2st.cells import cache, estimate
from gr2st.cells.estimate import estimated_cells, nuclei_at, tiles_under
from gr2st.cells.rules import estimated_kinds
from gr2st.cells.segment import UM_PER_PX, Shapes, histogram_of, limits_of, nuclei_of_tile
from gr2st.config import PatchConfig
from gr2st.errors import DataError
from gr2st.io.array_slide import ArraySlide
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.preprocess.stain import haematoxylin
from gr2st.types import CELL_CLASSES, Section, finish
from tests.builders import her2st_folder

NOLABE, NECROS, NEOPLA, INFLAM, CONNEC, NO_NEO = range(6)
PINK, VIOLET, GLASS = (225, 170, 200), (95, 65, 140), (245, 244, 246)


@dataclass(frozen=True)
class Blob:
    """One drawn nucleus: centre and full axes, in micrometres; lying, not turned."""

    x: float
    y: float
    long: float
    short: float


def drawn(blobs: list[Blob], size_um: float = 150, um_per_px: float = UM_PER_PX) -> np.ndarray:
    """Violet ellipses on pink tissue, four times as fine as asked for and then averaged."""
    fine = um_per_px / 4
    picture = Image.new("RGB", (round(size_um / fine),) * 2, PINK)
    pen = ImageDraw.Draw(picture)
    for blob in blobs:
        box = (blob.x - blob.long / 2, blob.y - blob.short / 2, blob.x + blob.long / 2, blob.y + blob.short / 2)
        pen.ellipse([side / fine for side in box], fill=VIOLET)
    side = round(size_um / um_per_px)
    return np.asarray(picture.resize((side, side), Image.Resampling.BOX))


def shapes_of(blobs: list[Blob]) -> Shapes:
    tile = drawn(blobs)
    return nuclei_of_tile(tile, limits_of(histogram_of(tile)))


def grid(count: int, step: float, long: float, short: float) -> list[Blob]:
    return [Blob(20 + step * (n % 5), 20 + step * (n // 5), long, short) for n in range(count)]


def test_haematoxylin_is_high_in_violet_and_none_in_glass() -> None:
    pixels = np.array([[VIOLET, PINK, GLASS, (255, 255, 255)]], np.uint8)
    violet, pink, glass, white = haematoxylin(pixels)[0]
    assert violet > 0.4
    assert 0.2 > pink > glass >= white
    assert white == 0


def test_single_nuclei_are_found_where_they_were_drawn_and_as_large() -> None:
    blobs = grid(12, 24, 9, 8)
    shapes = shapes_of(blobs)
    assert len(shapes) == len(blobs)
    order = np.lexsort((shapes.xy[:, 0].round(), (shapes.xy[:, 1] / 10).round()))
    centres = (shapes.xy[order] + 0.5) * UM_PER_PX
    np.testing.assert_allclose(centres, [(b.x, b.y) for b in blobs], atol=0.4)
    np.testing.assert_allclose(shapes.area, np.pi * 9 * 8 / 4, rtol=0.2)


def test_a_spindle_is_slim_and_one_nucleus() -> None:
    shapes = shapes_of([Blob(75, 75, 16, 4)])
    assert len(shapes) == 1
    assert shapes.slimness[0] < 0.4


def test_touching_nuclei_are_parted() -> None:
    shapes = shapes_of([Blob(60, 75, 9, 9), Blob(68, 75, 9, 9), Blob(76, 75, 9, 9)])
    assert len(shapes) == 3


def test_debris_and_bare_tissue_are_no_nuclei() -> None:
    assert len(shapes_of([*grid(4, 30, 9, 9), Blob(120, 120, 2, 2)])) == 4


def made_of(positions: list[tuple[float, float]], area: float, slimness: float = 0.9, darkness: float = 1.0) -> Shapes:
    n = len(positions)
    return Shapes(np.array(positions, float), np.full(n, area), np.full(n, slimness), np.full(n, darkness))


CROWD = [(5.0 * a, 5.0 * b) for a in range(4) for b in range(3)]


def test_small_dark_crowded_nuclei_are_inflammatory() -> None:
    assert set(estimated_kinds(made_of(CROWD, 30), 1.0)) == {INFLAM}


def test_large_nuclei_among_others_are_neoplastic_and_a_lone_one_is_not_told() -> None:
    assert set(estimated_kinds(made_of(CROWD, 60), 1.0)) == {NEOPLA}
    assert estimated_kinds(made_of([(0, 0)], 60), 1.0).tolist() == [NOLABE]


def test_spindles_are_connective_whatever_their_size_and_company() -> None:
    assert set(estimated_kinds(made_of(CROWD, 60, slimness=0.3), 1.0)) == {CONNEC}
    assert set(estimated_kinds(made_of([(0, 0)], 20, slimness=0.3), 1.0)) == {CONNEC}


def test_distances_count_in_micrometres() -> None:
    assert set(estimated_kinds(made_of(CROWD, 60), 30.0)) == {NOLABE}


def test_no_nuclei_give_no_classes() -> None:
    assert estimated_kinds(made_of([], 1).taken(np.zeros(0, bool)), 1.0).shape == (0,)


# ---------------------------------------------------------------------------------------------------------- sections


@pytest.fixture
def slide() -> ArraySlide:
    """900 um of tissue at 0.5 um per pixel: a nucleus every 24 um, across the borders of tiles."""
    return ArraySlide(
        Path("A1.h5ad"), drawn([Blob(x, y, 10, 9) for x in range(12, 890, 24) for y in range(12, 890, 24)], 900)
    )


def test_nuclei_are_found_once_each_across_the_borders_of_tiles(slide: ArraySlide) -> None:
    middle = np.array([[900.0, 900.0]])
    nuclei = finish(nuclei_at(slide, middle, side=1800, um_per_px=0.5, section="A1"))
    expected = np.array([(x, y) for x in range(12, 890, 24) for y in range(12, 890, 24)]) / 0.5
    assert len(nuclei) == len(expected)
    distance = np.abs(nuclei.xy[:, None] - expected[None]).max(axis=2).min(axis=1)
    assert distance.max() < 2


def test_only_tiles_under_windows_are_looked_at(slide: ArraySlide) -> None:
    assert tiles_under(np.array([[100.0, 100.0]]), 50, 512, slide).tolist() == [[0, 0]]
    assert tiles_under(np.array([[512.0, 100.0]]), 50, 512, slide).tolist() == [[0, 0], [1, 0]]
    assert tiles_under(np.array([[1799.0, 1799.0]]), 5000, 512, slide).tolist() == [
        [x, y] for y in range(4) for x in range(4)
    ]


def test_a_second_estimate_comes_from_the_cache_and_is_the_same(
    slide: ArraySlide, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = np.array([[400.0, 400.0]])
    first = finish(nuclei_at(slide, where, side=300, um_per_px=0.5, section="A1"))
    monkeypatch.setattr(estimate, "nuclei_of_tile", None)
    again = finish(nuclei_at(slide, where, side=300, um_per_px=0.5, section="A1"))
    np.testing.assert_array_equal(first.xy, again.xy)
    np.testing.assert_array_equal(first.kind, again.kind)


def test_a_damaged_cache_is_computed_again(slide: ArraySlide) -> None:
    where = np.array([[500.0, 500.0]])
    first = finish(nuclei_at(slide, where, side=300, um_per_px=0.5, section="A1"))
    path = cache.NucleiKey.of(slide, where, 300, 0.5).path
    path.write_bytes(path.read_bytes()[:40])
    np.testing.assert_array_equal(finish(nuclei_at(slide, where, side=300, um_per_px=0.5, section="A1")).xy, first.xy)


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    return read_section(read_study(her2st_folder(tmp_path_factory.mktemp("study"), names=("A1",))).entry("A1"))


def test_an_estimate_says_that_it_is_one(section: Section) -> None:
    cells = finish(estimated_cells(replace(section, um_per_px=1.0), PatchConfig(size_px=40, um_per_px=1.0)))
    assert cells.source == "estimate"
    assert "estimate" in cells.notes[0]
    assert cells.cell_type.shape == (section.n_spots,)
    assert cells.cell_share.shape == (section.n_spots, len(CELL_CLASSES))
    assert not cells.cell_share[:, [NECROS, NO_NEO]].any()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"slide": None}, "has no image to estimate"),
        ({"um_per_px": None}, "column um_per_px of study.csv"),
        ({"um_per_px": 3.2}, "3.2 µm per pixel; to estimate cell types, 2 or less"),
    ],
)
def test_a_section_that_shows_no_nuclei_is_refused(section: Section, change: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        finish(estimated_cells(replace(section, **change), PatchConfig()))


def test_a_picture_of_glass_gives_spots_without_nuclei(section: Section) -> None:
    bare = ArraySlide(Path("bare.h5ad"), np.full((400, 400, 3), GLASS, np.uint8))
    xy = section.table.obsm[keys.SPATIAL]
    assert xy.max() < 400
    cells = finish(estimated_cells(replace(section, slide=bare, um_per_px=1.0), PatchConfig(um_per_px=1.0)))
    assert not cells.cell_share.any()
