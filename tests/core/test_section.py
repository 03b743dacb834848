"""Sections as a whole: tables and picture together, what is told and what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from gr2st.errors import SectionInvalid, UnknownName
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.types import Section
from tests.builders import h5ad_file, her2st_folder, loose_section, tissue_image, visium_folder, write_image

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return loose_section(tmp_path)


def read(folder: Path) -> Section:
    return read_section(read_study(folder).entries[0])


def move_spots(folder: Path, how) -> None:
    path = folder / "S1_selection.tsv"
    frame = pd.read_csv(path, sep="\t")
    how(frame)
    frame.to_csv(path, sep="\t", index=False)


def test_a_section_has_its_picture_and_a_good_alignment(folder: Path) -> None:
    section = read(folder)
    assert isinstance(section, Section)
    assert section.slide is not None
    assert section.slide.path.name == "S1.jpg"
    assert section.alignment.verdict == "good"
    assert section.alignment.inside == 1
    assert section.notes == ()


def test_without_image_the_tables_are_the_same(folder: Path) -> None:
    entry = read_study(folder).entries[0]
    bare, whole = read_section(entry, with_image=False), read_section(entry)
    assert bare.slide is None
    assert bare.alignment.verdict == "unknown"
    assert bare.spot_names == whole.spot_names
    np.testing.assert_array_equal(bare.table.X.toarray(), whole.table.X.toarray())
    assert bare.grid_pitch == whole.grid_pitch


@pytest.mark.parametrize("build", [loose_section, her2st_folder, visium_folder])
def test_every_layout_fills_a_section(tmp_path: Path, build) -> None:
    section = read(build(tmp_path / "S1"))
    assert section.table.obsm["spatial"].shape == (section.n_spots, 2)
    assert {"array_row", "array_col"} <= set(section.table.obs.columns)
    assert section.um_per_px is not None
    assert section.grid_pitch > 0


def test_a_few_spots_outside_the_picture_are_left_out_with_a_note(folder: Path) -> None:
    move_spots(folder, lambda frame: frame.__setitem__("pixel_x", frame["pixel_x"].where(frame.index > 2, -5.0)))
    section = read(folder)
    assert section.n_spots == 39
    assert "3 spots outside the picture left out: 5x8, 6x8, 7x8." in section.notes


def test_positions_far_outside_the_picture_are_refused(folder: Path) -> None:
    move_spots(folder, lambda frame: frame.__setitem__("pixel_x", frame["pixel_x"] + 10_000))
    with pytest.raises(SectionInvalid, match=r"Only 0% of 42 spots lie inside S1\.jpg \(404 x 360 px\)"):
        read(folder)


def test_a_tenth_of_the_spots_outside_is_refused(folder: Path) -> None:
    move_spots(folder, lambda frame: frame.__setitem__("pixel_x", frame["pixel_x"].where(frame.index > 5, -5.0)))
    with pytest.raises(SectionInvalid, match=r"S1\.jpg"):
        read(folder)


def test_a_misfit_is_told_and_not_refused(tmp_path: Path) -> None:
    folder = loose_section(tmp_path, columns=9, rows=9)
    width, height = 400, 440
    canvas = np.full((height, width, 3), 242, np.uint8)
    canvas[:, 200:] = tissue_image(400, 440)[:, 100:300]
    move_spots(folder, lambda frame: frame.__setitem__("pixel_x", 10 + frame["pixel_x"] * 0.45))
    write_image(folder / "S1.jpg", canvas)
    section = read(folder)
    assert section.alignment.verdict not in ("good", "unknown", "outside")
    assert section.alignment.message in section.notes
    assert section.n_spots == 81


def test_problems_of_tables_and_picture_are_told_together(folder: Path) -> None:
    (folder / "S1_selection.tsv").write_text("x\ty\tpixel_x\tpixel_y\n")
    (folder / "S1.jpg").write_text("this is text")
    with pytest.raises(SectionInvalid) as caught:
        read(folder)
    text = str(caught.value)
    assert text.startswith("S1 has 2 problems:")
    assert "S1_selection.tsv has a header line but no spots below it." in text
    assert "S1.jpg" in text


@pytest.mark.parametrize("content", [b"", b"text named jpg"])
def test_a_bad_picture_is_refused(folder: Path, content: bytes) -> None:
    (folder / "S1.jpg").write_bytes(content)
    with pytest.raises(SectionInvalid, match=r"S1\.jpg"):
        read(folder)


def test_a_picture_that_is_gone_is_refused(folder: Path) -> None:
    entry = read_study(folder).entries[0]
    (folder / "S1.jpg").unlink()
    with pytest.raises(SectionInvalid, match=r"S1\.jpg"):
        read_section(entry)


def test_a_layout_nobody_reads_is_refused(folder: Path) -> None:
    entry = replace(read_study(folder).entries[0], layout="visum")
    with pytest.raises(UnknownName, match=r"Did you mean 'visium'\?"):
        read_section(entry)


def test_the_picture_s_own_resolution_is_used_only_where_the_array_says_nothing(folder: Path) -> None:
    from PIL import Image

    Image.open(folder / "S1.jpg").save(folder / "S1.tif", resolution=20_000, resolution_unit=3)
    (folder / "S1.jpg").unlink()
    section = read(folder)
    assert section.slide is not None
    assert section.slide.um_per_px == pytest.approx(0.5)
    assert section.um_per_px_source == "array pitch of 200 µm"
    assert any("though image metadata says 0.5" in note for note in section.notes)


def test_reading_tables_loads_neither_torch_nor_scanpy(tmp_path: Path) -> None:
    for build, name in ((loose_section, "a"), (visium_folder, "b")):
        build(tmp_path / name)
    h5ad_file(tmp_path / "c" / "H1.h5ad")
    code = (
        "import sys\nfrom gr2st.io.study import read_study\n"
        "assert 'anndata' not in sys.modules\n"
        "from gr2st.io.section import read_section\n"
        f"for name in 'abc': read_section(read_study({str(tmp_path)!r} + '/' + name).entries[0])\n"
        "assert not {'torch', 'scanpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
