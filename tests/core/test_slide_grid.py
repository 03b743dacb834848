"""The grid laid over a slide: where spots lie, how they are named, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gr2st.errors import DataError
from gr2st.io.array_slide import ArraySlide
from gr2st.regions import Region
from gr2st.slides.grid import TILE, virtual_section
from tests.core.pictures import histology

UM = 2.0


def ring(side=800):
    """Tissue with a large hole in it."""
    y, x = np.mgrid[:side, :side] - side / 2
    distance = np.hypot(x, y)
    return (distance < 0.45 * side) & (distance > 0.2 * side)


@pytest.fixture
def slide():
    return ArraySlide(Path("ring.jpg"), histology(ring()))


def xy_of(section):
    return np.asarray(section.table.obsm["spatial"])


def square(low, high):
    return Region("R", "", ((np.array([[low, low], [high, low], [high, high], [low, high]], float),),))


def test_spots_lie_on_tissue_and_not_in_its_holes(slide) -> None:
    section = virtual_section(slide, 40, um_per_px=UM)
    distance = np.hypot(*(xy_of(section) - 400).T)
    assert distance.max() < 0.48 * 800
    assert distance.min() > 0.17 * 800
    wanted = ring().sum() * UM**2 / 40**2
    assert section.n_spots == pytest.approx(wanted, rel=0.1)


def test_spots_are_a_pitch_apart_and_named_by_column_and_row(slide) -> None:
    section = virtual_section(slide, 40, um_per_px=UM)
    assert section.layout == "virtual"
    assert section.genes == ()
    assert section.grid_pitch == 20
    obs = section.table.obs
    np.testing.assert_allclose(xy_of(section)[:, 0], (obs["array_col"] + 0.5) * 20)
    np.testing.assert_allclose(xy_of(section)[:, 1], (obs["array_row"] + 0.5) * 20)
    assert section.spot_names[0] == f"{obs['array_col'].iloc[0]}x{obs['array_row'].iloc[0]}"
    assert len(set(section.spot_names)) == section.n_spots


def test_a_hexagonal_grid_has_six_neighbours_a_pitch_away(slide) -> None:
    from scipy.spatial import cKDTree

    section = virtual_section(slide, 40, um_per_px=UM, shape="hexagonal", everywhere=True)
    distance = cKDTree(xy_of(section)).query([400.0, 400.0], k=1)[1]
    near = cKDTree(xy_of(section)).query(xy_of(section)[distance], k=8)[0]
    np.testing.assert_allclose(near[1:7], 20, rtol=1e-6)
    assert near[7] > 30


def test_spots_follow_each_other_tile_by_tile(slide) -> None:
    section = virtual_section(slide, 10, um_per_px=UM)
    tiles = section.table.obs[["array_row", "array_col"]].to_numpy() // TILE
    changes = (np.diff(tiles, axis=0) != 0).any(axis=1).sum()
    assert changes + 1 == len(np.unique(tiles, axis=0)) > 4


def test_a_region_restricts_the_grid_without_moving_it(slide) -> None:
    whole = virtual_section(slide, 40, um_per_px=UM)
    part = virtual_section(slide, 40, um_per_px=UM, regions=[square(0, 300), square(100, 400)])
    inside = ((xy_of(whole) < 300).all(axis=1)) | ((xy_of(whole) > 100) & (xy_of(whole) < 400)).all(axis=1)
    assert part.spot_names == tuple(np.array(whole.spot_names)[inside])


def test_everywhere_also_means_the_hole(slide) -> None:
    section = virtual_section(slide, 40, um_per_px=UM, regions=[square(350, 450)], everywhere=True)
    assert section.n_spots == 25


def test_a_slide_without_a_scale_needs_one_stated(slide) -> None:
    with pytest.raises(DataError, match=r"ring.jpg does not tell how many micrometres.*--um-per-px"):
        virtual_section(slide, 100)
    section = virtual_section(slide, 100, um_per_px=UM)
    assert section.um_per_px_source == "stated by the user"
    assert section.notes == ("The scale of ring.jpg, 2 µm per pixel, was stated by the user.",)


def test_a_stated_scale_that_contradicts_the_file_is_told(slide) -> None:
    class Scaled(ArraySlide):
        um_per_px = 0.5

    scaled = Scaled(slide.path, slide.pixels)
    assert virtual_section(scaled, 40).um_per_px_source == "image metadata"
    assert virtual_section(scaled, 40).notes == ()
    (note,) = virtual_section(scaled, 40, um_per_px=0.25).notes
    assert note == "The scale stated by the user, 0.25 µm per pixel, is used, though ring.jpg says 0.5."


@pytest.mark.parametrize("pitch", [0.0, -3.0, 4.0, float("nan"), 9000.0])
def test_a_pitch_out_of_bounds_is_refused(slide, pitch) -> None:
    with pytest.raises(DataError, match="A pitch of 5 to 2000 µm is wanted"):
        virtual_section(slide, pitch, um_per_px=UM)


def test_a_slide_or_region_without_tissue_is_refused(slide) -> None:
    glass = ArraySlide(Path("glass.png"), histology(np.zeros((300, 300), bool)))
    with pytest.raises(DataError, match=r"No tissue was found on glass.png.*--everywhere"):
        virtual_section(glass, 40, um_per_px=UM)
    with pytest.raises(DataError, match="No tissue was found in the 1 region given for ring.jpg"):
        virtual_section(slide, 40, um_per_px=UM, regions=[square(380, 420)])
    with pytest.raises(DataError, match="No spot of a grid of 40 µm lies in the 1 region"):
        virtual_section(slide, 40, um_per_px=UM, regions=[square(9000, 9100)], everywhere=True)
