"""Maps of a section as a figure: right pixels of the slide, right colours, settings beside the file."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gr2st
from gr2st import NOT_DRAWN, ClassMap, Map, MapClass, MapFigure, keys
from gr2st.errors import DataError
from gr2st.evaluation.figure import DPI, scale_bar_um
from gr2st.evaluation.figure_key import legend_of
from gr2st.io.sidecar import sidecar_of
from gr2st.types import finish

PINK = (200, 140, 190)
SPOTS = np.array([[100.0, 100.0], [300.0, 100.0], [100.0, 250.0], [300.0, 250.0]])


@dataclass
class Counted:
    """A level that counts the pixels it is asked for."""

    pixels: np.ndarray
    read: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pixels.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        part = self.pixels[key]
        self.read += part.shape[0] * part.shape[1]
        return part


@dataclass
class PyramidSlide:
    """Levels of 1600 x 1200, 400 x 300 and 100 x 75 pixels; red rises to the right, green downwards, 1 every 10 px."""

    levels: tuple[Counted, ...] = field(init=False)
    width, height, path = 1600, 1200, Path("none.tif")

    def __post_init__(self) -> None:
        self.levels = tuple(Counted(self._level(shrink)) for shrink in (1, 4, 16))

    def _level(self, shrink: int) -> np.ndarray:
        rows, columns = np.indices((self.height // shrink, self.width // shrink)) * shrink
        return np.stack([columns / 10, rows / 10, np.full(rows.shape, 9)], axis=2).astype(np.uint8)


def figure(**changes: Any) -> MapFigure:
    values = np.array([0.0, 5.0, 10.0, np.nan], np.float32)
    maps = (Map("ERBB2 · measured", values, (0.0, 10.0)),)
    return replace(MapFigure(maps, SPOTS, 60.0, (0.0, 0.0, 400.0, 350.0), um_per_px=0.5), **changes)


def pixels_of(shown: MapFigure) -> np.ndarray:
    buffer = io.BytesIO()
    gr2st.draw_maps(shown).savefig(buffer, format="png", dpi=DPI)
    return np.asarray(Image.open(buffer).convert("RGB"))


def test_a_window_is_read_from_the_level_that_has_just_enough_pixels() -> None:
    slide = PyramidSlide()
    found = gr2st.read_window(slide, (400, 200, 1199, 799), 200)
    assert found is not None
    assert [level.read for level in slide.levels] == [0, 200 * 150, 0]
    assert found.pixels.shape == (150, 200, 3)
    assert found.covers == (399.5, 199.5, 1199.5, 799.5)
    assert found.pixels[0, 0, :2].tolist() == [40, 20]


def test_a_window_between_two_levels_is_reduced_and_one_beside_the_slide_is_none() -> None:
    slide = PyramidSlide()
    small = gr2st.read_window(slide, (-100, -100, 1700, 1300), 50)
    assert small is not None
    assert max(small.pixels.shape) <= 100
    assert slide.levels[0].read == slide.levels[1].read == 0
    assert small.covers == (-0.5, -0.5, 1599.5, 1183.5)
    assert gr2st.read_window(slide, (1700, 0, 1800, 100), 50) is None


def test_spots_have_the_colours_of_the_screen_over_the_slide_and_grey_without_a_value() -> None:
    picture = gr2st.read_window(PyramidSlide(), (0, 0, 400, 350), 400)
    assert picture is not None
    flat = replace(picture, pixels=np.full_like(picture.pixels, PINK))
    drawn = pixels_of(figure(picture=flat))
    map_width = round(4.2 * DPI)
    at = np.round(SPOTS * map_width / 400).astype(int)
    head = round(drawn.shape[0] - (0.05 + 0.42) * DPI - 4.2 * DPI * 350 / 400)
    for (x, y), value in zip(at, [0.0, 5.0, 10.0, np.nan], strict=True):
        red, green, blue, alpha = gr2st.paint(np.array([value]), (0.0, 10.0), "viridis")[0]
        wanted = alpha * 255 * np.array([red, green, blue]) + (1 - alpha) * np.array(PINK)
        found = drawn[head + y, round(0.08 * DPI) + x]
        assert np.abs(found - wanted).max() <= 3, value


def test_a_disc_is_as_wide_as_its_spot() -> None:
    drawn = pixels_of(figure(maps=(Map("x", np.full(4, 10, np.float32), (0.0, 10.0)),)))
    yellow = (np.abs(drawn.astype(int) - (253, 231, 37)) <= 2).all(axis=2)
    widest = yellow[: drawn.shape[0] // 2].sum(axis=1).max()
    assert widest == pytest.approx(2 * 60 * 4.2 * DPI / 400, abs=4)


@pytest.mark.parametrize(("across", "length"), [(300, 100), (4000, 1000), (1600, 500), (6.5, 2), (9000, 2000)])
def test_the_scale_bar_is_a_round_number_of_micrometres(across: float, length: float) -> None:
    assert scale_bar_um(across) == length


def test_words_are_told_and_the_scale_bar_only_where_the_scale_is_known() -> None:
    told = [text.get_text() for text in gr2st.draw_maps(figure(heading="Section C4", caption="grey: no value")).texts]
    assert told == ["ERBB2 · measured", "50 µm", "Section C4", "grey: no value"]
    assert "50 µm" not in [text.get_text() for text in gr2st.draw_maps(figure(um_per_px=None)).texts]


def test_numbers_stand_at_the_colour_bar() -> None:
    bars = gr2st.draw_maps(figure()).axes[1:]
    assert [[label.get_text() for label in bar.get_xticklabels()] for bar in bars] == [["0.0", "5.0", "10.0"]]


@pytest.mark.parametrize("title", ["a name of a list of genes that somebody gave, " * 2, "of no end, " * 40])
def test_a_long_title_stays_above_its_map(title: str) -> None:
    drawn = gr2st.draw_maps(figure(maps=(replace(figure().maps[0], title=title),)))
    extent = drawn.texts[0].get_window_extent()
    assert extent.width <= 1.02 * 4.2 * DPI


def test_a_vector_figure_has_text_as_text_spots_as_vectors_and_the_slide_inside(tmp_path: Path) -> None:
    path = finish(gr2st.write_figure(tmp_path / "a.svg", figure(heading="C4 & <C3>"), PyramidSlide(), {}))
    svg = path.read_text(encoding="utf-8")
    assert re.search(r"<text[^>]*>ERBB2 · measured</text>", svg)
    assert "C4 &amp; &lt;C3&gt;" in svg
    assert svg.count('xlink:href="data:image/png;base64,') == 2, "slide and colour bar"
    assert not re.findall(r'href="http', svg)
    assert len(re.findall(r"<use ", svg)) >= len(SPOTS)


def test_a_pixel_figure_has_300_dots_per_inch_and_its_settings_beside_it(tmp_path: Path) -> None:
    path = finish(gr2st.write_figure(tmp_path / "a.png", figure(), PyramidSlide(), {"gene": "ERBB2"}))
    with Image.open(path) as picture:
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    told = json.loads(sidecar_of(path).read_text(encoding="utf-8"))
    assert sidecar_of(path).name == "a.png.json"
    assert told["what"] == "figure"
    assert told["gene"] == "ERBB2"
    assert told["window_px"] == [0.0, 0.0, 400.0, 350.0]
    assert told["versions"]["gr2st"] == gr2st.__version__
    assert told["format"] == keys.FORMAT


def test_a_figure_of_another_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.png or \.svg file, not a\.bmp"):
        finish(gr2st.write_figure(tmp_path / "a.bmp", figure(), None, {}))
    assert not list(tmp_path.iterdir())


ORANGE, BLUE, LAST = (
    MapClass("fat", 20, (0.9, 0.6, 0.0, 1.0)),
    MapClass("tumour", 7, (0.0, 0.4, 0.7, 1.0)),
    (1.0, 0.0, 0.0, 1.0),
)


def classes(codes: list[int], *more: MapClass) -> MapFigure:
    shown = ClassMap("Pathologist label", np.array(codes), (ORANGE, BLUE, *more))
    return figure(maps=(shown,))


def share_of(drawn: np.ndarray, colour: tuple[float, ...]) -> int:
    """Pixels of exactly this colour above the legend."""
    upper = drawn[: drawn.shape[0] // 2].astype(int)
    return int((np.abs(upper - np.round(255 * np.array(colour[:3]))) <= 1).all(axis=2).sum())


def test_classes_have_their_colours_and_what_is_not_drawn_has_none() -> None:
    drawn = pixels_of(classes([0, 1, NOT_DRAWN, NOT_DRAWN]))
    assert share_of(drawn, ORANGE.colour) > 10_000
    assert share_of(drawn, BLUE.colour) > 10_000
    assert share_of(pixels_of(classes([0, NOT_DRAWN, 0, 0])), BLUE.colour) == 0


def test_the_legend_tells_the_classes_that_can_be_seen_with_their_numbers_of_spots() -> None:
    told = [text.get_text() for text in gr2st.draw_maps(classes([0, 1, 0, 1], MapClass("bone", 3, LAST))).texts]
    assert told == ["Pathologist label", "fat (20)", "tumour (7)", "50 µm"]
    left = replace(classes([0, 1, 0, 1]), window=(0.0, 0.0, 200.0, 350.0))
    assert "tumour (7)" not in [text.get_text() for text in gr2st.draw_maps(left).texts]


@pytest.mark.parametrize("width", [4.2, 1.0])
@pytest.mark.parametrize(
    "name", ["ductal carcinoma in situ beside invasive cancer of no special type", "invasive" * 20]
)
def test_a_long_name_of_a_class_stays_in_its_column_and_below_the_map(width: float, name: str) -> None:
    window = (0.0, 0.0, 350.0 * width / 4.2, 350.0)
    drawn = gr2st.draw_maps(replace(classes([0, 0, 2, 2], MapClass(name, 1234, LAST)), window=window))
    drawn.savefig(io.BytesIO(), format="png")
    page, bottom = drawn.get_window_extent(), drawn.axes[0].get_window_extent().y0
    words = [text for text in drawn.texts if "(" in text.get_text() or text.get_text() in name]
    assert any("(1,234)" in text.get_text() for text in words)
    for extent in (text.get_window_extent() for text in words):
        assert extent.y1 < bottom
        assert extent.x1 <= page.x1 + 1
        assert extent.y0 > 0


def test_short_names_stand_in_columns_and_many_classes_keep_the_legend_low() -> None:
    many = [MapClass(str(at), 10, LAST) for at in range(20)]
    beside = legend_of(many, 4.2, has_scale=True)
    assert len({entry.left for entry in beside.entries}) > 1
    assert beside.height < 1
    assert max(entry.left for entry in beside.entries) < 4.2 * 2 / 3
    assert len(legend_of(many[:3], 4.2, has_scale=True).entries) == 3


def test_a_vector_figure_has_the_names_of_classes_as_text(tmp_path: Path) -> None:
    path = finish(gr2st.write_figure(tmp_path / "a.svg", classes([0, 1, 0, 1]), None, {}))
    assert re.search(r"<text[^>]*>tumour \(7\)</text>", path.read_text(encoding="utf-8"))
