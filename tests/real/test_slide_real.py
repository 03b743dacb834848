"""Real pictures: each opens with the right pixels and facts, or is refused with a sentence."""

from __future__ import annotations

import warnings

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from gr2st.errors import DataError
from gr2st.io.pyramid import build_pyramid, display_pyramid, needs_pyramid
from gr2st.io.slide import open_slide
from gr2st.io.tissue import is_histology, tissue_mask
from gr2st.types import finish

pytestmark = pytest.mark.real

C4 = "her2st/data/ST-imgs/C/C4/5714_HE_BT_D2.jpg"
SOURCE = "wsi/CMU-1-Small-Region.svs"
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".svs", ".jp2", ".dcm"}
REFUSED = {
    "small_la.tiff": "2 colour samples",
    "boxes_0.dcm": "DICOM",
    "boxes_1.dcm": "DICOM",
    "unopenable.tiff": "compression 52479 is unknown",
    "unreadable.svs": "cannot be decoded",
    "cells-1.jp2": "JPEG 2000",
    "cells-2c.ome.tif": "axes CYX",
    "cells-2t.ome.tif": "axes TYX",
    "cells-2z.ome.tif": "axes ZYX",
    "cells-gray32.tif": "float32",
}


def whole(slide):
    return slide.read_region(0, 0, slide.width, slide.height)


def test_every_picture_opens_or_is_refused_with_its_reason(real_data):
    folders = ("derived", "wsi", "nuclei", "her2st", "STUtility", "cscc_P2")
    files = [file for name in folders for file in (real_data / name).rglob("*") if file.suffix.lower() in SUFFIXES]
    refused = {}
    for file in files:
        try:
            with open_slide(file) as slide:
                small = slide.thumbnail(64)
                corner = slide.read_region(0, 0, min(16, slide.width), min(16, slide.height))
            assert max(small.shape) <= 64 and small.dtype == corner.dtype == np.uint8, file
        except DataError as error:
            refused[file.name] = str(error)
    assert set(refused) == REFUSED.keys() & {file.name for file in files}
    assert all(REFUSED[name] in said and name in said for name, said in refused.items())


def test_every_visium_picture_opens(real_data):
    files = [file for file in (real_data / "visium").rglob("*") if file.suffix in {".png", ".jpg"}]
    assert len(files) > 20
    for file in files:
        with open_slide(file) as slide, Image.open(file) as picture:
            assert (slide.width, slide.height) == picture.size
            assert slide.um_per_px is None


def test_a_full_size_section_is_read_exactly_and_without_a_warning(real_data):
    path = real_data / C4
    truth = imagecodecs.jpeg8_decode(path.read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_slide(path) as slide:
            assert (slide.width, slide.height, slide.um_per_px) == (9278, 9916, None)
            assert slide.thumbnail(2000).shape == (2000, 1871, 3)
            assert np.array_equal(slide.read_region(5000, 2000, 512, 300), truth[2000:2300, 5000:5512])
            assert needs_pyramid(slide)


def test_half_a_section_is_refused(real_data, tmp_path):
    data = (real_data / C4).read_bytes()
    (tmp_path / "C4.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"C4\.jpg is cut off"):
        open_slide(tmp_path / "C4.jpg")


@pytest.mark.parametrize("name", [SOURCE, "derived/generic_pyramid_jpeg.tif", "derived/plain_striped_lzw.tif"])
def test_half_a_tiff_is_refused(real_data, tmp_path, name):
    data = (real_data / name).read_bytes()
    broken = tmp_path / ("half" + (real_data / name).suffix)
    broken.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"cut off|cannot be decoded"):
        whole(open_slide(broken))


def test_the_aperio_slide_has_one_level_and_its_scale(real_data):
    slide = open_slide(real_data / SOURCE)
    assert [level.shape for level in slide.levels] == [(2967, 2220, 3)]
    assert slide.um_per_px == pytest.approx(0.499)
    assert np.array_equal(slide.read_region(1000, 700, 300, 200), tifffile.imread(slide.path)[700:900, 1000:1300])


@pytest.mark.parametrize("name", ["aperio_j2k_rgb_33005.svs", "aperio_j2k_ycbcr_33003.svs"])
def test_jpeg_2000_slides_have_the_colours_of_their_source(real_data, name):
    slide = open_slide(real_data / "derived" / name)
    source = tifffile.imread(real_data / SOURCE)[800:2000, 600:1800]
    assert np.abs(whole(slide).astype(int) - source).mean() < 2
    assert slide.um_per_px == pytest.approx(0.499)


def test_both_jpeg_2000_slides_look_the_same(real_data):
    rgb, ycbcr = (
        whole(open_slide(real_data / "derived" / f"aperio_j2k_{name}.svs")).astype(int)
        for name in ("rgb_33005", "ycbcr_33003")
    )
    assert np.abs(rgb - ycbcr).mean() < 3


@pytest.mark.parametrize("name", ["generic_pyramid_jpeg.tif", "pyramid.ome.tif", "generic_pyramid_deflate_big.tif"])
def test_pyramids_have_three_levels_and_the_scale_of_their_source(real_data, name):
    slide = open_slide(real_data / "derived" / name)
    assert len(slide.levels) == 3
    assert slide.um_per_px == pytest.approx(0.499)
    with tifffile.TiffFile(slide.path) as tiff:
        for level, truth in zip(slide.levels, tiff.series[0].levels, strict=True):
            assert np.array_equal(level[:], truth.asarray())


def test_one_picture_in_many_formats_has_the_same_pixels(real_data):
    folder = real_data / "derived"
    truth = whole(open_slide(folder / "plain.png")).astype(int)
    assert np.array_equal(whole(open_slide(folder / "plain_striped_lzw.tif")), truth)
    assert np.abs(whole(open_slide(folder / "rgb16.tif")) - truth).max() <= 1
    assert np.abs(whole(open_slide(folder / "plain.jpg")) - truth).mean() < 6
    upright = np.asarray(Image.open(folder / "exif_orientation6.jpg"))
    assert np.array_equal(whole(open_slide(folder / "exif_orientation6.jpg")), np.rot90(upright, -1))


def test_a_full_size_section_gets_a_pyramid(real_data):
    path = real_data / C4
    built = finish(build_pyramid(path))
    assert display_pyramid(path) == built
    assert built.stat().st_size < 20e6
    with open_slide(built) as shown, open_slide(path) as original:
        assert [level.shape[:2] for level in shown.levels] == [
            (9916, 9278),
            (4958, 4639),
            (2479, 2319),
            (1239, 1159),
            (619, 579),
        ]
        window = (4000, 3000, 600, 500)
        assert np.abs(shown.read_region(*window).astype(int) - original.read_region(*window)).mean() < 3
        assert np.abs(shown.levels[4][:].astype(int) - original.thumbnail(619)).mean() < 6


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        (C4, 0.15, 0.18),
        ("her2st/data/ST-imgs/C/C3/5714_HE_BT_D1.jpg", 0.15, 0.18),
        ("her2st/app/www/imgs/A1_HE_image_dark.png", 0.31, 0.36),
        ("STUtility/counts/MOB1.jpg", 0.09, 0.12),
        ("visium/sheffield_kidney/outs/spatial/tissue_lowres_image.png", 0.17, 0.22),
        ("nuclei/stardist_histo.jpg", 0.99, 1.0),
    ],
)
def test_the_share_of_tissue_is_that_seen_by_eye(real_data, name, least, most):
    small = open_slide(real_data / name).thumbnail(1000)
    assert is_histology(small)
    assert least <= tissue_mask(small).mean() <= most


def test_the_pink_halo_beside_a_section_is_no_tissue(real_data):
    mask = tissue_mask(open_slide(real_data / "her2st/data/ST-imgs/C/C3/5714_HE_BT_D1.jpg").thumbnail(1000))
    height, width = mask.shape
    assert mask[int(0.3 * height) : int(0.45 * height), int(0.72 * width) : int(0.78 * width)].mean() < 0.02
    assert mask[int(0.3 * height) : int(0.4 * height), int(0.4 * width) : int(0.6 * width)].mean() > 0.95


@pytest.mark.parametrize(
    "name",
    [
        "visium/scanpy_tests/1.0.0/spatial/tissue_hires_image.png",
        "visium/seurat_tests/visium/spatial/tissue_hires_image.png",
        "visium/sfe/sample01/outs/spatial/tissue_hires_image.png",
        "visium/stlearn_tests/test_image.jpg",
    ],
)
def test_black_blank_flat_and_fluorescent_pictures_are_no_histology(real_data, name):
    assert not is_histology(open_slide(real_data / name).thumbnail(1000))
