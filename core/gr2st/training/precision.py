"""The arithmetic of training: torch's own switches, set while it lasts and set back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from gr2st.errors import DataError

if TYPE_CHECKING:
    from gr2st.config import Precision

AMPERE = 8
"""Major compute capability of the first NVIDIA GPUs with TF32 and bfloat16."""


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Let matrix products of float32 be rounded to TF32, or forbid it, while the block runs."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def forward_in(precision: Precision, device: torch.device) -> torch.autocast:
    """Context of a forward pass: with "bf16" layers compute in bfloat16, parameters stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def check_precision(precision: Precision, device: torch.device) -> None:
    """DataError where the device has no such arithmetic."""
    if precision == "float32" or (precision == "bf16" and device.type == "cpu"):
        return
    if device.type != "cuda":
        raise DataError(
            f"Precision {precision!r} was asked for, but {device} has no such arithmetic: tf32 needs an NVIDIA GPU, "
            "bf16 one or a CPU. Use --precision float32."
        )
    major, minor = torch.cuda.get_device_capability(device)
    if major < AMPERE:
        raise DataError(
            f"Precision {precision!r} needs an NVIDIA GPU of compute capability {AMPERE}.0 (Ampere) or newer, but "
            f"{torch.cuda.get_device_name(device)} has {major}.{minor}. Use --precision float32."
        )
