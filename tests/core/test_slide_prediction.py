"""A slide without spots predicted in parts: as a section would be, going on after a kill, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gr2st import keys
from gr2st.appearance import Appearance
from gr2st.config import PatchConfig, Recipe
from gr2st.encoders import cache
from gr2st.errors import DataError, StorageError
from gr2st.io.array_slide import ArraySlide
from gr2st.io.prediction import read_prediction
from gr2st.io.slide import open_slide
from gr2st.prediction import predict
from gr2st.registry import ENCODERS, MODELS
from gr2st.slides import tables
from gr2st.slides.features import TileFeatures, tiles_of
from gr2st.slides.grid import virtual_section
from gr2st.slides.parts import positions
from gr2st.slides.stream import predict_slide
from gr2st.training.loop import train
from gr2st.types import Prepared, finish
from tests.core.pictures import histology, triangle
from tests.toys import GENES, toy_section

RECIPE = Recipe(genes=GENES, patch=PatchConfig(size_px=16, um_per_px=2.0))
SEEN = Appearance(um_per_px=2.0, pitch_um=40.0, density=(0.2, 0.4, 0.2))


class Means:
    """A stand-in encoder: twelve numbers from the pixels of a patch; can be told to die after some calls."""

    spec = replace(ENCODERS["handcrafted"], width=12)

    def __init__(self) -> None:
        self.batch, self.calls, self.lives = 32, 0, -1

    def encode(self, patches):
        if self.calls == self.lives:
            raise KeyboardInterrupt
        self.calls += 1
        cells = patches.reshape(len(patches), 4, 4, 4, 4, 3).mean(axis=(2, 4))
        return cells.reshape(len(patches), -1)[:, :12].astype(np.float32)


@pytest.fixture(autouse=True)
def encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("GR2ST_CACHE", str(tmp_path / "cache"))
    stand_in = Means()
    monkeypatch.setattr(cache, "load_encoder", lambda name, *, device: stand_in)
    monkeypatch.setattr(cache, "ENCODERS", {"handcrafted": stand_in.spec})
    return stand_in


@pytest.fixture(scope="module")
def pixels():
    return histology(triangle(600, 800))


@pytest.fixture
def slide(pixels):
    return ArraySlide(Path("slide.png"), pixels)


@pytest.fixture(scope="module")
def models():
    """The preset and a reference row, trained on toys whose spots lay 40 um apart."""
    made = {}
    for name in ("gr2st", "ridge"):
        training = MODELS[name].training.model_copy(update={"epochs": 0, "inner_folds": 0})
        sections = [
            replace(toy_section(name, seed=seed), digests={"recipe": RECIPE.digest()}, appearance=SEEN)
            for seed, name in enumerate(("A1", "A2"))
        ]
        made[name] = finish(train(name, sections, RECIPE, training=training))
    return made


def seen_at_once(section, trained) -> Prepared:
    features = TileFeatures(section, trained.recipe, "cpu")
    finish(features.encode())
    return Prepared(
        section=section.name,
        patient=None,
        spots=section.spot_names,
        pixel=np.asarray(section.table.obsm["spatial"]),
        grid=np.zeros((section.n_spots, 2), np.int64),
        position=positions(section, trained.appearances),
        features=np.concatenate([features.of(number) for number in range(len(features.tiles))]),
    )


@pytest.mark.parametrize("shape", ["square", "hexagonal"])
@pytest.mark.parametrize("name", ["gr2st", "ridge"])
def test_a_slide_in_parts_is_predicted_as_a_section_seen_at_once(models, slide, tmp_path, name, shape) -> None:
    section = virtual_section(slide, 20, um_per_px=2.0, shape=shape)
    assert len(tiles_of(section)) > 3
    out = finish(predict_slide(models[name], section, tmp_path / "out.h5ad"))
    whole = finish(predict(models[name], seen_at_once(section, models[name])))
    table = read_prediction(out).table
    assert tuple(table.obs_names) == section.spot_names
    np.testing.assert_allclose(table.layers[keys.PREDICTED], whole.table.layers[keys.PREDICTED], atol=1e-4)
    np.testing.assert_array_equal(table.X, table.layers[keys.PREDICTED])
    np.testing.assert_array_equal(table.obsm["spatial"], section.table.obsm["spatial"])


def test_the_file_tells_where_it_comes_from(models, slide, tmp_path) -> None:
    section = virtual_section(slide, 30, um_per_px=2.0)
    prediction = read_prediction(finish(predict_slide(models["gr2st"], section, tmp_path / "out.h5ad")))
    told = prediction.table.uns["gr2st"]
    assert told["section"] == "slide"
    assert told["virtual"]["pitch_um"] == pytest.approx(30)
    assert told["virtual"]["um_per_px_source"] == "stated by the user"
    assert prediction.notes[-1] == "The scale of slide.png, 2 µm per pixel, was stated by the user."
    assert keys.CONFIDENCE in prediction.table.obs
    assert prediction.table.obsp[keys.SPATIAL_GRAPH].nnz > 0
    assert prediction.table.obsm[keys.REFERENCE].shape[0] == section.n_spots


def test_values_can_stay_in_the_file_and_are_read_by_gene(models, slide, tmp_path) -> None:
    section = virtual_section(slide, 30, um_per_px=2.0)
    out = finish(predict_slide(models["ridge"], section, tmp_path / "out.h5ad"))
    left, whole = read_prediction(out, in_memory=False).table, read_prediction(out).table
    layer = left.layers[keys.PREDICTED]
    assert not isinstance(layer, np.ndarray)
    np.testing.assert_array_equal(layer[:, 3], whole.layers[keys.PREDICTED][:, 3])
    np.testing.assert_allclose(left.var[keys.PREDICTED_MEAN], whole.X.mean(axis=0), rtol=1e-5)
    assert list(left.obs_names) == list(whole.obs_names)
    assert left.X is None


def test_every_spot_tells_how_far_it_lies_from_training_and_a_small_section_what_stands_behind_it(
    models, slide, tmp_path
) -> None:
    section = virtual_section(slide, 30, um_per_px=2.0)
    whole = finish(predict(models["gr2st"], seen_at_once(section, models["gr2st"]))).table
    table = read_prediction(finish(predict_slide(models["gr2st"], section, tmp_path / "out.h5ad"))).table
    np.testing.assert_allclose(table.obs[keys.DISTANCE], whole.obs[keys.DISTANCE], rtol=1e-3)
    assert table.uns["gr2st"][keys.COMPARED_WITH] == whole.uns["gr2st"][keys.COMPARED_WITH]
    np.testing.assert_allclose(table.layers[keys.SPREAD], whole.layers[keys.SPREAD], atol=1e-3)
    np.testing.assert_allclose(table.var[keys.USUAL_SPREAD], whole.var[keys.USUAL_SPREAD])
    left = read_prediction(tmp_path / "out.h5ad", in_memory=False).table
    np.testing.assert_array_equal(left.layers[keys.SPREAD], table.layers[keys.SPREAD])


def test_a_large_or_fine_grid_has_no_graphs_and_says_so(models, slide, tmp_path, monkeypatch) -> None:
    fine = virtual_section(slide, 15, um_per_px=2.0)
    table = read_prediction(finish(predict_slide(models["gr2st"], fine, tmp_path / "fine.h5ad"))).table
    assert table.uns["gr2st"]["graphs"] == "not drawn on a grid finer than half the training pitch"
    monkeypatch.setattr(tables, "DETAILS_UP_TO", 50)
    large = virtual_section(slide, 30, um_per_px=2.0)
    table = read_prediction(finish(predict_slide(models["gr2st"], large, tmp_path / "large.h5ad"))).table
    assert table.uns["gr2st"]["graphs"] == "not drawn above 50 spots"
    assert not table.obsp
    assert keys.REFERENCE not in table.obsm


def test_surroundings_are_the_same_micrometres_on_any_grid(models, slide) -> None:
    """The distance of two spots in training steps is that of their micrometres over the training pitch."""
    for pitch in (10, 40, 80):
        section = virtual_section(slide, pitch, um_per_px=2.0)
        position = positions(section, models["gr2st"].appearances)
        steps = np.linalg.norm(position[1] - position[0])
        assert steps == pytest.approx(pitch / 40)


def test_a_run_that_was_killed_goes_on_at_the_tile_it_was_in(models, slide, tmp_path, encoder) -> None:
    section = virtual_section(slide, 15, um_per_px=2.0)
    encoder.lives = 20
    with pytest.raises(KeyboardInterrupt):
        finish(predict_slide(models["gr2st"], section, tmp_path / "out.h5ad"))
    assert not (tmp_path / "out.h5ad").exists()
    before = len(tiles_of(section)) - len(TileFeatures(section, RECIPE, "cpu").missing())
    assert before > 0
    encoder.lives, encoder.calls = -1, 0
    finish(predict_slide(models["gr2st"], section, tmp_path / "out.h5ad"))
    assert 0 < encoder.calls < -(-section.n_spots // encoder.batch)
    encoder.calls = 0
    finish(predict_slide(models["ridge"], section, tmp_path / "other.h5ad"))
    assert encoder.calls == 0


def test_closing_the_steps_leaves_no_file(models, slide, tmp_path) -> None:
    steps = predict_slide(models["gr2st"], virtual_section(slide, 20, um_per_px=2.0), tmp_path / "out.h5ad")
    for progress in steps:
        if progress.stage.startswith("Predicting") and progress.done:
            break
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_progress_counts_spots_over_all_tiles(models, slide, tmp_path) -> None:
    section = virtual_section(slide, 20, um_per_px=2.0)
    seen = list(predict_slide(models["ridge"], section, tmp_path / "out.h5ad"))
    looking = [one.done for one in seen if one.stage == "Looking at the tissue"]
    assert looking == sorted(looking)
    assert looking[-1] == section.n_spots == seen[0].total


def test_features_that_cannot_be_kept_are_an_error_and_not_lost_hours(models, slide, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cache, "write_features", lambda *_: (_ for _ in ()).throw(StorageError("full")))
    with pytest.raises(StorageError, match="The features of slide cannot be kept on the disk"):
        finish(predict_slide(models["ridge"], virtual_section(slide, 20, um_per_px=2.0), tmp_path / "out.h5ad"))


def test_a_disk_without_room_is_found_before_anything_is_written(models, slide, tmp_path, monkeypatch) -> None:
    from gr2st.io import prediction_writer

    usage = prediction_writer.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(prediction_writer.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(StorageError, match=r"out.h5ad takes up to 0.0 GB"):
        finish(predict_slide(models["ridge"], virtual_section(slide, 20, um_per_px=2.0), tmp_path / "out.h5ad"))


def test_a_section_with_spots_of_its_own_is_refused(models, slide, tmp_path) -> None:
    section = replace(virtual_section(slide, 20, um_per_px=2.0), layout="visium")
    with pytest.raises(DataError, match="is a section with spots of its own"):
        finish(predict_slide(models["ridge"], section, tmp_path / "out.h5ad"))


@pytest.mark.parametrize("kind", ["jpeg", "png", "striped", "pyramid"])
def test_slides_of_each_kind_are_predicted(models, pixels, tmp_path, kind) -> None:
    section = virtual_section(open_slide(written(tmp_path, pixels, kind)), 40, um_per_px=2.0)
    out = finish(predict_slide(models["ridge"], section, tmp_path / "out.h5ad"))
    assert read_prediction(out).table.shape == (section.n_spots, len(GENES))


def written(folder, pixels, kind):
    import tifffile
    from PIL import Image

    if kind in ("jpeg", "png"):
        Image.fromarray(pixels).save(folder / f"slide.{kind}")
        return folder / f"slide.{kind}"
    path = folder / "slide.tif"
    with tifffile.TiffWriter(path) as tiff:
        if kind == "striped":
            tiff.write(pixels, photometric="rgb", rowsperstrip=32)
        else:
            tiled = {"photometric": "rgb", "tile": (128, 128)}
            tiff.write(pixels, subifds=1, **tiled)
            tiff.write(np.ascontiguousarray(pixels[::2, ::2]), subfiletype=1, **tiled)
    return path


MEMORY = """
import resource, sys
import numpy as np, tifffile
from pathlib import Path
from gr2st.io.slide import open_slide
from gr2st.slides.grid import virtual_section
from gr2st.slides.features import TileFeatures
from gr2st.config import Recipe, PatchConfig
from gr2st.encoders import cache
from gr2st.types import finish
from tests.core.test_slide_prediction import Means, slide_of_tiles

side, folder = 12_000, Path(sys.argv[1])
slide_of_tiles(folder / "big.tif", side)
encoder = Means()
cache.load_encoder = lambda name, *, device: encoder
cache.ENCODERS = {"handcrafted": encoder.spec}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
section = virtual_section(open_slide(folder / "big.tif"), 200, um_per_px=1.0)
finish(TileFeatures(section, Recipe(genes=("A",), patch=PatchConfig(size_px=16, um_per_px=2.0)), "cpu").encode())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, section.n_spots)
"""


def slide_of_tiles(path, side: int, tile: int = 512) -> None:
    """A tiled picture of tissue, written from one repeated tile."""
    import tifffile

    part = histology(np.ones((tile, tile), bool))
    count = -(-side // tile)
    tiles = (part for _ in range(count * count))
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            tiles, shape=(side, side, 3), dtype=np.uint8, photometric="rgb", tile=(tile, tile), compression="jpeg"
        )


@pytest.mark.skipif(sys.platform == "win32", reason="ru_maxrss is not told on Windows")
def test_a_slide_of_432_megabytes_is_streamed_in_less_than_a_third_of_it_and_what_is_cached(tmp_path) -> None:
    run = subprocess.run([sys.executable, "-c", MEMORY, tmp_path], capture_output=True, text=True, check=True)
    grown, n_spots = map(float, run.stdout.split())
    assert n_spots > 2000
    # 128 MB of decoded tiles, a strip of 48 MB for the overview, arrays of the grid.
    assert grown < 300
