"""Spots that fit are called good; every way to get positions wrong is called by its name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gr2st.errors import DataError
from gr2st.io.alignment import check_alignment
from gr2st.io.slide import open_slide
from tests.core.pictures import histology, triangle

HEIGHT, WIDTH = 600, 700
DIAMETER = 10.0


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "section.png"
    Image.fromarray(histology(triangle(HEIGHT, WIDTH))).save(path)
    return open_slide(path)


@pytest.fixture(scope="module")
def xy():
    """Centres of the spots on tissue, 20 pixels apart."""
    rows, columns = np.mgrid[10:HEIGHT:20, 10:WIDTH:20]
    on_tissue = triangle(HEIGHT, WIDTH)[rows, columns]
    return np.column_stack([columns[on_tissue], rows[on_tissue]]).astype(float)


def test_spots_that_fit_are_good(xy, slide):
    found = check_alignment(xy, slide, DIAMETER)
    assert (found.verdict, found.inside) == ("good", 1.0)
    assert found.on_tissue > 0.97
    assert found.message.endswith("of the spots lie on tissue.")


def test_spots_outside_are_remarked_on(xy, slide):
    moved = np.vstack([xy, [[-50.0, 10.0], [10.0, 5000.0]]])
    found = check_alignment(moved, slide, DIAMETER)
    assert found.verdict == "good"
    assert found.inside == pytest.approx(len(xy) / len(moved))
    assert f"2 of {len(moved)} spots lie outside the picture" in found.message


@pytest.mark.parametrize(
    ("move", "verdict", "words"),
    [
        (lambda xy: xy[:, ::-1], "swapped", "x and y are swapped"),
        (lambda xy: xy * [-1, 1] + [WIDTH, 0], "mirrored", "x counts from the right edge"),
        (lambda xy: xy * [1, -1] + [0, HEIGHT], "mirrored", "y counts from the bottom edge"),
        (lambda xy: xy * [1, -1], "mirrored", "y is negative"),
        (lambda xy: [WIDTH, HEIGHT] - xy, "rotated", "turned by 180 degrees"),
        (lambda xy: np.column_stack([xy[:, 1], WIDTH - xy[:, 0]]), "rotated", "turned by 90 degrees"),
        (lambda xy: np.column_stack([HEIGHT - xy[:, 1], xy[:, 0]]), "rotated", "turned by 270 degrees"),
    ],
)
def test_turned_positions_are_named(xy, slide, move, verdict, words):
    found = check_alignment(move(xy), slide, DIAMETER)
    assert found.verdict == verdict
    assert words in found.message


@pytest.mark.parametrize("factor", [16.0, 4.0, 0.7, 0.25])
def test_a_wrong_scale_is_named_with_its_factor(xy, slide, factor):
    found = check_alignment(xy * factor, slide, DIAMETER)
    assert found.verdict == "scale"
    assert ("larger" if factor > 1 else "smaller") in found.message
    suggested = float(found.message.split("multiplied by about ")[1].split(",")[0])
    assert suggested == pytest.approx(1 / factor, rel=0.04)


def test_moved_and_turned_spots_are_misregistered(xy, slide):
    turn = np.deg2rad(9)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = (xy - xy.mean(axis=0)) @ matrix.T + xy.mean(axis=0) + [-30, 30]
    found = check_alignment(moved, slide, DIAMETER)
    assert found.verdict == "misregistered"
    assert "The spots lie beside the tissue" in found.message
    assert found.on_tissue < 0.9


def test_spots_of_another_frame_are_outside(slide):
    far = np.column_stack([np.linspace(19_000, 19_900, 12), np.linspace(3900, 4400, 12)])
    found = check_alignment(far * [1, -3], slide, DIAMETER)
    assert (found.verdict, found.inside) == ("outside", 0.0)
    assert f"12 of 12 spots lie outside the picture, which is {WIDTH} x {HEIGHT} pixels" in found.message


def test_spots_all_over_glass_and_tissue_are_pale(slide):
    rows, columns = np.mgrid[10:HEIGHT:40, 10:WIDTH:40]
    found = check_alignment(np.column_stack([columns.ravel(), rows.ravel()]).astype(float), slide, DIAMETER)
    assert found.verdict == "pale"
    assert found.on_tissue == pytest.approx(triangle(HEIGHT, WIDTH).mean(), abs=0.04)


def test_a_picture_without_stain_is_not_histology(tmp_path, xy):
    Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8)).save(tmp_path / "black.png")
    grey = histology(triangle(HEIGHT, WIDTH))[..., 1]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    for name in ("black.png", "grey.png"):
        found = check_alignment(xy, open_slide(tmp_path / name), DIAMETER)
        assert (found.verdict, found.inside, found.on_tissue) == ("not-histology", 1.0, 0.0)
        assert name in found.message
    far = check_alignment(xy + 5000, open_slide(tmp_path / "black.png"), DIAMETER)
    assert far.verdict == "outside"


def test_without_a_picture_or_spots_nothing_is_known(xy, slide):
    assert check_alignment(xy, None, DIAMETER).verdict == "unknown"
    assert check_alignment(np.empty((0, 2)), slide, DIAMETER).verdict == "unknown"
    assert check_alignment(np.full((3, 2), np.nan), slide, DIAMETER).verdict == "unknown"


def test_positions_that_are_not_finite_count_as_outside(xy, slide):
    broken = xy.copy()
    broken[:4] = np.nan
    found = check_alignment(broken, slide, DIAMETER)
    assert found.verdict == "good"
    assert found.inside == pytest.approx(1 - 4 / len(xy))


def test_a_single_spot_is_judged(slide):
    assert check_alignment(np.array([[220.0, 200.0]]), slide, DIAMETER).verdict == "good"


def test_unusable_arguments_are_refused(xy, slide):
    with pytest.raises(DataError, match=r"two columns, x and y; their shape is \(3, 3\)"):
        check_alignment(np.zeros((3, 3)), slide, DIAMETER)
    with pytest.raises(DataError, match="diameter must be above 0"):
        check_alignment(xy, slide, 0.0)
