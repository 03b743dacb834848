"""Features of a section, encoded once: a cache on disk, keyed by everything that decides the numbers."""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import zarr
from zarr.storage import ZipStore

from gr2st.encoders.base import Encoder, load_encoder
from gr2st.encoders.weights import encoder_version
from gr2st.errors import DataError, StorageError
from gr2st.io.store import atomic_path, cache_dir
from gr2st.preprocess.patches import count_padded, cut_patches
from gr2st.preprocess.stain import reinhard
from gr2st.registry import ENCODERS
from gr2st.types import Float32, Float64, Progress, Slide, Steps, UInt8

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gr2st.config import PatchConfig, Recipe

_FORMAT = 1
"""Raised when patches are cut or stains are normalised differently: older features are then computed again."""


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """Everything that decides the features of a section.

    Attributes
    ----------
    encoder, version : str
        The version names the weights, and the arithmetic where it is not float32.
    patch : PatchConfig
    stain : str
    um_per_px : float or None
        Resolution of level 0 that the patches were cut with.
    image : str
        Digest of the picture's content.
    positions : str
        Digest of the spot centres, in their order.
    """

    encoder: str
    version: str
    patch: PatchConfig
    stain: str
    um_per_px: float | None
    image: str
    positions: str

    @classmethod
    def of(
        cls, slide: Slide, xy: Float64, recipe: Recipe, um_per_px: float | None, *, device: str = "cpu"
    ) -> FeatureKey:
        """Key of the spots `xy` of a slide under a recipe, encoded on a device; WeightsMissing as `encoder_version`."""
        spec = ENCODERS[recipe.encoder]
        centres = np.ascontiguousarray(xy, dtype="<f8").tobytes()
        return cls(
            encoder=spec.name,
            version=encoder_version(spec) + ("-bf16" if device.startswith("cuda") else ""),
            patch=recipe.patch,
            stain=recipe.stain,
            um_per_px=um_per_px,
            image=slide.digest(),
            positions=hashlib.sha256(centres).hexdigest()[:16],
        )

    def text(self) -> str:
        """The key as JSON; stored beside the features."""
        fields = {name: value for name, value in asdict(self).items() if name != "patch"}
        fields |= {"patch": self.patch.model_dump(mode="json"), "format": _FORMAT}
        return json.dumps(fields, sort_keys=True)

    def digest(self) -> str:
        """Sixteen hex digits that change whenever any part changes."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:16]


def feature_path(key: FeatureKey) -> Path:
    """File of the cache that holds, or would hold, the features of `key`."""
    return cache_dir("features") / f"{key.encoder}-{key.digest()}.zarr.zip"


def read_features(key: FeatureKey) -> Float32 | None:
    """Cached features (n, width), or None where there are none, or none that can be read."""
    path = feature_path(key)
    if not _is_sound(path):
        return None
    try:
        with ZipStore(path, mode="r") as store:
            array = zarr.open_array(store, mode="r")
            belongs = array.attrs.get("key") == key.text() and array.dtype == np.float32 and array.ndim == 2
            return np.asarray(array[...], dtype=np.float32) if belongs else None
    # A sound archive without a zarr array in it, or with metadata of another make.
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _is_sound(path: Path) -> bool:
    """Whether a file is there, is an archive, and all its checksums hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error):
        return False


def write_features(key: FeatureKey, features: Float32) -> None:
    """Keep features (n, width); an older entry is replaced whole.

    Raises
    ------
    StorageError
        The cache cannot be written; nothing half-written is left.
    """
    with atomic_path(feature_path(key)) as temporary, ZipStore(temporary, mode="w") as store:
        array = zarr.create_array(
            store,
            shape=features.shape,
            chunks=(max(1, features.shape[0]), max(1, features.shape[1])),
            dtype="float32",
            compressors=None,
            attributes={"key": key.text()},
            config={"write_empty_chunks": True},
        )
        array[...] = features


def encode_section(
    slide: Slide, xy: Float64, *, recipe: Recipe, um_per_px: float | None, section: str, device: str = "cpu"
) -> Steps[Float32]:
    """Features of every spot of a section, from the cache where it has them.

    Parameters
    ----------
    slide : Slide
    xy : (n, 2) float64
        Spot centres (x, y) in level-0 pixels.
    recipe : Recipe
        Its patch, stain and encoder count; its genes do not.
    um_per_px : float or None
        Micrometres per level-0 pixel of the slide.
    section : str
        Name for the progress.
    device : str
        Device of an encoder with weights. One without runs on the CPU, where it comes out the same to the bit.

    Yields
    ------
    Progress
        One at the start and one per batch; the notes tell of cached features, of patches that reach over the edge of
        the picture, of a cache that could not be read or written, and, for an encoder with weights, how long the CPU
        will take and that a batch had to be halved.

    Returns
    -------
    (n, width) float32

    Raises
    ------
    DataError
        As `cut_patches`; or the encoder gave values that are not finite.
    WeightsMissing
        The weights of the encoder are not on this machine.
    TrainingFailed
        The memory of the device does not suffice for the encoder.
    """
    where = device if ENCODERS[recipe.encoder].needs_weights else "cpu"
    key = FeatureKey.of(slide, xy, recipe, um_per_px, device=where)
    stage, total = _stage(section), len(xy)
    mirrored = _padding_note(slide, xy, recipe, um_per_px)
    cached = read_features(key)
    if cached is not None and cached.shape == (total, ENCODERS[recipe.encoder].width):
        yield Progress(stage, total, total, note=_joined("from the cache", mirrored))
        return cached
    unreadable = "the cached features cannot be read and are computed again" if feature_path(key).exists() else ""
    yield Progress(stage, 0, total, note=_joined(unreadable, mirrored))
    encoder = load_encoder(recipe.encoder, device=where)
    patches = _normalised(cut_patches(slide, xy, recipe.patch, um_per_px, batch=encoder.batch), recipe.stain)
    features = yield from _encode(encoder, ahead(patches), section, total, on_cpu=where == "cpu")
    try:
        write_features(key, features)
    except StorageError as error:
        yield Progress(stage, total, total, note=f"not kept for the next time: {error}")
    return features


def ahead(batches: Iterator[UInt8]) -> Iterator[UInt8]:
    """The same batches; while one is used, a thread makes the next, so that a GPU does not wait for the picture."""
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(next, batches, None)
        while (batch := waiting.result()) is not None:
            waiting = reader.submit(next, batches, None)
            yield batch


def _stage(section: str) -> str:
    return f"Encoding patches of {section}"


def _encode(encoder: Encoder, batches: Iterator[UInt8], section: str, total: int, *, on_cpu: bool) -> Steps[Float32]:
    """Features of all batches. The first one is timed: an encoder with weights may keep a CPU busy for hours."""
    parts = [np.zeros((0, encoder.spec.width), dtype=np.float32)]
    started, wanted, forecast, done = time.perf_counter(), encoder.batch, "", 0
    for patches in batches:
        parts.append(_encoded(encoder, patches, section))
        done += len(patches)
        if on_cpu and encoder.spec.needs_weights and not forecast and done < total:
            rest = (time.perf_counter() - started) / done * (total - done)
            forecast = f"on the CPU, about {_duration(rest)} after the first {done} patches"
        yield Progress(_stage(section), done, total, note=_joined(forecast, _halved_note(wanted, encoder.batch)))
    return np.concatenate(parts)


def _halved_note(wanted: int, batch: int) -> str:
    return f"out of memory: {batch} patches at once from here on, not {wanted}" if batch < wanted else ""


def _duration(seconds: float) -> str:
    """As people say it: seconds below two minutes, minutes below two hours, then hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _padding_note(slide: Slide, xy: Float64, recipe: Recipe, um_per_px: float | None) -> str:
    """How many patches reach over the edge of the picture; empty where none does."""
    padded = count_padded(slide, xy, recipe.patch, um_per_px)
    return f"{padded} of {len(xy)} patches reach over the edge of the picture and are mirrored there" if padded else ""


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _normalised(batches: Iterator[UInt8], stain: str) -> Iterator[UInt8]:
    """Batches after the stain normalisation of the recipe."""
    return map({"none": _as_they_are, "reinhard": reinhard}[stain], batches)


def _as_they_are(patches: UInt8) -> UInt8:
    return patches


def _encoded(encoder: Encoder, patches: UInt8, section: str) -> Float32:
    features = encoder.encode(patches)
    if not np.isfinite(features).all():
        raise DataError(f"The encoder {encoder.spec.name!r} gave values that are not finite for section {section}.")
    return features
