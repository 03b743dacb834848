"""The estimate of cell types on real sections: what it may be trusted with, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.cell_types import estimated, marker_correlation
from gr2st import keys
from gr2st.cells.estimate import estimated_cells
from gr2st.config import PatchConfig
from gr2st.errors import DataError
from gr2st.io.array_slide import ArraySlide
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.types import finish

pytestmark = pytest.mark.real


def test_estimated_tumour_and_spindles_follow_the_genes_of_epithelium(real_data: Path) -> None:
    # Of C2, C3 and C4 the one where they do so least; the others stand in the benchmark.
    section = read_section(read_study(real_data / "her2st" / "data").entry("C2"))
    rank = marker_correlation(section, estimated(section, PatchConfig()))
    assert rank.loc["epithelium", "neopla"] > 0.35
    assert rank.loc["epithelium", "connec"] < -0.35


def test_a_picture_of_two_thousand_pixels_is_too_coarse_for_an_estimate(real_data: Path) -> None:
    section = read_section(read_study(real_data / "her2st" / "data").entry("A1"))
    pixels = np.asarray(
        Image.open(real_data / "her2st" / "app" / "www" / "imgs" / "A1_HE_image_dark.png").convert("RGB")
    )
    scale = pixels.shape[1] / 6954
    table = section.table.copy()
    table.obsm[keys.SPATIAL] = table.obsm[keys.SPATIAL] * scale
    slide = ArraySlide(Path("A1.h5ad"), pixels)
    coarse = replace(section, table=table, slide=slide, um_per_px=section.um_per_px / scale)
    with pytest.raises(DataError, match="3.19 µm per pixel; to estimate cell types, 2 or less"):
        finish(estimated_cells(coarse, PatchConfig()))
