"""Vision transformers built by timm, with published weights: the pathology encoders."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from gr2st.encoders.base import check_patches
from gr2st.encoders.vit_names import TO_TIMM, State
from gr2st.encoders.weights import INSTALL, facts_of, need_weights
from gr2st.errors import DataError, TrainingFailed
from gr2st.io.tensors import faults_of, read_tensors
from gr2st.registry import EncoderSpec, load

if TYPE_CHECKING:
    from gr2st.encoder_specs import TimmFacts
    from gr2st.types import Float32, UInt8

ON_CPU = 8
"""Patches at once without a GPU: few enough that the first batch soon tells how long all will take."""


class TimmVit:
    """Features of a frozen vision transformer; float32 on the CPU, bfloat16 inside on a GPU.

    Parameters
    ----------
    spec : EncoderSpec
        One with facts for timm.
    device : str
        Device of torch.

    Raises
    ------
    WeightsMissing
        The weights are not on this machine.
    DataError
        timm cannot be imported, or the file does not hold the weights of this encoder.
    TrainingFailed
        The network does not fit into the memory of the device.
    """

    def __init__(self, spec: EncoderSpec, *, device: str = "cpu") -> None:
        self.spec = spec
        self._facts = facts_of(spec)
        self._device = torch.device(device)
        self._model = self._placed(load_weights(build_vit(self._facts), spec, need_weights(spec)))
        self._mean, self._std = (
            torch.tensor(values, device=self._device).view(1, 3, 1, 1) for values in (self._facts.mean, self._facts.std)
        )
        self.batch = self._facts.batch if self._device.type == "cuda" else ON_CPU
        self._may_halve = True

    def encode(self, patches: UInt8) -> Float32:
        """Features (n, spec.width) of RGB patches (n, input_px, input_px, 3) uint8.

        The first time the memory does not suffice, `batch` is halved.

        Raises
        ------
        DataError
            Patches of another shape.
        TrainingFailed
            The memory does not suffice for half a batch either.
        """
        check_patches(self.spec, patches)
        rows = [np.zeros((0, self.spec.width), dtype=np.float32)]
        done = 0
        while done < len(patches):
            features = self._encoded(patches[done : done + self.batch])
            if features is not None:
                rows.append(features)
                done += len(features)
        return np.concatenate(rows)

    def _encoded(self, patches: UInt8) -> Float32 | None:
        """Features of one batch; None where it was too large and the batch is now half of it."""
        try:
            return self._features(patches)
        except torch.OutOfMemoryError as error:
            if not self._may_halve or self.batch == 1:
                raise self._too_large(f"for {self.batch} patches at once too") from error
        self._may_halve = False
        self.batch //= 2
        torch.cuda.empty_cache()
        return None

    def _placed(self, model: Any) -> Any:
        try:
            return model.to(self._device)
        except torch.OutOfMemoryError as error:
            raise self._too_large("for the network alone") from error

    def _too_large(self, what: str) -> TrainingFailed:
        return TrainingFailed(
            f"The encoder {self.spec.name!r} needs more memory than {self._device} has free, {what}. "
            "Close what else uses it, or take a smaller encoder or --device cpu."
        )

    @torch.inference_mode()
    def _features(self, patches: UInt8) -> Float32:
        pixels = torch.from_numpy(np.ascontiguousarray(patches)).to(self._device)
        with _arithmetic(self._device):
            tokens = self._model.forward_features(self._normalised(pixels))
        pooled = POOLINGS[self._facts.pooling](tokens.to(torch.float32), int(self._model.num_prefix_tokens))
        return np.asarray(pooled.cpu().numpy(), dtype=np.float32)

    def _normalised(self, pixels: Tensor) -> Tensor:
        """Patches (n, h, w, 3) uint8 as the network takes them: (n, 3, h, w) float32, centred and scaled."""
        return (pixels.permute(0, 3, 1, 2).to(torch.float32) / 255 - self._mean) / self._std


def build_vit(facts: TimmFacts) -> Any:
    """The network of these facts without any weights, on torch's meta device: nothing is allocated.

    Raises
    ------
    DataError
        timm is not installed, or cannot be imported because torchvision does not fit torch.
    """
    timm = import_timm()
    layers = {name: load(where) for name, where in facts.layers.items()}
    with torch.device("meta"):
        return timm.create_model(facts.architecture, pretrained=False, num_classes=0, **facts.options, **layers)


def import_timm() -> Any:
    """The package timm; DataError with what to install where it cannot be imported."""
    try:
        import timm
    except ImportError as error:
        raise DataError(f"Pathology encoders need timm, which cannot be imported ({error}): {INSTALL}.") from error
    # What torchvision raises where its compiled part was built for another torch.
    except RuntimeError as error:
        raise DataError(
            f"torchvision, which timm needs, does not fit torch {torch.__version__} ({error}). Install both from the "
            "same index, in versions that belong together: pip install --upgrade torch torchvision."
        ) from error
    return timm


def load_weights(model: Any, spec: EncoderSpec, path: Path) -> Any:
    """Fill a network of `build_vit` from a file, strictly, ready to encode.

    Raises
    ------
    DataError
        The file cannot be read, or its parameters are not those of the network; the first few are named.
    """
    state = TO_TIMM[facts_of(spec).names](read_tensors(path))
    _check_state(spec, path, wanted=model.state_dict(), found=state)
    model.load_state_dict({name: value.to(torch.float32) for name, value in state.items()}, strict=True, assign=True)
    return model.eval().requires_grad_(False)


def _check_state(spec: EncoderSpec, path: Path, *, wanted: State, found: State) -> None:
    if faults := faults_of(wanted, found):
        raise DataError(
            f"{path} does not hold the weights of {spec.name!r}: of {len(wanted)} parameters wanted, "
            f"{', '.join(faults)}. Put the file of {facts_of(spec).page} there."
        )


def _arithmetic(device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast("cuda", dtype=torch.bfloat16) if device.type == "cuda" else nullcontext()


def _class_token(tokens: Tensor, prefix: int) -> Tensor:
    return tokens[:, 0]


def _class_and_mean(tokens: Tensor, prefix: int) -> Tensor:
    """The class token, then the mean of what comes after the `prefix` of class and register tokens."""
    return torch.cat((tokens[:, 0], tokens[:, prefix:].mean(1)), dim=1)


POOLINGS = {"class": _class_token, "class and mean": _class_and_mean}
