"""Facts about the patch encoders, readable without torch; where they come from stands in docs/encoders.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Option = int | float | bool | str
Channels = tuple[float, float, float]

IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)
SAFETENSORS = "model.safetensors"
TORCH_FILE = "pytorch_model.bin"
_TIMM_VIT = "gr2st.encoders.timm_vit:TimmVit"
_NON_COMMERCIAL = "CC-BY-NC-ND-4.0"
_SWIGLU = {"mlp_layer": "timm.layers:SwiGLUPacked", "act_layer": "torch.nn:SiLU"}


@dataclass(frozen=True, slots=True)
class TimmFacts:
    """How a vision transformer is built with timm, and where its published weights are.

    Attributes
    ----------
    hub : str
        Repository of the hub that publishes the weights.
    files : tuple of str
        Its weights files; the first is downloaded, each is used where it is there.
    architecture : str
        Model of timm to build.
    options : mapping
        Arguments of that model.
    layers : mapping
        Arguments that are classes, as ``"module:name"``.
    names : "timm" or "transformers"
        Whose parameter names the published file uses.
    pooling : "class" or "class and mean"
        The class token, or that followed by the mean of the patch tokens; register tokens are left out.
    mean, std : three float
        Of red, green and blue on a scale of 0 to 1; patches are normalised by them.
    batch : int
        Patches at once on a GPU.
    """

    hub: str
    files: tuple[str, ...]
    architecture: str
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    layers: Mapping[str, str] = field(default_factory=dict, hash=False)
    names: Literal["timm", "transformers"] = "timm"
    pooling: Literal["class", "class and mean"] = "class"
    mean: Channels = IMAGENET_MEAN
    std: Channels = IMAGENET_STD
    batch: int = 256

    @property
    def page(self) -> str:
        """Where its licence is read and accepted."""
        return f"https://huggingface.co/{self.hub}"


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Facts about a patch encoder.

    ``input_px`` is the side of the patch it takes, ``um_per_px`` the resolution it was made for, ``width`` the number
    of features it gives, ``version`` changes whenever its output does (it is part of the cache key). ``timm`` says how
    to build an encoder that needs weights, None for one that needs none.
    """

    name: str
    title: str
    factory: str
    width: int
    input_px: int
    um_per_px: float | None
    licence: str
    gated: bool
    version: str
    timm: TimmFacts | None = None

    @property
    def needs_weights(self) -> bool:
        return self.timm is not None


HANDCRAFTED = EncoderSpec(
    name="handcrafted",
    title="Colour, texture and nuclear statistics",
    factory="gr2st.encoders.handcrafted:Handcrafted",
    width=207,
    input_px=224,
    um_per_px=1.38,
    licence="BSD-3-Clause",
    gated=False,
    version="1",
)


def _published(name: str, title: str, width: int, licence: str, timm: TimmFacts, *, gated: bool) -> EncoderSpec:
    """A published encoder; all of them take 224 pixels at 0.5 micrometres (20x)."""
    return EncoderSpec(
        name=name,
        title=title,
        factory=_TIMM_VIT,
        width=width,
        input_px=224,
        um_per_px=0.5,
        licence=licence,
        gated=gated,
        version="1",
        timm=timm,
    )


PATHOLOGY_ENCODERS = (
    _published(
        "phikon-v2",
        "Phikon-v2, ViT-L/16",
        1024,
        "Owkin non-commercial",
        TimmFacts(
            hub="owkin/phikon-v2",
            files=(SAFETENSORS,),
            architecture="vit_large_patch16_224",
            options={"init_values": 1e-5},
            names="transformers",
        ),
        gated=False,
    ),
    _published(
        "phikon",
        "Phikon, ViT-B/16",
        768,
        "Owkin non-commercial",
        TimmFacts(
            hub="owkin/phikon",
            files=(SAFETENSORS, TORCH_FILE),
            architecture="vit_base_patch16_224",
            names="transformers",
        ),
        gated=False,
    ),
    _published(
        "uni",
        "UNI, ViT-L/16",
        1024,
        _NON_COMMERCIAL,
        TimmFacts(
            hub="MahmoodLab/UNI",
            files=(TORCH_FILE,),
            architecture="vit_large_patch16_224",
            options={"init_values": 1e-5},
        ),
        gated=True,
    ),
    _published(
        "uni2-h",
        "UNI2-h, ViT-H/14 with 8 registers",
        1536,
        _NON_COMMERCIAL,
        TimmFacts(
            hub="MahmoodLab/UNI2-h",
            files=(TORCH_FILE,),
            architecture="vit_giant_patch14_224",
            options={
                "img_size": 224,
                "patch_size": 14,
                "depth": 24,
                "num_heads": 24,
                "embed_dim": 1536,
                "mlp_ratio": 2.66667 * 2,
                "init_values": 1e-5,
                "no_embed_class": True,
                "reg_tokens": 8,
            },
            layers=_SWIGLU,
            batch=128,
        ),
        gated=True,
    ),
    _published(
        "h-optimus-0",
        "H-optimus-0, ViT-g/14 with 4 registers",
        1536,
        "Apache-2.0",
        TimmFacts(
            hub="bioptimus/H-optimus-0",
            files=(TORCH_FILE,),
            architecture="vit_giant_patch14_reg4_dinov2",
            options={"img_size": 224, "init_values": 1e-5},
            mean=(0.707223, 0.578729, 0.703617),
            std=(0.211883, 0.230117, 0.177517),
            batch=64,
        ),
        gated=False,
    ),
    _published(
        "virchow2",
        "Virchow2, ViT-H/14 with 4 registers",
        2560,
        _NON_COMMERCIAL,
        TimmFacts(
            hub="paige-ai/Virchow2",
            files=(SAFETENSORS, TORCH_FILE),
            architecture="vit_huge_patch14_224",
            options={"img_size": 224, "init_values": 1e-5, "reg_tokens": 4, "mlp_ratio": 5.3375},
            layers=_SWIGLU,
            pooling="class and mean",
            batch=128,
        ),
        gated=True,
    ),
    _published(
        "prov-gigapath",
        "Prov-GigaPath tile encoder, ViT-g/16",
        1536,
        "Apache-2.0 with conditions",
        TimmFacts(
            hub="prov-gigapath/prov-gigapath",
            files=(TORCH_FILE,),
            architecture="vit_giant_patch14_dinov2",
            options={
                "img_size": 224,
                "patch_size": 16,
                "depth": 40,
                "num_heads": 24,
                "embed_dim": 1536,
                "mlp_ratio": 5.33334,
                "init_values": 1e-5,
            },
            batch=64,
        ),
        gated=True,
    ),
)
