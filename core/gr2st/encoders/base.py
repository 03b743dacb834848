"""The contract every patch encoder keeps, and how one is loaded by name."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from gr2st.encoders.weights import encoder_version
from gr2st.errors import DataError
from gr2st.registry import ENCODERS, EncoderSpec, load

if TYPE_CHECKING:
    from gr2st.types import Float32, UInt8


class Encoder(Protocol):
    """Turns patches into features; deterministic, and the same for a patch whatever patches stand beside it.

    A class that keeps it is made by ``Class(spec, device=device)``; it raises WeightsMissing where its weights are not
    on this machine. `batch` is how many patches it wants at once; it may fall when the memory does not suffice.
    """

    batch: int

    @property
    def spec(self) -> EncoderSpec: ...

    def encode(self, patches: UInt8) -> Float32:
        """Features (n, spec.width) of RGB patches (n, spec.input_px, spec.input_px, 3)."""
        ...


def load_encoder(name: str, *, device: str = "cpu") -> Encoder:
    """Load a registered encoder onto a device; the last one stays loaded, for the sections of a study.

    Raises
    ------
    UnknownName
        No encoder has this name.
    WeightsMissing
        Its weights are not on this machine; the message says how to get them.
    """
    spec = ENCODERS[name]
    return _loaded(spec, encoder_version(spec), device)


@lru_cache(maxsize=1)
def _loaded(spec: EncoderSpec, version: str, device: str) -> Encoder:
    """The encoder with the weights of this version."""
    encoder: Encoder = load(spec.factory)(spec, device=device)
    return encoder


def check_patches(spec: EncoderSpec, patches: UInt8) -> None:
    """Raise DataError unless `patches` is what the encoder takes: (n, input_px, input_px, 3) uint8."""
    wanted = (spec.input_px, spec.input_px, 3)
    if patches.ndim != 4 or patches.shape[1:] != wanted or patches.dtype != "uint8":
        raise DataError(
            f"The encoder {spec.name!r} takes uint8 patches of {spec.input_px} x {spec.input_px} px in RGB, found "
            f"{patches.dtype} of shape {patches.shape}. Set the patch size of the recipe to {spec.input_px}."
        )
