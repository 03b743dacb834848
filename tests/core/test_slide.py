"""Pictures of every kind give the same pixels, and broken ones are refused with a sentence."""

from __future__ import annotations

import pickle
import struct
import threading
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from gr2st.errors import DataError
from gr2st.io.slide import open_slide


@pytest.fixture
def picture():
    """A picture (h, w, 3) without any symmetry, smooth enough for JPEG."""
    rows, columns = np.mgrid[:90, :130]
    return np.stack([rows * 2, columns, 255 - rows - columns], axis=-1).astype(np.uint8)


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def whole(slide):
    return slide.read_region(0, 0, slide.width, slide.height)


def halved(pixels):
    return np.ascontiguousarray(pixels[::2, ::2])


def test_a_png_gives_exactly_its_pixels(tmp_path, picture):
    slide = open_slide(save(tmp_path / "p.png", picture))
    assert (slide.width, slide.height, slide.um_per_px) == (130, 90, None)
    assert np.array_equal(slide.read_region(20, 10, 30, 40), picture[10:50, 20:50])


def test_a_jpeg_gives_the_pixels_that_pillow_gives(tmp_path, picture):
    path = save(tmp_path / "p.jpg", picture, quality=80, dpi=(72, 72))
    assert np.array_equal(whole(open_slide(path)), np.asarray(Image.open(path)))
    assert open_slide(path).um_per_px is None


def test_the_content_decides_and_not_the_name(tmp_path, picture):
    assert np.array_equal(whole(open_slide(save(tmp_path / "p.tif", picture, format="PNG"))), picture)


def test_nothing_is_decoded_before_the_first_read(tmp_path, picture, monkeypatch):
    path = save(tmp_path / "p.jpg", picture)
    monkeypatch.setattr("imagecodecs.jpeg8_decode", lambda *_: pytest.fail("decoded"))
    slide = open_slide(path)
    assert slide.levels[0].shape == (90, 130, 3)
    assert slide.thumbnail(40).shape == (28, 40, 3)


def test_pixels_are_decoded_once_and_again_after_close(tmp_path, picture, monkeypatch):
    import imagecodecs

    calls, decode = [], imagecodecs.jpeg8_decode
    monkeypatch.setattr("imagecodecs.jpeg8_decode", lambda data: calls.append(1) or decode(data))
    with open_slide(save(tmp_path / "p.jpg", picture)) as slide:
        first = whole(slide)
        whole(slide)
        assert len(calls) == 1
    assert np.array_equal(whole(slide), first)
    assert len(calls) == 2


def test_a_picture_above_pillows_limit_opens_without_a_warning(tmp_path, picture, monkeypatch):
    path = save(tmp_path / "p.png", picture)
    jpeg = save(tmp_path / "p.jpg", picture)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert whole(open_slide(path)).shape == (90, 130, 3)
        assert open_slide(jpeg).thumbnail(20).shape == (14, 20, 3)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_photograph_is_applied(tmp_path, picture, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    slide = open_slide(save(tmp_path / "p.png", picture, exif=exif))
    from PIL import ImageOps

    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "p.png")))
    assert (slide.height, slide.width) == upright.shape[:2]
    assert np.array_equal(whole(slide), upright)
    assert np.array_equal(slide.read_region(5, 7, 20, 11), upright[7:18, 5:25])
    assert slide.thumbnail(50).shape[:2] in ((35, 50), (50, 35))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_tiled_tiff_is_applied_to_windows(tmp_path, picture, orientation):
    path = tmp_path / "p.tif"
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, picture, photometric="rgb", tile=(32, 32), extratags=[tag])
    exif = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud}
    turned = {5: lambda a: a, 6: np.fliplr, 7: lambda a: np.rot90(a, 2), 8: np.flipud}
    upright = exif[orientation](picture) if orientation < 5 else turned[orientation](picture.swapaxes(0, 1))
    slide = open_slide(path)
    assert np.array_equal(slide.read_region(5, 7, 60, 50), upright[7:57, 5:65])


def test_grey_becomes_rgb(tmp_path, picture):
    grey = picture[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=2)
    assert np.array_equal(whole(open_slide(save(tmp_path / "g.png", grey))), expected)
    tifffile.imwrite(tmp_path / "g.tif", grey)
    assert np.array_equal(whole(open_slide(tmp_path / "g.tif")), expected)
    tifffile.imwrite(tmp_path / "white0.tif", grey, photometric="miniswhite")
    assert np.array_equal(whole(open_slide(tmp_path / "white0.tif")), 255 - expected)


def test_sixteen_bits_are_scaled_to_eight(tmp_path, picture):
    tifffile.imwrite(tmp_path / "p.tif", picture.astype(np.uint16) * 257, photometric="rgb")
    assert np.array_equal(whole(open_slide(tmp_path / "p.tif")), picture)
    save(tmp_path / "g.png", picture[..., 0].astype(np.uint16) * 257)
    assert np.array_equal(whole(open_slide(tmp_path / "g.png"))[..., 1], picture[..., 0])


def test_a_palette_is_looked_up(tmp_path):
    indices = np.array([[0, 1], [2, 1]], np.uint8).repeat(20, axis=0).repeat(20, axis=1)
    colours = np.zeros((3, 256), np.uint16)
    colours[:, 1], colours[:, 2] = (65535, 0, 0), (0, 128 * 257, 0)
    tifffile.imwrite(tmp_path / "p.tif", indices, photometric="palette", colormap=colours)
    pixels = whole(open_slide(tmp_path / "p.tif"))
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert pixels[0, 39].tolist() == [255, 0, 0]
    assert pixels[39, 0].tolist() == [0, 128, 0]


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_transparent_parts_are_white(tmp_path, picture, name):
    alpha = np.zeros(picture.shape[:2], np.uint8)
    alpha[:, 65:], alpha[:, 60:65] = 255, 128
    rgba = np.dstack([picture, alpha])
    if name.endswith("png"):
        save(tmp_path / name, rgba)
    else:
        tifffile.imwrite(tmp_path / name, rgba, photometric="rgb", extrasamples=["unassalpha"])
    pixels = whole(open_slide(tmp_path / name))
    assert (pixels[:, :60] == 255).all()
    assert np.array_equal(pixels[:, 65:], picture[:, 65:])
    half = (picture[:, 60:65].astype(float) * 128 + 255 * 127) / 255
    assert np.abs(pixels[:, 60:65] - half).max() <= 1


def test_premultiplied_alpha_is_not_applied_twice(tmp_path):
    rgba = np.full((40, 40, 4), 100, np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", rgba, photometric="rgb", extrasamples=["assocalpha"])
    assert whole(open_slide(tmp_path / "p.tif"))[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7, "compression": "lzw"},
        {"tile": (32, 48), "compression": "zlib"},
        {"planarconfig": "separate"},
        {"tile": (32, 32), "byteorder": ">", "bigtiff": True},
    ],
)
def test_every_layout_of_a_tiff_gives_its_pixels(tmp_path, picture, options):
    stored = np.moveaxis(picture, -1, 0) if "planarconfig" in options else picture
    byteorder = {key: options.pop(key) for key in ("byteorder", "bigtiff") if key in options}
    with tifffile.TiffWriter(tmp_path / "p.tif", **byteorder) as tiff:
        tiff.write(stored, photometric="rgb", **options)
    slide = open_slide(tmp_path / "p.tif")
    assert np.array_equal(whole(slide), picture)
    assert np.array_equal(slide.read_region(31, 15, 40, 60), picture[15:75, 31:71])


def test_aperio_ycbcr_is_converted_to_rgb(tmp_path, picture):
    ycbcr = np.asarray(Image.fromarray(picture).convert("YCbCr"))
    path = tmp_path / "p.svs"
    tifffile.imwrite(
        path,
        ycbcr,
        photometric="rgb",
        tile=(64, 64),
        compression="jpeg2000",
        compressionargs={"mct": False},
        description="Aperio Image Library|MPP = 0.25",
        metadata=None,
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<HHIH", 259, 3, 1, 34712), struct.pack("<HHIH", 259, 3, 1, 33003)))
    slide = open_slide(path)
    assert np.abs(whole(slide).astype(int) - picture).max() <= 3
    assert slide.um_per_px == 0.25


def write_pyramid(path, picture, *, subifds):
    with tifffile.TiffWriter(path) as tiff:
        options = {"photometric": "rgb", "tile": (32, 32)}
        tiff.write(picture, subifds=2 if subifds else None, **options)
        for level in (halved(picture), halved(halved(picture))):
            tiff.write(level, subfiletype=1, **options)


@pytest.mark.parametrize("subifds", [True, False])
def test_a_pyramid_shows_all_its_levels(tmp_path, picture, subifds):
    write_pyramid(tmp_path / "p.tif", picture, subifds=subifds)
    slide = open_slide(tmp_path / "p.tif")
    assert [level.shape for level in slide.levels] == [(90, 130, 3), (45, 65, 3), (23, 33, 3)]
    assert np.array_equal(slide.read_region(3, 4, 30, 20, level=1), halved(picture)[4:24, 3:33])
    assert np.array_equal(slide.thumbnail(33), halved(halved(picture)))


def test_unmarked_reduced_pages_are_levels_and_other_pictures_are_not(tmp_path, picture):
    with tifffile.TiffWriter(tmp_path / "p.tif") as tiff:
        tiff.write(np.zeros((40, 40, 3), np.uint8), photometric="rgb", metadata=None)
        tiff.write(picture, photometric="rgb", metadata=None)
        tiff.write(halved(picture), photometric="rgb", metadata=None)
    slide = open_slide(tmp_path / "p.tif")
    assert [level.shape for level in slide.levels] == [(90, 130, 3), (45, 65, 3)]
    assert np.array_equal(whole(slide), picture)


def test_label_and_macro_of_an_aperio_slide_are_no_levels(tmp_path, picture):
    with tifffile.TiffWriter(tmp_path / "p.svs") as tiff:
        text = "Aperio Image Library v1|MPP = 0.4990"
        tiff.write(picture, photometric="rgb", tile=(32, 32), description=text, metadata=None)
        tiff.write(halved(picture), photometric="rgb", description=text, metadata=None)
        tiff.write(halved(picture), photometric="rgb", description="Aperio\nlabel 65x45", subfiletype=1, metadata=None)
        tiff.write(picture[:60, :130], photometric="rgb", description="Aperio\nmacro", subfiletype=9, metadata=None)
    slide = open_slide(tmp_path / "p.svs")
    assert [level.shape for level in slide.levels] == [(90, 130, 3)]
    assert slide.um_per_px == 0.499


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}, 0.5),
        ({"resolution": (50_800, 50_800), "resolutionunit": "INCH"}, 0.5),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER"}, None),
        ({"resolution": (2, 2), "imagej": True, "metadata": {"unit": "micron"}}, 0.5),
        ({"resolution": (2, 2), "imagej": True, "metadata": {"unit": "pixel"}}, None),
        ({}, None),
    ],
)
def test_the_resolution_of_a_tiff_counts_where_it_is_believable(tmp_path, picture, options, expected):
    tifffile.imwrite(tmp_path / "p.tif", picture, photometric="rgb", **options)
    assert open_slide(tmp_path / "p.tif").um_per_px == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}, 0.25),
        ({"PhysicalSizeX": 250, "PhysicalSizeY": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm"}, 0.25),
        ({"PhysicalSizeX": 1, "PhysicalSizeY": 1, "PhysicalSizeXUnit": "pixel", "PhysicalSizeYUnit": "pixel"}, None),
        ({}, None),
    ],
)
def test_ome_states_the_pixel_size(tmp_path, picture, metadata, expected):
    tifffile.imwrite(tmp_path / "p.ome.tif", picture, photometric="rgb", metadata={"axes": "YXS", **metadata})
    assert open_slide(tmp_path / "p.ome.tif").um_per_px == (pytest.approx(expected) if expected else None)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jpg", b"", "is empty"),
        ("notes.jpg", b"x\ty\n1\t2\n", "a text file"),
        ("pointer.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        ("odd.png", bytes(range(128, 200)), "unknown kind"),
        ("scan.dcm", bytes(128) + b"DICM", "a DICOM file"),
        ("head.tif", b"II*\x00\x08\x00\x00\x00", "no picture: it may be cut off"),
        ("head.png", b"\x89PNG\r\n\x1a\n", "cannot be decoded"),
        ("head.jpg", b"\xff\xd8\xff\xe0 nothing", "cannot be decoded"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_name(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        open_slide(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"There is no image .*absent\.jpg"):
        open_slide(tmp_path / "absent.jpg")
    with pytest.raises(DataError, match="is a folder"):
        open_slide(tmp_path)


@pytest.mark.parametrize("name", ["p.jpg", "p.png", "p.tif"])
def test_a_truncated_image_is_refused_with_its_name(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    save(tmp_path / "whole", noise, format={"p.jpg": "JPEG", "p.png": "PNG", "p.tif": "TIFF"}[name])
    data = (tmp_path / "whole").read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=f"{name} is cut off"):
        open_slide(tmp_path / name)


def test_damage_inside_shows_at_the_first_read(tmp_path, picture):
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, picture, photometric="rgb", compression="zlib", tile=(64, 64))
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset : offset + 40] = bytes(40)
    path.write_bytes(data)
    slide = open_slide(path)
    with pytest.raises(DataError, match=r"p\.tif cannot be decoded"):
        whole(slide)
    png = save(tmp_path / "p.png", picture)
    data = bytearray(png.read_bytes())
    data[60:200] = bytes(140)
    png.write_bytes(data)
    with pytest.raises(DataError, match=r"p\.png cannot be decoded"):
        whole(open_slide(png))


@pytest.mark.parametrize(
    ("array", "options", "words"),
    [
        (np.zeros((40, 40), np.float32), {}, "float32, not uint8 or uint16"),
        (np.zeros((2, 40, 40), np.uint8), {"photometric": "minisblack"}, "stack of pictures or channels"),
        (np.zeros((40, 40, 5), np.uint8), {"photometric": "rgb"}, "unstated meaning"),
        (np.zeros((40, 40, 4), np.uint8), {"photometric": "separated"}, "SEPARATED, not RGB or grey"),
        (np.zeros((40, 40, 4), np.uint8), {"photometric": "rgb", "extrasamples": ["unspecified"]}, "unstated meaning"),
    ],
)
def test_what_has_no_rgb_is_refused(tmp_path, array, options, words):
    tifffile.imwrite(tmp_path / "p.tif", array, **options)
    with pytest.raises(DataError, match=words):
        open_slide(tmp_path / "p.tif")


def test_an_unknown_compression_is_refused(tmp_path, picture):
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, picture, photometric="rgb", compression="zlib")
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<HHIH", 259, 3, 1, 8), struct.pack("<HHIH", 259, 3, 1, 52479)))
    with pytest.raises(DataError, match="compression 52479 is unknown"):
        open_slide(path)


def test_a_window_outside_the_image_is_refused(tmp_path, picture):
    slide = open_slide(save(tmp_path / "p.png", picture))
    for window in ((-1, 0, 5, 5), (0, 0, 131, 5), (0, 86, 5, 5), (0, 0, 0, 5)):
        with pytest.raises(DataError, match="does not lie inside level 0"):
            slide.read_region(*window)
    with pytest.raises(DataError, match="levels 0 to 0; level 1"):
        slide.read_region(0, 0, 5, 5, level=1)


@pytest.mark.parametrize(
    "key",
    [
        np.s_[3:50:2, 10:5:-1],
        np.s_[..., 0],
        np.s_[7],
        np.s_[-1, -2, 1],
        np.s_[:, 4],
        np.s_[10:10],
        np.s_[...],
        np.s_[np.int64(3) : np.int64(9), ..., :2],
    ],
)
def test_a_level_is_indexed_like_an_array(tmp_path, picture, key):
    tifffile.imwrite(tmp_path / "p.tif", picture, photometric="rgb", tile=(32, 32))
    level = open_slide(tmp_path / "p.tif").levels[0]
    assert (level.shape, level.dtype, level.ndim, level.size) == (picture.shape, np.uint8, 3, picture.size)
    assert np.array_equal(level[key], picture[key])
    assert np.array_equal(np.asarray(level), picture)


def test_a_level_refuses_what_is_outside(tmp_path, picture):
    level = open_slide(save(tmp_path / "p.png", picture)).levels[0]
    with pytest.raises(IndexError):
        level[90]
    with pytest.raises(IndexError, match="3 axes; 4 were"):
        level[0, 0, 0, 0]


def test_thumbnails_keep_the_picture_and_never_enlarge(tmp_path):
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 100, axis=0).repeat(3, axis=2)
    tifffile.imwrite(tmp_path / "p.tif", ramp, photometric="rgb", tile=(32, 32))
    for path in (save(tmp_path / "p.png", ramp), save(tmp_path / "p.jpg", ramp, quality=95), tmp_path / "p.tif"):
        small = open_slide(path).thumbnail(50)
        assert small.shape == (25, 50, 3)
        assert np.abs(small[:, :, 0].mean(axis=0) - (np.arange(50) * 4 + 1.5)).max() < 1.6
        assert open_slide(path).thumbnail(1000).shape == (100, 200, 3)
    with pytest.raises(DataError, match="at least 1 pixel"):
        open_slide(tmp_path / "p.tif").thumbnail(0)


def test_levels_stay_readable_when_only_they_are_kept(tmp_path, picture):
    tifffile.imwrite(tmp_path / "p.tif", picture, photometric="rgb", tile=(32, 32))
    level = open_slide(tmp_path / "p.tif").levels[0]
    assert np.array_equal(level[:40, :40], picture[:40, :40])


def test_a_slide_travels_to_another_process_and_reads_after_close(tmp_path, picture):
    tifffile.imwrite(tmp_path / "p.tif", picture, photometric="rgb", tile=(32, 32))
    slide = pickle.loads(pickle.dumps(open_slide(tmp_path / "p.tif")))
    assert np.array_equal(whole(slide), picture)
    slide.close()
    assert np.array_equal(whole(slide), picture)


def test_the_store_of_decoded_blocks_is_bounded(tmp_path, picture, monkeypatch):
    monkeypatch.setattr("gr2st.io.slide_tiff._KEPT_BYTES", 4 * 32 * 32 * 3)
    tifffile.imwrite(tmp_path / "p.tif", picture, photometric="rgb", tile=(32, 32))
    slide = open_slide(tmp_path / "p.tif")
    assert np.array_equal(whole(slide), picture)
    assert sum(block.nbytes for block in slide._source._blocks.values()) <= 4 * 32 * 32 * 3


def test_threads_read_the_same_pixels(tmp_path, picture):
    tifffile.imwrite(tmp_path / "p.tif", picture, photometric="rgb", tile=(32, 32))
    slide, wrong = open_slide(tmp_path / "p.tif"), []

    def read(start):
        for x in range(start, 90, 4):
            if not np.array_equal(slide.read_region(x, x % 40, 40, 50), picture[x % 40 : x % 40 + 50, x : x + 40]):
                wrong.append(x)

    threads = [threading.Thread(target=read, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_digest_follows_the_content(tmp_path, picture):
    first, second = save(tmp_path / "a.png", picture), save(tmp_path / "b.png", picture[::-1].copy())
    assert open_slide(first).digest() == open_slide(first).digest() != open_slide(second).digest()
    assert len(open_slide(first).digest()) == 16
