"""What can be chosen for a training or an evaluation, in words: models, encoders, cell types, devices. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from gr2st import ENCODERS, MODELS, WeightsMissing, need_weights

if TYPE_CHECKING:
    from gr2st.registry import EncoderSpec

ABOUT_MODELS = {
    "gr2st": "Our preset: the published method with a kernel branch; it chooses its blend on patients held out.",
    "gr2st-v2": "As published in 2026: retrieval and experts that know cell types.",
    "gr2st-v1": "As published in 2025: retrieval alone.",
    "ridge": "A plain yardstick, ready in seconds: the network should do better.",
    "knn": "A plain yardstick: the mean of the training spots that look most alike.",
    "mean": "The lowest yardstick: every spot gets the mean of the training spots.",
}


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose.

    Attributes
    ----------
    name : str
        As files and the command line call it; "" for none.
    about : str
        One plain sentence.
    why_not : str
        Why it cannot be chosen here, and how it can; "" where it can.
    """

    name: str
    title: str
    about: str = ""
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class SectionOption:
    """A section to choose; ``n_spots`` is None until it was read."""

    name: str
    patient: str = ""
    n_spots: int | None = None
    why_not: str = ""


CELL_TYPE_OPTIONS = (
    Option("none", "Not used", "No spot has a cell type."),
    Option("files", "From files beside the section", "As HoVer-Net or a pathologist has labelled them."),
    Option("estimate", "Estimated from the slide", "From colour and shape of the nuclei; takes a while per section."),
)
DEVICE_OPTIONS = (
    Option("auto", "Automatic", "The graphics card where there is one, else the processor."),
    Option("cpu", "Processor (CPU)", "Works everywhere."),
    Option("cuda", "Graphics card (CUDA)", "Needs a card of NVIDIA; Check says whether it is there."),
)


def model_options() -> tuple[Option, ...]:
    """Models that can be trained; rows that read the test section are none."""
    return tuple(
        Option(spec.name, spec.title, ABOUT_MODELS.get(spec.name, "")) for spec in MODELS.values() if not spec.is_oracle
    )


def encoder_options() -> tuple[Option, ...]:
    """Encoders, each with what is missing where it is not ready on this machine. Looks for files."""
    return tuple(Option(spec.name, spec.title, _about_encoder(spec), _missing(spec)) for spec in ENCODERS.values())


def titled(options: tuple[Option, ...], name: str) -> Option:
    """The option of a name; one that says no more than the name where it is not among them."""
    return next((option for option in options if option.name == name), Option(name, name))


def _about_encoder(spec: EncoderSpec) -> str:
    speed = "Needs no weights; seconds per section." if spec.timm is None else "Minutes per section without a GPU."
    return f"{spec.width:,} features of {_window(spec)}. Licence: {spec.licence}. {speed}"


def _window(spec: EncoderSpec) -> str:
    return "each patch" if spec.um_per_px is None else f"{spec.input_px * spec.um_per_px:.0f} µm round each spot"


def _missing(spec: EncoderSpec) -> str:
    if spec.timm is None:
        return ""
    if find_spec("timm") is None:
        return "timm is not installed: pip install 'gr2st-napari[encoders]'"
    try:
        need_weights(spec)
    except WeightsMissing as error:
        return str(error)
    return ""
