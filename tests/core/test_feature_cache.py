"""The feature cache: what is kept, when it counts, and what happens when it cannot be read or written."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gr2st.config import PatchConfig, Recipe
from gr2st.encoders import cache
from gr2st.encoders.cache import FeatureKey, ahead, encode_section, feature_path, read_features, write_features
from gr2st.errors import DataError, StorageError
from gr2st.io.array_slide import ArraySlide
from gr2st.registry import ENCODERS
from gr2st.types import Progress
from tests.tiny_vit import TINY, write_weights

RECIPE = Recipe(genes=("A",), patch=PatchConfig(um_per_px=0.69))
XY = np.array([[200.0, 200.0], [150.5, 130.25], [20.0, 300.0]])


class FirstPixels:
    """A stand-in encoder: the first pixels of each patch; counts its calls."""

    spec = ENCODERS["handcrafted"]

    def __init__(self):
        self.batch = 32
        self.calls = []

    def encode(self, patches):
        self.calls.append(len(patches))
        return patches.reshape(len(patches), -1)[:, : self.spec.width].astype(np.float32)


@pytest.fixture
def encoder(monkeypatch):
    stand_in = FirstPixels()
    monkeypatch.setattr(cache, "load_encoder", lambda name, *, device: stand_in)
    return stand_in


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GR2ST_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def slide(rng):
    return ArraySlide(Path("C2.jpg"), rng.integers(0, 256, (400, 420, 3)).astype(np.uint8))


@pytest.fixture
def key():
    return FeatureKey("handcrafted", "1", PatchConfig(), "none", 0.69, "0" * 16, "1" * 16)


def run(slide, xy=XY, recipe=RECIPE, um_per_px=0.69) -> tuple[list, np.ndarray]:
    steps = encode_section(slide, xy, recipe=recipe, um_per_px=um_per_px, section="C2")
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            return seen, stop.value


def test_what_is_written_is_read_bit_by_bit(key, rng) -> None:
    features = rng.normal(size=(5, 3)).astype(np.float32)
    assert read_features(key) is None
    write_features(key, features)
    found = read_features(key)
    np.testing.assert_array_equal(found, features)
    assert found.dtype == np.float32


@pytest.mark.parametrize("shape", [(0, 3), (4, 3)])
def test_zeros_and_no_spots_are_kept_as_such(key, shape) -> None:
    write_features(key, np.zeros(shape, np.float32))
    np.testing.assert_array_equal(read_features(key), np.zeros(shape))


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": "other"},
        {"version": "2"},
        {"patch": PatchConfig(size_px=112)},
        {"patch": PatchConfig(um_per_px=None)},
        {"stain": "reinhard"},
        {"um_per_px": 0.5},
        {"um_per_px": None},
        {"image": "f" * 16},
        {"positions": "f" * 16},
    ],
    ids="-".join,
)
def test_any_other_ingredient_is_another_key(key, change) -> None:
    other = replace(key, **change)
    assert other.digest() != key.digest()
    write_features(key, np.ones((1, 2), np.float32))
    assert read_features(other) is None


def test_the_key_follows_picture_positions_and_recipe_but_not_genes(slide, rng) -> None:
    def of(s=slide, xy=XY, recipe=RECIPE):
        return FeatureKey.of(s, xy, recipe, 0.69).digest()

    assert of(recipe=RECIPE.model_copy(update={"genes": ("B", "C")})) == of()
    assert of(xy=XY[::-1]) != of()
    assert of(s=ArraySlide(Path("C2.jpg"), 255 - slide.pixels)) != of()
    assert of(recipe=RECIPE.model_copy(update={"stain": "reinhard"})) != of()


def test_an_entry_of_another_key_under_this_name_does_not_count(key) -> None:
    other = replace(key, version="2")
    write_features(other, np.ones((1, 2), np.float32))
    feature_path(other).rename(feature_path(key))
    assert read_features(key) is None


def damage(path: Path, how: str) -> None:
    if how == "foreign":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("zarr.json", "{}")
        return
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "empty": b"",
            "text": b"no archive",
            "flipped": content[:700] + bytes([content[700] ^ 255]) + content[701:],
        }[how]
    )


@pytest.mark.parametrize("how", ["cut", "empty", "text", "flipped", "foreign"])
def test_a_damaged_entry_is_computed_again_and_mended(slide, encoder, how: str) -> None:
    _, first = run(slide)
    path = feature_path(FeatureKey.of(slide, XY, RECIPE, 0.69))
    damage(path, how)
    seen, second = run(slide)
    np.testing.assert_array_equal(second, first)
    assert "cannot be read and are computed again" in seen[0].note
    assert encoder.calls == [3, 3]
    assert "from the cache" in run(slide)[0][0].note


def test_the_second_run_reads_the_cache_and_says_so(slide, encoder) -> None:
    first, features = run(slide)
    assert [(step.stage, step.done, step.total) for step in first] == [
        ("Encoding patches of C2", 0, 3),
        ("Encoding patches of C2", 3, 3),
    ]
    again, cached = run(slide)
    assert encoder.calls == [3]
    assert [(step.done, step.note.split(";")[0]) for step in again] == [(3, "from the cache")]
    np.testing.assert_array_equal(cached, features)


def test_progress_comes_once_per_batch_in_spot_order(slide, encoder) -> None:
    encoder.batch = 2
    seen, features = run(slide)
    assert [step.done for step in seen] == [0, 2, 3]
    np.testing.assert_array_equal(run(slide, XY[1:2])[1], features[1:2])


def test_mirrored_patches_are_noted_also_from_the_cache(slide, encoder) -> None:
    for _ in range(2):
        seen, _ = run(slide)
        assert "1 of 3 patches reach over the edge of the picture and are mirrored there" in seen[0].note


def test_nothing_is_noted_where_all_is_well(slide, encoder) -> None:
    assert {step.note for step in run(slide, XY[:1])[0]} == {""}


class Slow(FirstPixels):
    """A stand-in encoder with weights, whose memory suffices for two patches."""

    spec = replace(TINY, name="handcrafted", input_px=224, width=207)

    def encode(self, patches):
        self.batch = min(self.batch, 2)
        return super().encode(patches)


@pytest.fixture
def slow(monkeypatch):
    stand_in = Slow()
    stand_in.batch = 1
    monkeypatch.setattr(cache, "load_encoder", lambda name, *, device: stand_in)
    return stand_in


def test_an_encoder_with_weights_says_after_one_batch_how_long_the_cpu_will_take(slide, slow, monkeypatch) -> None:
    ticks = iter([0.0, 300.0])
    monkeypatch.setattr(cache.time, "perf_counter", lambda: next(ticks))
    seen, _ = run(slide)
    assert [step.note.split(";")[0] for step in seen[1:]] == ["on the CPU, about 10 min after the first 1 patches"] * 3


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.2, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (9000, "2.5 h")]
)
def test_a_duration_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert cache._duration(seconds) == told


def test_a_batch_that_was_halved_is_told_from_then_on(slide, slow) -> None:
    slow.batch = 4
    seen, _ = run(slide, XY[[0, 1, 2, 0, 1]])
    assert slow.calls == [4, 1]
    assert all(step.note.endswith("out of memory: 2 patches at once from here on, not 4") for step in seen if step.done)


def test_a_killed_run_goes_on_at_the_unfinished_section(slide, rng, timm, weights, monkeypatch) -> None:
    monkeypatch.setitem(ENCODERS._entries, "tiny", TINY)
    write_weights(TINY, weights)
    recipe = Recipe(genes=("A",), encoder="tiny", patch=PatchConfig(size_px=32, um_per_px=1.0))
    other = ArraySlide(Path("C3.jpg"), rng.integers(0, 256, (400, 420, 3)).astype(np.uint8))
    many = np.tile(XY, (4, 1))
    _, first = run(slide, many, recipe)
    killed = encode_section(other, many, recipe=recipe, um_per_px=0.69, section="C3")
    assert [next(killed).done for _ in range(2)] == [0, 8]
    killed.close()
    again, same = run(slide, many, recipe)
    assert [step.note.split(";")[0] for step in again] == ["from the cache"]
    np.testing.assert_array_equal(same, first)
    assert [step.done for step in run(other, many, recipe)[0]] == [0, 8, 12]
    assert [step.done for step in run(other, many, recipe)[0]] == [12]


def test_an_encoder_without_weights_runs_on_the_cpu_whatever_the_device(slide, encoder, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(cache, "load_encoder", lambda name, *, device: asked.append(device) or encoder)
    steps = encode_section(slide, XY, recipe=RECIPE, um_per_px=0.69, section="C2", device="cuda")
    assert all(isinstance(step, Progress) for step in steps)
    assert asked == ["cpu"]
    assert "from the cache" in run(slide)[0][0].note


def batches_of(count: int, made: list[int], *, fault_at: int = -1) -> Iterator[np.ndarray]:
    for number in range(count):
        if number == fault_at:
            raise DataError("the picture ends here")
        made.append(number)
        yield np.full((1, 2, 2, 3), number, np.uint8)


def test_the_next_batch_is_made_while_one_is_used() -> None:
    made: list[int] = []
    batches = ahead(batches_of(4, made))
    first = next(batches)
    deadline = time.monotonic() + 10
    while len(made) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert made == [0, 1]
    assert [int(batch[0, 0, 0, 0]) for batch in (first, *batches)] == [0, 1, 2, 3]


def test_what_goes_wrong_in_the_picture_is_told_after_what_was_read_before() -> None:
    batches = ahead(batches_of(4, [], fault_at=2))
    assert [int(next(batches)[0, 0, 0, 0]) for _ in range(2)] == [0, 1]
    with pytest.raises(DataError, match="the picture ends here"):
        next(batches)


def test_batches_that_are_no_longer_wanted_are_not_made() -> None:
    made: list[int] = []
    batches = ahead(batches_of(100, made))
    next(batches)
    batches.close()
    assert len(made) <= 2


def test_a_closed_run_leaves_no_entry(slide, encoder) -> None:
    steps = encode_section(slide, XY, recipe=RECIPE, um_per_px=0.69, section="C2")
    next(steps)
    next(steps)
    steps.close()
    assert list(feature_path(FeatureKey.of(slide, XY, RECIPE, 0.69)).parent.iterdir()) == []


def test_the_stain_of_the_recipe_is_applied(slide, encoder) -> None:
    plain = run(slide)[1]
    normalised = run(slide, recipe=Recipe(genes=("A",), stain="reinhard"))[1]
    assert np.abs(plain - normalised).max() > 5


def test_a_full_disk_keeps_the_features_and_tells(slide, encoder, monkeypatch) -> None:
    def full(key, features):
        raise StorageError("No space left on device.")

    monkeypatch.setattr(cache, "write_features", full)
    seen, features = run(slide)
    assert features.shape == (3, encoder.spec.width)
    assert seen[-1].note == "not kept for the next time: No space left on device."


def test_features_that_are_not_finite_are_refused_and_not_kept(slide, encoder, monkeypatch) -> None:
    monkeypatch.setattr(encoder, "encode", lambda patches: np.full((len(patches), 2), np.nan, np.float32))
    with pytest.raises(DataError, match="'handcrafted' gave values that are not finite for section C2"):
        run(slide)
    assert read_features(FeatureKey.of(slide, XY, RECIPE, 0.69)) is None


def test_an_entry_of_another_width_does_not_count(slide, encoder) -> None:
    write_features(FeatureKey.of(slide, XY, RECIPE, 0.69), np.ones((3, 7), np.float32))
    assert run(slide)[1].shape == (3, encoder.spec.width)


def test_a_slide_of_unknown_scale_is_refused(slide, encoder) -> None:
    with pytest.raises(DataError, match=r"C2\.jpg is not known"):
        run(slide, um_per_px=None)
    assert run(slide, recipe=Recipe(genes=("A",), patch=PatchConfig(um_per_px=None)), um_per_px=None)[1].shape[0] == 3
