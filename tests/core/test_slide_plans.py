"""A slide as it is asked for: the plan, the look ahead, the worker's act, and what is said of scale and colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from gr2st.acts import ACTS
from gr2st.config import PatchConfig
from gr2st.errors import DataError
from gr2st.io.array_slide import ArraySlide
from gr2st.io.prediction import read_prediction
from gr2st.io.preflight import Preflight
from gr2st.io.regions import write_regions
from gr2st.plans import SlidePlan
from gr2st.regions import Region
from gr2st.runs import timing
from gr2st.slides.cautions import cautions, training_pitch_um
from gr2st.slides.grid import virtual_section
from gr2st.training.checkpoint import save_model
from gr2st.types import finish
from tests.core.pictures import histology, triangle
from tests.core.test_slide_prediction import SEEN, encoder, models, pixels, slide  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from gr2st.appearance import Appearance

PATCH = PatchConfig(um_per_px=2.0)


@pytest.fixture
def section(slide):  # noqa: F811
    return virtual_section(slide, 40, um_per_px=2.0)


def looks_like(section, **changes) -> dict[str, Appearance]:
    from gr2st.preprocess.appearance import tissue_density

    return {"C2": replace(SEEN, **({"density": tissue_density(section.slide)} | changes))}


def test_a_slide_like_the_training_sections_calls_for_no_caution(section) -> None:
    assert cautions(section, PATCH, looks_like(section)) == ()


def test_a_model_that_does_not_tell_how_its_sections_looked_is_told(section) -> None:
    (said,) = cautions(section, PATCH, {})
    assert "cannot be checked" in said
    (said,) = cautions(section, PATCH, looks_like(section, pitch_um=None))
    assert "steps of the grid laid on slide" in said
    assert training_pitch_um({}) is None


@pytest.mark.parametrize(
    ("patch", "learned", "here", "word"),
    [
        (2.0, 0.7, 2.0, ""),
        (2.0, 0.7, 0.25, ""),
        (2.0, 0.7, 4.0, "coarser"),
        (0.5, 0.7, 0.25, ""),
        (0.5, 1.0, 0.25, "finer"),
        (None, 0.7, 0.25, "finer"),
        (None, 0.7, 0.8, ""),
        (2.0, None, 2.0, ""),
    ],
)
def test_another_amount_of_detail_is_told(section, patch, learned, here, word) -> None:
    seen = looks_like(section, um_per_px=learned)
    said = cautions(replace(section, um_per_px=here), PatchConfig(um_per_px=patch), seen)
    assert [word in one for one in said] == ([True] if word else [])


@pytest.mark.parametrize(
    ("tissue", "look"), [((90, 40, 100), "darker and pinker"), ((200, 190, 225), "paler and bluer")]
)
def test_colours_far_from_all_training_sections_are_told_in_words(section, tissue, look) -> None:
    other = ArraySlide(Path("other.png"), histology(triangle(500, 500), tissue=np.array(tissue, float)))
    (said,) = cautions(virtual_section(other, 100, um_per_px=2.0, everywhere=True), PATCH, looks_like(section))
    assert said.startswith(f"The tissue of other is coloured unlike that of all training sections: {look} than C2")


def test_what_is_no_histology_is_told(section) -> None:
    dark = np.zeros((400, 400, 3), np.uint8)
    dark[100:300, 100:300] = (30, 60, 200)
    glow = virtual_section(ArraySlide(Path("glow.png"), dark), 100, um_per_px=2.0, everywhere=True)
    assert "does not look like a bright-field H&E slide" in cautions(glow, PATCH, looks_like(section))[0]


def test_a_plan_comes_back_from_json_and_names_its_first_fault() -> None:
    plan = SlidePlan.of(model="m", slide="s.svs", regions="r.geojson", pitch_um=25)
    assert plan.slide.is_absolute()
    assert SlidePlan.of(**plan.model_dump(mode="json")) == plan
    with pytest.raises(DataError, match="This plan of a slide cannot be used: pitch_um"):
        SlidePlan.of(model="m", slide="s.svs", pitch_um="wide")


@pytest.fixture
def asked(models, encoder, pixels, tmp_path, monkeypatch):  # noqa: F811
    """A request for a slide on the disk, in a region of it."""
    monkeypatch.setattr(timing, "load_encoder", lambda name, *, device: encoder)
    Image.fromarray(pixels).save(tmp_path / "slide.png")
    corners = np.array([[150, 150], [450, 150], [450, 450], [150, 450]], float)
    write_regions(tmp_path / "r.geojson", [Region("R", "", ((corners,),))])
    plan = SlidePlan(
        model=save_model(models["ridge"], tmp_path / "model"),
        slide=tmp_path / "slide.png",
        pitch_um=40,
        um_per_px=2.0,
        regions=tmp_path / "r.geojson",
    )
    return {"plan": plan.model_dump(mode="json"), "out": str(tmp_path / "out.h5ad")}


def looked_ahead(request) -> dict[str, list[str]]:
    found = Preflight.of_json(finish(ACTS["check_slide"](request)))
    told: dict[str, list[str]] = {}
    for finding in found.findings:
        told.setdefault(f"{finding.kind} {finding.subject}", []).append(finding.sentence)
    return told


def test_a_look_ahead_tells_spots_cautions_disk_and_time(asked) -> None:
    told = looked_ahead(asked)
    (spots,) = told["good slide"]
    assert spots.endswith("spots, 40 µm apart; 2 µm per pixel (stated by the user).")
    assert told["note slide"][0].startswith("The scale of slide.png")
    assert told["good disk"]
    assert told["good time"] == ["Less than a minute on this machine."]


def test_the_worker_predicts_a_slide_and_the_next_look_ahead_knows_it(asked) -> None:
    done = finish(ACTS["predict_slide"](asked))
    table = read_prediction(done["prediction"]).table
    inside = np.asarray(table.obsm["spatial"])
    assert ((inside >= 150) & (inside < 450)).all()
    (time,) = looked_ahead(asked)["good time"]
    assert time.endswith(f"{table.n_obs} spots were looked at before.")


def test_what_stands_in_the_way_is_a_fault_and_no_error(asked) -> None:
    request = asked | {"plan": asked["plan"] | {"um_per_px": None}}
    assert "does not tell how many micrometres" in looked_ahead(request)["fault files"][0]
    request = asked | {"plan": asked["plan"] | {"model": asked["out"]}}
    assert "no model folder" in looked_ahead(request)["fault files"][0]


def test_a_large_picture_of_one_piece_is_told(asked, monkeypatch) -> None:
    from gr2st.runs import slides

    monkeypatch.setattr(slides, "ONE_PIECE", 1000)
    assert "save it as a tiled TIFF" in looked_ahead(asked)["warning memory"][0]
