"""Scale and colours of a section: what is measured, how often, and that a model keeps it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gr2st import keys
from gr2st.appearance import Appearance
from gr2st.config import Recipe
from gr2st.io.array_slide import ArraySlide
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.preparation import prepare
from gr2st.preprocess.appearance import tissue_density
from gr2st.training.checkpoint import load_model, save_model
from gr2st.training.loop import train
from gr2st.types import finish
from tests.builders import PITCH, her2st_folder
from tests.core.pictures import PURPLE, histology, triangle
from tests.toys import toy_recipe, toy_section


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GR2ST_CACHE", str(tmp_path / "cache"))


class Counted(ArraySlide):
    """A picture that counts how often it was looked at."""

    looks = 0

    def thumbnail(self, longest_px):
        Counted.looks += 1
        return super().thumbnail(longest_px)


def test_the_density_is_that_of_the_tissue_and_not_of_the_glass() -> None:
    slide = ArraySlide(Path("a.png"), histology(triangle(600, 800)))
    np.testing.assert_allclose(tissue_density(slide), -np.log10((PURPLE + 1) / 256), atol=0.03)


def test_a_picture_is_measured_once() -> None:
    Counted.looks = 0
    pixels = histology(triangle(300, 300))
    first = tissue_density(Counted(Path("a.png"), pixels))
    assert tissue_density(Counted(Path("copy.png"), pixels)) == first
    assert Counted.looks == 1


def test_glass_without_tissue_has_no_density() -> None:
    slide = ArraySlide(Path("a.png"), histology(np.zeros((300, 300), bool)))
    assert tissue_density(slide) is None
    assert tissue_density(slide) is None


def test_a_prepared_section_tells_its_scale_and_the_distance_of_its_spots(tmp_path) -> None:
    section = read_section(read_study(her2st_folder(tmp_path)).entry("A1"))
    recipe = Recipe(genes=("GENE1", "GENE2"), patch=toy_recipe().patch.model_copy(update={"um_per_px": 5.0}))
    found = finish(prepare(section, recipe, needs=frozenset({"features"}))).appearance
    assert found.um_per_px == pytest.approx(200 / PITCH, rel=0.05)
    assert found.pitch_um == pytest.approx(200, rel=0.01)
    assert found.density[1] > found.density[2] > 0
    assert finish(prepare(section, recipe, needs=frozenset({"grid"}))).appearance is None


def test_a_model_keeps_how_its_training_sections_looked(tmp_path) -> None:
    seen = Appearance(um_per_px=0.69, pitch_um=200.0, density=(0.3, 0.35, 0.2))
    sections = [replace(toy_section("A1"), appearance=seen), toy_section("A2", seed=1)]
    folder = save_model(finish(train("ridge", sections, toy_recipe())), tmp_path / "model")
    assert load_model(folder).appearances == {"A1": seen}


def test_a_model_from_before_appearances_were_kept_still_loads(tmp_path) -> None:
    folder = save_model(finish(train("mean", [toy_section("A1")], toy_recipe())), tmp_path / "model")
    card = json.loads((folder / keys.MODEL_CARD).read_text())
    del card["appearances"]
    (folder / keys.MODEL_CARD).write_text(json.dumps(card))
    assert load_model(folder).appearances == {}
