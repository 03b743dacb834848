"""Lets timm be imported where torchvision does not fit torch; the encoders use nothing of torchvision."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

OPERATORS = ("nms", "qnms")


def declare_missing_operators() -> torch.library.Library | None:
    """Declare what torchvision expects of its compiled part, only where that part cannot be loaded.

    A torchvision built for CUDA beside a torch without it stops while it is imported, because it describes operators
    that its compiled part would have brought. A name is enough: none of them is called. The library must be kept, the
    names live as long as it does.
    """
    compiled = _compiled_part()
    if compiled is None or _loads(compiled):
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in OPERATORS:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def _compiled_part() -> Path | None:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("_C.*"))), None)


def _loads(compiled: Path) -> bool:
    try:
        torch.ops.load_library(str(compiled))
    except OSError:
        return False
    return True
